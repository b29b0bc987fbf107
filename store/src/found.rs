//! Founding an org: its owner, its first app and the app's first keys, all in one transaction.

use crate::audit::{self, Event};
use crate::db::Fence;
use crate::entity::{account, api_key, app, org, org_member, signing_key, subscription};
use crate::keys::SEAL_PURPOSE;
use crate::link::{self, NewLink};
use crate::{Store, fault, plans, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use serde_json::json;
use std::net::IpAddr;
use tokenim_domain::actor::{Actor, Who};
use tokenim_domain::id::{AccountId, AppId, KeyId, OrgId};
use tokenim_domain::key;
use tokenim_domain::log::AppRef;
use tokenim_domain::role::{Mode, OrgRole};
use tokenim_domain::secret::Secret;
use tokenim_domain::token::{SigningAlgorithm, SigningSecret};
use tokenim_domain::{Code, Error, Result};

/// Characters of a signing secret: 43 of base62 are 256 bits.
pub const SIGNING_SECRET_CHARS: usize = 43;

/// What to make.
#[derive(Debug, Clone)]
pub struct NewOrg {
    /// Address of the owner, lower case; an account that exists and is verified is used and keeps its password.
    pub email: String,
    /// The password's hash, for a new account.
    pub password_hash: String,
    /// Whether a new account's address counts as verified.
    pub is_verified: bool,
    /// Whether the account operates the service from now on.
    pub is_operator: bool,
    /// Language of a new account.
    pub language: Option<String>,
    /// Name of the org.
    pub org: String,
    /// Name of the app.
    pub app: String,
    /// Whether the app is billed.
    pub mode: Mode,
    /// The org's plan; its newest published version is taken.
    pub plan: &'static str,
}

/// What was made; the secrets are shown once.
#[derive(Debug, Clone)]
pub struct FoundedOrg {
    /// The account.
    pub account: AccountId,
    /// Whether the account is new.
    pub account_is_new: bool,
    /// The app and its org.
    pub app: AppRef,
    /// The server API key.
    pub key: Secret,
    /// The key that signs user tokens.
    pub signing: SigningSecret,
}

impl Store {
    /// Makes an org, its owner, an app and the app's first keys; all or nothing.
    ///
    /// Errors: `email_unverified` where the account exists and its address was never verified, although it shall count as
    /// verified: it may be somebody else's; `conflict` where the account is made by somebody else at the same time;
    /// `unavailable`, `overloaded`.
    pub async fn found_org(&self, new: &NewOrg) -> Result<FoundedOrg> {
        self.found(new, None, None).await
    }

    /// The same for somebody who signs up from an address: the account is new, and gets a mail with the link that verifies its address.
    ///
    /// Errors: `conflict` where the account exists; `unavailable`, `overloaded`.
    pub async fn sign_up(&self, new: &NewOrg, verification: &NewLink, address: Option<IpAddr>) -> Result<FoundedOrg> {
        self.found(new, Some(verification), address).await
    }

    async fn found(&self, new: &NewOrg, verification: Option<&NewLink>, address: Option<IpAddr>) -> Result<FoundedOrg> {
        let now = self.clock.now_ms();
        let tx = sql::begin(&self.writer).await?;
        let (account, account_is_new) = self.owner(&tx, new, now).await?;
        if let Some(verification) = verification {
            if !account_is_new {
                return Err(Error::new(Code::Conflict));
            }
            link::add(self, &tx, account, verification).await?;
        }
        let app = AppRef { org: OrgId::new(&*self.clock, &*self.rng), app: AppId::new(&*self.clock, &*self.rng) };
        let row = org::Model {
            id: app.org,
            name: new.org.clone(),
            created_ms: now,
            suspended_ms: None,
            suspended_reason: None,
            requires_totp: false,
        };
        sql::enter(&tx, Fence::Org(app.org)).await?;
        sql::insert(&tx, row).await?;
        let row = org_member::Model {
            org_id: app.org,
            account_id: account,
            role: OrgRole::Owner.as_str().to_owned(),
            created_ms: now,
        };
        sql::insert(&tx, row).await?;
        subscribe(&tx, app.org, new.plan, now).await?;
        let row = app::Model {
            org_id: app.org,
            id: app.app,
            name: new.app.clone(),
            mode: new.mode.as_str().to_owned(),
            created_ms: now,
            suspended_ms: None,
            deleted_ms: None,
        };
        sql::insert(&tx, row).await?;
        let who = if new.is_operator { Who::Machine } else { Who::Account(account) };
        let (key_id, key, signing) = self.first_keys(&tx, app, new.mode, who).await?;
        let first = json!({
            "name": new.org, "plan": new.plan, "app": app.app, "key": key_id, "signing_key": signing.id,
        });
        let event = Event::new("org.created", app.org).after(first);
        let actor = Actor { who, address, reason: None };
        audit::append(self, &tx, app.org, &actor, event).await?;
        sql::commit(tx).await?;
        Ok(FoundedOrg { account, account_is_new, app, key, signing })
    }

    /// The owner's account, made if the address is new.
    async fn owner(&self, tx: &DatabaseTransaction, new: &NewOrg, now: i64) -> Result<(AccountId, bool)> {
        let known = account::Entity::find().filter(account::Column::Email.eq(&new.email)).one(tx).await;
        if let Some(row) = known.map_err(fault::query)? {
            if new.is_verified && row.verified_ms.is_none() {
                return Err(Error::new(Code::EmailUnverified)
                    .says("somebody signed up with this address and never verified it; verify it first"));
            }
            if new.is_operator && !row.is_operator {
                let operates = account::Entity::update_many().col_expr(account::Column::IsOperator, Expr::value(true));
                operates.filter(account::Column::Id.eq(row.id)).exec(tx).await.map_err(fault::query)?;
            }
            return Ok((row.id, false));
        }
        let id = AccountId::new(&*self.clock, &*self.rng);
        let row = account::Model {
            id,
            email: new.email.clone(),
            password_hash: new.password_hash.clone(),
            is_operator: new.is_operator,
            language: new.language.clone(),
            created_ms: now,
            verified_ms: new.is_verified.then_some(now),
            theme: None,
            sealed_totp: None,
            totp_confirmed_ms: None,
            totp_step: None,
        };
        let taken = |error| if fault::is_taken(&error) { Error::new(Code::Conflict).because(error) } else { error };
        sql::insert(tx, row).await.map_err(taken)?;
        Ok((id, true))
    }

    /// The first server key and the first signing secret of an app.
    async fn first_keys(
        &self,
        tx: &DatabaseTransaction,
        app: AppRef,
        mode: Mode,
        by: Who,
    ) -> Result<(KeyId, Secret, SigningSecret)> {
        let now = self.clock.now_ms();
        let id = KeyId::new(&*self.clock, &*self.rng);
        let key = key::generate(key::Kind::Server(mode), &*self.rng);
        let row = api_key::Model {
            app_id: app.app,
            id,
            name: "first key".to_owned(),
            hint: key::hint(&key),
            hash: key::parse(key.expose())?.1.to_vec(),
            created_ms: now,
            revoked_ms: None,
            scopes: "*".to_owned(),
            created_by: Some(by.to_string()),
            expires_ms: None,
            successor: None,
            last_used_ms: None,
            last_used_from: None,
        };
        sql::insert(tx, row).await?;
        Ok((id, key, self.first_secret(tx, app.app, by).await?))
    }

    /// The first signing secret of an app: what `POST /v1/tokens` and the quickstart sign with.
    pub(crate) async fn first_secret(&self, tx: &DatabaseTransaction, app: AppId, by: Who) -> Result<SigningSecret> {
        let secret = Secret::new(key::random_base62(SIGNING_SECRET_CHARS, &*self.rng));
        let signing = SigningSecret { id: KeyId::new(&*self.clock, &*self.rng), secret };
        let sealed = self.master.seal(SEAL_PURPOSE, signing.secret.expose().as_bytes(), &*self.rng)?;
        let row = signing_key::Model {
            app_id: app,
            id: signing.id,
            name: "first secret".to_owned(),
            algorithm: SigningAlgorithm::Hs256.as_str().to_owned(),
            sealed_secret: Some(sealed),
            public_key: None,
            created_by: Some(by.to_string()),
            created_ms: self.clock.now_ms(),
            expires_ms: None,
            revoked_ms: None,
            successor: None,
        };
        sql::insert(tx, row).await?;
        Ok(signing)
    }
}

/// Subscribes an org to the newest published version of a plan.
pub(crate) async fn subscribe(tx: &DatabaseTransaction, org: OrgId, plan: &str, now: i64) -> Result<()> {
    let newest = plans::newest_version(tx, plan).await?;
    let version = newest.ok_or_else(|| Error::internal(format!("no published version of the plan {plan}")))?;
    let row = subscription::Model { org_id: org, from_ms: now, plan: plan.to_owned(), version, until_ms: None };
    sql::insert(tx, row).await
}
