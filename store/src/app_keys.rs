//! What server keys and signing keys have in common: both are keys of an app, counted, listed, replaced and revoked alike.

use crate::change::Change;
use crate::entity::{api_key, signing_key};
use crate::keys::ends_after;
use crate::{apps, fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryTrait, Select};
use tokenim_domain::id::{AppId, KeyId, OrgId};
use tokenim_domain::standing::Standing;
use tokenim_domain::{Code, Error, Result};

/// Keys of one kind that an app has at most, those that stand no longer aside.
const KEYS_MAX: u64 = 100;

/// A table of keys of apps.
pub(crate) trait AppKey: EntityTrait<Model: Send + Sync> {
    /// The app a key is of.
    const APP: Self::Column;
    /// The key's id.
    const ID: Self::Column;
    /// When it was revoked.
    const REVOKED_MS: Self::Column;
    /// When it ends.
    const EXPIRES_MS: Self::Column;
    /// What an app has too many of, in the message that refuses one more.
    const KEYS: &'static str;

    /// Whether a key stands, whatever its app says.
    fn standing(row: &Self::Model) -> Standing;
}

impl AppKey for api_key::Entity {
    const APP: api_key::Column = api_key::Column::AppId;
    const ID: api_key::Column = api_key::Column::Id;
    const REVOKED_MS: api_key::Column = api_key::Column::RevokedMs;
    const EXPIRES_MS: api_key::Column = api_key::Column::ExpiresMs;
    const KEYS: &'static str = "keys";

    fn standing(row: &api_key::Model) -> Standing {
        standing(row.revoked_ms, row.successor, row.expires_ms)
    }
}

impl AppKey for signing_key::Entity {
    const APP: signing_key::Column = signing_key::Column::AppId;
    const ID: signing_key::Column = signing_key::Column::Id;
    const REVOKED_MS: signing_key::Column = signing_key::Column::RevokedMs;
    const EXPIRES_MS: signing_key::Column = signing_key::Column::ExpiresMs;
    const KEYS: &'static str = "signing keys";

    fn standing(row: &signing_key::Model) -> Standing {
        standing(row.revoked_ms, row.successor, row.expires_ms)
    }
}

fn standing(revoked_ms: Option<i64>, successor: Option<KeyId>, expires_ms: Option<i64>) -> Standing {
    // One that is replaced at once is revoked as it ends; one that was revoked before its end did not end by being replaced.
    let is_rotated = successor.is_some() && revoked_ms.is_none_or(|at| expires_ms.is_some_and(|end| end <= at));
    Standing { is_revoked: revoked_ms.is_some(), is_rotated, is_suspended: false, expires_ms }
}

/// Keys of the org, or of one app, the oldest first, from above `after` where one is given; revoked ones too.
pub(crate) fn page<E: AppKey>(org: OrgId, app: Option<AppId>, after: Option<KeyId>, limit: u64) -> Select<E> {
    let query = of_org::<E>(org).apply_if(app, |query, app| query.filter(E::APP.eq(app)));
    sql::page(query, E::ID, after, limit)
}

/// The key of the org with that id.
pub(crate) fn one<E: AppKey>(org: OrgId, id: KeyId) -> Select<E> {
    of_org::<E>(org).filter(E::ID.eq(id))
}

fn of_org<E: AppKey>(org: OrgId) -> Select<E> {
    E::find().filter(E::APP.in_subquery(apps::apps_of(org)))
}

/// The key that a change is of.
///
/// Errors: `not_found`; `unavailable`, `overloaded`.
pub(crate) async fn get<E: AppKey>(change: &Change<'_>, id: KeyId) -> Result<E::Model> {
    let found = one::<E>(change.scope.org, id).one(&change.tx).await.map_err(fault::query)?;
    found.ok_or_else(|| Code::NotFound.into())
}

/// Asks that an app may have one more key of the kind; the caller holds the org's row.
///
/// Errors: `limit_reached`; `unavailable`, `overloaded`.
pub(crate) async fn check_count<E: AppKey>(change: &Change<'_>, app: AppId) -> Result<()> {
    let now = change.scope.store.clock.now_ms();
    let standing =
        E::find().filter(E::APP.eq(app)).filter(E::REVOKED_MS.is_null()).filter(ends_after(E::EXPIRES_MS, now));
    if standing.count(&change.tx).await.map_err(fault::query)? < KEYS_MAX {
        return Ok(());
    }
    let message = format!("an app has at most {KEYS_MAX} {} that stand; revoke one first", E::KEYS);
    Err(Error::new(Code::LimitReached).says(message))
}

/// When a key ends whose successor may do without it from `until_ms` on, in milliseconds since 1970.
///
/// Errors: `conflict` for a key that does not stand.
pub(crate) fn end_of_replaced<E: AppKey>(old: &E::Model, until_ms: i64, now_ms: i64) -> Result<i64> {
    let standing = E::standing(old);
    if standing.is_rotated || standing.check_key(now_ms).is_err() {
        return Err(Error::new(Code::Conflict).says("this key was replaced or revoked, or has ended"));
    }
    Ok(standing.expires_ms.map_or(until_ms, |end| end.min(until_ms)))
}

/// Writes that a key was revoked.
///
/// Errors: `unavailable`, `overloaded`.
pub(crate) async fn set_revoked<E: AppKey>(change: &Change<'_>, app: AppId, id: KeyId, at_ms: i64) -> Result<()> {
    E::update_many()
        .col_expr(E::REVOKED_MS, Expr::value(at_ms))
        .filter(E::APP.eq(app))
        .filter(E::ID.eq(id))
        .exec(&change.tx)
        .await
        .map(drop)
        .map_err(fault::query)
}
