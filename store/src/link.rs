//! Links sent by mail: kept by the hash of their token, of use once and for a while.

use crate::audit::{Event, append_to_orgs_of};
use crate::change::tell_orgs_of;
use crate::entity::{account, console_session, mail_link};
use crate::jobs::enqueue_mail;
use crate::{Store, fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter};
use tokenim_domain::actor::Actor;
use tokenim_domain::id::{AccountId, SessionId};
use tokenim_domain::mail::Mail;
use tokenim_domain::secret::hex;
use tokenim_domain::{Code, Error, Result};

/// Ended links that a new one forgets on its way: more than it adds, so that what piled up is worked off.
const FORGOTTEN_MAX: i64 = 16;
/// How long an ended link is kept, in milliseconds: the limits on new ones count it.
const KEPT_MS: i64 = 24 * 3_600_000;

const FORGET: &str = "
DELETE FROM mail_link WHERE hash IN (SELECT hash FROM mail_link WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2)";

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// To show that an address is theirs.
    Verify,
    /// To choose a new password.
    Reset,
}

impl LinkPurpose {
    const fn as_str(self) -> &'static str {
        match self {
            LinkPurpose::Verify => "verify",
            LinkPurpose::Reset => "reset",
        }
    }
}

/// A link to send.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// SHA-256 of its token.
    pub hash: [u8; 32],
    /// What it is for.
    pub purpose: LinkPurpose,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: i64,
    /// The mail that carries it, to the address it is for.
    pub mail: Mail,
}

/// A link that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whose it is.
    pub account: AccountId,
    /// The address it was sent to.
    pub email: String,
}

/// Keeps a link and enqueues its mail, in the caller's transaction.
pub(crate) async fn add(store: &Store, tx: &DatabaseTransaction, account: AccountId, new: &NewLink) -> Result<()> {
    let now = store.clock.now_ms();
    sql::run(tx, FORGET, [(now - KEPT_MS).into(), FORGOTTEN_MAX.into()]).await.map_err(fault::query)?;
    let row = mail_link::Model {
        hash: new.hash.to_vec(),
        account_id: account,
        purpose: new.purpose.as_str().to_owned(),
        email: new.mail.to.clone(),
        created_ms: now,
        expires_ms: new.expires_ms,
        used_ms: None,
    };
    sql::insert(tx, row).await?;
    enqueue_mail(store, tx, None, &format!("link:{}", hex(&new.hash)), &new.mail).await
}

/// Uses a link up; its account, if it worked.
async fn take(tx: &DatabaseTransaction, hash: [u8; 32], purpose: LinkPurpose, now: i64) -> Result<Option<Link>> {
    let used = mail_link::Entity::update_many()
        .col_expr(mail_link::Column::UsedMs, Expr::value(now))
        .filter(mail_link::Column::Hash.eq(hash.to_vec()))
        .filter(mail_link::Column::Purpose.eq(purpose.as_str()))
        .filter(mail_link::Column::UsedMs.is_null())
        .filter(mail_link::Column::ExpiresMs.gt(now))
        .exec(tx)
        .await
        .map_err(fault::query)?;
    if used.rows_affected != 1 {
        return Ok(None);
    }
    let row = mail_link::Entity::find_by_id(hash.to_vec()).one(tx).await.map_err(fault::query)?;
    Ok(row.map(|row| Link { account: row.account_id, email: row.email }))
}

