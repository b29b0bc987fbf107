//! Apps of an org: making, changing and deleting them.

use crate::audit::Event;
use crate::change::Change;
use crate::entity::app;
use crate::scope::OrgScope;
use crate::{fault, plans, sql};
use sea_orm::sea_query::{Expr, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};
use tokenim_domain::actor::Actor;
use tokenim_domain::group::Strangers;
use tokenim_domain::id::{AppId, OrgId};
use tokenim_domain::log::AppRef;
use tokenim_domain::login::{Logins, UnknownUsers};
use tokenim_domain::plan::Feature;
use tokenim_domain::role::Mode;
use tokenim_domain::{Code, Error, Result};

/// Apps of one org that are listed at once.
const APPS_MAX: u64 = 1_000;

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
    /// Which of its users may bring others into a conversation.
    pub strangers: Strangers,
    /// Which connections of a user a newer one ends.
    pub logins: Logins,
    /// What becomes of a user whom nobody knows yet.
    pub unknown_users: UnknownUsers,
}

/// What an app becomes; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct AppChange {
    /// Its name.
    pub name: Option<String>,
    /// Whether its traffic is stopped.
    pub is_suspended: Option<bool>,
    /// Which of its users may bring others into a conversation.
    pub strangers: Option<Strangers>,
    /// Which connections of a user a newer one ends.
    pub logins: Option<Logins>,
    /// What becomes of a user whom nobody knows yet.
    pub unknown_users: Option<UnknownUsers>,
}

/// The ids of an org's apps that are not deleted: what a query of keys and origins is scoped by.
pub(crate) fn apps_of(org: OrgId) -> SelectStatement {
    Query::select()
        .column(app::Column::Id)
        .from(app::Entity)
        .and_where(app::Column::OrgId.eq(org))
        .and_where(app::Column::DeletedMs.is_null())
        .to_owned()
}

/// The app, if the org owns such an app and has not deleted it.
///
/// Errors: `not_found`; `unavailable`, `overloaded`.
pub(crate) async fn get(on: &Change<'_>, org: OrgId, id: AppId) -> Result<app::Model> {
    let row = app::Entity::find_by_id((org, id)).one(&on.tx).await.map_err(fault::query)?;
    row.filter(|row| row.deleted_ms.is_none()).ok_or_else(|| Code::NotFound.into())
}

