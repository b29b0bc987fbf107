//! What a run found, as lines for a reader and as JSON for a program, and whether it may be believed.

use crate::histogram::Quantiles;
use crate::meter::Cost;
use crate::process::Memory;
use crate::tally::{Refused, Second, Tally};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

/// Share of the offered load that must have been sent.
const SENT_SHARE_MIN: f64 = 0.99;
/// How much longer than its schedule a stretch may take, in share and in seconds, before the server counts as behind.
const LATE_SHARE_MAX: f64 = 0.05;
const LATE_SECONDS_MAX: f64 = 1.0;

/// The whole of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The kind of load.
    pub workload: String,
    /// The generator's version.
    pub version: &'static str,
    /// What was loaded.
    pub url: String,
    /// Whether that was a server of the run's own.
    pub local: bool,
    /// Cores of the generator's machine.
    pub cores: usize,
    /// Whether the figures may be believed.
    pub valid: bool,
    /// Why not.
    pub faults: Vec<String>,
    /// What was measured, in order; those of `mixed` are of one time.
    pub phases: Vec<Phase>,
    /// What a workload concludes from its phases.
    pub findings: BTreeMap<&'static str, f64>,
    /// What stays on a server that is not the run's own.
    pub left_behind: LeftBehind,
}

/// Nothing deletes users and conversations over REST, so they stay until their app is deleted.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LeftBehind {
    /// What their ids begin with.
    pub prefix: String,
    /// Users.
    pub users: usize,
    /// Conversations, with their messages.
    pub conversations: usize,
}

/// A stretch of one kind of load.
#[derive(Debug, Serialize)]
pub struct Phase {
    /// What it was.
    pub name: &'static str,
    /// What is counted: `message` or `connect`.
    pub unit: &'static str,
    /// How long it lasted.
    pub seconds: f64,
    /// How many were due; `None` in a closed loop, which takes what it can get.
    pub offered: Option<u64>,
    /// In how many seconds they were due.
    pub scheduled_seconds: Option<f64>,
    /// How many were sent.
    pub sent: u64,
    /// How many were accepted.
    pub accepted: u64,
    /// Accepted a second.
    pub accepted_per_s: f64,
    /// How many were refused, by code.
    pub refused: BTreeMap<String, Refused>,
    /// How many got no answer in time.
    pub unanswered: u64,
    /// Deliveries that were due for what was accepted.
    pub deliveries_due: u64,
    /// Deliveries that came.
    pub delivered: u64,
    /// From the moment something was due to its being sent: what the generator adds to the latencies below.
    pub lag: Quantiles,
    /// From the moment something was due to its acceptance.
    pub latency: Quantiles,
    /// From the moment a message was due to its arrival; every 16th receiver.
    pub delivery: Quantiles,
    /// Each second of it.
    pub by_second: Vec<Second>,
    /// What it cost the server, where its process is on this machine.
    pub server: Option<Server>,
    /// Whether refusals make the run invalid.
    #[serde(skip)]
    pub refusals: Refusals,
}

/// What a stretch cost the server.
#[derive(Debug, Clone, Serialize)]
pub struct Server {
    /// CPU of all its threads, microseconds.
    pub cpu_us: u64,
    /// For each thing accepted.
    pub cpu_us_each: f64,
    /// For each delivery, where there are any.
    pub cpu_us_per_delivery: Option<f64>,
    /// By thread.
    pub threads_us: BTreeMap<String, u64>,
    /// Writes in each batch that was committed.
    pub writes_per_commit: Option<f64>,
    /// CPU of the generator itself, share of one core.
    pub generator_cores: f64,
    /// Share of the machine that others used: noise.
    pub others_share: f64,
    /// Its memory before.
    pub memory_before: Memory,
    /// Its memory after.
    pub memory_after: Memory,
    /// Resident bytes that each connection of an idle run took.
    pub bytes_per_connection: Option<f64>,
}

/// What is due, and in what time.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// How many.
    pub count: u64,
    /// In what time.
    pub lasts: Duration,
}

impl Offer {
    /// So many a second for so long.
    #[must_use]
    pub fn at(per_second: f64, lasts: Duration) -> Self {
        Offer { count: (per_second * lasts.as_secs_f64()).round() as u64, lasts }
    }
}

/// Whether refusals make a run invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusals {
    /// They do.
    Fail,
    /// They are what is looked for.
    Wanted,
}

impl Phase {
    /// What a tally holds.
    #[must_use]
    pub fn of(name: &'static str, unit: &'static str, offer: Option<Offer>, seconds: f64, tally: &Tally) -> Self {
        Phase {
            name,
            unit,
            seconds,
            offered: offer.map(|offer| offer.count),
            scheduled_seconds: offer.map(|offer| offer.lasts.as_secs_f64()),
            sent: tally.sent.get(),
            accepted: tally.acked.get(),
            accepted_per_s: tally.acked.get() as f64 / seconds.max(f64::EPSILON),
            refused: tally.refused.borrow().clone(),
            unanswered: tally.unanswered.get(),
            deliveries_due: 0,
            delivered: tally.delivered.get(),
            lag: tally.lag.borrow().quantiles(),
            latency: tally.ack_latency.borrow().quantiles(),
            delivery: tally.delivery_latency.borrow().quantiles(),
            by_second: Vec::new(),
            server: None,
            refusals: Refusals::Fail,
        }
    }

