//! What a node counts: plain atomics on the hot path, read as a whole when somebody asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokenim_domain::Code;

/// Bounds of the buckets that commits are sorted into by their time: this many microseconds, doubled from bucket to bucket.
const COMMIT_FIRST_MICROS: u64 = 500;
/// Bounded buckets; the last one ends at 8.2 s, beyond it is one without a bound.
const COMMIT_BUCKETS: usize = 15;

/// What a node has counted since it started.
#[derive(Debug)]
pub struct Counters {
    writes: AtomicU64,
    messages: AtomicU64,
    ephemeral: AtomicU64,
    deliveries: AtomicU64,
    /// One for each code, in the order of the table.
    refusals: [AtomicU64; Code::ALL.len()],
    commits: [AtomicU64; COMMIT_BUCKETS + 1],
    commit_micros: AtomicU64,
    untold: AtomicU64,
}

/// The counters, read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Writes handed to the log, in batches.
    pub writes: u64,
    /// Messages among them that were stored for the first time.
    pub messages: u64,
    /// Messages that were told and not stored.
    pub ephemeral: u64,
    /// Event chunks queued at connections.
    pub deliveries: u64,
    /// Commands and calls that were refused or failed, by their code; every code, also those that never happened.
    pub refusals: Vec<(Code, u64)>,
    /// How long batches took to commit.
    pub commits: Times,
    /// Batches whose senders are answered and whose events are not queued yet at every connection of this node that is to have
    /// them; heads for passive ones follow within a second.
    pub untold: u64,
}

/// How long something took, counted in buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// Upper bound of each bucket and what fell into it, not into those before.
    pub buckets: Vec<(Duration, u64)>,
    /// What took longer than the last bound.
    pub longer: u64,
    /// All of it together.
    pub sum: Duration,
}

impl Default for Counters {
    fn default() -> Self {
        Counters {
            writes: AtomicU64::default(),
            messages: AtomicU64::default(),
            ephemeral: AtomicU64::default(),
            deliveries: AtomicU64::default(),
            refusals: std::array::from_fn(|_| AtomicU64::default()),
            commits: Default::default(),
            commit_micros: AtomicU64::default(),
            untold: AtomicU64::default(),
        }
    }
}

impl Counters {
    pub(crate) fn commit(&self, writes: u64, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = (0..COMMIT_BUCKETS).find(|at| micros <= COMMIT_FIRST_MICROS << at).unwrap_or(COMMIT_BUCKETS);
        add(&self.commits[bucket], 1);
        add(&self.commit_micros, micros);
        add(&self.writes, writes);
    }

    /// Notes a batch before anybody who waits for it is answered.
    pub(crate) fn begin_to_tell(&self) {
        add(&self.untold, 1);
    }

    /// Notes that all is told of a batch.
    pub(crate) fn end_to_tell(&self) {
        self.untold.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn message(&self) {
        add(&self.messages, 1);
    }

    pub(crate) fn ephemeral(&self) {
        add(&self.ephemeral, 1);
    }

    pub(crate) fn refuse(&self, code: Code) {
        add(&self.refusals[code as usize], 1);
    }

    pub(crate) fn deliver(&self, deliveries: u64) {
        add(&self.deliveries, deliveries);
    }

    pub(crate) fn read(&self) -> Counted {
        let bound = |at: usize| Duration::from_micros(COMMIT_FIRST_MICROS << at);
        let commits = Times {
            buckets: (0..COMMIT_BUCKETS).map(|at| (bound(at), read(&self.commits[at]))).collect(),
            longer: read(&self.commits[COMMIT_BUCKETS]),
            sum: Duration::from_micros(read(&self.commit_micros)),
        };
        Counted {
            writes: read(&self.writes),
            messages: read(&self.messages),
            ephemeral: read(&self.ephemeral),
            deliveries: read(&self.deliveries),
            refusals: Code::ALL.iter().map(|code| (*code, read(&self.refusals[*code as usize]))).collect(),
            commits,
            untold: read(&self.untold),
        }
    }
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_falls_into_the_first_bucket_that_holds_it() {
        let counters = Counters::default();
        for micros in [0, 500, 501, 1_000, 8_192_000, 8_192_001, 60_000_000] {
            counters.commit(2, Duration::from_micros(micros));
        }
        let Counted { writes, commits, .. } = counters.read();
        assert_eq!(writes, 14);
        let filled: Vec<_> = commits.buckets.iter().filter(|(_, count)| *count > 0).collect();
        let expected =
            [(500, 2), (1_000, 2), (8_192_000, 1)].map(|(bound, count)| (Duration::from_micros(bound), count));
        assert_eq!(filled, expected.iter().collect::<Vec<_>>());
        assert_eq!((commits.longer, commits.sum), (2, Duration::from_micros(76_386_002)));
    }

    #[test]
    fn a_refusal_is_counted_under_its_code_and_no_other() {
        let counters = Counters::default();
        counters.refuse(Code::Overloaded);
        counters.refuse(Code::Overloaded);
        counters.refuse(*Code::ALL.last().unwrap());
        let refused: Vec<_> = counters.read().refusals.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(refused, [(Code::Overloaded, 2), (*Code::ALL.last().unwrap(), 1)]);
    }
}
