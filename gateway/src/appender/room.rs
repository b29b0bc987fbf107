//! How much may wait for its batch, and whose it is.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokenim_domain::id::OrgId;

/// How long a write may wait for its batch, about: as many may be queued as commit in it at the pace of the batches before.
/// A longer queue makes nothing faster, it is only served later.
const QUEUE_WAIT: Duration = Duration::from_millis(150);
/// Writes that may wait however slow commits are: batches of one tell nothing of the pace of full ones.
const QUEUE_WRITES_MIN: usize = 2 * super::BATCH_WRITES_MAX;
/// Writes that may wait however fast commits are; beyond the queue senders are told to wait.
const QUEUE_WRITES_MAX: usize = 16 * 1024;
/// Writes of an org that find room in a queue that others have filled: who sends too much is refused, not who sends beside him.
const ORG_WRITES_MIN: usize = 32;
/// Writes that may wait in the room kept for those orgs.
const KEPT_WRITES_MAX: usize = QUEUE_WRITES_MIN;
/// Writes that wait at most, whosever they are.
pub(super) const WRITES_MAX: usize = QUEUE_WRITES_MAX + KEPT_WRITES_MAX;
/// Bytes of writes that may wait; the part above [`KEPT_BYTES`] is for those orgs.
const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
const KEPT_BYTES: usize = QUEUE_BYTES_MAX / 8;
/// What a full batch weighs in the pace, one of fewer writes so much less: neither one slow flush nor a quiet time, in which each
/// write has a flush of its own, shuts the queue.
const PACE_SHARE: f64 = 0.2;

/// The room in the queue.
#[derive(Debug)]
pub(super) struct Room {
    writes_max: AtomicUsize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    writes: usize,
    bytes: usize,
    /// Writes of each org that has one here.
    of_orgs: HashMap<OrgId, usize>,
}

impl Room {
    /// Before the first batch as many may wait as ever.
    pub(super) fn new() -> Self {
        Room { writes_max: AtomicUsize::new(QUEUE_WRITES_MAX), taken: Mutex::default() }
    }

    /// Writes that wait, and how many may.
    pub(super) fn writes(&self) -> (usize, usize) {
        (self.taken().writes, self.writes_max.load(Ordering::Relaxed))
    }

    /// Takes the room of a write, where there is some for its org.
    pub(super) fn take(&self, org: OrgId, bytes: usize) -> bool {
        let most = self.writes_max.load(Ordering::Relaxed);
        let mut taken = self.taken();
        let own = taken.of_orgs.get(&org).copied().unwrap_or(0);
        let (kept_writes, kept_bytes) = if own < ORG_WRITES_MIN { (KEPT_WRITES_MAX, KEPT_BYTES) } else { (0, 0) };
        if taken.writes >= most + kept_writes || taken.bytes + bytes > QUEUE_BYTES_MAX - KEPT_BYTES + kept_bytes {
            return false;
        }
        taken.writes += 1;
        taken.bytes += bytes;
        *taken.of_orgs.entry(org).or_default() += 1;
        true
    }

    /// Gives back the room of writes that wait no longer.
    pub(super) fn give_back(&self, writes: impl Iterator<Item = (OrgId, usize)>) {
        let mut taken = self.taken();
        for (org, bytes) in writes {
            taken.writes = taken.writes.saturating_sub(1);
            taken.bytes = taken.bytes.saturating_sub(bytes);
            let own = taken.of_orgs.get(&org).copied().unwrap_or(0);
            if own > 1 {
                taken.of_orgs.insert(org, own - 1)
            } else {
                taken.of_orgs.remove(&org)
            };
        }
    }

    /// Sets how many may wait from now on.
    pub(super) fn set(&self, writes_max: usize) {
        self.writes_max.store(writes_max, Ordering::Relaxed);
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds of the batcher for each write: a moving mean.
#[derive(Debug)]
pub(super) struct Pace(f64);

impl Pace {
    pub(super) fn new() -> Self {
        Pace(QUEUE_WAIT.as_secs_f64() / QUEUE_WRITES_MAX as f64)
    }

    /// Notes a batch; how many writes may wait from now on.
    pub(super) fn note(&mut self, writes: usize, took: Duration) -> usize {
        let share = PACE_SHARE * writes as f64 / super::BATCH_WRITES_MAX as f64;
        self.0 += (took.as_secs_f64() / writes.max(1) as f64 - self.0) * share;
        // Nothing took no time: a cast of what is too much stops at the largest number.
        ((QUEUE_WAIT.as_secs_f64() / self.0) as usize).clamp(QUEUE_WRITES_MIN, QUEUE_WRITES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn org(number: u128) -> OrgId {
        OrgId(Uuid::from_u128(number))
    }

    /// What an org may queue until it is refused.
    fn fill(room: &Room, of: OrgId, bytes: usize) -> usize {
        (0..).take_while(|_| room.take(of, bytes)).count()
    }

    #[test]
    fn who_fills_the_queue_leaves_room_for_others() {
        let room = Room::new();
        room.set(QUEUE_WRITES_MIN);
        assert_eq!(fill(&room, org(1), 100), QUEUE_WRITES_MIN, "alone it has all of the queue");
        assert_eq!(fill(&room, org(2), 100), ORG_WRITES_MIN);
        let others: usize = (3..100).map(|number| fill(&room, org(number), 100)).sum();
        assert_eq!(ORG_WRITES_MIN + others, KEPT_WRITES_MAX, "and many others don't outgrow what is kept for them");
        room.give_back((0..QUEUE_WRITES_MIN).map(|_| (org(1), 100)));
        assert_eq!(room.writes(), (KEPT_WRITES_MAX, QUEUE_WRITES_MIN));
        room.give_back((2..100).flat_map(|number| [(org(number), 100); ORG_WRITES_MIN]));
        assert_eq!(room.writes().0, 0);
        assert!(room.taken().of_orgs.is_empty(), "nobody is remembered");
    }

    #[test]
    fn large_writes_leave_room_for_others() {
        let room = Room::new();
        let each = 64 * 1024;
        assert_eq!(fill(&room, org(1), each), (QUEUE_BYTES_MAX - KEPT_BYTES) / each);
        assert_eq!(fill(&room, org(2), each), ORG_WRITES_MIN);
    }

    #[test]
    fn as_many_may_wait_as_commit_soon_and_neither_a_slow_flush_nor_a_quiet_time_shuts_the_queue() {
        let mut pace = Pace::new();
        let mut full = |batches: usize, each_us: u64| {
            (0..batches).map(|_| pace.note(256, Duration::from_micros(256 * each_us))).last().unwrap()
        };
        assert!((1_450..=1_550).contains(&full(50, 100)), "a tenth of a millisecond each");
        assert!(full(1, 1_000) > QUEUE_WRITES_MIN, "one slow flush");
        assert_eq!(full(50, 1_000), QUEUE_WRITES_MIN);
        assert_eq!(full(100, 0), QUEUE_WRITES_MAX);
        assert!(Pace::new().note(1, Duration::from_millis(20)) > 4_000, "a write alone");
    }
}
