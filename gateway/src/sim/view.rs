//! What a device holds of one conversation, by the rules of docs/PROTOCOL.md §6.

use serde_json::Value;
use std::collections::BTreeMap;

/// Milliseconds that a gap is waited for.
const GAP_MS: u64 = 200;

#[derive(Debug, Default)]
pub struct View {
    /// Whether it knows where it begins, and that its user is a member.
    pub is_known: bool,
    /// When it learned that.
    pub known_ms: u64,
    /// The last contiguous seq.
    pub last: i64,
    held: BTreeMap<i64, Value>,
    /// When the gap below what is held is to be fetched.
    pub gap_ms: Option<u64>,
    /// Whether a fetch is under way.
    pub is_fetching: bool,
    /// What a `recovered` promised: the next push and the last one.
    pub owed: Option<(i64, i64)>,
}

impl View {
    /// Takes an event and returns the seqs that are the application's now.
    pub fn take(&mut self, user: &str, seq: i64, event: Value, now: u64) -> Vec<i64> {
        if self.is_known && seq <= self.last {
            return Vec::new();
        }
        if names(&event, user, &["added", "created"]) {
            self.begin(seq, now);
        }
        self.held.insert(seq, event);
        self.go_on(user, now)
    }

    /// Learns the first seq the user may see.
    pub fn begin(&mut self, first: i64, now: u64) {
        if !self.is_known || first - 1 > self.last {
            self.last = first - 1;
            self.held.retain(|seq, _| *seq >= first);
        }
        if !self.is_known {
            (self.is_known, self.known_ms) = (true, now);
        }
    }

    /// The user is no member any more.
    pub fn end(&mut self) {
        *self = View { last: self.last, ..View::default() };
    }

    /// Applies what is contiguous.
    pub fn go_on(&mut self, user: &str, now: u64) -> Vec<i64> {
        let mut applied = Vec::new();
        while self.is_known
            && let Some(event) = self.held.remove(&(self.last + 1))
        {
            self.last += 1;
            applied.push(self.last);
            if names(&event, user, &["removed", "banned"]) {
                self.end();
                return applied;
            }
        }
        self.gap_ms = match self.held.is_empty() {
            true => None,
            false => self.gap_ms.filter(|_| applied.is_empty()).or(Some(now + GAP_MS)),
        };
        applied
    }
}

/// Whether it is a change of membership of this kind that names the user.
fn names(event: &Value, user: &str, changes: &[&str]) -> bool {
    event["type"] == "member"
        && changes.iter().any(|change| event["change"] == *change)
        && event["users"].as_array().is_some_and(|users| users.iter().any(|one| one["user"] == user))
}
