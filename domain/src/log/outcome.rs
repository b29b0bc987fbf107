//! What became of what was asked.

use super::{Amended, AppRef, Event, Grown};
use crate::error::{Error, Result};
use crate::group::{AddRule, JoinRule};
use crate::id::MessageId;
use crate::name::{Conversation, User};
use crate::role::ConversationKind;
use std::sync::Arc;

/// What became of one [`Write`].
#[derive(Debug)]
pub enum Outcome {
    /// The message is stored, now or before.
    Sent(Sent),
    /// The conversation exists, now or before.
    Created(ConversationView, Option<Arc<Event>>),
    /// The membership is as asked; the event is absent where it was so already.
    Changed(Option<Arc<Event>>),
    /// The watermark stands at least there; true where it moved.
    Moved(bool),
    /// The message is as asked, now or before.
    Amended(Amended),
    /// The user is a member, now or before, or has asked to be.
    Joined(Joined),
    /// A list that is no part of the log is as asked; true where it changed.
    Listed(bool),
    /// The piece is stored, now or before.
    Grown(Grown),
}

/// What became of a [`GroupAct::Join`].
#[derive(Debug)]
pub enum Joined {
    /// The user is a member; the event is absent where it was one already.
    Member(Option<Arc<Event>>),
    /// The user waits for a moderator's word.
    Requested(JoinRequest),
}

/// A user who asks to be let in.
#[derive(Debug)]
pub struct JoinRequest {
    /// The app.
    pub app: AppRef,
    /// Where.
    pub conversation: Conversation,
    /// Who.
    pub user: User,
    /// Whom to tell; empty where it was asked before.
    pub moderators: Vec<User>,
}

/// What became of a batch.
#[derive(Debug)]
#[must_use]
pub enum Commit {
    /// Durably committed: one outcome per write, in the same order; an error is of a write that changed nothing.
    Committed(Vec<Result<Outcome>>),
    /// Definitely not committed, not one of them.
    Failed(Error),
    /// The answer to COMMIT was lost: it may be stored or not. Never to be told as failed; a repeat with the same ids is safe.
    Unknown(Error),
}

/// A stored message, as the ack tells it.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Server's id.
    pub id: MessageId,
    /// Its number.
    pub seq: i64,
    /// The log's incarnation.
    pub epoch: i64,
    /// When it was stored, milliseconds since 1970.
    pub at_ms: i64,
    /// Message units it counted.
    pub billed: i64,
    /// The event to fan out; absent for a repeat, which was fanned out before.
    pub event: Option<Arc<Event>>,
}

/// A conversation, as REST and `conversation.create` show it.
#[derive(Debug, Clone)]
pub struct ConversationView {
    /// Its id.
    pub id: Conversation,
    /// Its kind.
    pub kind: ConversationKind,
    /// Name to show.
    pub name: Option<String>,
    /// The log's incarnation.
    pub epoch: i64,
    /// Seq of the last event.
    pub last_seq: i64,
    /// Number of messages.
    pub last_msg_no: i64,
    /// When it was created, milliseconds since 1970.
    pub created_ms: i64,
    /// Whether it existed before this call.
    pub existed: bool,
    /// How users come in by themselves.
    pub join: JoinRule,
    /// Who may add members.
    pub add: AddRule,
    /// Number of members.
    pub members: i64,
}
