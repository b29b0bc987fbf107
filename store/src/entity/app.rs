//! An app: an isolated messaging space of an org.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "app")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: OrgId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AppId,
    pub name: String,
    pub mode: String,
    pub created_ms: i64,
    pub suspended_ms: Option<i64>,
    pub deleted_ms: Option<i64>,
    pub strangers: String,
    pub logins: String,
    pub unknown_users: String,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
