//! Server keys of an app: making, replacing and revoking them.

use crate::check;
use tokenim_domain::actor::{Acting, Action, Actor, Who};
use tokenim_domain::id::{AppId, KeyId};
use tokenim_domain::key::{self, Kind};
use tokenim_domain::mail::Matter;
use tokenim_domain::scope::Scopes;
use tokenim_domain::secret::Secret;
use tokenim_domain::{Code, Error, Result};
use tokenim_store::{ApiKeyView, KeyPrint, NewApiKey, OrgScope, Store};

/// How long a replaced key goes on working where nobody says otherwise.
pub const GRACE_S_DEFAULT: i64 = 24 * 3_600;
/// How long it may at most.
pub const GRACE_S_MAX: i64 = 30 * 24 * 3_600;

/// Why a key was revoked that somebody found, in the audit log.
const LEAKED: &str = "reported as leaked";

/// A server key that somebody asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The app it shall open.
    pub app: AppId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it shall end, milliseconds since 1970.
    pub expires_ms: Option<i64>,
}

/// Makes a server key; its secret is shown once.
///
/// Errors: `forbidden`, `invalid_field`, `not_found`, `limit_reached`; the store's.
pub async fn create(store: &Store, acting: &Acting, wanted: Wanted) -> Result<(ApiKeyView, Secret)> {
    acting.allow(Action::ChangeKeys)?;
    check::name(&wanted.name)?;
    check::end(wanted.expires_ms, store.clock().now_ms())?;
    let scope = store.org(acting.org);
    let app = scope.show_app(wanted.app).await?.ok_or(Code::NotFound)?;
    let (print, secret) = generate(store, Kind::Server(app.mode))?;
    let Wanted { name, scopes, expires_ms, .. } = wanted;
    let new = NewApiKey { name, scopes, print, expires_ms };
    Ok((scope.create_api_key(&acting.actor, app.id, new).await?, secret))
}

/// Makes a key in the place of another, which goes on working for `grace_s` seconds. With 0, which is for a leak, it is
/// revoked at once, and the user tokens it asked for with it.
///
/// Errors: `forbidden`, `invalid_field`, `not_found`; `conflict` for a key that does not stand; the store's.
pub async fn rotate(store: &Store, acting: &Acting, id: KeyId, grace_s: i64) -> Result<(ApiKeyView, Secret)> {
    acting.allow(Action::ChangeKeys)?;
    let until_ms = check_grace(grace_s, store.clock().now_ms())?;
    let scope = store.org(acting.org);
    let old = scope.show_api_key(id).await?.ok_or(Code::NotFound)?;
    let app = scope.show_app(old.app).await?.ok_or(Code::NotFound)?;
    let (print, secret) = generate(store, Kind::Server(app.mode))?;
    Ok((scope.rotate_api_key(&acting.actor, id, print, until_ms).await?, secret))
}

/// Revokes a server key: it is refused within 2 s, and connections whose tokens it asked for close within 5 s. One that is
/// revoked stays as it is.
///
/// Errors: `forbidden`, `not_found`; the store's.
pub async fn revoke(store: &Store, acting: &Acting, id: KeyId) -> Result<ApiKeyView> {
    acting.allow(Action::ChangeKeys)?;
    store.org(acting.org).revoke_api_key(&acting.actor, id, None).await
}

/// Revokes a key of any kind that somebody found where it should not be, and tells the owners of its org by mail; text that
/// is no key of ours, or one that was revoked, changes nothing.
///
/// `from` is the finder's address. Errors: the store's.
pub async fn revoke_leaked(store: &Store, text: &str, from: Option<std::net::IpAddr>) -> Result<()> {
    let Ok((kind, hash)) = key::parse(text) else { return Ok(()) };
    let actor = Actor { who: Who::Machine, address: from, reason: Some(LEAKED.to_owned()) };
    let now_ms = store.clock().now_ms();
    match kind {
        Kind::Server(_) => {
            let Some(key) = store.find_api_key(hash).await?.filter(|key| !key.standing.is_revoked) else {
                return Ok(());
            };
            let org = store.org(key.app.org);
            let Some(view) = org.show_api_key(key.id).await? else { return Ok(()) };
            let told = leak(&org, view.name, view.hint, format!("/console/apps/{}/keys", view.app), now_ms).await?;
            match org.revoke_api_key(&actor, key.id, Some(&told)).await {
                // The keys of an app that was deleted meanwhile open nothing.
                Err(error) if error.code == Code::NotFound => {}
                done => drop(done?),
            }
        }
        Kind::Management => {
            let Some(key) = store.find_management_key(hash).await?.filter(|key| !key.revoked) else { return Ok(()) };
            let org = store.org(key.org);
            let Some(view) = org.show_management_key(key.id).await? else { return Ok(()) };
            let told = leak(&org, view.name, view.hint, "/console/settings".to_owned(), now_ms).await?;
            org.revoke_management_key(&actor, key.id, Some(&told)).await?;
        }
        Kind::Operator => {
            if let Some(key) = store.find_operator_key(hash).await? {
                return store.revoke_operator_key(&actor, key.id).await.map(drop);
            }
        }
    }
    Ok(())
}

/// The mail that a key of the org leaked and was revoked, with the page where another one is made.
async fn leak(org: &OrgScope<'_>, key: String, hint: String, path: String, at_ms: i64) -> Result<Matter> {
    let name = org.find().await?.ok_or(Code::NotFound)?.name;
    Ok(Matter::KeyLeaked { org: name, key, hint, at_ms, path })
}

/// The end of a replaced key, milliseconds since 1970.
pub(crate) fn check_grace(grace_s: i64, now_ms: i64) -> Result<i64> {
    if !(0..=GRACE_S_MAX).contains(&grace_s) {
        return Err(Error::invalid("grace_s", "`grace_s` must be 0 to 2592000 seconds"));
    }
    Ok(now_ms + grace_s * 1_000)
}

/// A new secret of a kind, and what is kept of it.
pub(crate) fn generate(store: &Store, kind: Kind) -> Result<(KeyPrint, Secret)> {
    let secret = key::generate(kind, &**store.rng());
    let (_, hash) = key::parse(secret.expose())?;
    Ok((KeyPrint { hint: key::hint(&secret), hash }, secret))
}
