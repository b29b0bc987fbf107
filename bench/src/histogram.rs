//! A latency histogram with a bounded relative error, like HDR: 64 steps per doubling, so values are exact to 1.6 %.

use serde::Serialize;
use std::time::Duration;

const STEP_BITS: u32 = 6;
const STEPS: u64 = 1 << STEP_BITS;
/// Doublings covered above the exact range: up to 2^38 µs, three days.
const BUCKETS: usize = (STEPS as usize) * 33;

/// Counts of latencies in microseconds.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max_us: u64,
}

/// What a histogram says in a report; milliseconds, exact to 1.6 %, zeros where nothing was counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many were counted.
    pub count: u64,
    /// The middle.
    pub p50_ms: f64,
    /// Of ten, nine were as fast.
    pub p90_ms: f64,
    /// Of a hundred, 99.
    pub p99_ms: f64,
    /// Of a thousand, 999.
    pub p999_ms: f64,
    /// The slowest, exactly.
    pub max_ms: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; BUCKETS], total: 0, max_us: 0 }
    }
}

impl Histogram {
    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        self.record_many(latency, 1);
    }

    /// Counts a latency that several messages share.
    pub fn record_many(&mut self, latency: Duration, times: u64) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(us)] += times;
        self.total += times;
        self.max_us = self.max_us.max(us);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.total
    }

    /// What a report says of it.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        Quantiles {
            count: self.total,
            p50_ms: self.quantile_ms(0.5),
            p90_ms: self.quantile_ms(0.9),
            p99_ms: self.quantile_ms(0.99),
            p999_ms: self.quantile_ms(0.999),
            max_ms: self.max_us as f64 / 1_000.0,
        }
    }

    /// The latency below which that share of the counts lies, in milliseconds; 0 where nothing was counted.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (place, count) in self.counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= wanted {
                return upper(place).min(self.max_us) as f64 / 1_000.0;
            }
        }
        0.0
    }
}

fn bucket(us: u64) -> usize {
    if us < STEPS {
        return us as usize;
    }
    let doubling = us.ilog2() - STEP_BITS;
    let step = (us >> doubling) - STEPS;
    let place = (u64::from(doubling) + 1) * STEPS + step;
    (place as usize).min(BUCKETS - 1)
}

/// The greatest value of a bucket.
fn upper(place: usize) -> u64 {
    let (block, step) = (place as u64 / STEPS, place as u64 % STEPS);
    if block == 0 { step } else { ((STEPS + step + 1) << (block - 1)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_exact_to_two_percent() {
        let mut histogram = Histogram::default();
        (1..=100_000).for_each(|us| histogram.record(Duration::from_micros(us)));
        for share in [0.01, 0.5, 0.99, 0.999] {
            let (told, truth) = (histogram.quantile_ms(share), share * 100.0);
            assert!((told / truth - 1.0).abs() < 0.02, "{share}: {told} for {truth}");
        }
        let told = histogram.quantiles();
        assert_eq!((told.count, told.max_ms), (100_000, 100.0));
        assert!(told.p50_ms < told.p90_ms && told.p90_ms < told.p99_ms && told.p999_ms <= told.max_ms, "{told:?}");
        assert_eq!(Histogram::default().quantile_ms(0.5), 0.0);
    }

    #[test]
    fn every_value_lies_in_its_bucket() {
        for us in [0, 1, 63, 64, 65, 127, 128, 1_000_003] {
            assert!(upper(bucket(us)) >= us && (bucket(us) == 0 || upper(bucket(us) - 1) < us), "{us}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }
}
