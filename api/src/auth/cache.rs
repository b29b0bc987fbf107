//! A bounded cache of looked-up keys, whose entries are too young to matter to a revocation.

use lru::LruCache;
use std::future::Future;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokenim_domain::Result;
use tokenim_domain::clock::Clock;

/// Entries of one cache: about 3 MB of the largest kind.
const ENTRIES_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
/// How long an entry is believed: a revoked key is refused this much later at most.
pub(super) const ENTRY_AGE_MAX: Duration = Duration::from_secs(2);

/// Key → what the store said of it, and when.
pub(super) struct Cache<K, V> {
    clock: Arc<dyn Clock>,
    entries: Mutex<LruCache<K, (Duration, V)>>,
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Cache { clock, entries: Mutex::new(LruCache::new(ENTRIES_MAX)) }
    }

    /// The cached value, else the loaded one. Absence is never cached: a key works from the moment it is made, and
    /// guesses can't push known keys out.
    pub(super) async fn find(&self, key: K, load: impl Future<Output = Result<Option<V>>>) -> Result<Option<V>> {
        // The age counts from before the look-up: what happens during it may be missing from the answer.
        let now = self.clock.monotonic();
        if let Some(value) = self.young(&key, now) {
            return Ok(Some(value));
        }
        let loaded = load.await?;
        if let Some(value) = &loaded {
            self.entries.lock().expect("no holder panics").put(key, (now, value.clone()));
        }
        Ok(loaded)
    }

    fn young(&self, key: &K, now: Duration) -> Option<V> {
        let mut entries = self.entries.lock().expect("no holder panics");
        let (at, value) = entries.get(key)?;
        (now.saturating_sub(*at) < ENTRY_AGE_MAX).then(|| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now_ms(&self) -> i64 {
            0
        }
        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    #[actix_web::test]
    async fn an_entry_is_believed_for_two_seconds_and_absence_never() {
        let clock = Arc::new(Hand(AtomicU64::new(0)));
        let cache = Cache::new(clock.clone());
        assert_eq!(cache.find(1, async { Ok(None) }).await.unwrap(), None);
        assert_eq!(cache.find(1, async { Ok(Some("old")) }).await.unwrap(), Some("old"));
        clock.0.store(1_999, Ordering::Relaxed);
        assert_eq!(cache.find(1, async { Ok(Some("new")) }).await.unwrap(), Some("old"));
        clock.0.store(2_000, Ordering::Relaxed);
        assert_eq!(cache.find(1, async { Ok(Some("new")) }).await.unwrap(), Some("new"));
    }

    #[actix_web::test]
    async fn the_number_of_entries_is_bounded() {
        let cache = Cache::new(Arc::new(Hand(AtomicU64::new(0))));
        for key in 0..ENTRIES_MAX.get() + 50 {
            cache.find(key, async { Ok(Some(())) }).await.unwrap();
        }
        assert_eq!(cache.entries.lock().unwrap().len(), ENTRIES_MAX.get());
    }
}
