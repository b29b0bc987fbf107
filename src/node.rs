//! What this process tells of itself: a heartbeat for the operators' list of nodes.

use std::fs;
use std::time::Duration;
use tokenim_domain::id::NodeId;
use tokenim_gateway::Gateway;
use tokenim_store::{Beat, Store};
use tokio_util::sync::CancellationToken;

/// How often a node tells that it runs.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// The kernel counts CPU time in these (proc(5): USER_HZ, 100 on every Linux).
const TICK_MS: i64 = 10;

/// Tells until told to stop; a beat that fails is told by the next one.
pub async fn run(store: Store, gateway: Gateway<Store>, stop: CancellationToken) {
    let id = NodeId::new(&**store.clock(), &**store.rng());
    let name = name();
    let started_ms = store.clock().now_ms();
    let mut interval = tokio::time::interval(BEAT_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(interval.tick()).await.is_some() {
        let beat = Beat {
            id,
            name: name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            started_ms,
            connections: i64::try_from(gateway.connections()).unwrap_or(i64::MAX),
            rss_bytes: rss_bytes(&read("/proc/self/status")),
            cpu_ms: cpu_ms(&read("/proc/self/stat")),
        };
        note(store.beat(&beat).await);
        note(store.forget_changes().await.map(drop));
    }
    note(store.forget_node(id).await);
}

/// The machine's name.
pub fn name() -> String {
    read("/proc/sys/kernel/hostname").trim().to_owned()
}

fn note(done: tokenim_domain::Result<()>) {
    if let Err(error) = done {
        tracing::warn!(%error, source = ?std::error::Error::source(&error), "this node could not tell that it runs");
    }
}

/// A file of the kernel; empty where there is none, as on other systems.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// `VmRSS:   1234 kB` (proc(5)).
fn rss_bytes(status: &str) -> i64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<i64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Fields 14 and 15, user and system time; the name before them is in parentheses and may hold anything (proc(5)).
fn cpu_ms(stat: &str) -> i64 {
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<i64>().ok());
    ticks.sum::<i64>() * TICK_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        assert_eq!(rss_bytes("VmPeak:\t 9 kB\nVmRSS:\t   1234 kB\n"), 1234 * 1024);
        assert_eq!(cpu_ms("42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 30 12 13 14"), 420);
        assert_eq!((rss_bytes(""), cpu_ms("")), (0, 0));
        assert!(rss_bytes(&read("/proc/self/status")) > 0);
    }
}
