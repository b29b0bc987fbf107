//! What an account changes about itself: its password and its sessions.

use crate::audit::{Event, append_to_orgs_of};
use crate::entity::{account, console_session};
use crate::link::{end_sessions, set_password};
use crate::{Store, fault, sql};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokenim_domain::Result;
use tokenim_domain::actor::Actor;
use tokenim_domain::id::{AccountId, SessionId};
use tokenim_domain::mail::Mail;

/// Sessions of one account that are listed at once.
const SESSIONS_MAX: u64 = 100;

/// An account, as its sign-in sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its address.
    pub email: String,
    /// The hash of its password.
    pub password_hash: String,
    /// Language it chose.
    pub language: Option<String>,
    /// Whether its address is verified.
    pub is_verified: bool,
    /// Whether it has a second factor.
    pub has_totp: bool,
    /// Whether it may open the operator area.
    pub may_operate: bool,
}

/// A browser login, as its account sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// From which address it was begun.
    pub address: Option<String>,
    /// What the browser called itself.
    pub agent: Option<String>,
    /// Whether it is of the operator area.
    pub is_operator: bool,
    /// When it began, milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last used.
    pub seen_ms: i64,
    /// When it ends at the latest.
    pub expires_ms: i64,
}

impl Store {
    /// An account by its id.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_account(&self, id: AccountId) -> Result<Option<Account>> {
        let row = account::Entity::find_by_id(id).one(&self.readers).await.map_err(fault::query)?;
        Ok(row.map(view))
    }

    /// An account by its address (lower case).
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_account_by_email(&self, email: &str) -> Result<Option<Account>> {
        let found = account::Entity::find().filter(account::Column::Email.eq(email)).one(&self.readers).await;
        Ok(found.map_err(fault::query)?.map(view))
    }

    /// Gives an account another password, ends its sessions but `keep`, and tells it by mail. Returns what ended.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn change_password(
        &self,
        account: AccountId,
        password_hash: String,
        keep: SessionId,
        mail: &Mail,
        actor: &Actor,
    ) -> Result<Vec<SessionId>> {
        let tx = sql::begin(&self.writer).await?;
        let ended = set_password(self, &tx, account, password_hash, Some(keep), mail).await?;
        append_to_orgs_of(self, &tx, account, actor, Event::new("account.password_changed", account)).await?;
        sql::commit(tx).await?;
        Ok(ended)
    }

    /// The logins of an account, the newest first.
    ///
    /// Shapes: at most 100. Errors: `unavailable`, `overloaded`.
    pub async fn list_sessions(&self, account: AccountId) -> Result<Vec<SessionView>> {
        let rows = console_session::Entity::find()
            .filter(console_session::Column::AccountId.eq(account))
            .order_by_desc(console_session::Column::CreatedMs)
            .limit(SESSIONS_MAX)
            .all(&self.readers)
            .await
            .map_err(fault::query)?;
        let view = |row: console_session::Model| SessionView {
            id: row.id,
            address: row.address,
            agent: row.agent,
            is_operator: row.is_operator,
            created_ms: row.created_ms,
            seen_ms: row.seen_ms,
            expires_ms: row.expires_ms,
        };
        Ok(rows.into_iter().map(view).collect())
    }

    /// Ends one login of an account; whether there was one.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn end_session(&self, account: AccountId, session: SessionId) -> Result<bool> {
        let ended = console_session::Entity::delete_many()
            .filter(console_session::Column::Id.eq(session))
            .filter(console_session::Column::AccountId.eq(account))
            .exec(&self.writer)
            .await
            .map_err(fault::query)?;
        Ok(ended.rows_affected == 1)
    }

    /// Ends the logins of an account but one. Returns what ended.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn end_other_sessions(&self, account: AccountId, keep: SessionId) -> Result<Vec<SessionId>> {
        let tx = sql::begin(&self.writer).await?;
        let ended = end_sessions(&tx, account, Some(keep)).await?;
        sql::commit(tx).await?;
        Ok(ended)
    }
}

fn view(row: account::Model) -> Account {
    Account {
        id: row.id,
        email: row.email,
        password_hash: row.password_hash,
        language: row.language,
        is_verified: row.verified_ms.is_some(),
        has_totp: row.totp_confirmed_ms.is_some(),
        may_operate: row.is_operator,
    }
}
