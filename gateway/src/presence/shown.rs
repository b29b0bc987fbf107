//! What is told of a user's presence.

use std::sync::Arc;
use tokenim_domain::name::{Device, User};
use tokenim_protocol::live;
use tokenim_protocol::reply::Json;

/// Devices told of one user, the best first.
const DEVICES_MAX: usize = 16;
/// Bytes of states in one push; the rest goes into the next.
const PUSH_BYTES_MAX: usize = 64 * 1024;

/// How a device is, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is there.
    Online,
    /// Nobody looks at it.
    Away,
    /// It is there, and others do not see it.
    Invisible,
}

impl State {
    /// Every state.
    pub const ALL: [State; 3] = [State::Online, State::Away, State::Invisible];

    /// The word of the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Online => "online",
            State::Away => "away",
            State::Invisible => "invisible",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A user, as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Who.
    pub user: User,
    /// Devices that are there, the best first; none = the user is offline.
    pub devices: Vec<(Device, State)>,
    /// What it says of itself.
    pub text: Option<Arc<str>>,
    /// When it was seen last, milliseconds since 1970; `None` where it is there, or never was.
    pub seen_ms: Option<i64>,
    /// Its state's number: it never goes back, a client drops lower ones.
    pub version: i64,
}

impl Shown {
    /// A user who is there.
    #[must_use]
    pub fn there(user: User, mut devices: Vec<(Device, State)>, text: Option<Arc<str>>, version: i64) -> Self {
        devices.sort_by_key(|(_, state)| *state);
        Shown { user, devices, text, seen_ms: None, version }
    }

    /// A user who is offline.
    #[must_use]
    pub const fn gone(user: User, seen_ms: Option<i64>, version: i64) -> Self {
        Shown { user, devices: Vec::new(), text: None, seen_ms, version }
    }

    /// `online`, `away` or `offline`: its best device's.
    #[must_use]
    pub fn state(&self) -> &'static str {
        self.devices.first().map_or("offline", |(_, state)| state.as_str())
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let mut out = String::with_capacity(160);
        self.begin(&mut out);
        out.raw(",\"devices\":[");
        for (at, (device, state)) in self.devices.iter().take(DEVICES_MAX).enumerate() {
            out.raw(if at > 0 { "," } else { "" }).raw("{\"device\":").quoted(device.as_str());
            out.raw(",\"state\":").quoted(state.as_str()).raw("}");
        }
        out.raw("]");
        if let Some(text) = &self.text {
            out.raw(",\"text\":").text(text);
        }
        if let Some(seen_ms) = self.seen_ms {
            out.raw(",\"last_seen\":").time(seen_ms);
        }
        out.raw("}");
        out
    }

    /// The same without devices, text and last seen, and says so.
    #[must_use]
    pub fn short_json(&self) -> String {
        let mut out = String::new();
        self.begin(&mut out);
        out.raw(",\"cut\":true}");
        out
    }

    fn begin(&self, out: &mut String) {
        out.raw("{\"user\":").quoted(self.user.as_str()).raw(",\"state\":").quoted(self.state());
        out.raw(",\"version\":").int(self.version);
    }
}

/// A push of as many states as one holds, and how many that are.
pub(super) fn write_push(states: impl Iterator<Item = String>) -> (String, usize) {
    let (mut list, mut count) = (String::new(), 0);
    for state in states {
        if count > 0 && list.len() + state.len() > PUSH_BYTES_MAX {
            break;
        }
        list.raw(if count > 0 { "," } else { "" }).raw(&state);
        count += 1;
    }
    (live::presence(&list), count)
}
