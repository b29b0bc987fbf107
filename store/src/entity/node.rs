//! A process that serves this database.

use super::prelude::*;
use tokenim_domain::id::NodeId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "node")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NodeId,
    pub name: String,
    pub version: String,
    pub started_ms: i64,
    pub seen_ms: i64,
    pub connections: i64,
    pub rss_bytes: i64,
    pub cpu_ms: i64,
}

/// No relations: nodes belong to the installation.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
