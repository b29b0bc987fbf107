//! What befalls one life of a node: how its log answers, whether it stands still, and its end.

use super::random::Random;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::{Code, Result};
use tokio_util::sync::CancellationToken;

use crate::model::Fault;

/// Milliseconds that a way to the log takes.
const WAY_MS: u64 = 3;

pub struct Weather {
    pub clock: Arc<dyn Clock>,
    /// Cancelled when the node is killed.
    pub killed: CancellationToken,
    state: Mutex<State>,
}

struct State {
    random: Random,
    /// Until when it stands still.
    frozen_ms: u64,
    /// Until when the log is slow.
    slow_ms: u64,
    /// Until when it can't be read.
    unreadable_ms: u64,
    appends: VecDeque<Fault>,
}

impl std::fmt::Debug for Weather {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Weather")
    }
}

impl Weather {
    pub fn new(clock: Arc<dyn Clock>, random: Random) -> Arc<Self> {
        let appends = VecDeque::new();
        let state = Mutex::new(State { random, frozen_ms: 0, slow_ms: 0, unreadable_ms: 0, appends });
        Arc::new(Weather { clock, killed: CancellationToken::new(), state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Milliseconds since the run began.
    fn now(&self) -> u64 {
        self.clock.monotonic().as_millis() as u64
    }

    pub fn freeze(&self, until_ms: u64) {
        self.state().frozen_ms = until_ms;
    }

    pub fn slow(&self, until_ms: u64) {
        self.state().slow_ms = until_ms;
    }

    pub fn blind(&self, until_ms: u64) {
        self.state().unreadable_ms = until_ms;
    }

    /// The next batches meet these.
    pub fn fail(&self, fault: Fault, times: usize) {
        self.state().appends.extend(std::iter::repeat_n(fault, times));
    }

    pub fn next_fault(&self) -> Option<Fault> {
        self.state().appends.pop_front()
    }

    /// Waits while the node stands still; for ever once it is killed.
    pub async fn thaw(&self) {
        loop {
            if self.killed.is_cancelled() {
                std::future::pending::<()>().await;
            }
            let left = self.state().frozen_ms.saturating_sub(self.now());
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left)).await;
        }
    }

    /// One way to the log or back.
    pub async fn travel(&self) {
        self.thaw().await;
        let is_slow = self.state().slow_ms > self.now();
        let way_ms = self.state().random.range(0, if is_slow { 300 } else { WAY_MS });
        tokio::time::sleep(Duration::from_millis(way_ms)).await;
        self.thaw().await;
    }

    /// A reading on its way to the log. Errors: `unavailable`.
    pub async fn read(&self) -> Result<()> {
        self.travel().await;
        if self.state().unreadable_ms > self.now() { Err(Code::Unavailable.into()) } else { Ok(()) }
    }
}
