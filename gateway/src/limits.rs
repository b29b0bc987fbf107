//! What one address, org, app, user and connection may do, whatever their plan; and who has used it up.

use crate::places::Place;
use crate::registry::Slot;
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
    /// Commands of one address's sockets a second, and bytes of them.
    pub address_commands_per_second: u32,
    /// See above.
    pub address_bytes_per_second: u32,
    /// Whether loopback addresses are counted as well.
    pub loopback: bool,
    /// Connections of one user.
    pub user_connections: u32,
    /// Messages of one user a second, over its connections.
    pub user_messages_per_second: u32,
    /// Connects of one user a second.
    pub user_connects_per_second: u32,
    /// Commands of one user a second, over its connections, and bytes of them.
    pub user_commands_per_second: u32,
    /// See above.
    pub user_bytes_per_second: u32,
    /// The same of one app.
    pub app_connects_per_second: u32,
    /// See above.
    pub app_commands_per_second: u32,
    /// See above.
    pub app_bytes_per_second: u32,
    /// The same of the live apps of one org together.
    pub org_connects_per_second: u32,
    /// See above.
    pub org_commands_per_second: u32,
    /// See above.
    pub org_bytes_per_second: u32,
    /// Commands of one connection a second.
    pub connection_commands_per_second: u32,
    /// Bytes of one connection's messages a second.
    pub connection_bytes_per_second: u32,
    /// REST requests of one key or user a second.
    pub key_requests_per_second: u32,
}

/// The limits of an owner by their names in [`Limits`].
macro_rules! rates {
    ($limits:expr, $commands:ident, $bytes:ident $(, $connects:ident)?) => {
        Rates {
            commands: ($limits.$commands, stringify!($commands)),
            bytes: ($limits.$bytes, stringify!($bytes)),
            connects: [$(($limits.$connects, stringify!($connects)))?].first().copied(),
        }
    };
}

impl Limits {
    /// The address that counts, if its callers are counted.
    #[must_use]
    pub fn counted(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        address.filter(|address| self.loopback || !address.to_canonical().is_loopback()).map(network)
    }

    fn of_connection(&self) -> Rates {
        rates!(self, connection_commands_per_second, connection_bytes_per_second)
    }

    fn of_address(&self) -> Rates {
        rates!(self, address_commands_per_second, address_bytes_per_second)
    }

    fn of_user(&self) -> Rates {
        rates!(self, user_commands_per_second, user_bytes_per_second, user_connects_per_second)
    }

    fn of_app(&self) -> Rates {
        rates!(self, app_commands_per_second, app_bytes_per_second, app_connects_per_second)
    }

    fn of_org(&self) -> Rates {
        rates!(self, org_commands_per_second, org_bytes_per_second, org_connects_per_second)
    }
}

/// What the connections of one owner may do a second together, and how each limit is called.
#[derive(Debug, Clone, Copy)]
struct Rates {
    commands: (u32, &'static str),
    bytes: (u32, &'static str),
    /// None where connects are not counted, or elsewhere.
    connects: Option<(u32, &'static str)>,
}

/// What they are about to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    /// Connect.
    Connect,
    /// Say so many bytes, a command or what counts as one.
    Command(usize),
}

/// What the connections of one owner have used.
#[derive(Debug, Default)]
pub struct Used {
    connects: Bucket,
    commands: Bucket,
    bytes: Bucket,
}

impl Used {
    fn take(&mut self, rates: &Rates, what: Use, now_ns: u64) -> Result<()> {
        let take = |bucket: &mut Bucket, (limit, feature): (u32, &'static str), count| {
            let taken = bucket.take(limit, count, now_ns);
            taken.map_err(|wait_ms| refused(Code::RateLimited, feature, limit, wait_ms))
        };
        match what {
            Use::Connect => rates.connects.map_or(Ok(()), |connects| take(&mut self.connects, connects, 1)),
            Use::Command(bytes) => {
                take(&mut self.commands, rates.commands, 1)?;
                take(&mut self.bytes, rates.bytes, u32::try_from(bytes).unwrap_or(u32::MAX))
            }
        }
    }

    /// Takes a command of so many bytes, as one connection. Errors: `rate_limited`.
    pub(crate) fn take_of_connection(&mut self, limits: &Limits, bytes: usize, now_ns: u64) -> Result<()> {
        self.take(&limits.of_connection(), Use::Command(bytes), now_ns)
    }
}

/// Takes from a user, its app, and the org: each refuses before the next one is asked. Errors: `rate_limited`.
pub(crate) fn take(limits: &Limits, slot: &Slot, place: &Place, what: Use, now_ns: u64) -> Result<()> {
    let owners = [(&slot.used, limits.of_user()), (&place.used, limits.of_app()), (&place.pool.used, limits.of_org())];
    owners.iter().try_for_each(|(used, rates)| used.lock().expect("no holder panics").take(rates, what, now_ns))
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
    used: LruCache<IpAddr, Arc<Mutex<Used>>>,
}

/// A socket that is not connected yet; it is counted until this is dropped.
#[derive(Debug)]
pub struct Guest {
    addresses: Arc<Addresses>,
    address: IpAddr,
    used: Arc<Mutex<Used>>,
}

impl Guest {
    /// What its address has used, to be taken from for as long as it is connected.
    pub(crate) fn used(&self) -> Arc<Mutex<Used>> {
        self.used.clone()
    }
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
        let inner = Inner { open: HashMap::new(), used: LruCache::new(ADDRESSES_MAX) };
        Arc::new(Addresses { limits, inner: Mutex::new(inner) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder panics")
    }

    /// Takes a command of so many bytes from what an address may say. Errors: `rate_limited`.
    pub(crate) fn take(&self, used: &Mutex<Used>, bytes: usize, now_ns: u64) -> Result<()> {
        used.lock().expect("no holder panics").take(&self.limits.of_address(), Use::Command(bytes), now_ns)
    }

    /// Counts a socket that was just accepted; `None` for an address that is not counted.
    ///
    /// Units: `now_ns` of the node's monotonic clock. Errors: `address_limit`.
    pub fn admit(self: &Arc<Self>, address: Option<IpAddr>, now_ns: u64) -> Result<Option<Guest>> {
        let Some(address) = self.limits.counted(address) else { return Ok(None) };
        let mut inner = self.inner();
        let rate = self.limits.address_sockets_per_second;
        let used = inner.used.get_or_insert(address, Arc::default).clone();
        let taken = used.lock().expect("no holder panics").connects.take(rate, 1, now_ns);
        taken.map_err(|wait_ms| refused(Code::AddressLimit, "address_sockets_per_second", rate, wait_ms))?;
        let limit = self.limits.address_unauthenticated;
        let open = inner.open.entry(address).or_default();
        if limit > 0 && *open >= limit {
            return Err(refused(Code::AddressLimit, "address_unauthenticated", limit, UNAUTHENTICATED_RETRY_MS));
        }
        *open += 1;
        drop(inner);
        Ok(Some(Guest { addresses: self.clone(), address, used }))
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
        assert_eq!(addresses.inner().used.len(), ADDRESSES_MAX.get());
    }
}
