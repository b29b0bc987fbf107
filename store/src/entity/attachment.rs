//! A file that messages carry.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attachment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub app_id: AppId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttachmentId,
    pub user: String,
    pub name: String,
    pub content_type: String,
    pub bytes: i64,
    pub sha256: Vec<u8>,
    pub created_ms: i64,
    pub sent_ms: Option<i64>,
    pub dropped_ms: Option<i64>,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
