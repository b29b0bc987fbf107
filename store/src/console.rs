//! Accounts and console sessions: the look-ups that precede the org.

use crate::entity::{account, console_session, org, org_member};
use crate::{Store, fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use tokenim_domain::id::{AccountId, OrgId, SessionId};
use tokenim_domain::role::OrgRole;
use tokenim_domain::{Error, Result};

/// A browser login that is still valid as far as the store knows; the caller checks its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleSession {
    /// SHA-256 of the cookie.
    pub hash: [u8; 32],
    /// Who signed in.
    pub account: AccountId,
    /// Their address.
    pub email: String,
    /// Language the account chose.
    pub language: Option<String>,
    /// The org the session looks at.
    pub org: OrgId,
    /// Its name.
    pub org_name: String,
    /// The account's role there.
    pub role: OrgRole,
    /// Secret that form tokens are derived from.
    pub csrf: [u8; 32],
    /// When it began, milliseconds since 1970.
    pub created_at: i64,
    /// When it was last used.
    pub seen_at: i64,
    /// When it ends at the latest.
    pub expires_at: i64,
}

/// A browser login to remember.
#[derive(Debug, Clone)]
pub struct NewConsoleSession {
    /// SHA-256 of the cookie.
    pub hash: [u8; 32],
    /// Who signed in.
    pub account: AccountId,
    /// The org to look at.
    pub org: OrgId,
    /// Secret that form tokens are derived from.
    pub csrf: [u8; 32],
    /// When it ends at the latest, milliseconds since 1970.
    pub expires_at: i64,
}

impl Store {
    /// The account of an address (lower case) and its password's hash.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_password(&self, email: &str) -> Result<Option<(AccountId, String)>> {
        let row = account::Entity::find()
            .filter(account::Column::Email.eq(email))
            .one(&self.readers)
            .await
            .map_err(fault::query)?;
        Ok(row.map(|row| (row.id, row.password_hash)))
    }

    /// Whether any account exists; a fresh installation has none.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn has_accounts(&self) -> Result<bool> {
        Ok(account::Entity::find().one(&self.readers).await.map_err(fault::query)?.is_some())
    }

    /// The org an account joined first.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_first_org(&self, account: AccountId) -> Result<Option<OrgId>> {
        let row = org_member::Entity::find()
            .filter(org_member::Column::AccountId.eq(account))
            .order_by_asc(org_member::Column::CreatedMs)
            .order_by_asc(org_member::Column::OrgId)
            .one(&self.readers)
            .await
            .map_err(fault::query)?;
        Ok(row.map(|row| row.org_id))
    }

    /// Remembers a login, and forgets those that have ended.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn create_console_session(&self, new: NewConsoleSession) -> Result<()> {
        let now = self.clock.now_ms();
        console_session::Entity::delete_many()
            .filter(console_session::Column::ExpiresMs.lt(now))
            .exec(&self.writer)
            .await
            .map_err(fault::query)?;
        let row = console_session::Model {
            hash: new.hash.to_vec(),
            id: SessionId::new(&*self.clock, &*self.rng),
            account_id: new.account,
            org_id: Some(new.org),
            is_operator: false,
            csrf: new.csrf.to_vec(),
            address: None,
            agent: None,
            created_ms: now,
            seen_ms: now,
            proved_ms: now,
            expires_ms: new.expires_at,
        };
        sql::insert(&self.writer, row).await
    }

    /// The login of a cookie, with its account, org and role as they are now: a removed member has none.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_console_session(&self, hash: [u8; 32]) -> Result<Option<ConsoleSession>> {
        let found =
            console_session::Entity::find_by_id(hash.to_vec()).one(&self.readers).await.map_err(fault::query)?;
        let Some(session) = found else { return Ok(None) };
        let Some(org_id) = session.org_id else { return Ok(None) };
        let account = account::Entity::find_by_id(session.account_id).one(&self.readers).await.map_err(fault::query)?;
        let org = org::Entity::find_by_id(org_id).one(&self.readers).await.map_err(fault::query)?;
        let member = org_member::Entity::find_by_id((org_id, session.account_id))
            .one(&self.readers)
            .await
            .map_err(fault::query)?;
        let (Some(account), Some(org), Some(member)) = (account, org, member) else { return Ok(None) };
        Ok(Some(ConsoleSession {
            hash,
            account: account.id,
            email: account.email,
            language: account.language,
            org: org.id,
            org_name: org.name,
            role: OrgRole::find(&member.role).ok_or_else(|| Error::internal("unknown org role"))?,
            csrf: session.csrf.try_into().map_err(|_| Error::internal("a console session with a short secret"))?,
            created_at: session.created_ms,
            seen_at: session.seen_ms,
            expires_at: session.expires_ms,
        }))
    }

    /// Notes that a login was used.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn touch_console_session(&self, hash: [u8; 32], now_ms: i64) -> Result<()> {
        console_session::Entity::update_many()
            .col_expr(console_session::Column::SeenMs, Expr::value(now_ms))
            .filter(console_session::Column::Hash.eq(hash.to_vec()))
            .exec(&self.writer)
            .await
            .map(drop)
            .map_err(fault::query)
    }

    /// Forgets a login.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn delete_console_session(&self, hash: [u8; 32]) -> Result<()> {
        console_session::Entity::delete_by_id(hash.to_vec()).exec(&self.writer).await.map(drop).map_err(fault::query)
    }

    /// Keeps the language an account chose.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn update_language(&self, account: AccountId, language: &str) -> Result<()> {
        account::Entity::update_many()
            .col_expr(account::Column::Language, Expr::value(language))
            .filter(account::Column::Id.eq(account))
            .exec(&self.writer)
            .await
            .map(drop)
            .map_err(fault::query)
    }
}
