//! One sequenced entry of a conversation's log.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub app_id: AppId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub epoch: i64,
    #[sea_orm(column_name = "type")]
    pub event_type: i64,
    pub msg_no: i64,
    pub id: MessageId,
    pub sender: Option<String>,
    pub client_msg_id: Option<String>,
    pub kind: String,
    pub body: String,
    pub at_ms: i64,
    pub units: i64,
    pub units_cum: i64,
    pub target: Option<i64>,
    pub about: Option<String>,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
