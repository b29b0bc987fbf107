//! Prometheus metrics: what the process has counted in plain atomics, put into words when it is asked for.

mod family;

use family::Family;
use prometheus::TextEncoder;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokenim_gateway::Gateway;
use tokenim_gateway::recent::Times;
use tokenim_store::{Backlog, Store};

/// The metrics of a process. No label names an org or an app: that is what the monitoring API is for.
pub struct Metrics {
    gateway: Gateway<Store>,
    requests: Arc<Requests>,
    /// Memory, CPU time and open files, under the names every Prometheus client has for them.
    process: ProcessCollector,
}

/// Whether this node may be sent traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It may.
    Ready,
    /// It is about to stop.
    Draining,
    /// Its database does not answer.
    NoStore,
    /// It answers, and does not take the node's minutes.
    Behind,
}

/// HTTP requests answered, by face and by class of their status.
#[derive(Debug, Default)]
pub struct Requests {
    counts: [[AtomicU64; CLASSES.len()]; FACES.len()],
    /// How long those of the JSON face took lately.
    pub api_times: Times,
}

const FACES: [&str; 2] = ["api", "console"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Requests {
    /// Counts an answer that was ready at `now_ms`, after so long.
    pub fn count(&self, path: &str, status: u16, now_ms: i64, took: Duration) {
        let face = usize::from(!path.starts_with("/v1/"));
        if face == 0 {
            self.api_times.note(now_ms, took, 1);
        }
        if let Some(counter) = self.counts[face].get(usize::from(status / 100).wrapping_sub(1)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn read(&self) -> impl Iterator<Item = ([(&'static str, &'static str); 2], u64)> {
        let labels = |at: usize| [("face", FACES[at / CLASSES.len()]), ("class", CLASSES[at % CLASSES.len()])];
        let counters = self.counts.iter().flatten().enumerate();
        counters.map(move |(at, counter)| (labels(at), counter.load(Ordering::Relaxed)))
    }
}

impl Metrics {
    /// The metrics of a gateway and of the requests beside it.
    pub fn new(gateway: Gateway<Store>, requests: Arc<Requests>) -> Self {
        Metrics { gateway, requests, process: ProcessCollector::for_self() }
    }

    /// All metrics in the text format.
    pub fn text(&self, health: Health, backlog: Option<Backlog>) -> String {
        let mut families = self.process.collect();
        let waiting = backlog.into_iter().flat_map(waiting);
        families.extend(self.node(health).into_iter().chain(self.counted()).chain(waiting).map(Family::into));
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }

    /// How many minutes of usage wait to be told.
    pub fn untold_minutes(&self) -> usize {
        self.gateway.metered().untold()
    }

    /// What is, now.
    fn node(&self, health: Health) -> [Family; 8] {
        let (queued, queued_max) = self.gateway.queued();
        let is = |what: bool| u64::from(what);
        [
            Family::gauge("tokenim_build_info", "The running version; always 1.")
                .labelled([("version", env!("CARGO_PKG_VERSION"))], 1),
            Family::gauge("tokenim_ready", "Whether this node may be sent traffic, as /readyz says.")
                .value(is(health == Health::Ready)),
            Family::gauge("tokenim_draining", "Whether this node is sending its connections away to stop.")
                .value(is(health == Health::Draining)),
            Family::gauge("tokenim_connections", "Open sockets, authenticated or not.")
                .value(self.gateway.connections() as u64),
            Family::gauge("tokenim_queued_writes", "Writes that wait for their batch.").value(queued as u64),
            Family::gauge(
                "tokenim_queued_writes_max",
                "Writes that may wait, as many as commit in 150 ms; beyond it senders are told to come later.",
            )
            .value(queued_max as u64),
            Family::gauge("tokenim_untold_batches", "Batches that are answered and not yet told to all on this node.")
                .value(self.gateway.counters().untold),
            Family::gauge(
                "tokenim_untold_minutes",
                "Minutes of connections and calls that have ended and are not in the database yet; two are too many.",
            )
            .value(self.untold_minutes() as u64),
        ]
    }

    /// What has happened since the process started.
    fn counted(&self) -> [Family; 7] {
        let now = self.gateway.counters();
        let refusals =
            Family::counter("tokenim_refusals_total", "Commands and writes refused or failed, by their code.");
        let requests = Family::counter("tokenim_http_requests_total", "HTTP requests answered.");
        [
            Family::counter("tokenim_writes_total", "Writes handed to the log.").value(now.writes),
            Family::counter("tokenim_messages_total", "Messages stored.").value(now.messages),
            Family::counter("tokenim_ephemeral_messages_total", "Messages told and never stored.").value(now.ephemeral),
            Family::counter("tokenim_deliveries_total", "Event chunks queued at connections.").value(now.deliveries),
            now.refusals.iter().fold(refusals, |all, (code, count)| all.labelled([("code", code.as_str())], *count)),
            self.requests.read().fold(requests, |all, (labels, count)| all.labelled(labels, count)),
            Family::histogram(
                "tokenim_commit_seconds",
                "Time from a batch's hand-over to the log to its flush.",
                &now.commits,
            ),
        ]
    }
}

/// What waits in the database, the same on every node of one.
fn waiting(backlog: Backlog) -> [Family; 4] {
    let age = |name, help, ms: u64| Family::gauge(name, help).value(ms / 1_000);
    [
        Family::gauge("tokenim_jobs_waiting", "Jobs neither done nor given up.").value(backlog.jobs_waiting),
        Family::gauge("tokenim_jobs_dead", "Jobs given up, kept to be looked at.").value(backlog.jobs_dead),
        age("tokenim_jobs_age_seconds", "Time since the oldest job that is due was due.", backlog.job_age_ms),
        age("tokenim_usage_age_seconds", "Age of the oldest usage that is in no hour yet.", backlog.usage_age_ms),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_for_its_face_and_class() {
        let requests = Requests::default();
        for (path, status) in [
            ("/v1/usage", 200),
            ("/v1/usage", 204),
            ("/v1/usage", 503),
            ("/", 303),
            ("/v10", 404),
            ("/", 99),
            ("/", 600),
        ] {
            requests.count(path, status, 0, Duration::from_millis(1));
        }
        let seen: Vec<_> = requests.read().filter(|(_, count)| *count > 0).collect();
        let of = |face, class, count| ([("face", face), ("class", class)], count);
        assert!(requests.api_times.p99(0).is_some_and(|p99| p99 < Duration::from_millis(2)));
        assert_eq!(seen, [of("api", "2xx", 2), of("api", "5xx", 1), of("console", "3xx", 1), of("console", "4xx", 1)]);
    }
}
