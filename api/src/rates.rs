//! How many requests an address, and a key or user, may make a second; and what each answer tells of it.

use crate::api::Api;
use crate::auth::address;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use lru::LruCache;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use tokenim_domain::plan::rate::Bucket;
use tokenim_domain::{Code, Error, Result};
use tokenim_protocol::reply::Facts;

/// Owners of buckets of a kind that are remembered; the ones not heard of longest are forgotten.
const OWNERS_MAX: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The buckets of this node.
pub(crate) struct Rates {
    addresses: Buckets<IpAddr>,
    /// By credential: the id of a key, or app and user.
    owners: Buckets<String>,
}

/// Where a request's bucket stands.
#[derive(Debug, Clone, Copy)]
struct Stands {
    limit: u32,
    remaining: u64,
    /// Whole seconds until it is full.
    reset: u64,
}

struct Buckets<K: Hash + Eq>(Mutex<LruCache<K, Bucket>>);

impl<K: Hash + Eq> Buckets<K> {
    fn new() -> Self {
        Buckets(Mutex::new(LruCache::new(OWNERS_MAX)))
    }

    /// Takes a request. Errors: milliseconds to wait.
    fn take(&self, owner: K, limit: u32, now_ns: u64) -> (Stands, Result<(), u64>) {
        let mut buckets = self.0.lock().expect("no holder panics");
        let bucket = buckets.get_or_insert_mut(owner, Bucket::default);
        let taken = bucket.take(limit, 1, now_ns);
        let (remaining, reset) = bucket.left(limit, now_ns);
        (Stands { limit, remaining, reset }, taken)
    }
}

impl Rates {
    pub(crate) fn new() -> Self {
        Rates { addresses: Buckets::new(), owners: Buckets::new() }
    }

    /// Takes a request from its address, where that is counted. Errors: `rate_limited`.
    pub(crate) fn take_of_address(&self, api: &Api, request: &HttpRequest) -> Result<()> {
        let limits = api.gateway.limits();
        let limit = limits.address_requests_per_second;
        match limits.counted(address(request)) {
            Some(address) if limit > 0 => {
                let took = self.addresses.take(address, limit, now_ns(api));
                settle(request, took, "address_requests_per_second")
            }
            _ => Ok(()),
        }
    }

    /// Takes a request of whoever its credential speaks for. Errors: `rate_limited`.
    pub(crate) fn take_of_owner(&self, api: &Api, request: &HttpRequest, owner: String) -> Result<()> {
        let limit = api.gateway.limits().key_requests_per_second;
        if limit == 0 {
            return Ok(());
        }
        settle(request, self.owners.take(owner, limit, now_ns(api)), "key_requests_per_second")
    }
}

/// Notes for the answer where the bucket stands; the last one that was asked is told.
fn settle(request: &HttpRequest, (stands, taken): (Stands, Result<(), u64>), feature: &'static str) -> Result<()> {
    request.extensions_mut().insert(stands);
    taken.map_err(|wait_ms| {
        let facts = Facts { feature: Some(feature), limit: Some(stands.limit.into()), ..Facts::default() };
        Error::new(Code::RateLimited).retry_after(wait_ms).with(facts)
    })
}

fn now_ns(api: &Api) -> u64 {
    u64::try_from(api.clock().monotonic().as_nanos()).unwrap_or(u64::MAX)
}

/// Tells in an answer where the bucket of its request stands.
pub(crate) fn dress(request: &HttpRequest, headers: &mut HeaderMap) {
    if let Some(Stands { limit, remaining, reset }) = request.extensions().get::<Stands>().copied() {
        headers.insert(LIMIT, HeaderValue::from(u64::from(limit)));
        headers.insert(REMAINING, HeaderValue::from(remaining));
        headers.insert(RESET, HeaderValue::from(reset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_has_its_own_bucket_and_owners_no_end() {
        let buckets = Buckets::new();
        let (stands, taken) = buckets.take(1, 10, 5);
        assert_eq!((stands.remaining, stands.reset, taken), (9, 1, Ok(())));
        assert_eq!((0..50).filter(|_| buckets.take(1, 10, 5).1.is_ok()).count(), 9);
        assert_eq!((buckets.take(1, 10, 5).1, buckets.take(2, 10, 5).1), (Err(100), Ok(())));
        assert!((0..200_000).all(|owner| buckets.take(owner + 100, 10, 5).1.is_ok()));
        assert_eq!(buckets.0.lock().unwrap().len(), OWNERS_MAX.get());
    }
}
