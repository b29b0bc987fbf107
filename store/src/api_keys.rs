//! Server keys of an org's apps: making, replacing and revoking them. Secrets never come here.

use crate::audit::Event;
use crate::change::Change;
use crate::entity::api_key;
use crate::keys::KeyPrint;
use crate::scope::OrgScope;
use crate::{app_keys, apps, fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tokenim_domain::actor::Actor;
use tokenim_domain::id::{AppId, KeyId};
use tokenim_domain::mail::Matter;
use tokenim_domain::scope::Scopes;
use tokenim_domain::{Error, Result};

/// A server key to make.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// What lists show of its secret, and the secret's SHA-256.
    pub print: KeyPrint,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: Option<i64>,
}

/// A server key, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyView {
    /// Its id.
    pub id: KeyId,
    /// The app it opens.
    pub app: AppId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// Prefix and last characters of its secret.
    pub hint: String,
    /// Who made it: an id, as the audit log writes it; unknown for the oldest keys.
    pub created_by: Option<String>,
    /// When, milliseconds since 1970.
    pub created_ms: i64,
    /// When it ends.
    pub expires_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
    /// The key that took its place.
    pub successor: Option<KeyId>,
    /// When it was used last, to the minute.
    pub last_used_ms: Option<i64>,
    /// From which address.
    pub last_used_from: Option<String>,
}

impl OrgScope<'_> {
    /// Server keys of the org, or of one app, the oldest first, from above `after` where one is given; revoked ones too.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn list_api_keys(&self, app: Option<AppId>, after: Option<KeyId>, limit: u64) -> Result<Vec<ApiKeyView>> {
        let rows = app_keys::page::<api_key::Entity>(self.org, app, after, limit).all(&self.reader()).await;
        rows.map_err(fault::query)?.into_iter().map(view).collect()
    }

    /// The server key of the org with that id, if there is one.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn show_api_key(&self, id: KeyId) -> Result<Option<ApiKeyView>> {
        let found = app_keys::one::<api_key::Entity>(self.org, id).one(&self.reader()).await;
        found.map_err(fault::query)?.map(view).transpose()
    }

    /// Makes a server key.
    ///
    /// Errors: `not_found` for the app; `limit_reached` at 100 that stand; `unavailable`, `overloaded`.
    pub async fn create_api_key(self, actor: &Actor, app: AppId, new: NewApiKey) -> Result<ApiKeyView> {
        let change = self.begin(actor).await?;
        apps::get(&change, self.org, app).await?;
        let row = self.insert_api_key(&change, actor, app, new).await?;
        change.commit_and_tell(Event::new("key.created", row.id).after(facts(&row))).await?;
        view(row)
    }

    /// Makes a key in the place of another, of the same name, scopes and end. The other ends at `until_ms`; where that is now,
    /// it is revoked as well.
    ///
    /// Errors: `not_found`; `conflict` for a key that does not stand; as [`OrgScope::create_api_key`].
    pub async fn rotate_api_key(self, actor: &Actor, id: KeyId, print: KeyPrint, until_ms: i64) -> Result<ApiKeyView> {
        let change = self.begin(actor).await?;
        let old = app_keys::get::<api_key::Entity>(&change, id).await?;
        let now = self.store.clock.now_ms();
        let end = app_keys::end_of_replaced::<api_key::Entity>(&old, until_ms, now)?;
        let scopes = Scopes::parse(old.scopes.split(' ')).map_err(Error::internal)?;
        let new = NewApiKey { name: old.name.clone(), scopes, print, expires_ms: old.expires_ms };
        let row = self.insert_api_key(&change, actor, old.app_id, new).await?;
        let revoked_ms = (until_ms <= now).then_some(now);
        api_key::Entity::update_many()
            .col_expr(api_key::Column::ExpiresMs, Expr::value(end))
            .col_expr(api_key::Column::RevokedMs, Expr::value(revoked_ms))
            .col_expr(api_key::Column::Successor, Expr::value(Some(row.id)))
            .filter(api_key::Column::AppId.eq(old.app_id))
            .filter(api_key::Column::Id.eq(id))
            .exec(&change.tx)
            .await
            .map_err(fault::query)?;
        let after = json!({"successor": row.id, "expires_ms": end});
        change.commit_and_tell(Event::new("key.rotated", id).before(facts(&old)).after(after)).await?;
        view(row)
    }

    /// Revokes a server key, and mails the org's owners where there is something to tell; one that is revoked stays as it is.
    ///
    /// Errors: `not_found`; `unavailable`, `overloaded`.
    pub async fn revoke_api_key(self, actor: &Actor, id: KeyId, told: Option<&Matter>) -> Result<ApiKeyView> {
        let change = self.begin(actor).await?;
        let mut row = app_keys::get::<api_key::Entity>(&change, id).await?;
        if row.revoked_ms.is_some() {
            return view(row);
        }
        let now = self.store.clock.now_ms();
        row.revoked_ms = Some(now);
        app_keys::set_revoked::<api_key::Entity>(&change, row.app_id, id, now).await?;
        if let Some(matter) = told {
            change.mail_owners(&format!("revoked:{id}"), matter).await?;
        }
        change.commit_and_tell(Event::new("key.revoked", id).before(facts(&row))).await?;
        view(row)
    }

    async fn insert_api_key(
        &self,
        change: &Change<'_>,
        actor: &Actor,
        app: AppId,
        new: NewApiKey,
    ) -> Result<api_key::Model> {
        app_keys::check_count::<api_key::Entity>(change, app).await?;
        let row = api_key::Model {
            app_id: app,
            id: KeyId::new(&*self.store.clock, &*self.store.rng),
            name: new.name,
            hint: new.print.hint,
            hash: new.print.hash.to_vec(),
            created_ms: self.store.clock.now_ms(),
            revoked_ms: None,
            scopes: new.scopes.to_string(),
            created_by: Some(actor.who.to_string()),
            expires_ms: new.expires_ms,
            successor: None,
            last_used_ms: None,
            last_used_from: None,
        };
        sql::insert(&change.tx, row.clone()).await?;
        Ok(row)
    }
}

fn facts(row: &api_key::Model) -> Value {
    let api_key::Model { app_id, name, scopes, hint, expires_ms, .. } = row;
    json!({"app": app_id, "name": name, "scopes": scopes, "hint": hint, "expires_ms": expires_ms})
}

fn view(row: api_key::Model) -> Result<ApiKeyView> {
    Ok(ApiKeyView {
        id: row.id,
        app: row.app_id,
        name: row.name,
        scopes: Scopes::parse(row.scopes.split(' ')).map_err(Error::internal)?,
        hint: row.hint,
        created_by: row.created_by,
        created_ms: row.created_ms,
        expires_ms: row.expires_ms,
        revoked_ms: row.revoked_ms,
        successor: row.successor,
        last_used_ms: row.last_used_ms,
        last_used_from: row.last_used_from,
    })
}
