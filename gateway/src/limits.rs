//! What one address, one user and one connection may do, whatever their plan; and who has used it up.

use lru::LruCache;
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use tokenim_domain::address::network;
use tokenim_domain::plan::rate::Bucket;
use tokenim_domain::{Code, Error, Result};
use tokenim_protocol::reply::Facts;

/// Addresses whose pace is remembered; the ones not heard of longest are forgotten.
const ADDRESSES_MAX: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");
/// Milliseconds after which a place for an unauthenticated socket has come free: what such a socket has at most, and one more.
const UNAUTHENTICATED_RETRY_MS: u64 = 6_000;

/// Named limits of a node; 0 = without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Sockets of one address that are not connected yet.
    pub address_unauthenticated: u32,
    /// New sockets of one address a second.
    pub address_sockets_per_second: u32,
    /// REST requests of one address a second.
    pub address_requests_per_second: u32,
    /// Whether loopback addresses are counted as well.
    pub loopback: bool,
    /// Connections of one user.
    pub user_connections: u32,
    /// Messages of one user a second, over its connections.
    pub user_messages_per_second: u32,
    /// Commands of one connection a second.
    pub connection_commands_per_second: u32,
    /// Bytes of one connection's messages a second.
    pub connection_bytes_per_second: u32,
    /// REST requests of one key or user a second.
    pub key_requests_per_second: u32,
}

impl Limits {
    /// The address that counts, if its callers are counted.
    #[must_use]
    pub fn counted(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        address.filter(|address| self.loopback || !address.to_canonical().is_loopback()).map(network)
    }
}

/// A refusal at one of these limits.
pub(crate) fn refused(code: Code, feature: &'static str, limit: u32, retry_after_ms: u64) -> Error {
    let facts = Facts { feature: Some(feature), limit: Some(limit.into()), ..Facts::default() };
    Error::new(code).retry_after(retry_after_ms).with(facts)
}

/// The addresses that sockets come from.
#[derive(Debug)]
pub struct Addresses {
    limits: Limits,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Sockets that are not connected yet; of addresses that have any.
    open: HashMap<IpAddr, u32>,
    pace: LruCache<IpAddr, Bucket>,
}

/// A socket that is not connected yet; it is counted until this is dropped.
#[derive(Debug)]
pub struct Guest {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut inner = self.addresses.inner();
        if let Some(open) = inner.open.get_mut(&self.address) {
            *open -= 1;
            if *open == 0 {
                inner.open.remove(&self.address);
            }
        }
    }
}

impl Addresses {
    /// Nobody yet.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        let inner = Inner { open: HashMap::new(), pace: LruCache::new(ADDRESSES_MAX) };
        Arc::new(Addresses { limits, inner: Mutex::new(inner) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder panics")
    }

    /// Counts a socket that was just accepted; `None` for an address that is not counted.
    ///
    /// Units: `now_ns` of the node's monotonic clock. Errors: `address_limit`.
    pub fn admit(self: &Arc<Self>, address: Option<IpAddr>, now_ns: u64) -> Result<Option<Guest>> {
        let Some(address) = self.limits.counted(address) else { return Ok(None) };
        let mut inner = self.inner();
        let rate = self.limits.address_sockets_per_second;
        let taken = inner.pace.get_or_insert_mut(address, Bucket::default).take(rate, 1, now_ns);
        taken.map_err(|wait_ms| refused(Code::AddressLimit, "address_sockets_per_second", rate, wait_ms))?;
        let limit = self.limits.address_unauthenticated;
        let open = inner.open.entry(address).or_default();
        if limit > 0 && *open >= limit {
            return Err(refused(Code::AddressLimit, "address_unauthenticated", limit, UNAUTHENTICATED_RETRY_MS));
        }
        *open += 1;
        drop(inner);
        Ok(Some(Guest { addresses: self.clone(), address }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn addresses(unauthenticated: u32, rate: u32) -> Arc<Addresses> {
        let limits =
            Limits { address_unauthenticated: unauthenticated, address_sockets_per_second: rate, ..Limits::default() };
        Addresses::new(limits)
    }

    #[test]
    fn an_address_has_so_many_sockets_that_are_not_connected() {
        let (addresses, one) = (addresses(50, 0), "203.0.113.1".parse().ok());
        let mut guests: Vec<_> = (0..50).map(|_| addresses.admit(one, 0).unwrap()).collect();
        let refusal = addresses.admit(one, 0).unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::AddressLimit, Some(6_000)));
        assert!(addresses.admit("203.0.113.2".parse().ok(), 0).unwrap().is_some());
        guests.pop();
        assert!(addresses.admit(one, 0).is_ok());
        drop(guests);
        assert!(addresses.inner().open.is_empty(), "nothing is kept of who has left");
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_loopback_is_none() {
        let addresses = addresses(1, 0);
        let guest = addresses.admit("2001:db8::1".parse().ok(), 0).unwrap();
        assert!(guest.is_some() && addresses.admit("2001:db8::2".parse().ok(), 0).is_err());
        for _ in 0..9 {
            let guest = addresses.admit("127.0.0.1".parse().ok(), 0).unwrap();
            assert!(guest.is_none() && addresses.admit("::ffff:127.0.0.1".parse().ok(), 0).unwrap().is_none());
        }
    }

    #[test]
    fn new_sockets_have_a_pace_and_distinct_addresses_no_end() {
        let (addresses, one) = (addresses(0, 10), "203.0.113.1".parse().ok());
        assert_eq!((0..50).filter(|_| addresses.admit(one, 7).is_ok()).count(), 10);
        assert_eq!(addresses.admit(one, 7).unwrap_err().retry_after_ms, Some(100));
        assert_eq!((0..50).filter(|_| addresses.admit(one, 7 + SECOND_NS / 2).is_ok()).count(), 5);
        for number in 0..200_000u32 {
            addresses.admit(Some(IpAddr::from(number.to_be_bytes())), 0).unwrap();
        }
        assert_eq!(addresses.inner().pace.len(), ADDRESSES_MAX.get());
    }
}