    /// Why its figures may not be believed.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let (name, unit, mut faults) = (self.name, self.unit, Vec::new());
        if let Some(offered) = self.offered.filter(|offered| (self.sent as f64) < *offered as f64 * SENT_SHARE_MIN) {
            faults.push(format!("{name}: only {} of the {offered} {unit}s that were due were sent", self.sent));
        }
        if self.unanswered > 0 {
            faults.push(format!("{name}: {} {unit}s were not answered in time", self.unanswered));
        }
        if self.delivered != self.deliveries_due {
            faults.push(format!("{name}: {} deliveries came, {} were due", self.delivered, self.deliveries_due));
        }
        if self.refusals == Refusals::Fail
            && let Some(scheduled) = self.scheduled_seconds
            && self.seconds > scheduled * (1.0 + LATE_SHARE_MAX) + LATE_SECONDS_MAX
        {
            let took = self.seconds;
            faults.push(format!("{name}: {scheduled:.1} s of load took {took:.1} s: the server does not keep up"));
        }
        if self.refusals == Refusals::Fail {
            let refused = self.refused.iter();
            faults.extend(
                refused.map(|(code, refused)| format!("{name}: {} {unit}s were refused with {code}", refused.count)),
            );
        }
        faults
    }
}

impl Server {
    /// The cost of a stretch in which so much was accepted and delivered.
    #[must_use]
    pub fn of(cost: Cost, accepted: u64, delivered: u64, before: Memory, after: Memory) -> Self {
        Server {
            cpu_us: cost.server_us,
            cpu_us_each: cost.server_us as f64 / accepted.max(1) as f64,
            cpu_us_per_delivery: (delivered > 0).then(|| cost.server_us as f64 / delivered as f64),
            threads_us: cost.threads_us,
            writes_per_commit: cost.writes_per_commit,
            generator_cores: cost.client_us as f64 / cost.seconds / 1e6,
            others_share: cost.others_share,
            memory_before: before,
            memory_after: after,
            bytes_per_connection: None,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{} against {}, tokenim {}, {} cores", self.workload, self.url, self.version, self.cores)?;
        self.phases.iter().try_for_each(|phase| write!(out, "{phase}"))?;
        self.findings.iter().try_for_each(|(name, figure)| writeln!(out, "{name}: {figure:.2}"))?;
        if !self.local {
            let LeftBehind { prefix, users, conversations } = &self.left_behind;
            writeln!(
                out,
                "left behind: {users} users and {conversations} conversations, {prefix}…, until their app is deleted"
            )?;
        }
        match self.valid {
            true => write!(out, "valid"),
            false => write!(out, "INVALID: {}", self.faults.join("; ")),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offered = self.offered.map_or("closed loop".to_owned(), |offered| format!("{offered} offered"));
        let (sent, accepted, unit) = (self.sent, self.accepted, self.unit);
        let refused: u64 = self.refused.values().map(|refused| refused.count).sum();
        writeln!(
            out,
            "{}, {:.1} s: {unit}s {offered}, {sent} sent, {accepted} accepted ({:.0}/s), {refused} refused, {} unanswered",
            self.name, self.seconds, self.accepted_per_s, self.unanswered
        )?;
        for (code, refused) in &self.refused {
            writeln!(out, "  {code}: {}, {} without retry_after_ms", refused.count, refused.without_retry_after)?;
        }
        if self.deliveries_due > 0 {
            writeln!(out, "  delivered {} of {}", self.delivered, self.deliveries_due)?;
        }
        for (name, quantiles) in
            [("accepted", &self.latency), ("delivered", &self.delivery), ("generator lag", &self.lag)]
        {
            if quantiles.count > 0 {
                writeln!(out, "  {name:<14}{quantiles}")?;
            }
        }
        self.server.as_ref().map_or(Ok(()), |server| write!(out, "{server}"))
    }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quantiles { count, p50_ms, p90_ms, p99_ms, p999_ms, max_ms } = self;
        write!(
            out,
            "p50 {p50_ms:.2}  p90 {p90_ms:.2}  p99 {p99_ms:.2}  p99.9 {p999_ms:.2}  max {max_ms:.2} ms  ({count})"
        )
    }
}

impl fmt::Display for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |kb: u64| kb as f64 / 1024.0;
        let mut line = format!("  server CPU {:.1} µs each", self.cpu_us_each);
        if let Some(us) = self.cpu_us_per_delivery {
            write!(line, ", {us:.2} µs a delivery")?;
        }
        if let Some(writes) = self.writes_per_commit {
            write!(line, "; {writes:.1} writes a commit")?;
        }
        let (before, after) = (mib(self.memory_before.rss_kb), mib(self.memory_after.rss_kb));
        writeln!(out, "{line}; resident {before:.1} → {after:.1} MiB")?;
        if let Some(bytes) = self.bytes_per_connection {
            writeln!(out, "  {bytes:.0} bytes a connection")?;
        }
        writeln!(
            out,
            "  generator {:.0} % of a core, others {:.0} % of the machine",
            self.generator_cores * 100.0,
            self.others_share * 100.0
        )
    }
}
