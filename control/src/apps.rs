//! Apps: making, renaming, suspending, resuming and deleting them.

use crate::check;
use crate::orgs::check_verified_owner;
use tokenim_domain::actor::{Acting, Action};
use tokenim_domain::id::AppId;
use tokenim_domain::role::Mode;
use tokenim_domain::{Code, Error, Result};
use tokenim_store::{App, AppChange, Store};

/// Makes an app with a first signing secret. That needs an owner with a verified address, whom an operator answers for:
/// until then an org has the one test app of its sign-up, so that deleting it and making another one does not begin the
/// trial anew.
///
/// Errors: `forbidden`, `invalid_field`, `email_unverified`, `plan_limit`; the store's.
pub async fn create(store: &Store, acting: &Acting, name: &str, mode: Mode) -> Result<App> {
    acting.allow(Action::ChangeApps)?;
    check::name(name)?;
    check_verified_owner(store, acting).await?;
    store.org(acting.org).create_app(&acting.actor, name, mode).await
}

/// Renames, suspends or resumes an app, or sets its rules for strangers, logins and unknown users. A suspended one refuses its keys and tokens (`app_suspended`) within 2 s.
///
/// Errors: `forbidden`, `invalid_field`, `not_found`; the store's.
pub async fn update(store: &Store, acting: &Acting, app: AppId, change: AppChange) -> Result<App> {
    acting.allow(Action::ChangeApps)?;
    if let Some(name) = &change.name {
        check::name(name)?;
    }
    store.org(acting.org).update_app(&acting.actor, app, change).await
}

/// Deletes an app for good; whoever does it types its name.
///
/// Errors: `forbidden`, `not_found`; `invalid_field` for another name; the store's.
pub async fn delete(store: &Store, acting: &Acting, app: AppId, typed_name: &str) -> Result<()> {
    acting.allow(Action::ChangeApps)?;
    let scope = store.org(acting.org);
    let found = scope.show_app(app).await?.ok_or(Code::NotFound)?;
    if found.name != typed_name {
        return Err(Error::invalid("name", "this is not the app's name; nothing was deleted"));
    }
    scope.delete_app(&acting.actor, app).await
}
