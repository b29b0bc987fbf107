//! The node's second: pings, deadlines and silence of every connection, and a sample of their number each minute.

use crate::connection::Tick;
use crate::encoded::Form;
use crate::presence;
use crate::registry::Registry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::id::AppId;
use tokio_util::sync::CancellationToken;

/// Minutes of connection counts that are remembered.
const MINUTES_MAX: usize = 180;
const MINUTE_MS: i64 = 60_000;

/// Seconds of the node's monotonic clock, as connections count them.
#[derive(Clone)]
pub struct Seconds(Arc<dyn Clock>);

impl std::fmt::Debug for Seconds {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Seconds({})", self.now())
    }
}

impl Seconds {
    /// Seconds of that clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Seconds(clock)
    }

    /// The clock itself.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0
    }

    /// The second it is; 32 bits are 136 years.
    #[must_use]
    pub fn now(&self) -> u32 {
        self.0.monotonic().as_secs() as u32
    }
}

/// Open connections per app at second 0 of past minutes. Live figures of this node, not billed.
#[derive(Debug, Default)]
pub struct Minutes(Mutex<VecDeque<(i64, HashMap<AppId, u64>)>>);

impl Minutes {
    fn sample(&self, minute_ms: i64, registry: &Registry) {
        let mut minutes = self.0.lock().expect("no holder panics");
        if minutes.back().is_some_and(|(last, _)| *last >= minute_ms) {
            return;
        }
        minutes.push_back((minute_ms, registry.connections_by_app().into_iter().collect()));
        if minutes.len() > MINUTES_MAX {
            minutes.pop_front();
        }
    }

    /// An app's series, oldest first: start of the minute in milliseconds since 1970, and connections.
    pub fn of(&self, app: AppId) -> Vec<(i64, u64)> {
        let minutes = self.0.lock().expect("no holder panics");
        minutes.iter().map(|(minute, counts)| (*minute, counts.get(&app).copied().unwrap_or(0))).collect()
    }
}

/// Ticks once a second until told to stop.
pub(crate) async fn run(
    (registry, presence): (Arc<Registry>, presence::task::Shared),
    minutes: Arc<Minutes>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let seconds = Seconds::new(clock.clone());
    let mut interval = tokio::time::interval(Duration::from_secs(1));
    while stop.run_until_cancelled(interval.tick()).await.is_some() {
        let (now, wall_ms) = (seconds.now(), clock.now_ms());
        for connection in registry.all() {
            let tick = connection.tick(now, wall_ms);
            if tick != Tick::Nothing {
                connection.wake();
            }
            if tick == Tick::Shed {
                presence.lock().tell_all_again(connection.id);
            }
            // Whoever serves it may be stuck in a write to a peer that is gone. A stream's write is HTTP's, which nobody here
            // can end: it keeps its place until TCP gives it up, or places would not bound what is open.
            if connection.is_gone() && connection.form != Form::Events {
                registry.remove(&connection);
            }
        }
        minutes.sample(wall_ms - wall_ms.rem_euclid(MINUTE_MS), &registry);
    }
}
