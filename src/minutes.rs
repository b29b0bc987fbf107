//! Tells each minute of this process: connections open at its first second, and what was counted in it.

use std::collections::VecDeque;
use std::time::Duration;
use tokenim_domain::id::{AppId, NodeId};
use tokenim_gateway::Gateway;
use tokenim_store::{NodeMinute, Store};
use tokio_util::sync::CancellationToken;

/// How often it looks whether a minute has begun.
const EVERY: Duration = Duration::from_secs(1);
const MINUTE_MS: i64 = 60_000;
/// Minutes that may wait for the database; the oldest is dropped beyond it, being refused by then.
const WAITING_MAX: usize = 16;

/// The minutes of one start of the process.
struct Minutes {
    store: Store,
    gateway: Gateway<Store>,
    boot: NodeId,
    node: String,
    /// The running minute.
    minute_ms: i64,
    /// Connections at its first second; of the minute the process began in there were none.
    open: Vec<(AppId, u64)>,
    waiting: VecDeque<NodeMinute>,
}

/// Tells until told to stop, then what is left. Nobody waits for it; a minute that could not be told is told again, in order.
pub async fn run(store: Store, gateway: Gateway<Store>, stop: CancellationToken) {
    let boot = NodeId::new(&**store.clock(), &**store.rng());
    let minute_ms = minute_of(store.clock().now_ms());
    let node = crate::node::name();
    let mut minutes = Minutes { store, gateway, boot, node, minute_ms, open: Vec::new(), waiting: VecDeque::new() };
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(interval.tick()).await.is_some() {
        // A clock that is turned back begins no minute anew.
        let now_ms = minute_of(minutes.store.clock().now_ms());
        if now_ms > minutes.minute_ms {
            minutes.end(false);
            (minutes.minute_ms, minutes.open) = (now_ms, minutes.gateway.connections_by_app());
        }
        minutes.tell().await;
    }
    minutes.end(true);
    minutes.tell().await;
}

fn minute_of(at_ms: i64) -> i64 {
    at_ms - at_ms.rem_euclid(MINUTE_MS)
}

impl Minutes {
    /// Ends the running minute.
    fn end(&mut self, is_last: bool) {
        let apps = self.gateway.metered().take(&self.open);
        let (boot, node, minute_ms) = (self.boot, self.node.clone(), self.minute_ms);
        self.waiting.push_back(NodeMinute { boot, node, minute_ms, apps, is_last });
        if self.waiting.len() > WAITING_MAX {
            self.waiting.pop_front();
        }
    }

    /// Tells what waits, the oldest first, until one can't be told.
    async fn tell(&mut self) {
        self.tell_in_order().await;
        self.gateway.metered().note_untold(self.waiting.len());
    }

    async fn tell_in_order(&mut self) {
        while let Some(minute) = self.waiting.front() {
            match self.store.save_node_minute(minute).await {
                Ok(true) => {}
                Ok(false) => tracing::warn!(minute.minute_ms, "a minute could not be told in time and counts nothing"),
                Err(error) => {
                    let source = std::error::Error::source(&error);
                    tracing::warn!(%error, ?source, "a minute could not be told; it will be tried again");
                    return;
                }
            }
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Health, Metrics, Requests};
    use crate::private::State;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use tokenim_domain::clock::SystemClock;
    use tokenim_domain::rng::SystemRng;
    use tokenim_gateway::limits::Limits;
    use tokenim_store::{Durability, Settings};

    async fn store(folder: &tempfile::TempDir) -> Store {
        let settings = Settings { data: folder.path().join("data"), postgres: None, durability: Durability::Full };
        Store::open(&settings, Arc::new(SystemClock::new()), Arc::new(SystemRng)).await.unwrap().store
    }

    #[tokio::test]
    async fn a_node_two_minutes_behind_is_not_ready_until_it_has_told_them() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (healthy, broken) = (store(&folders[0]).await, store(&folders[1]).await);
        broken.close().await;
        let gateway = crate::app::gateway(&healthy, &Limits::default());
        let metrics = Arc::new(Metrics::new(gateway.clone(), Arc::new(Requests::default())));
        let keeper = State { store: healthy.clone(), ready: Arc::new(AtomicBool::new(true)), metrics };
        let boot = NodeId::new(&**healthy.clock(), &**healthy.rng());
        let minute_ms = minute_of(healthy.clock().now_ms());
        let (node, open, waiting) = (String::from("n"), Vec::new(), VecDeque::new());
        let mut minutes = Minutes { store: broken, gateway, boot, node, minute_ms, open, waiting };
        for expected in [Health::Ready, Health::Behind] {
            minutes.end(false);
            minutes.minute_ms += MINUTE_MS;
            minutes.tell().await;
            assert_eq!(keeper.health().await, expected, "{} wait", minutes.waiting.len());
        }
        minutes.store = healthy;
        minutes.tell().await;
        assert_eq!((keeper.health().await, minutes.waiting.len()), (Health::Ready, 0));
    }
}
