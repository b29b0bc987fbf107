//! Notes when a key was used, once a minute at most and never on the way of a request.

use crate::api::Api;
use lru::LruCache;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use tokenim_domain::id::KeyId;
use tokenim_store::UsedKey;

/// Keys whose last note is remembered; one that was pushed out is noted once more.
const KEYS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
/// Milliseconds between two notes of one key.
const NOTE_MS: i64 = 60_000;

/// When each key was noted last by this node, milliseconds since 1970.
pub(crate) struct Noted(Mutex<LruCache<KeyId, i64>>);

impl Noted {
    pub(super) fn new() -> Self {
        Noted(Mutex::new(LruCache::new(KEYS_MAX)))
    }

    /// Whether a note is due now; the next one is due a minute later.
    fn is_due(&self, key: KeyId, now_ms: i64) -> bool {
        let mut noted = self.0.lock().expect("no holder panics");
        let is_due = noted.get(&key).is_none_or(|at| now_ms - *at >= NOTE_MS);
        if is_due {
            noted.put(key, now_ms);
        }
        is_due
    }
}

/// Notes a use behind the request. One that fails is noted again a minute later.
pub(super) fn note(api: &Api, key: UsedKey, from: Option<IpAddr>) {
    let now_ms = api.now_ms();
    if !api.keys.noted.is_due(key.id(), now_ms) {
        return;
    }
    let store = api.store.clone();
    let work = async move {
        if let Err(fault) = store.note_used(key, now_ms, from).await {
            tracing::warn!(key = %key.id(), %fault, "the use of a key was not noted");
        }
    };
    api.tasks.spawn_on(work, &api.core);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenim_domain::clock::SystemClock;
    use tokenim_domain::rng::SystemRng;

    #[test]
    fn a_key_is_noted_once_a_minute() {
        let (noted, key) = (Noted::new(), KeyId::new(&SystemClock::new(), &SystemRng));
        let due = [0, 1, 59_999, 60_000, 60_001].map(|now| noted.is_due(key, now));
        assert_eq!(due, [true, false, false, true, false]);
    }
}
