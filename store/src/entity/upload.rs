//! A body or an attachment that comes in chunks, until a day after it began.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "upload")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub app_id: AppId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UploadId,
    pub user: String,
    pub conversation_id: Option<String>,
    pub client_msg_id: String,
    pub kind: String,
    pub name: Option<String>,
    pub bytes: i64,
    pub sha256: Vec<u8>,
    pub chunk_bytes: i64,
    pub state: String,
    pub created_ms: i64,
    pub dropped_ms: Option<i64>,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
