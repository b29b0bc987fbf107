//! Capabilities of a token: which conversations it may touch, and how.

use crate::role::texts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokenim_protocol::limits::CAPS_MAX;

texts! {
    /// One thing a token may be allowed to do in a conversation.
    Cap { /// Send messages.
        Send "send", /// Receive pushes, read history, move watermarks.
        Read "read", /// Join conversations.
        Join "join", /// Create conversations.
        Create "create", /// Add and remove members.
        Moderate "moderate", /// See and set presence.
        Presence "presence", }
}

/// Conversation pattern → what is allowed there: `{"support:*": ["read", "send"]}`. A pattern is an id, or a prefix and `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Vec<Cap>>")]
pub struct Caps(BTreeMap<String, Vec<Cap>>);

impl TryFrom<BTreeMap<String, Vec<Cap>>> for Caps {
    type Error = &'static str;

    fn try_from(map: BTreeMap<String, Vec<Cap>>) -> Result<Self, &'static str> {
        if map.len() > CAPS_MAX {
            return Err("`caps` has too many patterns");
        }
        let inner = |pattern: &String| pattern.find('*').is_some_and(|star| star + 1 != pattern.len());
        if map.keys().any(inner) {
            return Err("a pattern may hold `*` only at its end");
        }
        Ok(Caps(map))
    }
}

impl Caps {
    /// Whether any pattern that matches the conversation allows `cap`.
    #[must_use]
    pub fn allow(&self, conversation: &str, cap: Cap) -> bool {
        self.0.iter().any(|(pattern, caps)| caps.contains(&cap) && matches(pattern, conversation))
    }

    /// Whether any pattern allows `cap`, whatever it matches.
    #[must_use]
    pub fn allow_anywhere(&self, cap: Cap) -> bool {
        self.0.values().any(|caps| caps.contains(&cap))
    }
}

fn matches(pattern: &str, conversation: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => conversation.starts_with(prefix),
        None => pattern == conversation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_an_id_or_a_prefix() {
        let caps: Caps = serde_json::from_str(r#"{"support:*":["read","send"],"news":["read"]}"#).unwrap();
        assert!(caps.allow("support:7", Cap::Send) && caps.allow("news", Cap::Read));
        assert!(!caps.allow("news", Cap::Send) && !caps.allow("news:1", Cap::Read) && !caps.allow("other", Cap::Read));
        assert!(serde_json::from_str::<Caps>(r#"{"a*b":["read"]}"#).is_err());
        assert!(serde_json::from_str::<Caps>(r#"{"a":["fly"]}"#).is_err());
    }
}
