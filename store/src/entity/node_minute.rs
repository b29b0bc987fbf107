//! What a process counted of an app in a minute.

use super::prelude::*;
use tokenim_domain::id::NodeId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "node_minute")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub app_id: AppId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub minute_ms: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub boot: NodeId,
    pub connections_open: i64,
    pub connections_started: i64,
    pub api_calls: i64,
    pub ephemeral: i64,
    pub rule_version: i64,
    pub roll: Option<i64>,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
