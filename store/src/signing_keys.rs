//! Signing keys of an org's apps: secrets that are sealed, and public keys.

use crate::audit::Event;
use crate::change::Change;
use crate::entity::signing_key;
use crate::keys::SEAL_PURPOSE;
use crate::scope::OrgScope;
use crate::{app_keys, apps, fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tokenim_domain::actor::Actor;
use tokenim_domain::id::{AppId, KeyId};
use tokenim_domain::secret::Secret;
use tokenim_domain::token::SigningAlgorithm;
use tokenim_domain::{Error, Result};

/// What verifies, as it is kept.
#[derive(Debug, Clone)]
pub enum NewMaterial {
    /// An HS256 secret, to be sealed.
    Secret(Secret),
    /// A public key that was checked, in PEM.
    Public(SigningAlgorithm, String),
}

/// A signing key to make.
#[derive(Debug, Clone)]
pub struct NewSigningKey {
    /// Its name.
    pub name: String,
    /// What verifies.
    pub material: NewMaterial,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: Option<i64>,
}

/// A signing key, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyView {
    /// The platform-wide `kid`.
    pub id: KeyId,
    /// The app it signs for.
    pub app: AppId,
    /// Its name.
    pub name: String,
    /// How it signs.
    pub algorithm: SigningAlgorithm,
    /// The public key in PEM, where it is one.
    pub public_key: Option<String>,
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
}

impl OrgScope<'_> {
    /// Signing keys of the org, or of one app, the oldest first, from above `after` where one is given; revoked ones too.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn list_signing_keys(
        &self,
        app: Option<AppId>,
        after: Option<KeyId>,
        limit: u64,
    ) -> Result<Vec<SigningKeyView>> {
        let rows = app_keys::page::<signing_key::Entity>(self.org, app, after, limit).all(&self.reader()).await;
        rows.map_err(fault::query)?.into_iter().map(view).collect()
    }

    /// The signing key of the org with that id, if there is one.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn show_signing_key(&self, id: KeyId) -> Result<Option<SigningKeyView>> {
        let found = app_keys::one::<signing_key::Entity>(self.org, id).one(&self.reader()).await;
        found.map_err(fault::query)?.map(view).transpose()
    }

    /// Makes a signing key.
    ///
    /// Errors: `not_found` for the app; `limit_reached` at 100 that stand; `unavailable`, `overloaded`.
    pub async fn create_signing_key(self, actor: &Actor, app: AppId, new: NewSigningKey) -> Result<SigningKeyView> {
        let change = self.begin(actor).await?;
        apps::get(&change, self.org, app).await?;
        let row = self.insert_signing_key(&change, actor, app, new).await?;
        change.commit_and_tell(Event::new("signing_key.created", row.id).after(facts(&row))).await?;
        view(row)
    }

    /// Makes a key in the place of another, of the same name and end; the other ends at `until_ms`.
    ///
    /// Errors: `not_found`; `conflict` for a key that does not stand; as [`OrgScope::create_signing_key`].
    pub async fn rotate_signing_key(
        self,
        actor: &Actor,
        id: KeyId,
        material: NewMaterial,
        until_ms: i64,
    ) -> Result<SigningKeyView> {
        let change = self.begin(actor).await?;
        let old = app_keys::get::<signing_key::Entity>(&change, id).await?;
        let end = app_keys::end_of_replaced::<signing_key::Entity>(&old, until_ms, self.store.clock.now_ms())?;
        let new = NewSigningKey { name: old.name.clone(), material, expires_ms: old.expires_ms };
        let row = self.insert_signing_key(&change, actor, old.app_id, new).await?;
        signing_key::Entity::update_many()
            .col_expr(signing_key::Column::ExpiresMs, Expr::value(end))
            .col_expr(signing_key::Column::Successor, Expr::value(Some(row.id)))
            .filter(signing_key::Column::AppId.eq(old.app_id))
            .filter(signing_key::Column::Id.eq(id))
            .exec(&change.tx)
            .await
            .map_err(fault::query)?;
        let after = json!({"successor": row.id, "expires_ms": end});
        change.commit_and_tell(Event::new("signing_key.rotated", id).before(facts(&old)).after(after)).await?;
        view(row)
    }

    /// Revokes a signing key; one that is revoked stays as it is.
    ///
    /// Errors: `not_found`; `unavailable`, `overloaded`.
    pub async fn revoke_signing_key(self, actor: &Actor, id: KeyId) -> Result<SigningKeyView> {
        let change = self.begin(actor).await?;
        let mut row = app_keys::get::<signing_key::Entity>(&change, id).await?;
        if row.revoked_ms.is_some() {
            return view(row);
        }
        let now = self.store.clock.now_ms();
        row.revoked_ms = Some(now);
        app_keys::set_revoked::<signing_key::Entity>(&change, row.app_id, id, now).await?;
        change.commit_and_tell(Event::new("signing_key.revoked", id).before(facts(&row))).await?;
        view(row)
    }

    async fn insert_signing_key(
        &self,
        change: &Change<'_>,
        actor: &Actor,
        app: AppId,
        new: NewSigningKey,
    ) -> Result<signing_key::Model> {
        app_keys::check_count::<signing_key::Entity>(change, app).await?;
        let (algorithm, sealed_secret, public_key) = match new.material {
            NewMaterial::Secret(secret) => {
                let sealed = self.store.master.seal(SEAL_PURPOSE, secret.expose().as_bytes(), &*self.store.rng)?;
                (SigningAlgorithm::Hs256, Some(sealed), None)
            }
            NewMaterial::Public(algorithm, pem) => (algorithm, None, Some(pem)),
        };
        let row = signing_key::Model {
            app_id: app,
            id: KeyId::new(&*self.store.clock, &*self.store.rng),
            name: new.name,
            algorithm: algorithm.as_str().to_owned(),
            sealed_secret,
            public_key,
            created_by: Some(actor.who.to_string()),
            created_ms: self.store.clock.now_ms(),
            expires_ms: new.expires_ms,
            revoked_ms: None,
            successor: None,
        };
        sql::insert(&change.tx, row.clone()).await?;
        Ok(row)
    }
}

fn facts(row: &signing_key::Model) -> Value {
    let signing_key::Model { app_id, name, algorithm, expires_ms, .. } = row;
    json!({"app": app_id, "name": name, "algorithm": algorithm, "expires_ms": expires_ms})
}

fn view(row: signing_key::Model) -> Result<SigningKeyView> {
    let unknown = || Error::internal(format!("unknown algorithm {:?}", row.algorithm));
    Ok(SigningKeyView {
        id: row.id,
        app: row.app_id,
        algorithm: SigningAlgorithm::find(&row.algorithm).ok_or_else(unknown)?,
        name: row.name,
        public_key: row.public_key,
        created_by: row.created_by,
        created_ms: row.created_ms,
        expires_ms: row.expires_ms,
        revoked_ms: row.revoked_ms,
        successor: row.successor,
    })
}
