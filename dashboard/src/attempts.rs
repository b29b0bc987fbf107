//! Limits on sign-in attempts, per account and per address, in bounded memory.
use std::{net::IpAddr, num::NonZeroUsize};

use lru::LruCache;
use tokenim_domain::{Code, Error, address::network, secret::sha256};

/// Attempts on one account per window.
pub(crate) const ACCOUNT_ATTEMPTS_MAX: u32 = 5;
/// Attempts from one address per window.
pub(crate) const ADDRESS_ATTEMPTS_MAX: u32 = 20;
/// Length of a window in milliseconds.
pub(crate) const WINDOW_MS: i64 = 60_000;
/// Accounts and addresses remembered, each; the longest unused is forgotten first. About 1 MB in all.
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

#[derive(Clone, Copy)]
struct Window {
    start_ms: i64,
    count: u32,
}

/// Who tries to sign in.
#[derive(Clone, Copy)]
pub(crate) struct Caller {
    account: [u8; 32],
    address: [u8; 32],
}

impl Caller {
    /// The email address as it was normalised for look-up, and the peer's address (IPv6: its /64 network).
    pub(crate) fn new(email: &str, address: Option<IpAddr>) -> Self {
        let network = address.map(network).map_or_else(String::new, |network| network.to_string());
        Self { account: sha256(email.as_bytes()), address: sha256(network.as_bytes()) }
    }

    /// The same where a code is asked for: a right password does not give these attempts back, only a right code does.
    pub(crate) fn with_code(email: &str, address: Option<IpAddr>) -> Self {
        Self::new(&format!("code {email}"), address)
    }
}

/// Attempts of the current windows.
pub(crate) struct Attempts {
    accounts: LruCache<[u8; 32], Window>,
    addresses: LruCache<[u8; 32], Window>,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self { accounts: LruCache::new(REMEMBERED_MAX), addresses: LruCache::new(REMEMBERED_MAX) }
    }

    /// Takes one attempt, or tells after how many seconds the next one is taken. Refused attempts count for nothing.
    pub(crate) fn take(&mut self, caller: &Caller, now_ms: i64) -> Result<(), i64> {
        let waits = [
            wait_ms(self.accounts.get(&caller.account), ACCOUNT_ATTEMPTS_MAX, now_ms),
            wait_ms(self.addresses.get(&caller.address), ADDRESS_ATTEMPTS_MAX, now_ms),
        ];
        let wait_ms = waits.into_iter().max().unwrap_or(0);
        if wait_ms > 0 {
            return Err((wait_ms + 999) / 1000);
        }
        count(&mut self.accounts, caller.account, now_ms);
        count(&mut self.addresses, caller.address, now_ms);
        Ok(())
    }

    /// The same as a refusal that a form can show.
    ///
    /// Errors: `rate_limited` with the time to wait.
    pub(crate) fn try_take(&mut self, caller: &Caller, now_ms: i64) -> Result<(), Error> {
        let wait = |wait_s: i64| Error::new(Code::RateLimited).retry_after(u64::try_from(wait_s * 1000).unwrap_or(0));
        self.take(caller, now_ms).map_err(wait)
    }

    /// Gives attempts back after a success: they were not guesses.
    pub(crate) fn forgive(&mut self, caller: &Caller) {
        self.accounts.pop(&caller.account);
        if let Some(window) = self.addresses.get_mut(&caller.address) {
            window.count = window.count.saturating_sub(1);
        }
    }
}

fn wait_ms(window: Option<&Window>, attempts_max: u32, now_ms: i64) -> i64 {
    match window {
        Some(window) if window.count >= attempts_max => (window.start_ms + WINDOW_MS - now_ms).clamp(0, WINDOW_MS),
        _ => 0,
    }
}

fn count(windows: &mut LruCache<[u8; 32], Window>, key: [u8; 32], now_ms: i64) {
    let window = windows.get_or_insert_mut(key, || Window { start_ms: now_ms, count: 0 });
    if !(0..WINDOW_MS).contains(&(now_ms - window.start_ms)) {
        *window = Window { start_ms: now_ms, count: 0 };
    }
    window.count += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([127, 0, 0, last]))
    }

    #[test]
    fn an_account_takes_five_a_minute_from_anywhere() {
        let mut attempts = Attempts::new();
        for last in 0..5 {
            assert_eq!(attempts.take(&Caller::new("a", address(last)), 1000), Ok(()));
        }
        assert_eq!(attempts.take(&Caller::new("a", address(9)), 31_000), Err(30));
        assert_eq!(attempts.take(&Caller::new("b", address(9)), 31_000), Ok(()));
        assert_eq!(attempts.take(&Caller::new("a", address(9)), 61_000), Ok(()));
    }

    #[test]
    fn an_address_takes_twenty_a_minute_for_any_accounts() {
        let mut attempts = Attempts::new();
        for number in 0..20 {
            assert_eq!(attempts.take(&Caller::new(&number.to_string(), address(1)), 0), Ok(()));
        }
        assert_eq!(attempts.take(&Caller::new("new", address(1)), 0), Err(60));
        assert_eq!(attempts.take(&Caller::new("new", address(2)), 0), Ok(()));
    }

    #[test]
    fn a_success_gives_the_attempts_back() {
        let mut attempts = Attempts::new();
        let caller = Caller::new("a", address(1));
        for _ in 0..100 {
            assert_eq!(attempts.take(&caller, 0), Ok(()));
            attempts.forgive(&caller);
        }
    }

    #[test]
    fn a_right_password_gives_no_codes_back() {
        let mut attempts = Attempts::new();
        for last in 0..5 {
            assert_eq!(attempts.take(&Caller::with_code("a", address(last)), 0), Ok(()));
            let password = Caller::new("a", address(last));
            assert_eq!(attempts.take(&password, 0), Ok(()));
            attempts.forgive(&password);
        }
        assert_eq!(attempts.take(&Caller::with_code("a", address(9)), 0), Err(60));
    }

    #[test]
    fn neighbours_in_an_ipv6_network_share_a_window() {
        let one = Caller::new("a", "2001:db8::1".parse().ok());
        let two = Caller::new("a", "2001:db8::ffff:2".parse().ok());
        let other = Caller::new("a", "2001:db8:0:1::1".parse().ok());
        assert_eq!(one.address, two.address);
        assert_ne!(one.address, other.address);
    }

    #[test]
    fn memory_is_bounded() {
        let mut attempts = Attempts::new();
        for number in 0..REMEMBERED_MAX.get() + 50 {
            let _ = attempts.take(&Caller::new(&number.to_string(), None), number as i64 * WINDOW_MS);
        }
        assert_eq!(attempts.accounts.len(), REMEMBERED_MAX.get());
    }
}
