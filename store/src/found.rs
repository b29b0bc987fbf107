//! Founding an org: its owner, its first app and what the app signs with, all in one transaction.

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
use tokenim_domain::group::Strangers;
use tokenim_domain::id::{AccountId, AppId, KeyId, OrgId};
use tokenim_domain::key;
use tokenim_domain::log::AppRef;
use tokenim_domain::login::{Logins, UnknownUsers};
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

/// What a sign-up made. It has no server key: that is made by whoever is to read its secret.
#[derive(Debug, Clone)]
pub struct SignedUpOrg {
    /// The account.
    pub account: AccountId,
    /// The app and its org.
    pub app: AppRef,
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

/// What is the same whoever founds it.
struct Made {
    account: AccountId,
    account_is_new: bool,
    app: AppRef,
    signing: SigningSecret,
}

impl Store {
    /// Makes an org, its owner, an app and the app's first keys; all or nothing.
    ///
    /// Errors: `email_unverified` where the account exists and its address was never verified, although it shall count as
    /// verified: it may be somebody else's; `conflict` where the account is made by somebody else at the same time;
    /// `unavailable`, `overloaded`.
    pub async fn found_org(&self, new: &NewOrg) -> Result<FoundedOrg> {
        let key = key::generate(key::Kind::Server(new.mode), &*self.rng);
        let Made { account, account_is_new, app, signing } = self.found(new, Some(&key), None).await?;
        Ok(FoundedOrg { account, account_is_new, app, key, signing })
    }

    /// The same without a server key for somebody who signs up from an address: the account is new, and gets a mail with the
    /// link that verifies its address.
    ///
    /// Errors: `conflict` where the account exists; `unavailable`, `overloaded`.
    pub async fn sign_up(&self, new: &NewOrg, verification: &NewLink, address: Option<IpAddr>) -> Result<SignedUpOrg> {
        let Made { account, app, .. } = self.found(new, None, Some((verification, address))).await?;
        Ok(SignedUpOrg { account, app })
    }

    async fn found(
        &self,
        new: &NewOrg,
        key: Option<&Secret>,
        sign_up: Option<(&NewLink, Option<IpAddr>)>,
    ) -> Result<Made> {
        let now = self.clock.now_ms();
        let tx = sql::begin(&self.writer).await?;
        let (account, account_is_new) = self.owner(&tx, new, now).await?;
        if let Some((verification, _)) = sign_up {
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
            strangers: Strangers::Anyone.as_str().to_owned(),
            logins: Logins::Devices.as_str().to_owned(),
            unknown_users: UnknownUsers::Create.as_str().to_owned(),
        };
        sql::insert(&tx, row).await?;
        let who = if new.is_operator { Who::Machine } else { Who::Account(account) };
        let signing = self.first_secret(&tx, app.app, &new.app, who).await?;
        let mut first = json!({"name": new.org, "plan": new.plan, "app": app.app, "signing_key": signing.id});
        if let Some(key) = key {
            first["key"] = json!(self.first_key(&tx, app.app, &new.app, key, who).await?);
        }
        let event = Event::new("org.created", app.org).after(first);
        let actor = Actor { who, address: sign_up.and_then(|(_, address)| address), reason: None };
        audit::append(self, &tx, app.org, &actor, event).await?;
        sql::commit(tx).await?;
        Ok(Made { account, account_is_new, app, signing })
    }

    /// The owner's account, made if the address is new.
    async fn owner(&self, tx: &DatabaseTransaction, new: &NewOrg, now: i64) -> Result<(AccountId, bool)> {
        let known = account::Entity::find().filter(account::Column::Email.eq(&new.email)).one(tx).await;
        if let Some(row) = known.map_err(fault::query)? {
            if new.is_verified && row.verified_ms.is_none() {
                return Err(Error::new(Code::EmailUnverified)
                    .says("somebody signed up with this address and never verified it: open the link of their mail first, or take another address"));
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

    /// The first server key of an app, by the app's name.
    async fn first_key(
        &self,
        tx: &DatabaseTransaction,
        app: AppId,
        name: &str,
        key: &Secret,
        by: Who,
    ) -> Result<KeyId> {
        let id = KeyId::new(&*self.clock, &*self.rng);
        let row = api_key::Model {
            app_id: app,
            id,
            name: name.to_owned(),
            hint: key::hint(key),
            hash: key::parse(key.expose())?.1.to_vec(),
            created_ms: self.clock.now_ms(),
            revoked_ms: None,
            scopes: "*".to_owned(),
            created_by: Some(by.to_string()),
            expires_ms: None,
            successor: None,
            last_used_ms: None,
            last_used_from: None,
        };
        sql::insert(tx, row).await?;
        Ok(id)
    }

    /// The first signing secret of an app, by the app's name: what `POST /v1/tokens` and the quickstart sign with.
    pub(crate) async fn first_secret(
        &self,
        tx: &DatabaseTransaction,
        app: AppId,
        name: &str,
        by: Who,
    ) -> Result<SigningSecret> {
        let secret = Secret::new(key::random_base62(SIGNING_SECRET_CHARS, &*self.rng));
        let signing = SigningSecret { id: KeyId::new(&*self.clock, &*self.rng), secret };
        let sealed = self.master.seal(SEAL_PURPOSE, signing.secret.expose().as_bytes(), &*self.rng)?;
        let row = signing_key::Model {
            app_id: app,
            id: signing.id,
            name: name.to_owned(),
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
