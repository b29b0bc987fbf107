//! Orgs: one through its own handle, and the list that only operators may see.

use crate::entity::org;
use crate::scope::OrgScope;
use crate::{Store, fault};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokenim_domain::Result;
use tokenim_domain::id::OrgId;

/// An org, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgView {
    /// Its id.
    pub id: OrgId,
    /// Its name.
    pub name: String,
    /// When it was created, milliseconds since 1970.
    pub created_ms: i64,
    /// When an operator suspended it.
    pub suspended_ms: Option<i64>,
}

impl OrgScope<'_> {
    /// The org, if there is one.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find(&self) -> Result<Option<OrgView>> {
        let row = org::Entity::find_by_id(self.org).one(&self.store.readers).await.map_err(fault::query)?;
        Ok(row.map(view))
    }
}

impl Store {
    /// Orgs of the service, the oldest first, from above `after` where one is given: for operators only.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn list_orgs(&self, after: Option<OrgId>, limit: u64) -> Result<Vec<OrgView>> {
        let mut query = org::Entity::find();
        if let Some(after) = after {
            query = query.filter(org::Column::Id.gt(after));
        }
        let rows = query.order_by_asc(org::Column::Id).limit(limit).all(&self.readers).await;
        Ok(rows.map_err(fault::query)?.into_iter().map(view).collect())
    }
}

fn view(row: org::Model) -> OrgView {
    OrgView { id: row.id, name: row.name, created_ms: row.created_ms, suspended_ms: row.suspended_ms }
}
