//! A browser login.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "console_session")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: Vec<u8>,
    pub id: SessionId,
    pub account_id: AccountId,
    pub org_id: Option<OrgId>,
    pub is_operator: bool,
    pub csrf: Vec<u8>,
    pub address: Option<String>,
    pub agent: Option<String>,
    pub created_ms: i64,
    pub seen_ms: i64,
    pub proved_ms: i64,
    pub expires_ms: i64,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
