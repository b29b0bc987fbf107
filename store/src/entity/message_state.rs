//! What became of a message since it was stored.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message_state")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub app_id: AppId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub edited_seq: Option<i64>,
    pub edited_ms: Option<i64>,
    pub kind: Option<String>,
    pub body: Option<String>,
    pub deleted_seq: Option<i64>,
    pub deleted_ms: Option<i64>,
    pub pinned_seq: Option<i64>,
    pub replies: i64,
    pub reactions: Option<String>,
    pub ended_seq: Option<i64>,
    pub ended_ms: Option<i64>,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
