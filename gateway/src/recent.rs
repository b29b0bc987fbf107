//! What this node did lately, by the clock of the one who asks: times of the last minutes, a pace, refusals by their code.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokenim_domain::Code;
use tokenim_domain::meter::HOUR_MS;

/// Minutes that [`Times::p99`] looks back over, the running one included.
pub const TIMES_MINUTES: usize = 5;
/// Bounds of the buckets: this many microseconds first, and from bucket to bucket a quarter more.
const FIRST_MICROS: f64 = 100.0;
const GROWTH: f64 = 1.25;
/// Bounded buckets; the last one ends at 69 s.
const BUCKETS: usize = 61;
/// Seconds that a pace is the mean of.
pub const PACE_SECONDS: usize = 10;
/// Hours of refusals that are remembered, the running one included.
pub const REFUSAL_HOURS: usize = 24;

const MINUTE_MS: i64 = 60_000;
const SECOND_MS: i64 = 1_000;

/// A ring of periods, the newest at `last % N`. A clock that steps back counts on in the newest period.
#[derive(Debug, Clone, Copy)]
struct Ring<T, const N: usize> {
    last: i64,
    empty: T,
    slots: [T; N],
}

impl<const N: usize> Default for Ring<u32, N> {
    fn default() -> Self {
        Ring::new(0)
    }
}

impl<T: Copy, const N: usize> Ring<T, N> {
    const fn new(empty: T) -> Self {
        Ring { last: 0, empty, slots: [empty; N] }
    }

    fn place(period: i64) -> usize {
        usize::try_from(period.rem_euclid(N as i64)).unwrap_or(0)
    }

    /// The slot of a period; what is older than the ring is forgotten.
    fn at(&mut self, period: i64) -> &mut T {
        let from = self.last.max(period.saturating_sub(N as i64));
        (from.saturating_add(1)..=period).for_each(|passed| self.slots[Self::place(passed)] = self.empty);
        self.last = self.last.max(period);
        &mut self.slots[Self::place(self.last)]
    }

    /// The periods up to this one, the newest first, as far as the ring remembers.
    fn back_from(&self, period: i64) -> impl Iterator<Item = (i64, &T)> {
        let newest = self.last.max(period);
        let periods = (0..N as i64).map(move |back| newest - back);
        periods.filter(|at| *at <= self.last).map(|at| (at, &self.slots[Self::place(at)]))
    }
}

/// How long something took, over the last minutes.
#[derive(Debug)]
pub struct Times(Mutex<Ring<[u64; BUCKETS + 1], TIMES_MINUTES>>);

impl Default for Times {
    fn default() -> Self {
        Times(Mutex::new(Ring::new([0; BUCKETS + 1])))
    }
}

impl Times {
    fn ring(&self) -> MutexGuard<'_, Ring<[u64; BUCKETS + 1], TIMES_MINUTES>> {
        self.0.lock().expect("no holder panics")
    }

    /// Notes that something which ended at `now_ms` took this long, `count` times.
    pub fn note(&self, now_ms: i64, took: Duration, count: u64) {
        let bucket = (0..BUCKETS).find(|at| took <= bound(*at)).unwrap_or(BUCKETS);
        self.ring().at(now_ms / MINUTE_MS)[bucket] += count;
    }

    /// What 99 of 100 did not take longer than, at most a quarter too high; `None` where nothing happened.
    #[must_use]
    pub fn p99(&self, now_ms: i64) -> Option<Duration> {
        let mut sums = [0_u64; BUCKETS + 1];
        for (_, minute) in self.ring().back_from(now_ms / MINUTE_MS) {
            sums.iter_mut().zip(minute).for_each(|(sum, count)| *sum += count);
        }
        let all: u64 = sums.iter().sum();
        let beyond = all / 100;
        let mut left = all - beyond;
        let bucket = sums.iter().position(|count| {
            left = left.saturating_sub(*count);
            left == 0
        });
        (all > 0).then(|| bound(bucket.unwrap_or(BUCKETS)))
    }
}

fn bound(bucket: usize) -> Duration {
    let power = i32::try_from(bucket).unwrap_or(i32::MAX);
    Duration::from_secs_f64(FIRST_MICROS * GROWTH.powi(power) / 1e6)
}

/// How many a second, over the last whole seconds.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Ring<u32, { PACE_SECONDS + 1 }>>);

impl Pace {
    /// Counts one that happened at `now_ms`.
    pub fn note(&self, now_ms: i64) {
        *self.0.lock().expect("no holder panics").at(now_ms / SECOND_MS) += 1;
    }

    /// How many happened in the last [`PACE_SECONDS`] whole seconds.
    #[must_use]
    pub fn count(&self, now_ms: i64) -> u64 {
        let second = now_ms / SECOND_MS;
        let ring = self.0.lock().expect("no holder panics");
        ring.back_from(second).filter(|(at, _)| *at < second).map(|(_, count)| u64::from(*count)).sum()
    }
}

