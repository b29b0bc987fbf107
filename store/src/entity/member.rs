//! A user in a conversation.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub app_id: AppId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user: String,
    pub role: String,
    pub joined_seq: i64,
    pub read_seq: i64,
    pub received_seq: i64,
    pub muted_until_ms: Option<i64>,
    pub is_tallied: bool,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
