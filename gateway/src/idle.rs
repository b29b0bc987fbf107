//! Ends live messages that nobody goes on with, through the same write as their senders do.

use crate::gateway::Gateway;
use std::time::Duration;
use tokenim_domain::Result;
use tokenim_domain::limits::LIVE_IDLE_SECONDS;
use tokenim_domain::log::{Amendment, Idle, MessageAct, MessageLog, Piece, Write};
use tokenim_domain::plan::quota::Allowance;
use tokenim_domain::role::ContentKind;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often it is asked who is idle.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// Live messages asked for at a time.
const PAGE_MAX: u32 = 100;
/// Pages of one sweep; the rest waits for the next.
const PAGES_MAX: usize = 10;

impl<L: MessageLog> Gateway<L> {
    /// Sweeps until told to stop.
    pub(crate) async fn end_idle(self, stop: CancellationToken) {
        let mut interval = interval(SWEEP_EVERY);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut after_ms = 0;
        while stop.run_until_cancelled(interval.tick()).await.is_some() {
            if let Err(error) = self.sweep(&mut after_ms).await {
                tracing::error!(%error, source = ?std::error::Error::source(&error), "idle live messages could not be found; trying again");
            }
        }
    }

    /// Ends what is idle now, from behind `after_ms` on, which it moves to where the next sweep goes on: what may not be ended, over its
    /// quota for one, stays live and holds nobody up.
    ///
    /// Errors: the log's.
    pub(crate) async fn sweep(&self, after_ms: &mut i64) -> Result<()> {
        let up_to_ms = self.inner.clock.now_ms() - LIVE_IDLE_SECONDS * 1_000;
        for _ in 0..PAGES_MAX {
            let page = self.inner.log.idle(*after_ms, up_to_ms, PAGE_MAX).await?;
            for idle in &page {
                if let Err(error) = self.write(end(idle)).await {
                    tracing::debug!(code = error.code.as_str(), "an idle live message stays");
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE_MAX as usize => *after_ms = last.grown_ms,
                _ => {
                    *after_ms = 0;
                    break;
                }
            }
        }
        Ok(())
    }
}

fn end(idle: &Idle) -> Write {
    Write::Amend(Amendment {
        app: idle.app,
        conversation: idle.conversation.clone(),
        actor: None,
        client_msg_id: None,
        target: idle.target,
        act: MessageAct::End { last: Piece::default(), kind: ContentKind::Text, body: Box::default() },
        moderates: true,
        credential: idle.credential.clone(),
        allowance: Allowance::default(),
    })
}
