//! Far more messages than the server can take: what it still does, how it refuses, and whether it recovers.

use super::{Found, Run};
use crate::crowd::Crowd;
use crate::failure::Failure;
use crate::progress::tell;
use crate::report::{Offer, Phase, Refusals};
use crate::tally::Second;
use std::collections::BTreeMap;
use std::time::Duration;

/// Messages of each sender in flight while the peak is looked for: one, so that they are as scattered over conversations as those
/// that are sent by the clock. More of one conversation in a batch would cost less.
const PEAK_IN_FLIGHT: usize = 1;
/// How long the peak, and the calm before, are measured at most.
const CALM_MAX: Duration = Duration::from_secs(5);
/// How long the server has to become what it was.
const RECOVERY_MAX: Duration = Duration::from_secs(10);
/// A second is normal again where its p99 is not above so many times that of the calm before, or so much above it.
const NORMAL_FACTOR: f64 = 2.0;
const NORMAL_MORE_MS: f64 = 20.0;
/// And so much of what was due in it was accepted.
const NORMAL_SHARE: f64 = 0.9;

/// Runs it.
pub async fn run(run: &Run) -> Result<Found, Failure> {
    let (lasts, pairs) = (run.options.lasts(), run.options.connections() / 2);
    let (calm, recovery) = (lasts.min(CALM_MAX), lasts.clamp(Duration::from_secs(2), RECOVERY_MAX));
    tell(&format!("overload: connecting {pairs} pairs"));
    let mut crowd = Crowd::pairs(&run.target, pairs, false).await?;
    let tally = crowd.tally.clone();
    let mut peak = run.measure(("peak", "message"), None, &tally, crowd.saturate(PEAK_IN_FLIGHT, calm)).await?;
    peak.deliveries_due = crowd.due();
    let half = peak.accepted_per_s / 2.0;
    let before = steady(run, "calm", &mut crowd, half, calm).await?;
    let mut over =
        steady(run, "overload", &mut crowd, peak.accepted_per_s * f64::from(run.options.factor), lasts).await?;
    over.refusals = Refusals::Wanted;
    let after = steady(run, "recovery", &mut crowd, half, recovery).await?;
    let findings = conclude(&peak, &before, &over, &after);
    Ok(Found { phases: vec![peak, before, over, after], findings })
}

async fn steady(
    run: &Run,
    name: &'static str,
    crowd: &mut Crowd,
    rate: f64,
    lasts: Duration,
) -> Result<Phase, Failure> {
    let (tally, offer) = (crowd.tally.clone(), Some(Offer::at(rate, lasts)));
    let mut phase = run.measure((name, "message"), offer, &tally, crowd.send(rate, lasts, run.in_flight())).await?;
    phase.deliveries_due = crowd.due();
    Ok(phase)
}

fn conclude(peak: &Phase, before: &Phase, over: &Phase, after: &Phase) -> BTreeMap<&'static str, f64> {
    let without: u64 = over.refused.values().map(|refused| refused.without_retry_after).sum();
    let mut findings = BTreeMap::from([
        ("offered, times the peak", over.sent as f64 / over.seconds / peak.accepted_per_s),
        ("goodput, share of the peak", over.accepted_per_s / peak.accepted_per_s),
        ("refusals without retry_after_ms", without as f64),
    ]);
    if let Some(second) = recovered(&after.by_second, before.latency.p99_ms, before.accepted_per_s) {
        findings.insert("normal again after, seconds", second as f64);
    }
    if let Some(server) = &over.server {
        let grown = server.memory_after.rss_kb as f64 - server.memory_before.rss_kb as f64;
        findings.insert("memory grown, MiB", grown / 1024.0);
    }
    findings
}

/// The first second from which on all are normal, counted from 1; `None` where the last is not.
fn recovered(seconds: &[Second], p99_ms: f64, per_second: f64) -> Option<usize> {
    let bound = (p99_ms * NORMAL_FACTOR).max(p99_ms + NORMAL_MORE_MS);
    let is_normal =
        |second: &Second| second.latency.p99_ms <= bound && second.accepted as f64 >= per_second * NORMAL_SHARE;
    let normal = seconds.iter().rev().take_while(|second| is_normal(second)).count();
    (normal > 0).then(|| seconds.len() - normal + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Histogram;

    fn second(accepted: u64, ms: u64) -> Second {
        let mut latency = Histogram::default();
        latency.record_many(Duration::from_millis(ms), accepted);
        Second { sent: accepted, accepted, latency: latency.quantiles() }
    }

    #[test]
    fn a_server_has_recovered_once_every_later_second_is_normal() {
        let recovering = [second(10, 900), second(100, 9), second(100, 400), second(100, 12), second(100, 11)];
        assert_eq!(recovered(&recovering, 10.0, 100.0), Some(4));
        assert_eq!(recovered(&recovering[..3], 10.0, 100.0), None);
        assert_eq!(recovered(&[second(50, 5)], 10.0, 100.0), None);
        assert_eq!(recovered(&[], 10.0, 100.0), None);
    }
}
