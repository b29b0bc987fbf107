//! How often one address, or IPv6 network, may call what needs no credential.

use lru::LruCache;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use tokenim_domain::address::network;

/// Calls of one address in a minute.
const CALLS_MAX: u32 = 10;
/// The minute, in milliseconds.
const WINDOW_MS: i64 = 60_000;
/// Addresses remembered; the ones not heard of longest are forgotten.
const ADDRESSES_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// Calls by address: when the running minute began (milliseconds since 1970), and how many came in it.
pub(crate) struct Reports(Mutex<LruCache<Option<IpAddr>, (i64, u32)>>);

impl Reports {
    pub(crate) fn new() -> Self {
        Reports(Mutex::new(LruCache::new(ADDRESSES_MAX)))
    }

    /// Counts a call; the milliseconds to wait where it is one too many.
    pub(crate) fn refuse(&self, from: Option<IpAddr>, now_ms: i64) -> Option<u64> {
        let from = from.map(network);
        let mut calls = self.0.lock().expect("no holder panics");
        let (began, count) =
            calls.get(&from).copied().filter(|(began, _)| now_ms - began < WINDOW_MS).unwrap_or((now_ms, 0));
        if count >= CALLS_MAX {
            return u64::try_from(began + WINDOW_MS - now_ms).ok();
        }
        calls.put(from, (began, count + 1));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_calls_a_minute_by_address() {
        let (reports, one, two) = (Reports::new(), "10.0.0.1".parse().ok(), "10.0.0.2".parse().ok());
        assert!((0..10).all(|at| reports.refuse(one, at).is_none()));
        assert_eq!(reports.refuse(one, 15_000), Some(45_000));
        assert_eq!(reports.refuse(two, 15_000), None);
        assert_eq!(reports.refuse(one, 60_000), None);
        let of = |last| format!("2001:db8::{last}").parse().ok();
        assert!((0..10).all(|at| reports.refuse(of(at), at).is_none()));
        assert!(reports.refuse(of(10), 10).is_some(), "another address of the same network");
    }
}
