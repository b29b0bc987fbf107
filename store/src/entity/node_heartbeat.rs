//! A minute that a process told whole.

use super::prelude::*;
use tokenim_domain::id::NodeId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "node_heartbeat")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub boot: NodeId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub minute_ms: i64,
    pub node: String,
    pub rows_told: i64,
    pub is_last: bool,
}

/// No relations: heartbeats belong to the installation.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
