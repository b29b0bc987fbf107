//! Accounts and console sessions: the look-ups that precede the org.

use crate::audit::{self, Event};
use crate::db::Fence;
use crate::entity::{account, console_session, org, org_member};
use crate::orgs::role;
use crate::{Store, fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use tokenim_domain::actor::Actor;
use tokenim_domain::id::{AccountId, OrgId, SessionId};
use tokenim_domain::role::OrgRole;
use tokenim_domain::{Error, Result};

/// What an account is in the org its session looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The org.
    pub org: OrgId,
    /// Its name.
    pub org_name: String,
    /// The account's role there.
    pub role: OrgRole,
    /// Whether the org asks its members for a second factor.
    pub requires_totp: bool,
    /// Why the org is suspended, if it is; empty where nobody said.
    pub suspended: Option<String>,
}

/// A browser login that is still valid as far as the store knows; the caller checks its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleSession {
    /// SHA-256 of the cookie.
    pub hash: [u8; 32],
    /// What it keeps when the cookie changes.
    pub id: SessionId,
    /// Who signed in.
    pub account: AccountId,
    /// Their address.
    pub email: String,
    /// Whether they have shown that the address is theirs.
    pub is_verified: bool,
    /// Whether they sign in with a second factor.
    pub has_totp: bool,
    /// Whether they may open the operator area.
    pub may_operate: bool,
    /// Whether this session is of the operator area.
    pub is_operator: bool,
    /// Language the account chose.
    pub language: Option<String>,
    /// Theme the account chose.
    pub theme: Option<String>,
    /// The org the session looks at, while the account is a member of it.
    pub member: Option<Membership>,
    /// Secret that form tokens are derived from.
    pub csrf: [u8; 32],
    /// When it began, milliseconds since 1970.
    pub created_at: i64,
    /// When it was last used.
    pub seen_at: i64,
    /// When the person last showed that it is them.
    pub proved_at: i64,
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
    /// The org to look at; none in the operator area, or where the account is in no org.
    pub org: Option<OrgId>,
    /// Whether it is a session of the operator area.
    pub is_operator: bool,
    /// Secret that form tokens are derived from.
    pub csrf: [u8; 32],
    /// From which address, as it is shown to the person.
    pub address: Option<String>,
    /// With which browser, as it is shown to the person.
    pub agent: Option<String>,
    /// When it ends at the latest, milliseconds since 1970.
    pub expires_at: i64,
}

impl Store {
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
            org_id: new.org,
            is_operator: new.is_operator,
            csrf: new.csrf.to_vec(),
            address: new.address,
            agent: new.agent,
            created_ms: now,
            seen_ms: now,
            proved_ms: now,
            expires_ms: new.expires_at,
        };
        sql::insert(&self.writer, row).await
    }

    /// The login of a cookie, with its account, org and role as they are now: a removed member has no org.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_console_session(&self, hash: [u8; 32]) -> Result<Option<ConsoleSession>> {
        let found = console_session::Entity::find_by_id(hash.to_vec()).one(&self.readers).await;
        self.with_account(found.map_err(fault::query)?).await
    }

    /// The same by the id it keeps.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_console_session_by_id(&self, id: SessionId) -> Result<Option<ConsoleSession>> {
        let found = console_session::Entity::find().filter(console_session::Column::Id.eq(id)).one(&self.readers).await;
        self.with_account(found.map_err(fault::query)?).await
    }

    async fn with_account(&self, found: Option<console_session::Model>) -> Result<Option<ConsoleSession>> {
        let Some(session) = found else { return Ok(None) };
        let account = account::Entity::find_by_id(session.account_id).one(&self.readers).await.map_err(fault::query)?;
        let Some(account) = account else { return Ok(None) };
        let member = match session.org_id {
            Some(org) => self.find_membership(org, account.id).await?,
            None => None,
        };
        let bytes =
            |bytes: Vec<u8>| bytes.try_into().map_err(|_| Error::internal("a console session with a short field"));
        Ok(Some(ConsoleSession {
            hash: bytes(session.hash)?,
            id: session.id,
            account: account.id,
            email: account.email,
            is_verified: account.verified_ms.is_some(),
            has_totp: account.totp_confirmed_ms.is_some(),
            may_operate: account.is_operator,
            is_operator: session.is_operator,
            language: account.language,
            theme: account.theme,
            member,
            csrf: bytes(session.csrf)?,
            created_at: session.created_ms,
            seen_at: session.seen_ms,
            proved_at: session.proved_ms,
            expires_at: session.expires_ms,
        }))
    }

    /// Notes in the service's log that an operator entered the operator area.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn note_elevation(&self, account: AccountId, actor: &Actor) -> Result<()> {
        let tx = sql::begin_within(&self.writer, Fence::of(OrgId::SERVICE)).await?;
        audit::append(self, &tx, OrgId::SERVICE, actor, Event::new("operator.entered", account)).await?;
        tx.commit().await.map_err(fault::query)
    }

    /// What an account is in an org, if it is anything there.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_membership(&self, org: OrgId, account: AccountId) -> Result<Option<Membership>> {
        let member = org_member::Entity::find_by_id((org, account)).one(&self.readers).await.map_err(fault::query)?;
        let org = org::Entity::find_by_id(org).one(&self.readers).await.map_err(fault::query)?;
        let (Some(member), Some(org)) = (member, org) else { return Ok(None) };
        let role = role(&member.role)?;
        let suspended = org.suspended_ms.map(|_| org.suspended_reason.unwrap_or_default());
        let (org, org_name, requires_totp) = (org.id, org.name, org.requires_totp);
        Ok(Some(Membership { org, org_name, role, requires_totp, suspended }))
    }

    /// Gives a login a new cookie; with `proved_ms`, the person has just shown again that it is them.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn renew_console_session(&self, id: SessionId, hash: [u8; 32], proved_ms: Option<i64>) -> Result<()> {
        let mut change = console_session::Entity::update_many()
            .col_expr(console_session::Column::Hash, Expr::value(hash.to_vec()))
            .filter(console_session::Column::Id.eq(id));
        if let Some(at) = proved_ms {
            change = change.col_expr(console_session::Column::ProvedMs, Expr::value(at));
        }
        change.exec(&self.writer).await.map(drop).map_err(fault::query)
    }

    /// Lets a login look at another org; the caller knows that its account is a member there.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn turn_console_session(&self, id: SessionId, org: OrgId) -> Result<()> {
        console_session::Entity::update_many()
            .col_expr(console_session::Column::OrgId, Expr::value(org))
            .filter(console_session::Column::Id.eq(id))
            .exec(&self.writer)
            .await
            .map(drop)
            .map_err(fault::query)
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

    /// Keeps the theme an account chose; none is the system's.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn update_theme(&self, account: AccountId, theme: Option<&str>) -> Result<()> {
        account::Entity::update_many()
            .col_expr(account::Column::Theme, Expr::value(theme.map(str::to_owned)))
            .filter(account::Column::Id.eq(account))
            .exec(&self.writer)
            .await
            .map(drop)
            .map_err(fault::query)
    }
}
