//! Where the content of a message is that came in chunks.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "large_body")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub app_id: AppId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub object: UploadId,
    pub bytes: i64,
    pub created_ms: i64,
    pub dropped_ms: Option<i64>,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
