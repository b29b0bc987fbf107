//! The head row of a conversation's log.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub app_id: AppId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub kind: String,
    pub name: Option<String>,
    pub creator: Option<String>,
    pub pair: Option<String>,
    pub epoch: i64,
    pub epoch_first: i64,
    pub last_seq: i64,
    pub last_msg_no: i64,
    pub last_ms: i64,
    pub units_cum: i64,
    pub member_version: i64,
    pub created_ms: i64,
    pub join_rule: String,
    pub add_rule: String,
    pub members: i64,
    pub is_tallied: bool,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
