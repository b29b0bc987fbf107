//! Counting message units against a limit, exactly: what a batch may add is lent before its commit, and what it added is
//! counted after.

use crate::error::Error;
use crate::meter::Meter;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokenim_protocol::reply::Facts;
use tokenim_protocol::{Code, time};

/// What an app of an org whose owners have verified no address is told at its limit: nothing resets it, so what to do.
const TRIAL_USED_UP: &str = "this is all that an app may send before an owner of its org has verified an address; verify it, by the link in the mail, and sending goes on";
/// And past its first hours, whatever it has sent.
const TRIAL_IS_OVER: &str = "an app may send for 24 hours before an owner of its org has verified an address, and they are over; verify it, by the link in the mail, and sending goes on";

/// Which units are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A calendar month in UTC; another follows.
    Month {
        /// Its first millisecond since 1970.
        from_ms: i64,
        /// The next one's.
        to_ms: i64,
    },
    /// The first hours of an app; nothing follows.
    Trial {
        /// Its first millisecond since 1970.
        from_ms: i64,
        /// The first one past it.
        to_ms: i64,
    },
}

impl Period {
    /// The month that holds a time.
    #[must_use]
    pub fn month(at_ms: i64) -> Self {
        let (from_ms, to_ms) = time::month(at_ms);
        Period::Month { from_ms, to_ms }
    }

    /// Its first millisecond since 1970.
    #[must_use]
    pub const fn from_ms(self) -> i64 {
        match self {
            Period::Month { from_ms, .. } | Period::Trial { from_ms, .. } => from_ms,
        }
    }

    /// When it begins anew, milliseconds since 1970; `None` = never.
    #[must_use]
    pub const fn resets_at_ms(self) -> Option<i64> {
        match self {
            Period::Month { to_ms, .. } => Some(to_ms),
            Period::Trial { .. } => None,
        }
    }
}

/// What the messages of one batch may add, shared by those that count together. Without a limit by default.
#[derive(Debug, Clone, Default)]
pub struct Allowance(Option<Arc<AtomicI64>>);

impl Allowance {
    /// Up to that many units.
    #[must_use]
    pub fn of(units: i64) -> Self {
        Allowance(Some(Arc::new(AtomicI64::new(units))))
    }

    /// Takes units for a message that is being stored.
    ///
    /// Errors: `quota_exceeded` where they are more than what is left; nothing is taken then.
    pub fn take(&self, units: i64) -> Result<(), Code> {
        let Some(left) = &self.0 else { return Ok(()) };
        let taken =
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| (units <= left).then_some(left - units));
        taken.map(drop).map_err(|_| Code::QuotaExceeded)
    }

    /// Gives units back that were taken by a try that is rolled back.
    pub fn give_back(&self, units: i64) {
        if let Some(left) = &self.0 {
            left.fetch_add(units, Ordering::Relaxed);
        }
    }
}

/// Where a reading of what was used begins, to tell whether it is exact when it ends.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    batches: u64,
    counted: i64,
    is_quiet: bool,
}

/// What those that count together have used.
///
/// One batch at a time holds an allowance. So between two batches `used` is what is stored, and no batch can add more
/// than was left: nothing passes the limit, whatever is in flight.
#[derive(Debug)]
pub struct Quota {
    limit: Option<i64>,
    period: Period,
    used: i64,
    /// Units counted since the start of the process, whatever their period.
    counted: i64,
    batches: u64,
    is_lent: bool,
}

impl Quota {
    /// A quota of which that much is used.
    #[must_use]
    pub const fn new(limit: Option<i64>, period: Period, used: i64) -> Self {
        Quota { limit, period, used, counted: 0, batches: 0, is_lent: false }
    }

    /// What a batch that commits now may add. [`Quota::settle`] must follow before the next one asks.
    pub fn lend(&mut self, now_ms: i64) -> Allowance {
        self.roll(now_ms);
        (self.batches, self.is_lent) = (self.batches + 1, true);
        match (self.limit, self.period) {
            (None, _) => Allowance::default(),
            (Some(_), Period::Trial { to_ms, .. }) if now_ms >= to_ms => Allowance::of(0),
            (Some(limit), _) => Allowance::of((limit - self.used).max(0)),
        }
    }

    /// Counts what a batch stored, and when.
    pub fn count(&mut self, units: i64, at_ms: i64) {
        self.roll(at_ms);
        self.used = self.used.saturating_add(units);
        self.counted = self.counted.saturating_add(units);
    }

    /// Ends a batch.
    pub const fn settle(&mut self) {
        self.is_lent = false;
    }

