//! An account: a person who signs in to the console.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    pub email: String,
    pub password_hash: String,
    pub is_operator: bool,
    pub language: Option<String>,
    pub created_ms: i64,
    pub verified_ms: Option<i64>,
    pub theme: Option<String>,
    pub sealed_totp: Option<Vec<u8>>,
    pub totp_confirmed_ms: Option<i64>,
    pub totp_step: Option<i64>,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
