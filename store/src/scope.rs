//! The org handle: the only way to what belongs to an org.

use crate::db::{Fence, Fenced};
use crate::entity::app;
use crate::{Store, fault};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokenim_domain::id::{AppId, OrgId};
use tokenim_domain::log::AppRef;
use tokenim_domain::role::Mode;
use tokenim_domain::{Error, Result};

/// Apps of one org that are listed at once.
const APPS_MAX: u64 = 1_000;

/// One org's data.
#[derive(Debug, Clone, Copy)]
pub struct OrgScope<'a> {
    pub(crate) store: &'a Store,
    pub(crate) org: OrgId,
}

/// An app, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// Its name.
    pub name: String,
    /// Whether it is billed.
    pub mode: Mode,
    /// When it was created, milliseconds since 1970.
    pub created_ms: i64,
    /// When it was suspended.
    pub suspended_ms: Option<i64>,
}

impl Store {
    /// The handle to an org's data; only a verified credential may name the org.
    #[must_use]
    pub fn org(&self, org: OrgId) -> OrgScope<'_> {
        OrgScope { store: self, org }
    }
}

impl OrgScope<'_> {
    /// A reading connection inside the org's fence.
    pub(crate) fn reader(&self) -> Fenced<'_> {
        self.store.readers.within(Fence::of(self.org))
    }

    /// The org's apps that are not deleted, the oldest first.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn list_apps(&self) -> Result<Vec<App>> {
        let rows = app::Entity::find()
            .filter(app::Column::OrgId.eq(self.org))
            .filter(app::Column::DeletedMs.is_null())
            .order_by_asc(app::Column::Id)
            .limit(APPS_MAX)
            .all(&self.reader())
            .await
            .map_err(fault::query)?;
        rows.into_iter().map(view).collect()
    }

    /// The app's ref, if the org owns such an app and has not deleted it.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_app(&self, id: AppId) -> Result<Option<AppRef>> {
        let row = app::Entity::find_by_id((self.org, id)).one(&self.reader()).await.map_err(fault::query)?;
        Ok(row.filter(|row| row.deleted_ms.is_none()).map(|row| AppRef { org: row.org_id, app: row.id }))
    }
}

pub(crate) fn view(row: app::Model) -> Result<App> {
    let mode = Mode::find(&row.mode).ok_or_else(|| Error::internal(format!("unknown app mode {:?}", row.mode)))?;
    Ok(App { id: row.id, name: row.name, mode, created_ms: row.created_ms, suspended_ms: row.suspended_ms })
}
