//! What is queued at connections: a chunk of events, for whom it is, and what became of it.

use bytes::Bytes;
use tokenim_domain::name::Conversation;

/// Events of one conversation, encoded, to be queued together.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The conversation.
    pub conversation: Conversation,
    /// Its epoch.
    pub epoch: i64,
    /// Seq of the first event, or of the head it tells.
    pub first: i64,
    /// Seq of the last event.
    pub last: i64,
    /// How many of them are messages.
    pub messages: u32,
    /// Whole frames.
    pub bytes: Bytes,
}

/// For which of a conversation's connections a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// For each.
    All,
    /// For those that have it open. In a large one that are those who asked for it, in a small one those who did not
    /// ask for the contrary.
    Open {
        /// Whether the conversation is a large one.
        is_large: bool,
    },
    /// For the others, who are told where it stands.
    Passive {
        /// Whether the conversation is a large one.
        is_large: bool,
    },
}

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Given {
    /// It waits at the gate, or is not for this connection at all.
    Quiet,
    /// The connection is passive: it is to be told where the conversation stands.
    Passive,
    /// It is queued: wake the socket.
    Queued,
}
