//! What a node counts of each app in memory until its minute is told: connections started, calls, messages said live.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use tokenim_domain::id::AppId;
use tokenim_domain::meter::AppMinute;

/// The running minute of each app that did anything in it, and how many before it wait.
#[derive(Debug, Default)]
pub struct Metered {
    running: Mutex<HashMap<AppId, AppMinute>>,
    untold: AtomicUsize,
}

impl Metered {
    /// Counts a call that was answered.
    pub fn call(&self, app: AppId) {
        self.of(app, |minute| minute.api_calls += 1);
    }

    /// Counts a connection that began.
    pub(crate) fn start(&self, app: AppId) {
        self.of(app, |minute| minute.connections_started += 1);
    }

    /// Counts a message that was said live.
    pub(crate) fn ephemeral(&self, app: AppId) {
        self.of(app, |minute| minute.ephemeral += 1);
    }

    fn of(&self, app: AppId, count: impl FnOnce(&mut AppMinute)) {
        count(self.minutes().entry(app).or_insert_with(|| AppMinute::new(app)));
    }

    fn minutes(&self) -> MutexGuard<'_, HashMap<AppId, AppMinute>> {
        self.running.lock().expect("no holder panics")
    }

    /// Notes how many minutes have ended and are not in the database yet.
    pub fn note_untold(&self, minutes: usize) {
        self.untold.store(minutes, Ordering::Relaxed);
    }

    /// How many minutes have ended and are not in the database yet.
    #[must_use]
    pub fn untold(&self) -> usize {
        self.untold.load(Ordering::Relaxed)
    }

    /// Takes what was counted and begins anew; `open` are the connections at the minute's first second.
    #[must_use]
    pub fn take(&self, open: &[(AppId, u64)]) -> Vec<AppMinute> {
        let mut counted = std::mem::take(&mut *self.minutes());
        for (app, open) in open {
            let minute = counted.entry(*app).or_insert_with(|| AppMinute::new(*app));
            minute.connections_open = i64::try_from(*open).unwrap_or(i64::MAX);
        }
        counted.into_values().collect()
    }
}
