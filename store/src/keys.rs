//! API keys and signing keys: the look-ups that precede the org, because they tell it.

use crate::entity::{api_key, app, signing_key};
use crate::{Store, fault};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};
use tokenim_domain::id::{AppId, KeyId};
use tokenim_domain::log::AppRef;
use tokenim_domain::role::Mode;
use tokenim_domain::secret::Secret;
use tokenim_domain::token::SigningKey;
use tokenim_domain::{Error, Result};

/// What signing secrets are sealed for.
pub(crate) const SEAL_PURPOSE: &str = "signing_key";

/// A server API key that exists.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// The app it opens.
    pub app: AppRef,
    /// Whether the app is billed.
    pub mode: Mode,
    /// Set when it was revoked.
    pub revoked: bool,
}

impl Store {
    /// The API key with that SHA-256.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_api_key(&self, hash: [u8; 32]) -> Result<Option<ApiKey>> {
        let row = api_key::Entity::find()
            .filter(api_key::Column::Hash.eq(hash.to_vec()))
            .one(&self.readers)
            .await
            .map_err(fault::query)?;
        let Some(row) = row else { return Ok(None) };
        let app = app_of(&self.readers, row.app_id).await?;
        let mode = Mode::find(&app.mode).ok_or_else(|| Error::internal("unknown app mode"))?;
        Ok(Some(ApiKey {
            id: row.id,
            app: AppRef { org: app.org_id, app: app.id },
            mode,
            revoked: row.revoked_ms.is_some(),
        }))
    }

    /// The signing key of that `kid`.
    ///
    /// Errors: `unavailable`, `overloaded`; `internal` where the master key does not open it.
    pub async fn find_signing_key(&self, kid: KeyId) -> Result<Option<SigningKey>> {
        let row = signing_key::Entity::find()
            .filter(signing_key::Column::Id.eq(kid))
            .one(&self.readers)
            .await
            .map_err(fault::query)?;
        match row {
            Some(row) => self.unseal(row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The newest signing key of an app that is not revoked: the one `POST /v1/tokens` signs with.
    ///
    /// Errors: as [`Store::find_signing_key`].
    pub async fn find_current_signing_key(&self, app: AppRef) -> Result<Option<SigningKey>> {
        let row = signing_key::Entity::find()
            .filter(signing_key::Column::AppId.eq(app.app))
            .filter(signing_key::Column::RevokedMs.is_null())
            .order_by_desc(signing_key::Column::Id)
            .one(&self.readers)
            .await
            .map_err(fault::query)?;
        match row {
            Some(row) => self.unseal(row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn unseal(&self, row: signing_key::Model) -> Result<SigningKey> {
        let app = app_of(&self.readers, row.app_id).await?;
        let plain = self.master.open(SEAL_PURPOSE, row.sealed_secret.as_deref().unwrap_or_default())?;
        let secret = Secret::new(String::from_utf8(plain).map_err(Error::internal)?);
        Ok(SigningKey {
            id: row.id,
            app: AppRef { org: app.org_id, app: app.id },
            secret,
            revoked: row.revoked_ms.is_some(),
        })
    }
}

/// The app of a key row; a foreign key says it exists.
async fn app_of(on: &DatabaseConnection, id: AppId) -> Result<app::Model> {
    let row = app::Entity::find().filter(app::Column::Id.eq(id)).one(on).await.map_err(fault::query)?;
    row.ok_or_else(|| Error::internal("a key without its app"))
}
