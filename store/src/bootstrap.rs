//! Making an org with its first account, app and keys, all in one transaction.

use crate::entity::{account, api_key, app, org, org_member, signing_key};
use crate::keys::SEAL_PURPOSE;
use crate::{Store, fault, sql};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tokenim_domain::Result;
use tokenim_domain::id::{AccountId, AppId, KeyId, OrgId};
use tokenim_domain::key;
use tokenim_domain::log::AppRef;
use tokenim_domain::role::{Mode, OrgRole};
use tokenim_domain::secret::Secret;
use tokenim_domain::token::SigningKey;

/// Characters of a signing secret: 43 of base62 are 256 bits.
const SIGNING_SECRET_CHARS: usize = 43;

/// What to make.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// Address of the account, lower case; an account that exists is used and keeps its password.
    pub email: String,
    /// The password's hash, for a new account.
    pub password_hash: String,
    /// Name of the org.
    pub org: String,
    /// Name of the app.
    pub app: String,
    /// Whether the app is billed.
    pub mode: Mode,
    /// The org's plan.
    pub plan: &'static str,
    /// Whether a new account operates the service.
    pub is_operator: bool,
}

/// What was made; the secrets are shown once.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The account.
    pub account: AccountId,
    /// Whether the account is new.
    pub account_is_new: bool,
    /// The app and its org.
    pub app: AppRef,
    /// The server API key.
    pub key: Secret,
    /// The key that signs user tokens.
    pub signing: SigningKey,
}

impl Store {
    /// Makes an org, its owner, an app and the app's first keys; all or nothing.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn create_tenant(&self, new: &NewTenant) -> Result<Tenant> {
        let now = self.clock.now_ms();
        let tx = sql::begin(&self.writer).await?;
        let existing = account::Entity::find()
            .filter(account::Column::Email.eq(&new.email))
            .one(&tx)
            .await
            .map_err(fault::query)?;
        let account_is_new = existing.is_none();
        let account = existing.map_or_else(|| AccountId::new(&*self.clock, &*self.rng), |row| row.id);
        if account_is_new {
            sql::insert(&tx, account_row(account, new, now)).await?;
        }
        let app = AppRef { org: OrgId::new(&*self.clock, &*self.rng), app: AppId::new(&*self.clock, &*self.rng) };
        sql::insert(&tx, org::Model { id: app.org, name: new.org.clone(), plan: new.plan.to_owned(), created_ms: now })
            .await?;
        sql::insert(
            &tx,
            org_member::Model {
                org_id: app.org,
                account_id: account,
                role: OrgRole::Owner.as_str().to_owned(),
                created_ms: now,
            },
        )
        .await?;
        sql::insert(
            &tx,
            app::Model {
                org_id: app.org,
                id: app.app,
                name: new.app.clone(),
                mode: new.mode.as_str().to_owned(),
                created_ms: now,
            },
        )
        .await?;
        let key = key::generate(new.mode, &*self.rng);
        sql::insert(&tx, self.api_key_row(app, &key, now)?).await?;
        let secret = Secret::new(key::random_base62(SIGNING_SECRET_CHARS, &*self.rng));
        let signing = SigningKey { id: KeyId::new(&*self.clock, &*self.rng), app, secret, revoked: false };
        sql::insert(&tx, self.signing_key_row(&signing, now)?).await?;
        tx.commit().await.map_err(fault::query)?;
        Ok(Tenant { account, account_is_new, app, key, signing })
    }

    fn api_key_row(&self, app: AppRef, key: &Secret, now: i64) -> Result<api_key::Model> {
        Ok(api_key::Model {
            app_id: app.app,
            id: KeyId::new(&*self.clock, &*self.rng),
            name: "first key".to_owned(),
            hint: key::hint(key),
            hash: key::hash(key.expose())?.to_vec(),
            created_ms: now,
            revoked_ms: None,
        })
    }

    fn signing_key_row(&self, signing: &SigningKey, now: i64) -> Result<signing_key::Model> {
        let sealed_secret = self.master.seal(SEAL_PURPOSE, signing.secret.expose().as_bytes(), &*self.rng)?;
        Ok(signing_key::Model {
            app_id: signing.app.app,
            id: signing.id,
            algorithm: "HS256".to_owned(),
            sealed_secret,
            created_ms: now,
            revoked_ms: None,
        })
    }
}

fn account_row(id: AccountId, new: &NewTenant, now: i64) -> account::Model {
    account::Model {
        id,
        email: new.email.clone(),
        password_hash: new.password_hash.clone(),
        is_operator: new.is_operator,
        language: None,
        created_ms: now,
    }
}
