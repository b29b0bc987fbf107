//! What the service's operators tell every org.

use super::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "announcement")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AnnouncementId,
    pub severity: String,
    pub title_en: String,
    pub title_zh: String,
    pub text_en: String,
    pub text_zh: String,
    pub starts_ms: i64,
    pub ends_ms: i64,
    pub created_ms: i64,
}

/// No relations: it belongs to no org.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
