//! A user's reaction to a message.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reaction")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub app_id: AppId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub target: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub emoji: String,
    pub seq: i64,
}

/// No relations: queries name their joins, scoped by app.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
