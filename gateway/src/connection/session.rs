//! Whose connection it is, and until when.

use crate::places::Place;
use crate::registry::Slot;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokenim_domain::Code;
use tokenim_domain::name::Device;
use tokenim_domain::token::Identity;
use tokenim_protocol::limits::TOKEN_LEEWAY_SECONDS;

/// Who is connected.
#[derive(Debug)]
pub struct Session {
    /// Whom the token speaks for.
    pub identity: Identity,
    /// When its signing key ends, milliseconds since 1970: a key may be given an end while its sessions are open.
    /// `i64::MAX` = never.
    key_ends_ms: AtomicI64,
    /// The device.
    pub device: Device,
    /// The user's place in the registry.
    pub slot: Arc<Slot>,
    /// The app, its limits and who may use it.
    pub place: Arc<Place>,
    /// The client's library, as `connect` told it.
    pub library: Option<Box<str>>,
    /// What the client runs on, as `connect` told it.
    pub platform: Option<Box<str>>,
}

impl Session {
    /// A session of an identity that was just verified.
    #[must_use]
    pub fn new(
        identity: Identity,
        device: Device,
        slot: Arc<Slot>,
        place: Arc<Place>,
        library: Option<Box<str>>,
        platform: Option<Box<str>>,
    ) -> Arc<Self> {
        let key_ends_ms = AtomicI64::new(identity.key_ends_ms.unwrap_or(i64::MAX));
        Arc::new(Session { identity, key_ends_ms, device, slot, place, library, platform })
    }

    /// The same connection under a newer token.
    #[must_use]
    pub fn renewed(&self, identity: Identity) -> Arc<Self> {
        let (slot, place) = (self.slot.clone(), self.place.clone());
        Self::new(identity, self.device.clone(), slot, place, self.library.clone(), self.platform.clone())
    }

    /// Notes when its signing key ends; `None` = never.
    pub fn set_key_end(&self, key_ends_ms: Option<i64>) {
        self.key_ends_ms.store(key_ends_ms.unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// When it ends, milliseconds since 1970: with its token or the key that signed it, and how that is called.
    #[must_use]
    pub fn ends(&self) -> (i64, Code) {
        let key_ends_ms = self.key_ends_ms.load(Ordering::Relaxed);
        if key_ends_ms < self.identity.expires_ms {
            (key_ends_ms, Code::TokenRevoked)
        } else {
            (self.identity.expires_ms, Code::TokenExpired)
        }
    }
}

/// Whole seconds an identity has left, without the forgiven clock difference; lifetimes are told so, because clients'
/// clocks are wrong.
pub(crate) fn seconds_left(until_ms: i64, now_ms: i64) -> i64 {
    ((until_ms.saturating_sub(now_ms)) / 1000 - TOKEN_LEEWAY_SECONDS).max(0)
}