impl OrgScope<'_> {
    /// A page of the org's apps that are not deleted, the oldest first, from above `after` where one is given.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn page_apps(&self, after: Option<AppId>, limit: u64) -> Result<Vec<App>> {
        let query =
            app::Entity::find().filter(app::Column::OrgId.eq(self.org)).filter(app::Column::DeletedMs.is_null());
        let rows = sql::page(query, app::Column::Id, after, limit).all(&self.reader()).await;
        rows.map_err(fault::query)?.into_iter().map(view).collect()
    }

    /// The org's apps that are not deleted, the oldest first.
    ///
    /// Shapes: at most 1,000. Errors: `unavailable`, `overloaded`.
    pub async fn list_apps(&self) -> Result<Vec<App>> {
        self.page_apps(None, APPS_MAX).await
    }

    /// The app as lists show it, if the org owns such an app and has not deleted it.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn show_app(&self, id: AppId) -> Result<Option<App>> {
        let row = app::Entity::find_by_id((self.org, id)).one(&self.reader()).await.map_err(fault::query)?;
        row.filter(|row| row.deleted_ms.is_none()).map(view).transpose()
    }

    /// The app's ref, if the org owns such an app and has not deleted it.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_app(&self, id: AppId) -> Result<Option<AppRef>> {
        Ok(self.show_app(id).await?.map(|app| AppRef { org: self.org, app: app.id }))
    }

    /// Makes an app with a first signing secret, which stays here: tokens can be asked for at once. Server keys are made apart.
    ///
    /// Errors: `plan_limit` where the plan allows no more; `unavailable`, `overloaded`.
    pub async fn create_app(self, actor: &Actor, name: &str, mode: Mode) -> Result<App> {
        let change = self.begin(actor).await?;
        self.check_count(&change).await?;
        let row = app::Model {
            org_id: self.org,
            id: AppId::new(&*self.store.clock, &*self.store.rng),
            name: name.to_owned(),
            mode: mode.as_str().to_owned(),
            created_ms: self.store.clock.now_ms(),
            suspended_ms: None,
            deleted_ms: None,
            strangers: Strangers::Anyone.as_str().to_owned(),
            logins: Logins::Devices.as_str().to_owned(),
            unknown_users: UnknownUsers::Create.as_str().to_owned(),
        };
        sql::insert(&change.tx, row.clone()).await?;
        let secret = self.store.first_secret(&change.tx, row.id, name, actor.who).await?;
        let mut after = facts(&row);
        after["signing_key"] = json!(secret.id);
        change.commit_and_tell(Event::new("app.created", row.id).after(after)).await?;
        view(row)
    }

    async fn check_count(&self, change: &Change<'_>) -> Result<()> {
        let query =
            app::Entity::find().filter(app::Column::OrgId.eq(self.org)).filter(app::Column::DeletedMs.is_null());
        let count = i64::try_from(query.count(&change.tx).await.map_err(fault::query)?).unwrap_or(i64::MAX);
        plans::granted(&change.tx, self.org, Feature::Apps).await?.admit(Feature::Apps, count)
    }

    /// Renames, suspends or resumes an app, or sets its rules for strangers, logins and unknown users; what it is already changes nothing.
    ///
    /// Errors: `not_found`; `unavailable`, `overloaded`.
    pub async fn update_app(self, actor: &Actor, id: AppId, wanted: AppChange) -> Result<App> {
        let change = self.begin(actor).await?;
        let before = get(&change, self.org, id).await?;
        let mut row = before.clone();
        if let Some(name) = wanted.name {
            row.name = name;
        }
        if let Some(strangers) = wanted.strangers {
            row.strangers = strangers.as_str().to_owned();
        }
        if let Some(logins) = wanted.logins {
            row.logins = logins.as_str().to_owned();
        }
        if let Some(rule) = wanted.unknown_users {
            row.unknown_users = rule.as_str().to_owned();
        }
        row.suspended_ms = match wanted.is_suspended {
            Some(true) => row.suspended_ms.or(Some(self.store.clock.now_ms())),
            Some(false) => None,
            None => row.suspended_ms,
        };
        if row == before {
            return view(row);
        }
        app::Entity::update_many()
            .col_expr(app::Column::Name, Expr::value(row.name.clone()))
            .col_expr(app::Column::SuspendedMs, Expr::value(row.suspended_ms))
            .col_expr(app::Column::Strangers, Expr::value(row.strangers.clone()))
            .col_expr(app::Column::Logins, Expr::value(row.logins.clone()))
            .col_expr(app::Column::UnknownUsers, Expr::value(row.unknown_users.clone()))
            .filter(app::Column::OrgId.eq(self.org))
            .filter(app::Column::Id.eq(id))
            .exec(&change.tx)
            .await
            .map_err(fault::query)?;
        let event = Event::new("app.updated", id).before(facts(&before)).after(facts(&row));
        change.commit_and_tell(event).await?;
        view(row)
    }

    /// Deletes an app: its keys are refused from now on, and lists hide it. Its messages and usage stay as they are.
    ///
    /// Errors: `not_found`; `unavailable`, `overloaded`.
    pub async fn delete_app(self, actor: &Actor, id: AppId) -> Result<()> {
        let change = self.begin(actor).await?;
        let row = get(&change, self.org, id).await?;
        app::Entity::update_many()
            .col_expr(app::Column::DeletedMs, Expr::value(self.store.clock.now_ms()))
            .filter(app::Column::OrgId.eq(self.org))
            .filter(app::Column::Id.eq(id))
            .exec(&change.tx)
            .await
            .map_err(fault::query)?;
        change.commit_and_tell(Event::new("app.deleted", id).before(facts(&row))).await
    }
}

fn facts(row: &app::Model) -> Value {
    json!({
        "name": row.name, "mode": row.mode, "suspended": row.suspended_ms.is_some(), "strangers": row.strangers,
        "logins": row.logins, "unknown_users": row.unknown_users,
    })
}

fn view(row: app::Model) -> Result<App> {
    let mode = Mode::find(&row.mode).ok_or_else(|| Error::internal(format!("unknown app mode {:?}", row.mode)))?;
    let strangers = Strangers::find(&row.strangers).ok_or_else(|| Error::internal("unknown rule for strangers"))?;
    let (logins, unknown_users) = (logins_of(&row)?, unknown_users_of(&row)?);
    let (created_ms, suspended_ms) = (row.created_ms, row.suspended_ms);
    Ok(App { id: row.id, name: row.name, mode, created_ms, suspended_ms, strangers, logins, unknown_users })
}

/// The rule for unknown users of an app's row.
pub(crate) fn unknown_users_of(row: &app::Model) -> Result<UnknownUsers> {
    UnknownUsers::find(&row.unknown_users).ok_or_else(|| Error::internal("unknown rule for unknown users"))
}

/// The rule for logins of an app's row.
pub(crate) fn logins_of(row: &app::Model) -> Result<Logins> {
    Logins::find(&row.logins).ok_or_else(|| Error::internal("unknown rule for logins"))
}
