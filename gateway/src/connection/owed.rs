//! What a connection holds and has been sent: words of it that are owed to the log, and how far an acknowledgement reaches.

use super::Connection;
use std::sync::Arc;
use tokenim_domain::log::Reach;
use tokenim_domain::name::Conversation;

/// What a connection said that it holds of a conversation, and what is not committed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The conversation.
    pub conversation: Conversation,
    /// Received up to this seq.
    pub received: i64,
    /// How far its device's cursor reaches.
    pub reaches: Vec<Reach>,
    /// The label of the token it was said with.
    pub label: Option<Arc<str>>,
}

impl Connection {
    /// Notes since when it is sent what happens: from a time on, and where it has a backlog, above a seq. `owed` is what it holds
    /// and what is not committed.
    pub fn begin(&self, since_ms: i64, resumed: Vec<(Conversation, i64)>, owed: Vec<Owed>) {
        let mut state = self.state();
        (state.since_ms, state.resumed, state.owed) = (since_ms, resumed.into(), owed);
    }

    /// What an acknowledgement up to `seq` says: a seq received before, where that was not told yet, and how far its device's
    /// cursor reaches. Both are said until one is committed: said again they change nothing.
    #[must_use]
    pub fn reaches(&self, conversation: &Conversation, seq: i64) -> (Option<i64>, Vec<Reach>) {
        let state = self.state();
        let owed = state.owed.iter().find(|it| it.conversation == *conversation);
        let mut reaches = owed.map(|it| it.reaches.clone()).unwrap_or_default();
        // A step counts from one seq on, so what was sent before something was withheld is a step of its own.
        let sent = state.withheld.sent_before(conversation, seq).into_iter().chain([seq]);
        reaches.extend(sent.map(|seq| Reach { seq, since: state.since(conversation, seq) }));
        (owed.map(|it| it.received), reaches)
    }

    /// Some of the words it owes. None once it is on its way out: the next connection of its device says them.
    #[must_use]
    pub fn owed(&self, most: usize) -> Vec<Owed> {
        let state = self.state();
        let words = if state.is_registered() { &*state.owed } else { &[] };
        words.iter().take(most).cloned().collect()
    }

    /// Whether it owes any.
    #[must_use]
    pub fn owes(&self) -> bool {
        let state = self.state();
        state.is_registered() && !state.owed.is_empty()
    }

    /// Notes that a word is committed.
    pub fn settle(&self, word: &Owed) {
        self.state().settle(&word.conversation);
    }
}
