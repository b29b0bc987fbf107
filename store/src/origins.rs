//! Origins of pages that may connect to an app; an app without any takes every page.

use crate::audit::Event;
use crate::entity::app_origin;
use crate::scope::OrgScope;
use crate::terms::ORIGINS_MAX;
use crate::{apps, fault, sql};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use tokenim_domain::actor::Actor;
use tokenim_domain::id::AppId;
use tokenim_domain::origin::Origin;
use tokenim_domain::{Code, Error, Result};

impl OrgScope<'_> {
    /// The origins of an app, in the order of their text.
    ///
    /// Shapes: at most [`ORIGINS_MAX`]. Errors: `not_found` for the app; `unavailable`, `overloaded`.
    pub async fn list_origins(&self, app: AppId) -> Result<Vec<String>> {
        self.find_app(app).await?.ok_or(Code::NotFound)?;
        let rows = app_origin::Entity::find()
            .filter(app_origin::Column::AppId.eq(app))
            .order_by_asc(app_origin::Column::Origin)
            .limit(ORIGINS_MAX)
            .all(&self.reader())
            .await
            .map_err(fault::query)?;
        Ok(rows.into_iter().map(|row| row.origin).collect())
    }

    /// Adds an origin; one that is there stays.
    ///
    /// Errors: `not_found` for the app; `limit_reached`; `unavailable`, `overloaded`.
    pub async fn add_origin(self, actor: &Actor, app: AppId, origin: &Origin) -> Result<()> {
        let change = self.begin(actor).await?;
        apps::get(&change, self.org, app).await?;
        let query = app_origin::Entity::find().filter(app_origin::Column::AppId.eq(app));
        let present = query.limit(ORIGINS_MAX).all(&change.tx).await.map_err(fault::query)?;
        if present.iter().any(|row| row.origin == origin.as_str()) {
            return Ok(());
        }
        if present.len() as u64 >= ORIGINS_MAX {
            return Err(Error::new(Code::LimitReached).says(format!("an app has at most {ORIGINS_MAX} origins")));
        }
        let (origin, created_ms) = (origin.to_string(), self.store.clock.now_ms());
        sql::insert(&change.tx, app_origin::Model { app_id: app, origin: origin.clone(), created_ms }).await?;
        change.commit_and_tell(Event::new("origin.added", app).after(json!({"origin": origin}))).await
    }

    /// Removes an origin.
    ///
    /// Errors: `not_found` for the app, or an origin that it does not have; `unavailable`, `overloaded`.
    pub async fn remove_origin(self, actor: &Actor, app: AppId, origin: &Origin) -> Result<()> {
        let change = self.begin(actor).await?;
        apps::get(&change, self.org, app).await?;
        let removed = app_origin::Entity::delete_many()
            .filter(app_origin::Column::AppId.eq(app))
            .filter(app_origin::Column::Origin.eq(origin.as_str()))
            .exec(&change.tx)
            .await
            .map_err(fault::query)?;
        if removed.rows_affected == 0 {
            return Err(Code::NotFound.into());
        }
        change.commit_and_tell(Event::new("origin.removed", app).before(json!({"origin": origin.as_str()}))).await
    }
}
