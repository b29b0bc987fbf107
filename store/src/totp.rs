//! Second factors: sealed seeds, the step that was last taken, and recovery codes by their hash.

use crate::audit::{Event, append_to_orgs_of};
use crate::entity::{account, console_session, recovery_code};
use crate::{Store, fault, sql};
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter};
use tokenim_domain::actor::Actor;
use tokenim_domain::id::AccountId;
use tokenim_domain::secret::{mac, sha256};
use tokenim_domain::{Code, Error, Result};

const SEAL_PURPOSE: &str = "totp";

/// An account's second factor.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSeed {
    /// The shared secret.
    pub seed: Vec<u8>,
    /// Whether a code has shown that the person's device has it too.
    pub is_confirmed: bool,
}

impl Store {
    /// Keeps a seed that is to be confirmed by a code; one that is there, confirmed or not, stays.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn begin_totp(&self, account: AccountId, seed: &[u8]) -> Result<()> {
        let sealed = self.master.seal(SEAL_PURPOSE, seed, &*self.rng)?;
        account::Entity::update_many()
            .col_expr(account::Column::SealedTotp, Expr::value(sealed))
            .col_expr(account::Column::TotpStep, Expr::value(None::<i64>))
            .filter(account::Column::Id.eq(account))
            .filter(account::Column::SealedTotp.is_null())
            .exec(&self.writer)
            .await
            .map(drop)
            .map_err(fault::query)
    }

    /// The seed of an account, confirmed or not.
    ///
    /// Errors: `internal` where it was sealed by another master key; `unavailable`, `overloaded`.
    pub async fn find_totp(&self, account: AccountId) -> Result<Option<TotpSeed>> {
        let row = account::Entity::find_by_id(account).one(&self.readers).await.map_err(fault::query)?;
        let Some((sealed, confirmed)) = row.and_then(|row| Some((row.sealed_totp?, row.totp_confirmed_ms))) else {
            return Ok(None);
        };
        let seed = self.master.open(SEAL_PURPOSE, &sealed)?;
        Ok(Some(TotpSeed { seed, is_confirmed: confirmed.is_some() }))
    }

    /// Takes the step of a code that is right; false where it, or a later one, was taken before.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn take_totp_step(&self, account: AccountId, step: i64) -> Result<bool> {
        let taken = account::Entity::update_many()
            .col_expr(account::Column::TotpStep, Expr::value(step))
            .filter(account::Column::Id.eq(account))
            .filter(before(step))
            .exec(&self.writer)
            .await
            .map_err(fault::query)?;
        Ok(taken.rows_affected == 1)
    }

    /// Notes that the person's device has the seed, with the step that showed it, and keeps the recovery codes.
    ///
    /// Errors: `conflict` where it is confirmed already, or the step was taken.
    pub async fn confirm_totp(&self, account: AccountId, step: i64, codes: &[String], actor: &Actor) -> Result<()> {
        let tx = sql::begin(&self.writer).await?;
        let confirmed = account::Entity::update_many()
            .col_expr(account::Column::TotpConfirmedMs, Expr::value(self.clock.now_ms()))
            .col_expr(account::Column::TotpStep, Expr::value(step))
            .filter(account::Column::Id.eq(account))
            .filter(account::Column::TotpConfirmedMs.is_null())
            .filter(before(step))
            .exec(&tx)
            .await
            .map_err(fault::query)?;
        if confirmed.rows_affected != 1 {
            return Err(Error::new(Code::Conflict));
        }
        self.replace_codes(&tx, account, codes).await?;
        append_to_orgs_of(self, &tx, account, actor, Event::new("account.totp_enabled", account)).await?;
        sql::commit(tx).await
    }

    /// Forgets an account's second factor and its recovery codes; its sessions of the operator area end, which need both.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn delete_totp(&self, account: AccountId, actor: &Actor) -> Result<()> {
        let tx = sql::begin(&self.writer).await?;
        account::Entity::update_many()
            .col_expr(account::Column::SealedTotp, Expr::value(None::<Vec<u8>>))
            .col_expr(account::Column::TotpConfirmedMs, Expr::value(None::<i64>))
            .col_expr(account::Column::TotpStep, Expr::value(None::<i64>))
            .filter(account::Column::Id.eq(account))
            .exec(&tx)
            .await
            .map_err(fault::query)?;
        self.replace_codes(&tx, account, &[]).await?;
        console_session::Entity::delete_many()
            .filter(console_session::Column::AccountId.eq(account))
            .filter(console_session::Column::IsOperator.eq(true))
            .exec(&tx)
            .await
            .map_err(fault::query)?;
        append_to_orgs_of(self, &tx, account, actor, Event::new("account.totp_disabled", account)).await?;
        sql::commit(tx).await
    }

    /// Replaces the recovery codes of an account.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn replace_recovery_codes(&self, account: AccountId, codes: &[String], actor: &Actor) -> Result<()> {
        let tx = sql::begin(&self.writer).await?;
        self.replace_codes(&tx, account, codes).await?;
        append_to_orgs_of(self, &tx, account, actor, Event::new("account.recovery_codes_made", account)).await?;
        sql::commit(tx).await
    }

    /// Uses a recovery code; false where it is none of the account's, or was used.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn use_recovery_code(&self, account: AccountId, code: &str, actor: &Actor) -> Result<bool> {
        let tx = sql::begin(&self.writer).await?;
        let used = recovery_code::Entity::update_many()
            .col_expr(recovery_code::Column::UsedMs, Expr::value(self.clock.now_ms()))
            .filter(recovery_code::Column::AccountId.eq(account))
            .filter(recovery_code::Column::Hash.eq(self.code_hash(account, code)))
            .filter(recovery_code::Column::UsedMs.is_null())
            .exec(&tx)
            .await
            .map_err(fault::query)?;
        if used.rows_affected != 1 {
            return Ok(false);
        }
        append_to_orgs_of(self, &tx, account, actor, Event::new("account.recovery_code_used", account)).await?;
        sql::commit(tx).await?;
        Ok(true)
    }

    /// How many recovery codes of an account still work.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn count_recovery_codes(&self, account: AccountId) -> Result<u64> {
        recovery_code::Entity::find()
            .filter(recovery_code::Column::AccountId.eq(account))
            .filter(recovery_code::Column::UsedMs.is_null())
            .count(&self.readers)
            .await
            .map_err(fault::query)
    }

    async fn replace_codes(&self, tx: &DatabaseTransaction, account: AccountId, codes: &[String]) -> Result<()> {
        recovery_code::Entity::delete_many()
            .filter(recovery_code::Column::AccountId.eq(account))
            .exec(tx)
            .await
            .map_err(fault::query)?;
        for code in codes {
            let row = recovery_code::Model { account_id: account, hash: self.code_hash(account, code), used_ms: None };
            sql::insert(tx, row).await?;
        }
        Ok(())
    }

    /// A code is of use only with the master key, so that a stolen table gives none away.
    fn code_hash(&self, account: AccountId, code: &str) -> Vec<u8> {
        mac(&sha256(self.master.form_key()), format!("recovery {account} {code}").as_bytes()).to_vec()
    }
}

/// No step as late as this one was taken.
fn before(step: i64) -> Condition {
    Condition::any().add(account::Column::TotpStep.is_null()).add(account::Column::TotpStep.lt(step))
}
