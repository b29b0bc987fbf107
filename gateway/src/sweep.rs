//! The window sweep: the last event of a conversation that the bus lost is found without waiting for the next one.
//!
//! A node asks where the conversations of its users stand that changed lately, and its delivery takes the last event of those
//! that are further than what it has delivered; the gap below it is closed as any other. After trouble it looks for five minutes.

use crate::bus::Bus;
use crate::delivery::Behind;
use crate::registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::log::{AppRef, Changed, ChangedQuery, DirectoryCursor, MessageLog};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::{Result, sabotage};
use tokio::sync::{Notify, mpsc};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often a node looks.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Milliseconds that a look reaches back behind the one before: what one could not deliver, the next finds once more.
const OVERLAP_MS: i64 = 30_000;
/// What is younger is on its way. It is also how long the bus is given after trouble, and the wait after a look that failed.
const SETTLED: Duration = Duration::from_secs(1);
/// Users asked for at a time.
const USERS_MAX: usize = 200;
/// Conversations of one answer; where there are more, the next question begins behind the last.
const CHANGED_MAX: usize = 32;
/// Looks after a word of trouble, on a node alone too: a commit whose answer was lost may land late.
const TROUBLED_LOOKS: u32 = 11;
/// Milliseconds that such a look reaches back: a commit that lands late has the time at which it was asked for.
const LATE_MS: i64 = 330_000;
/// Answers that wait for the delivery.
const FOUND_MAX: usize = 4;

/// The task that looks.
pub(crate) struct Sweep<L, B> {
    pub(crate) log: Arc<L>,
    pub(crate) bus: Arc<B>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Told by the bus that batches may have been lost.
    pub(crate) lost: Arc<Notify>,
    /// The way to the delivery.
    pub(crate) found: mpsc::Sender<Vec<Behind>>,
}

/// The way to the delivery.
pub(crate) fn channel() -> (mpsc::Sender<Vec<Behind>>, mpsc::Receiver<Vec<Behind>>) {
    mpsc::channel(FOUND_MAX)
}

impl<L: MessageLog, B: Bus> Sweep<L, B> {
    /// Looks until told to stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut due = interval(LOOK_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut since_ms = self.clock.now_ms() - OVERLAP_MS;
        let mut troubled = 0;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.lost.notified() => {
                    troubled = TROUBLED_LOOKS;
                    tokio::time::sleep(SETTLED).await;
                }
                _ = due.tick() => {}
            }
            let begun_ms = self.clock.now_ms();
            // A node alone that had no trouble has heard all there is.
            if (troubled == 0 && !self.bus.has_others()) || sabotage::is("no_sweep") {
                since_ms = begun_ms - OVERLAP_MS;
                continue;
            }
            troubled = troubled.saturating_sub(1);
            match self.look(since_ms, begun_ms - SETTLED.as_millis() as i64).await {
                Ok(()) if troubled > 0 => since_ms = since_ms.max(begun_ms - LATE_MS),
                Ok(()) => since_ms = begun_ms - OVERLAP_MS,
                Err(error) => {
                    tracing::error!(%error, source = ?std::error::Error::source(&error), "what changed lately can't be read; trying again");
                    self.lost.notify_one();
                }
            }
        }
    }

    async fn look(&self, since_ms: i64, until_ms: i64) -> Result<()> {
        for portion in self.registry.users().chunk_by(|a, b| a.0 == b.0).flat_map(|of| of.chunks(USERS_MAX)) {
            let Some((app, _)) = portion.first() else { continue };
            let users: Vec<User> = portion.iter().map(|(_, user)| user.clone()).collect();
            let mut after = DirectoryCursor { last_ms: since_ms, conversation: Conversation::trusted("") };
            loop {
                let query = ChangedQuery { app: *app, users: users.clone(), after, limit: CHANGED_MAX };
                let changed = self.log.changed(query).await?;
                let last = changed.last().filter(|_| changed.len() == CHANGED_MAX).map(Changed::cursor);
                self.tell(*app, changed, until_ms).await;
                let Some(last) = last else { break };
                after = last;
            }
        }
        Ok(())
    }

    async fn tell(&self, app: AppRef, changed: Vec<Changed>, until_ms: i64) {
        let settled = changed.into_iter().filter(|one| one.last_ms <= until_ms);
        let behind: Vec<_> = settled.map(|one| Behind { app, conversation: one.conversation, seq: one.seq }).collect();
        if !behind.is_empty() {
            // The delivery ends with its node.
            let _ = self.found.send(behind).await;
        }
    }
}
