//! Presence on a node: what asks the state machine, and the tasks that let it tell and save.

use super::{Presence, Shown};
use crate::gateway::Gateway;
use crate::registry::Registry;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokenim_domain::Result;
use tokenim_domain::clock::Clock;
use tokenim_domain::log::{AppRef, MessageLog, Seen};
use tokenim_domain::name::User;
use tokenim_protocol::reply::Json;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often watchers are told what changed since.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// How often it is saved who came and went; a crash loses no more of it.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// Connections told before others get their turn at the state: each may watch 500 users.
const TURN_CONNECTIONS: usize = 32;
/// Bytes of an answer's full states; those behind are short, so that the answer stays a frame.
const FULL_BYTES_MAX: usize = 128 * 1024;

/// The presence of a node, shared by its connections; cheap to clone.
#[derive(Clone)]
pub(crate) struct Shared {
    inner: Arc<Mutex<Presence>>,
    clock: Arc<dyn Clock>,
    /// When this process started, milliseconds since 1970: it outdates whatever was told before.
    started_ms: i64,
}

impl Shared {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let started_ms = clock.now_ms();
        Shared { inner: Arc::new(Mutex::new(Presence::new(started_ms))), clock, started_ms }
    }

    /// The state machine.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Presence> {
        self.inner.lock().expect("no holder panics")
    }

    /// Lets time pass and tells, until told to stop.
    pub(crate) async fn tell(self, registry: Arc<Registry>, stop: CancellationToken) {
        let mut interval = interval(TELL_EVERY);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(interval.tick()).await.is_some() {
            self.lock().tick(self.clock.now_ms());
            let due = self.lock().due();
            for turn in due.chunks(TURN_CONNECTIONS) {
                self.lock().tell(turn, |connection, push| {
                    // One that has ended takes its watches with it.
                    let Some(connection) = registry.find(connection) else { return true };
                    let is_told = connection.offer_any(push);
                    if is_told {
                        connection.wake();
                    }
                    is_told
                });
                tokio::task::yield_now().await;
            }
        }
    }

    /// Saves who came and went, until told to stop, and then once more. What can't be saved is tried again.
    pub(crate) async fn save<L: MessageLog>(self, log: Arc<L>, stop: CancellationToken) {
        let mut interval = interval(SAVE_EVERY);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_closed = false;
        loop {
            let is_last = stop.run_until_cancelled(interval.tick()).await.is_none();
            if let Err(error) = self.save_once(&*log, &mut is_closed).await {
                tracing::error!(%error, source = ?std::error::Error::source(&error), "who was seen last could not be saved; trying again");
            }
            if is_last {
                return;
            }
        }
    }

    async fn save_once<L: MessageLog>(&self, log: &L, is_closed: &mut bool) -> Result<()> {
        if !*is_closed {
            log.close_seen().await?;
            *is_closed = true;
        }
        let rows = self.lock().unsaved();
        log.save_seen(rows.iter().map(|(_, row)| row.clone()).collect(), self.clock.now_ms()).await?;
        self.lock().saved(&rows);
        Ok(())
    }
}

impl<L: MessageLog> Gateway<L> {
    /// The presence of users, as an app's server sees it or as a viewer does: a JSON list.
    ///
    /// Errors: the store's.
    pub async fn presence_of(&self, app: AppRef, viewer: Option<&User>, users: &[User]) -> Result<String> {
        let known = {
            let presence = self.inner.presence.lock();
            users.iter().map(|user| presence.get(app, viewer, user)).collect()
        };
        Ok(states(&self.complete(app, users, known).await?).0)
    }

    /// What is known of users, and of the others what the store has.
    pub(crate) async fn complete(&self, app: AppRef, users: &[User], known: Vec<Option<Shown>>) -> Result<Vec<Shown>> {
        let unknown = users.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(user, _)| user.clone());
        let unknown: Vec<_> = unknown.collect();
        let rows = if unknown.is_empty() { Vec::new() } else { self.inner.log.last_seen(app, unknown).await? };
        let rows: HashMap<User, Seen> = rows.into_iter().map(|row| (row.user.clone(), row)).collect();
        let started_ms = self.inner.presence.started_ms;
        let gone = |user: &User| {
            let row = rows.get(user);
            Shown::gone(user.clone(), row.map(|row| row.seen_ms), row.map_or(0, |row| row.version).max(started_ms))
        };
        Ok(users.iter().zip(known).map(|(user, known)| known.unwrap_or_else(|| gone(user))).collect())
    }
}

/// States as a JSON list, and how many of them are told in full.
pub(crate) fn states(shown: &[Shown]) -> (String, usize) {
    let (mut out, mut full) = (String::from("["), 0);
    for (at, shown) in shown.iter().enumerate() {
        out.raw(if at > 0 { "," } else { "" });
        if out.len() < FULL_BYTES_MAX {
            full = at + 1;
            out.raw(&shown.json());
        } else {
            out.raw(&shown.short_json());
        }
    }
    out.push(']');
    (out, full)
}
