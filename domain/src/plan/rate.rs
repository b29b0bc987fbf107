//! Messages per second: a bucket that holds a second's worth, kept as one number (GCRA, ITU-T I.371).

use std::sync::atomic::{AtomicU64, Ordering};

const SECOND_NS: u64 = 1_000_000_000;
/// How far a burst may run ahead of the rate: with the bucket full, a second's messages may come at once.
const BURST_NS: u64 = SECOND_NS;

/// A rate shared by any number of senders; nobody waits for anybody.
#[derive(Debug, Default)]
pub struct Rate {
    /// Nanoseconds between two messages at the full rate; 0 = without limit.
    interval: AtomicU64,
    /// When the bucket is full again, on the node's monotonic clock.
    full_at: AtomicU64,
}

impl Rate {
    /// Sets messages per second; `None` = without limit. Another rate begins with a full bucket, so a raise works at once.
    pub fn set(&self, per_second: Option<i64>) {
        let interval = match per_second.map(|rate| u64::try_from(rate).unwrap_or(0)) {
            None => 0,
            // At no message a second the bucket never holds one.
            Some(0) => u64::MAX,
            Some(rate) => (SECOND_NS / rate).max(1),
        };
        if self.interval.swap(interval, Ordering::Relaxed) != interval {
            self.full_at.store(0, Ordering::Relaxed);
        }
    }

    /// Takes one message from the bucket.
    ///
    /// Units: `now_ns` is nanoseconds of a monotonic clock. Errors: milliseconds until there is one again, at least 1.
    pub fn take(&self, now_ns: u64) -> Result<(), u64> {
        let interval = self.interval.load(Ordering::Relaxed);
        if interval == 0 {
            return Ok(());
        }
        let next = |full_at: u64| full_at.max(now_ns).saturating_add(interval);
        let taken = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            Some(next(full_at)).filter(|next| next.saturating_sub(now_ns) <= BURST_NS)
        });
        taken.map(drop).map_err(|full_at| (next(full_at) - now_ns - BURST_NS).div_ceil(1_000_000).max(1))
    }
}

/// The same bucket for one owner at a time: how fast it fills is said with each use, so that it is one number.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bucket {
    /// When it is full again, on the node's monotonic clock.
    full_at: u64,
}

impl Bucket {
    /// Takes `count` from a bucket that fills with `per_second` (0 = without limit); more than it holds only where it is full.
    ///
    /// Units: `now_ns` is nanoseconds of a monotonic clock. Errors: milliseconds until there is enough again, at least 1.
    pub fn take(&mut self, per_second: u32, count: u32, now_ns: u64) -> Result<(), u64> {
        if per_second == 0 {
            return Ok(());
        }
        let cost = u64::from(count) * SECOND_NS / u64::from(per_second);
        let next = self.full_at.max(now_ns).saturating_add(cost);
        let over = (next - now_ns).saturating_sub(BURST_NS.max(cost));
        if over > 0 {
            return Err(over.div_ceil(1_000_000).max(1));
        }
        self.full_at = next;
        Ok(())
    }

    /// How many are left, and whole seconds until it is full.
    #[must_use]
    pub fn left(&self, per_second: u32, now_ns: u64) -> (u64, u64) {
        let lent = self.full_at.saturating_sub(now_ns);
        (BURST_NS.saturating_sub(lent) * u64::from(per_second) / SECOND_NS, lent.div_ceil(SECOND_NS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(per_second: i64) -> Rate {
        let rate = Rate::default();
        rate.set(Some(per_second));
        rate
    }

    #[test]
    fn a_second_may_come_at_once_and_then_the_rate_holds() {
        let rate = rate(50);
        let at_once = (0..200).filter(|_| rate.take(7).is_ok()).count();
        assert_eq!(at_once, 50);
        assert_eq!(rate.take(7), Err(20));
        let later = (0..200).filter(|_| rate.take(7 + SECOND_NS / 2).is_ok()).count();
        assert_eq!(later, 25);
        assert_eq!((0..200).filter(|_| rate.take(100 * SECOND_NS).is_ok()).count(), 50, "no more is saved up");
    }

    #[test]
    fn a_raise_works_at_once_and_none_is_no_limit() {
        let rate = rate(1);
        assert!(rate.take(0).is_ok() && rate.take(0).is_err());
        rate.set(Some(10));
        assert_eq!((0..20).filter(|_| rate.take(0).is_ok()).count(), 10);
        rate.set(None);
        assert!((0..1_000).all(|_| rate.take(0).is_ok()));
        rate.set(Some(0));
        assert!(rate.take(1_000 * SECOND_NS).is_err());
    }

    #[test]
    fn a_bucket_of_one_owner_holds_a_second_too() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.left(50, 7), (50, 0));
        assert_eq!((0..200).filter(|_| bucket.take(50, 1, 7).is_ok()).count(), 50);
        assert_eq!((bucket.take(50, 1, 7), bucket.left(50, 7)), (Err(20), (0, 1)));
        assert_eq!(bucket.take(50, 25, 7 + SECOND_NS / 2), Ok(()));
        assert!(bucket.take(50, 80, 7 + SECOND_NS).is_err(), "more than it holds");
        assert_eq!(bucket.take(50, 80, 9 * SECOND_NS), Ok(()), "unless it is full");
        assert!(bucket.take(50, 1, 9 * SECOND_NS).is_err());
        assert!((0..1_000).all(|_| bucket.take(0, 1, 0).is_ok()), "without limit");
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_its_rate_and_a_burst(
            per_second in 1i64..2_000,
            steps in proptest::collection::vec(0u64..SECOND_NS / 50, 1..400),
        ) {
            let rate = rate(per_second);
            let (mut now, mut taken) = (0, 0u64);
            for step in steps {
                now += step;
                match rate.take(now) {
                    Ok(()) => taken += 1,
                    Err(wait_ms) => prop_assert!((1..=1_000).contains(&wait_ms)),
                }
                // The interval is cut to whole nanoseconds, which is less than one message in a run as short as this.
                let most = per_second as u128 * u128::from(now + BURST_NS) / u128::from(SECOND_NS) + 1;
                prop_assert!(u128::from(taken) <= most);
            }
        }

        #[test]
        fn whoever_waits_as_told_is_served(per_second in 1i64..2_000, tries in 1usize..3_000) {
            let rate = rate(per_second);
            let waits: Vec<_> = (0..tries).filter_map(|_| rate.take(0).err()).collect();
            if let Some(wait_ms) = waits.first() {
                prop_assert!(rate.take(wait_ms * 1_000_000).is_ok());
            }
        }
    }
}
