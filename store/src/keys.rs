//! Keys of apps as requests are judged by them: the look-ups that precede the org, because they tell it.

use crate::app_keys::AppKey;
use crate::entity::{api_key, app, signing_key};
use crate::{Store, fault};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use tokenim_domain::id::{AppId, KeyId};
use tokenim_domain::log::AppRef;
use tokenim_domain::role::Mode;
use tokenim_domain::scope::Scopes;
use tokenim_domain::secret::Secret;
use tokenim_domain::standing::Standing;
use tokenim_domain::token::{Material, SigningAlgorithm, SigningKey};
use tokenim_domain::{Code, Error, Result};

/// What signing secrets are sealed for.
pub(crate) const SEAL_PURPOSE: &str = "signing_key";

/// What is kept of a secret.
#[derive(Debug, Clone)]
pub struct KeyPrint {
    /// Prefix and last characters.
    pub hint: String,
    /// SHA-256.
    pub hash: [u8; 32],
}

/// A server API key that exists.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// The app it opens.
    pub app: AppRef,
    /// Whether the app is billed.
    pub mode: Mode,
    /// What it may do.
    pub scopes: Scopes,
    /// Whether it stands.
    pub standing: Standing,
}

/// The app behind a key.
struct Behind {
    app: AppRef,
    mode: Mode,
    is_deleted: bool,
    is_suspended: bool,
}

impl Behind {
    /// The standing of a key of this app.
    fn judge(&self, key: Standing) -> Standing {
        Standing { is_revoked: key.is_revoked || self.is_deleted, is_suspended: self.is_suspended, ..key }
    }
}

impl Store {
    /// The API key with that SHA-256.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_api_key(&self, hash: [u8; 32]) -> Result<Option<ApiKey>> {
        let query = api_key::Entity::find().filter(api_key::Column::Hash.eq(hash.to_vec()));
        let Some(row) = query.one(&self.readers).await.map_err(fault::query)? else { return Ok(None) };
        let behind = self.behind(row.app_id).await?;
        Ok(Some(ApiKey {
            id: row.id,
            app: behind.app,
            mode: behind.mode,
            scopes: Scopes::parse(row.scopes.split(' ')).map_err(Error::internal)?,
            standing: behind.judge(api_key::Entity::standing(&row)),
        }))
    }

    /// Whether the API key of an app stands, if the app has such a key.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_standing(&self, app: AppRef, id: KeyId) -> Result<Option<Standing>> {
        let row = api_key::Entity::find_by_id((app.app, id)).one(&self.readers).await.map_err(fault::query)?;
        match row {
            Some(row) => Ok(Some(self.behind(row.app_id).await?.judge(api_key::Entity::standing(&row)))),
            None => Ok(None),
        }
    }

    /// The signing key of that `kid`.
    ///
    /// Errors: `unavailable`, `overloaded`; `internal` where the master key does not open it.
    pub async fn find_signing_key(&self, kid: KeyId) -> Result<Option<SigningKey>> {
        let query = signing_key::Entity::find().filter(signing_key::Column::Id.eq(kid));
        match query.one(&self.readers).await.map_err(fault::query)? {
            Some(row) => self.unseal(row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether the master key opens what is sealed in the database; one value stands for all.
    ///
    /// Errors: `conflict` for another master key; `unavailable`, `overloaded`.
    pub(crate) async fn check_master(&self) -> Result<()> {
        let query = signing_key::Entity::find().filter(signing_key::Column::SealedSecret.is_not_null());
        let sealed = query.one(&self.readers).await.map_err(fault::query)?.and_then(|row| row.sealed_secret);
        match sealed.map(|sealed| self.master.open(SEAL_PURPOSE, &sealed)) {
            Some(Err(_)) => {
                Err(Error::new(Code::Conflict).says("master.key is not the one this database was written under"))
            }
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// The newest secret of an app that stands: what `POST /v1/tokens` signs with.
    ///
    /// Errors: as [`Store::find_signing_key`].
    pub async fn find_current_signing_key(&self, app: AppRef) -> Result<Option<SigningKey>> {
        let row = signing_key::Entity::find()
            .filter(signing_key::Column::AppId.eq(app.app))
            .filter(signing_key::Column::Algorithm.eq(SigningAlgorithm::Hs256.as_str()))
            .filter(signing_key::Column::RevokedMs.is_null())
            .filter(ends_after(signing_key::Column::ExpiresMs, self.clock.now_ms()))
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
        let behind = self.behind(row.app_id).await?;
        Ok(SigningKey {
            id: row.id,
            app: behind.app,
            standing: behind.judge(signing_key::Entity::standing(&row)),
            material: self.material(&row)?,
        })
    }

    fn material(&self, row: &signing_key::Model) -> Result<Material> {
        let algorithm = SigningAlgorithm::find(&row.algorithm)
            .ok_or_else(|| Error::internal(format!("unknown algorithm {:?}", row.algorithm)))?;
        match (algorithm, &row.public_key) {
            (SigningAlgorithm::EdDsa | SigningAlgorithm::Es256, Some(pem)) => {
                Material::parse_public(algorithm, pem).map_err(Error::internal)
            }
            _ => {
                let plain = self.master.open(SEAL_PURPOSE, row.sealed_secret.as_deref().unwrap_or_default())?;
                Ok(Material::Secret(Secret::new(String::from_utf8(plain).map_err(Error::internal)?)))
            }
        }
    }

    /// The app of a key row, with its org; foreign keys say that both exist.
    async fn behind(&self, id: AppId) -> Result<Behind> {
        let app = app::Entity::find().filter(app::Column::Id.eq(id)).one(&self.readers).await.map_err(fault::query)?;
        let app = app.ok_or_else(|| Error::internal("a key without its app"))?;
        Ok(Behind {
            app: AppRef { org: app.org_id, app: app.id },
            mode: Mode::find(&app.mode).ok_or_else(|| Error::internal("unknown app mode"))?,
            is_deleted: app.deleted_ms.is_some(),
            is_suspended: app.suspended_ms.is_some(),
        })
    }
}

/// Keys whose end, in that column, is yet to come or none.
pub(crate) fn ends_after(end: impl ColumnTrait, now_ms: i64) -> Condition {
    Condition::any().add(end.is_null()).add(end.gt(now_ms))
}
