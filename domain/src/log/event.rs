//! The entries of a log.

use super::{About, AppRef, MessageAct, MessageState};
use crate::group::SettingsChange;
use crate::id::MessageId;
use crate::meter::units;
use crate::name::{ClientMsgId, Conversation, User};
use crate::role::{Change, ContentKind, MemberRole};

/// One sequenced entry of a conversation's log.
#[derive(Debug, Clone)]
pub struct Event {
    /// The app.
    pub app: AppRef,
    /// Where.
    pub conversation: Conversation,
    /// The log's incarnation.
    pub epoch: i64,
    /// Dense number, from 1.
    pub seq: i64,
    /// Messages up to and including this one.
    pub msg_no: i64,
    /// Milliseconds since 1970; never goes back within a conversation.
    pub at_ms: i64,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum EventBody {
    /// A message.
    Message {
        /// Server's id.
        id: MessageId,
        /// Who said it.
        sender: User,
        /// The sender's id of it.
        client_msg_id: ClientMsgId,
        /// Content kind.
        kind: ContentKind,
        /// Content: JSON text; the last edit's where it was edited, empty where it was deleted.
        body: Box<str>,
        /// What it says beside its content.
        about: About,
        /// What became of it since, where anything did; never of an event that was just committed.
        state: Option<Box<MessageState>>,
    },
    /// A message was edited, deleted, reacted to or pinned.
    Amended {
        /// Seq of the message.
        target: i64,
        /// Who did it; `None` = the app's server.
        actor: Option<User>,
        /// The actor's id of it.
        client_msg_id: Option<ClientMsgId>,
        /// What was done.
        act: MessageAct,
    },
    /// Members joined or left, or stand otherwise.
    Member {
        /// What changed.
        change: Change,
        /// Who did it; `None` = the app's server.
        actor: Option<User>,
        /// Whom it concerns, in which role: the one it had where it is no member any more, none where it was not before.
        users: Vec<(User, Option<MemberRole>)>,
        /// Of [`Change::Muted`]: when it ends, milliseconds since 1970.
        until_ms: Option<i64>,
    },
    /// Settings became others.
    Settings {
        /// Who did it; `None` = the app's server.
        actor: Option<User>,
        /// Which.
        change: SettingsChange,
    },
}

impl EventBody {
    /// Whether it counts as a message: for `msg_no`, unread counts and figures.
    #[must_use]
    pub const fn is_message(&self) -> bool {
        matches!(self, EventBody::Message { .. })
    }

    /// Message units it counts, as it was committed; a member event counts none.
    #[must_use]
    pub fn units(&self) -> i64 {
        match self {
            EventBody::Message { body, about, .. } => units(about.content_bytes(body)),
            EventBody::Amended { act, .. } => act.units(),
            EventBody::Member { .. } | EventBody::Settings { .. } => 0,
        }
    }
}
