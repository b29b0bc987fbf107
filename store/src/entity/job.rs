//! A job of the queue.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    pub org_id: Option<OrgId>,
    pub kind: String,
    #[sea_orm(unique)]
    pub dedup_key: String,
    pub sealed_payload: Vec<u8>,
    pub run_at_ms: i64,
    pub attempts: i64,
    pub last_error: Option<String>,
    pub created_ms: i64,
    pub done_ms: Option<i64>,
    pub dead_ms: Option<i64>,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