/// Refusals of an app, by their code.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<Code, Kind>>);

#[derive(Debug, Default)]
struct Kind {
    hours: Ring<u32, REFUSAL_HOURS>,
    last_ms: i64,
}

/// How often something was refused with one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The code.
    pub code: Code,
    /// How often in the last [`REFUSAL_HOURS`] hours.
    pub count: u64,
    /// How often in the running hour and the one before.
    pub lately: u64,
    /// When last, milliseconds since 1970.
    pub last_ms: i64,
}

impl Refusals {
    /// Notes a refusal.
    pub fn note(&self, now_ms: i64, code: Code) {
        let mut kinds = self.0.lock().expect("no holder panics");
        let kind = kinds.entry(code).or_default();
        *kind.hours.at(now_ms / HOUR_MS) += 1;
        kind.last_ms = now_ms;
    }

    /// What was refused, the most frequent first.
    #[must_use]
    pub fn read(&self, now_ms: i64) -> Vec<Refused> {
        let hour = now_ms / HOUR_MS;
        let kinds = self.0.lock().expect("no holder panics");
        let refused = kinds.iter().map(|(code, kind)| {
            let within = |hours: i64| {
                let counted = kind.hours.back_from(hour).filter(move |(at, _)| *at > hour - hours);
                counted.map(|(_, count)| u64::from(*count)).sum()
            };
            Refused { code: *code, count: within(REFUSAL_HOURS as i64), lately: within(2), last_ms: kind.last_ms }
        });
        let mut refused: Vec<_> = refused.filter(|refused| refused.count > 0).collect();
        refused.sort_by_key(|refused| (std::cmp::Reverse(refused.count), refused.code.as_str()));
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_615_503_000;

    #[test]
    fn p99_leaves_out_one_of_a_hundred_and_is_at_most_a_quarter_too_high() {
        let times = Times::default();
        assert_eq!(times.p99(NOW_MS), None);
        times.note(NOW_MS, Duration::from_millis(10), 99);
        times.note(NOW_MS, Duration::from_secs(3), 1);
        let p99 = times.p99(NOW_MS).unwrap();
        assert!(p99 >= Duration::from_millis(10) && p99 <= Duration::from_micros(12_500), "{p99:?}");
        times.note(NOW_MS, Duration::from_secs(3), 1);
        assert!(times.p99(NOW_MS).unwrap() >= Duration::from_secs(3));
    }

    #[test]
    fn times_are_forgotten_after_five_minutes_and_survive_a_clock_that_steps_back() {
        let times = Times::default();
        times.note(NOW_MS, Duration::from_millis(10), 1);
        assert!(times.p99(NOW_MS + 4 * MINUTE_MS).is_some());
        assert_eq!(times.p99(NOW_MS + 5 * MINUTE_MS), None);
        times.note(NOW_MS - 60 * MINUTE_MS, Duration::from_secs(1), 1);
        assert!(times.p99(NOW_MS - 60 * MINUTE_MS).unwrap() >= Duration::from_secs(1));
        times.note(i64::MAX, Duration::from_millis(1), 1);
        assert!(times.p99(i64::MAX).unwrap() <= Duration::from_millis(2));
    }

    #[test]
    fn longer_than_the_last_bound_is_told_as_that_bound_or_more() {
        let times = Times::default();
        times.note(NOW_MS, Duration::from_secs(3_600), 1);
        assert!(times.p99(NOW_MS).unwrap() > Duration::from_secs(60));
    }

    #[test]
    fn a_pace_counts_whole_seconds_only() {
        let pace = Pace::default();
        (0..20).for_each(|second| (0..3).for_each(|_| pace.note(NOW_MS + second * SECOND_MS)));
        assert_eq!(pace.count(NOW_MS + 19 * SECOND_MS), 30, "ten seconds before the running one");
        assert_eq!(pace.count(NOW_MS + 25 * SECOND_MS), 15);
        assert_eq!(pace.count(NOW_MS + 90 * SECOND_MS), 0);
    }

    #[test]
    fn refusals_are_told_by_code_for_a_day() {
        let refusals = Refusals::default();
        refusals.note(NOW_MS, Code::TokenExpired);
        (0..3).for_each(|_| refusals.note(NOW_MS + 5 * HOUR_MS, Code::NotFound));
        let read = refusals.read(NOW_MS + 5 * HOUR_MS);
        let told: Vec<_> = read.iter().map(|refused| (refused.code, refused.count, refused.lately)).collect();
        assert_eq!(told, [(Code::NotFound, 3, 3), (Code::TokenExpired, 1, 0)]);
        assert_eq!(read[1].last_ms, NOW_MS);
        assert_eq!(refusals.read(NOW_MS + 24 * HOUR_MS).len(), 1);
        assert!(refusals.read(NOW_MS + 50 * HOUR_MS).is_empty());
    }
}