    /// Begins a reading of what is used.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        Mark { batches: self.batches, counted: self.counted, is_quiet: !self.is_lent }
    }

    /// Takes the limit in force, and what was read since the mark. With no batch on its way meanwhile the reading is
    /// exact. Else the count goes on where it is, or in another period from the most it can be; false then.
    pub fn learn(&mut self, limit: Option<i64>, period: Period, read: i64, mark: Mark) -> bool {
        let is_exact = mark.is_quiet && !self.is_lent && mark.batches == self.batches;
        if is_exact {
            self.used = read;
        } else if period != self.period {
            self.used = read.saturating_add(self.counted - mark.counted);
        }
        (self.limit, self.period) = (limit, period);
        is_exact
    }

    /// What a message is told that is more than what is left at a time.
    #[must_use]
    pub fn refusal(&self, now_ms: i64) -> Error {
        let facts = Facts {
            meter: Some(Meter::MsgSent.as_str()),
            limit: self.limit,
            used: Some(self.used),
            resets_at_ms: self.period.resets_at_ms(),
            ..Facts::default()
        };
        let error = Error::new(Code::QuotaExceeded).with(facts);
        match self.period {
            Period::Month { .. } => error,
            Period::Trial { to_ms, .. } => error.says(if now_ms < to_ms { TRIAL_USED_UP } else { TRIAL_IS_OVER }),
        }
    }

    /// Begins the next month where the time is past this one. It never goes back.
    fn roll(&mut self, at_ms: i64) {
        if let Period::Month { to_ms, .. } = self.period
            && at_ms >= to_ms
        {
            (self.period, self.used) = (Period::month(at_ms), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_790_001_000_000;

    fn quota(limit: i64, used: i64) -> Quota {
        Quota::new(Some(limit), Period::month(NOW), used)
    }

    fn left(quota: &mut Quota, now_ms: i64) -> i64 {
        let allowance = quota.lend(now_ms);
        quota.settle();
        let mut units = 0;
        while allowance.take(1).is_ok() {
            units += 1;
        }
        units
    }

    #[test]
    fn the_next_month_begins_with_nothing_used() {
        let mut quota = quota(10, 8);
        let Period::Month { to_ms, .. } = Period::month(NOW) else { unreachable!() };
        assert_eq!((left(&mut quota, to_ms - 1), left(&mut quota, to_ms)), (2, 10));
        assert_eq!(left(&mut quota, to_ms - 1), 10, "a clock that goes back does not bring the old month back");
    }

    #[test]
    fn what_a_batch_stores_past_midnight_is_the_new_months() {
        let mut quota = quota(10, 8);
        let Period::Month { to_ms, .. } = Period::month(NOW) else { unreachable!() };
        let allowance = quota.lend(to_ms - 1);
        assert!(allowance.take(2).is_ok() && allowance.take(1).is_err());
        quota.count(2, to_ms);
        quota.settle();
        assert_eq!(left(&mut quota, to_ms), 8);
    }

    #[test]
    fn a_trial_ends_for_good() {
        let mut quota = Quota::new(Some(100), Period::Trial { from_ms: NOW, to_ms: NOW + 10 }, 40);
        assert_eq!((left(&mut quota, NOW + 9), left(&mut quota, NOW + 10)), (60, 0));
        for (at_ms, said) in [(NOW + 9, "all that an app may send"), (NOW + 10, "24 hours")] {
            let error = quota.refusal(at_ms);
            assert!(error.message.contains(said) && error.message.contains("verify"), "{}", error.message);
            let facts = error.facts.unwrap();
            assert_eq!((facts.limit, facts.used, facts.resets_at_ms), (Some(100), Some(40), None));
        }
        let mark = quota.mark();
        assert!(quota.learn(Some(10_000), Period::month(NOW), 40, mark));
        assert_eq!(left(&mut quota, NOW + 10), 9_960);
    }

    #[test]
    fn a_soft_limit_is_counted_on_and_a_hard_one_set_later_counts_what_was() {
        let mut quota = Quota::new(None, Period::month(NOW), 0);
        assert!(quota.lend(NOW).take(i64::MAX).is_ok());
        quota.count(500, NOW);
        quota.settle();
        let mark = quota.mark();
        quota.learn(Some(400), Period::month(NOW), 500, mark);
        assert_eq!(left(&mut quota, NOW), 0);
    }

    proptest! {
        /// Any batches of any sizes, with readings of the store that end when they like: what is stored never passes the
        /// limit, and a message is refused only where it is more than what was left.
        #[test]
        fn nothing_passes_the_limit(
            limit in 0i64..60,
            first in 0i64..60,
            steps in proptest::collection::vec((proptest::collection::vec(1i64..14, 0..12), any::<[bool; 4]>()), 0..20),
        ) {
            let mut stored = first.min(limit);
            let mut quota = quota(limit, stored);
            let mut reading = None;
            for (batch, [begins, is_lost, commits, ends]) in steps {
                if begins {
                    reading = Some((quota.mark(), stored));
                }
                let allowance = quota.lend(NOW);
                let (before, mut added) = (stored, 0);
                for units in batch {
                    let taken = allowance.take(units).is_ok();
                    prop_assert_eq!(taken, before + added + units <= limit);
                    added += if taken { units } else { 0 };
                }
                // A commit whose answer is lost counts as stored until a reading tells.
                stored += if !is_lost || commits { added } else { 0 };
                quota.count(added, NOW);
                quota.settle();
                prop_assert!(stored <= limit && quota.used >= stored);
                if ends && let Some((mark, read)) = reading.take() {
                    quota.learn(Some(limit), Period::month(NOW), read, mark);
                    prop_assert!(quota.used >= stored);
                }
                let (mark, read) = (quota.mark(), stored);
                prop_assert!(quota.learn(Some(limit), Period::month(NOW), read, mark));
                prop_assert_eq!(quota.used, stored);
            }
        }
    }
}
