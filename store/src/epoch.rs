//! The incarnation of the logs. New conversations begin in it; a restore raises it, so that clients that hold events which
//! the backup lacks learn it.

use crate::db::Fence;
use crate::{Store, fault, sql};
use sea_orm::ConnectionTrait;
use tokenim_domain::{Error, Result, sabotage};

/// The epoch that a conversation begins in.
pub(crate) async fn current(on: &impl ConnectionTrait) -> Result<i64> {
    let row = sql::row(on, "SELECT epoch FROM log_epoch WHERE id = 1", []).await?;
    sql::get(&row.ok_or_else(|| Error::internal("the epoch of the logs is missing"))?, "epoch")
}

impl Store {
    /// Begins a new incarnation of every log: what follows the events that are there now is numbered in a new epoch. To be
    /// done after each restore, whatever made the copy, while nothing serves the database. Returns the new epoch.
    ///
    /// The epoch is the time, because the same backup may be restored twice and knows nothing of the first time.
    /// Errors: `unavailable`, `overloaded`.
    /// Source: docs/adr/0009-a-restore-begins-an-epoch.md.
    pub async fn raise_epoch(&self) -> Result<i64> {
        let tx = sql::begin_within(&self.writer, Fence::Worker).await?;
        let before = current(&tx).await?;
        let epoch = if sabotage::is("epoch_kept") { before } else { self.clock.now_ms().max(before + 1) };
        sql::run(&tx, "UPDATE log_epoch SET epoch = $1 WHERE id = 1", [epoch.into()]).await.map_err(fault::query)?;
        let conversations = "UPDATE conversation SET epoch = $1, epoch_first = last_seq + 1";
        sql::run(&tx, conversations, [epoch.into()]).await.map_err(fault::query)?;
        sql::commit(tx).await?;
        Ok(epoch)
    }

    /// Ends every console session and every link sent by mail, those of invitations too: what was ended since a backup was
    /// made is alive in it.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn end_sessions(&self) -> Result<()> {
        for text in ["DELETE FROM console_session", "DELETE FROM mail_link"] {
            sql::run(&self.writer, text, []).await.map_err(fault::query)?;
        }
        let invitations = "UPDATE invitation SET revoked_ms = $1 WHERE accepted_ms IS NULL AND revoked_ms IS NULL";
        let writer = self.writer.within(Fence::Worker);
        sql::run(&writer, invitations, [self.clock.now_ms().into()]).await.map(drop).map_err(fault::query)
    }
}