impl Store {
    /// Keeps a link for an account and sends it, both or neither.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn create_link(&self, account: AccountId, new: &NewLink) -> Result<()> {
        let tx = sql::begin(&self.writer).await?;
        add(self, &tx, account, new).await?;
        sql::commit(tx).await
    }

    /// How many links of a purpose an account was sent since then (milliseconds since 1970; a day back at most).
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn count_links(&self, account: AccountId, purpose: LinkPurpose, since_ms: i64) -> Result<u64> {
        mail_link::Entity::find()
            .filter(mail_link::Column::AccountId.eq(account))
            .filter(mail_link::Column::Purpose.eq(purpose.as_str()))
            .filter(mail_link::Column::CreatedMs.gt(since_ms))
            .count(&self.readers)
            .await
            .map_err(fault::query)
    }

    /// A link that still works, by the SHA-256 of its token; looking at it does not use it.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_link(&self, hash: [u8; 32], purpose: LinkPurpose) -> Result<Option<Link>> {
        let row = mail_link::Entity::find_by_id(hash.to_vec())
            .filter(mail_link::Column::Purpose.eq(purpose.as_str()))
            .filter(mail_link::Column::UsedMs.is_null())
            .filter(mail_link::Column::ExpiresMs.gt(self.clock.now_ms()))
            .one(&self.readers)
            .await
            .map_err(fault::query)?;
        Ok(row.map(|row| Link { account: row.account_id, email: row.email }))
    }

    /// Uses a link to note that an address is its account's.
    ///
    /// Errors: `not_found` for a link that does not work (any more), or whose account has another address now.
    pub async fn verify_address(&self, hash: [u8; 32], actor: impl Fn(AccountId) -> Actor) -> Result<AccountId> {
        let now = self.clock.now_ms();
        let tx = sql::begin(&self.writer).await?;
        let link = take(&tx, hash, LinkPurpose::Verify, now).await?.ok_or(Code::NotFound)?;
        let verified = account::Entity::update_many()
            .col_expr(account::Column::VerifiedMs, Expr::value(now))
            .filter(account::Column::Id.eq(link.account))
            .filter(account::Column::Email.eq(&link.email))
            .filter(account::Column::VerifiedMs.is_null())
            .exec(&tx)
            .await
            .map_err(fault::query)?;
        if verified.rows_affected == 1 {
            note_verified(self, &tx, link.account, &actor(link.account)).await?;
        } else if !self.has_address(&tx, &link).await? {
            return Err(Error::new(Code::NotFound));
        }
        sql::commit(tx).await?;
        Ok(link.account)
    }

    async fn has_address(&self, tx: &DatabaseTransaction, link: &Link) -> Result<bool> {
        let row = account::Entity::find_by_id(link.account).one(tx).await.map_err(fault::query)?;
        Ok(row.is_some_and(|row| row.email == link.email))
    }

    /// Uses a link to give its account another password; all its sessions and other links of the kind end. Returns the
    /// sessions that ended.
    ///
    /// Errors: `not_found` for a link that does not work (any more).
    pub async fn reset_password(
        &self,
        hash: [u8; 32],
        password_hash: String,
        mail: &Mail,
        actor: &Actor,
    ) -> Result<Vec<SessionId>> {
        let now = self.clock.now_ms();
        let tx = sql::begin(&self.writer).await?;
        let link = take(&tx, hash, LinkPurpose::Reset, now).await?.ok_or(Code::NotFound)?;
        let ended = set_password(self, &tx, link.account, password_hash, None, mail).await?;
        append_to_orgs_of(self, &tx, link.account, actor, Event::new("account.password_reset", link.account)).await?;
        sql::commit(tx).await?;
        Ok(ended)
    }
}

/// Tells the nodes and the logs of an account's orgs that its address was verified; in the caller's transaction.
pub(crate) async fn note_verified(
    store: &Store,
    tx: &DatabaseTransaction,
    account: AccountId,
    actor: &Actor,
) -> Result<()> {
    tell_orgs_of(store, tx, account).await?;
    append_to_orgs_of(store, tx, account, actor, Event::new("account.verified", account)).await
}

/// Gives an account another password, ends its sessions but `keep` and its reset links, and tells it by mail; in the
/// caller's transaction.
pub(crate) async fn set_password(
    store: &Store,
    tx: &DatabaseTransaction,
    account: AccountId,
    password_hash: String,
    keep: Option<SessionId>,
    mail: &Mail,
) -> Result<Vec<SessionId>> {
    account::Entity::update_many()
        .col_expr(account::Column::PasswordHash, Expr::value(password_hash))
        .filter(account::Column::Id.eq(account))
        .exec(tx)
        .await
        .map_err(fault::query)?;
    let ended = end_sessions(tx, account, keep).await?;
    mail_link::Entity::delete_many()
        .filter(mail_link::Column::AccountId.eq(account))
        .filter(mail_link::Column::Purpose.eq(LinkPurpose::Reset.as_str()))
        .filter(mail_link::Column::UsedMs.is_null())
        .exec(tx)
        .await
        .map_err(fault::query)?;
    enqueue_mail(store, tx, None, &format!("password:{account}:{}", store.clock.now_ms()), mail).await?;
    Ok(ended)
}

/// Ends the sessions of an account but `keep`; in the caller's transaction.
pub(crate) async fn end_sessions(
    tx: &DatabaseTransaction,
    account: AccountId,
    keep: Option<SessionId>,
) -> Result<Vec<SessionId>> {
    let of_account = console_session::Entity::find().filter(console_session::Column::AccountId.eq(account));
    let rows = of_account.all(tx).await.map_err(fault::query)?;
    let ended: Vec<_> = rows.into_iter().map(|row| row.id).filter(|id| Some(*id) != keep).collect();
    console_session::Entity::delete_many()
        .filter(console_session::Column::Id.is_in(ended.iter().copied()))
        .exec(tx)
        .await
        .map_err(fault::query)?;
    Ok(ended)
}
