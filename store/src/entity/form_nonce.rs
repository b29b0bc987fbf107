//! A form that was sent in a session.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "form_nonce")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub session_hash: Vec<u8>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub nonce: Vec<u8>,
    pub created_ms: i64,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
