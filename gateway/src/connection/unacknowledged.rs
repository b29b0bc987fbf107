//! What a connection was pushed and did not acknowledge. At the limit it is paused: nobody receives on and on without ever
//! saying so, which is also what deliveries are counted by.

use std::collections::HashMap;
use tokenim_domain::name::Conversation;
use tokenim_protocol::limits::UNACKNOWLEDGED_MAX;

/// Messages left, unacknowledged, at which a pause ends: so that it does not end and begin with every message.
const RESUME_AT: u32 = UNACKNOWLEDGED_MAX / 2;
/// Conversations that one pause may miss; a connection that misses more is closed, as one that reads too slowly.
const MISSED_MAX: usize = 64;

/// Messages that were pushed and not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Unacknowledged {
    total: u32,
    /// By conversation: the last seq, and how many messages up to it. Only looked up, never gone through.
    pushed: HashMap<Conversation, (i64, u32)>,
    /// While it is paused: the conversations it missed something of.
    missed: Option<Vec<Conversation>>,
}

impl Unacknowledged {
    /// Counts messages up to a seq. Where that begins a pause: how many there are.
    pub(super) fn push(&mut self, conversation: Conversation, last: i64, messages: u32) -> Option<u32> {
        let entry = self.pushed.entry(conversation).or_default();
        *entry = (last, entry.1 + messages);
        self.total += messages;
        let begins = self.total >= UNACKNOWLEDGED_MAX && self.missed.is_none();
        if begins {
            self.missed = Some(Vec::new());
        }
        begins.then_some(self.total)
    }

    pub(super) fn is_paused(&self) -> bool {
        self.missed.is_some()
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_idle(&self) -> bool {
        self.total == 0 && !self.is_paused()
    }

    /// Notes that events of a conversation are not sent. False where it misses too many.
    pub(super) fn miss(&mut self, conversation: &Conversation) -> bool {
        let missed = self.missed.get_or_insert_default();
        if !missed.contains(conversation) {
            missed.push(conversation.clone());
        }
        missed.len() <= MISSED_MAX
    }

    /// Takes what an acknowledgement covers off. Where that ends a pause: the conversations to look at again.
    pub(super) fn acknowledge(&mut self, conversation: &Conversation, seq: i64) -> Vec<Conversation> {
        if let Some((last, messages)) = self.pushed.get_mut(conversation) {
            // At most one message for each seq that is left.
            let left = u32::try_from((*last - seq).max(0)).unwrap_or(u32::MAX).min(*messages);
            self.total -= *messages - left;
            *messages = left;
            if left == 0 {
                self.pushed.remove(conversation);
            }
        }
        self.go_on()
    }

    /// Forgets what may not be read any more, and so not be acknowledged. Where that ends a pause: the conversations to look at again.
    pub(super) fn forget(&mut self, may_read: impl Fn(&Conversation) -> bool) -> Vec<Conversation> {
        self.pushed.retain(|conversation, _| may_read(conversation));
        self.total = self.pushed.values().map(|(_, messages)| messages).sum();
        self.missed.iter_mut().for_each(|missed| missed.retain(&may_read));
        self.go_on()
    }

    fn go_on(&mut self) -> Vec<Conversation> {
        if self.total > RESUME_AT { Vec::new() } else { self.missed.take().unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_begins_at_the_limit_and_ends_at_half_of_it_with_what_was_missed() {
        let (mut it, [a, b]) = (Unacknowledged::default(), ["a", "b"].map(Conversation::trusted));
        assert_eq!((it.push(a.clone(), 10, 10), it.push(b.clone(), 989, 989)), (None, None));
        assert_eq!((it.push(a.clone(), 11, 2), it.is_paused()), (Some(1_001), true));
        assert_eq!(it.push(a.clone(), 12, 1), None, "begun once");
        assert!(it.miss(&b) && it.miss(&b) && it.miss(&a));
        assert!(it.acknowledge(&a, 12).is_empty() && it.acknowledge(&b, 400).is_empty() && it.is_paused());
        assert_eq!(it.acknowledge(&b, 489), [b.clone(), a.clone()]);
        assert!(!it.is_paused() && !it.is_idle());
        assert!(it.acknowledge(&b, 5_000).is_empty() && it.is_idle());
        assert!(it.acknowledge(&b, 1).is_empty() && it.is_idle(), "repeated, late");
    }

    #[test]
    fn what_may_not_be_read_any_more_does_not_pause_for_ever() {
        let (mut it, [a, b]) = (Unacknowledged::default(), ["a", "b"].map(Conversation::trusted));
        assert!(it.push(a.clone(), 600, 600).is_none() && it.push(b.clone(), 400, 400).is_some());
        assert!(it.miss(&a) && it.miss(&b));
        assert_eq!(it.forget(|conversation| *conversation != a), [b]);
        assert_eq!((it.total, it.is_paused()), (400, false));
    }

    #[test]
    fn who_misses_too_many_conversations_is_not_to_be_helped() {
        let mut it = Unacknowledged::default();
        let missed = (0..=MISSED_MAX).map(|at| it.miss(&Conversation::trusted(&format!("c{at}")))).collect::<Vec<_>>();
        assert_eq!(missed.iter().filter(|fits| !**fits).count(), 1);
    }
}
