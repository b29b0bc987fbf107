//! The message log port: what the gateway asks of the store, and nothing more. SQL and an in-memory model implement it.

mod amend;

pub use amend::{
    About, Amended, Amendment, Emoji, Mark, Mentions, MessageAct, MessageState, Pins, PinsQuery, Reaction,
    ReactionsQuery, Reactor,
};

use crate::error::{Error, Result};
use crate::group::{AddRule, JoinRule, SettingsChange};
use crate::id::{AppId, KeyId, MessageId, OrgId};
use crate::meter::units;
use crate::name::{ClientMsgId, Conversation, Device, User};
use crate::plan::quota::Allowance;
use crate::role::{Change, ContentKind, ConversationKind, MemberRole};
use std::future::Future;
use std::sync::Arc;
pub use tokenim_protocol::reply::Receipt;

/// An app, with the org it belongs to: the scope of everything below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppRef {
    /// The org.
    pub org: OrgId,
    /// The app.
    pub app: AppId,
}

/// What usage is counted under.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credential {
    /// The API key or signing key that stood behind the request.
    pub key: KeyId,
    /// The token's label, which splits usage.
    pub label: Option<Arc<str>>,
}

/// One change of the log. Changes handed over together commit together, in this order.
#[derive(Debug, Clone)]
pub enum Write {
    /// A message.
    Send(Draft),
    /// A new conversation.
    Create(NewConversation),
    /// Members join or leave.
    Change(MemberChange),
    /// A watermark of a member moves.
    Move(Watermark),
    /// A stored message is edited, deleted, reacted to or pinned.
    Amend(Amendment),
    /// Settings, roles, joins, mutes and bans of a conversation.
    Govern(Governing),
    /// A user blocks another, or does no more.
    Block(BlockChange),
}

impl Write {
    /// The app it is for.
    #[must_use]
    pub const fn app(&self) -> AppRef {
        match self {
            Write::Send(draft) => draft.app,
            Write::Create(new) => new.app,
            Write::Change(change) => change.app,
            Write::Move(watermark) => watermark.app,
            Write::Amend(amendment) => amendment.app,
            Write::Govern(governing) => governing.app,
            Write::Block(block) => block.app,
        }
    }

    /// What it takes its units from, and how many they are; `None` where it counts nothing.
    pub fn metered(&mut self) -> Option<(&mut Allowance, i64)> {
        match self {
            Write::Send(draft) => Some((&mut draft.allowance, units(draft.body.len()))),
            Write::Amend(Amendment { act, allowance, .. }) if act.units() > 0 => Some((allowance, act.units())),
            Write::Amend(_)
            | Write::Create(_)
            | Write::Change(_)
            | Write::Move(_)
            | Write::Govern(_)
            | Write::Block(_) => None,
        }
    }

    /// Whether it takes a turn of its app's messages per second.
    #[must_use]
    pub const fn is_paced(&self) -> bool {
        match self {
            Write::Send(_) | Write::Amend(_) => true,
            Write::Create(_) | Write::Change(_) | Write::Move(_) | Write::Govern(_) | Write::Block(_) => false,
        }
    }
}

/// A message that has no seq yet.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The app.
    pub app: AppRef,
    /// Where to.
    pub conversation: Conversation,
    /// Who says it; must be a member.
    pub sender: User,
    /// The sender's id of it; a repeat is answered with the first result.
    pub client_msg_id: ClientMsgId,
    /// Must be stored already, else this is refused with `previous_refused`.
    pub prev: Option<ClientMsgId>,
    /// Content kind.
    pub kind: ContentKind,
    /// Content: JSON text.
    pub body: Box<str>,
    /// What it says beside its content; what it replies to must be a message the sender may see.
    pub about: About,
    /// What it is counted under.
    pub credential: Credential,
    /// What may still be stored; the log takes from it what it stores, and refuses with `quota_exceeded` what is more.
    pub allowance: Allowance,
}

/// A conversation to create.
#[derive(Debug, Clone)]
pub struct NewConversation {
    /// The app.
    pub app: AppRef,
    /// Its id; a `direct` conversation that exists under another id is returned instead.
    pub id: Conversation,
    /// Its kind; `direct` has exactly two members.
    pub kind: ConversationKind,
    /// Distinct members, the owner first.
    pub members: Vec<User>,
    /// Name to show.
    pub name: Option<String>,
    /// Who asks; `None` = the app's server.
    pub actor: Option<User>,
}

/// Members to add or remove.
#[derive(Debug, Clone)]
pub struct MemberChange {
    /// The app.
    pub app: AppRef,
    /// Where.
    pub conversation: Conversation,
    /// Who asks; `None` = the app's server. A user needs a role that may, or removes only itself.
    pub actor: Option<User>,
    /// `Added` or `Removed`.
    pub change: Change,
    /// Distinct users.
    pub users: Vec<User>,
    /// Of `Added`: as what, `member` or `guest`.
    pub role: MemberRole,
}

/// What is asked of a conversation beside adding and removing members.
#[derive(Debug, Clone)]
pub struct Governing {
    /// The app.
    pub app: AppRef,
    /// Where.
    pub conversation: Conversation,
    /// Who asks; `None` = the app's server. A user needs a role that may.
    pub actor: Option<User>,
    /// What.
    pub act: GroupAct,
}

/// One thing that may be asked of a conversation.
#[derive(Debug, Clone)]
pub enum GroupAct {
    /// Its settings become others.
    Update(SettingsChange),
    /// The actor, a user, wants in.
    Join,
    /// Users who asked to be let in are not.
    Decline(Vec<User>),
    /// A member gets a role; `owner` hands the conversation over, and who had it becomes an admin.
    Role(User, MemberRole),
    /// A member may not speak for so many milliseconds from the commit on; 0 = it may again.
    Mute(User, i64),
    /// A user is kept out, and removed where it is a member.
    Ban(User),
    /// A user is kept out no more.
    Unban(User),
}

/// A line of a user's own block list.
#[derive(Debug, Clone)]
pub struct BlockChange {
    /// The app.
    pub app: AppRef,
    /// Whose list.
    pub user: User,
    /// The other user.
    pub other: User,
    /// Whether it is to be on the list.
    pub is_blocked: bool,
}

impl BlockChange {
    /// A change of a user's list.
    ///
    /// Errors: `invalid_field` at `user` where somebody names itself.
    pub fn new(app: AppRef, user: User, other: User, is_blocked: bool) -> Result<Self> {
        if user == other {
            return Err(Error::invalid("user", "nobody blocks itself"));
        }
        Ok(BlockChange { app, user, other, is_blocked })
    }
}

/// A member's watermarks to move forward; they never go back.
#[derive(Debug, Clone)]
pub struct Watermark {
    /// The app.
    pub app: AppRef,
    /// Where.
    pub conversation: Conversation,
    /// Whose.
    pub user: User,
    /// Seen up to this seq.
    pub read: Option<i64>,
    /// Held by a device up to this seq.
    pub received: Option<i64>,
    /// What the device that says it holds; `None` = it is no device that says it.
    pub held: Option<Held>,
}

/// What a device holds of a conversation; deliveries are counted by it.
#[derive(Debug, Clone)]
pub struct Held {
    /// The device.
    pub device: Device,
    /// Held up to this seq.
    pub seq: i64,
    /// What it was sent of that.
    pub since: Since,
    /// The token's label, which splits usage.
    pub label: Option<Arc<str>>,
}

/// Since when a device was sent what happens in a conversation. What came before counts nothing where its cursor passes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// It said that it held the conversation up to this seq and was sent the rest: a device with a cursor goes on from there,
    /// one without begins at this seq.
    Seq(i64),
    /// It was sent what was committed from this time on, milliseconds since 1970.
    Time(i64),
}

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

/// Which part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Events above a seq.
    After(i64),
    /// The last events below a seq.
    Before(i64),
    /// Half of the page up to a seq, half above it.
    Around(i64),
    /// The last events.
    Newest,
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
            EventBody::Message { body, .. } => units(body.len()),
            EventBody::Amended { act, .. } => act.units(),
            EventBody::Member { .. } | EventBody::Settings { .. } => 0,
        }
    }
}

/// A range of one conversation.
#[derive(Debug, Clone)]
pub struct RangeQuery {
    /// The app.
    pub app: AppRef,
    /// The conversation.
    pub conversation: Conversation,
    /// A member, who sees what happened since it joined; `None` = the app's server, which sees all.
    pub viewer: Option<User>,
    /// Only messages that reply to the message of this seq.
    pub thread: Option<i64>,
    /// Which part.
    pub from: From,
    /// Events at most.
    pub limit: u32,
    /// Bytes of bodies at most; at least one event is returned where there is one.
    pub bytes_max: usize,
}

/// A contiguous range, oldest first.
#[derive(Debug, Clone)]
pub struct Page {
    /// The events.
    pub events: Vec<Event>,
    /// Seq of the conversation's last event at the time of reading.
    pub head: i64,
    /// The log's incarnation.
    pub epoch: i64,
    /// First seq the viewer may see.
    pub first: i64,
}

/// Where one conversation stands for one user.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The conversation.
    pub conversation: Conversation,
    /// Its kind.
    pub kind: ConversationKind,
    /// Name to show.
    pub name: Option<String>,
    /// The log's incarnation.
    pub epoch: i64,
    /// First seq of that incarnation.
    pub epoch_first: i64,
    /// The incarnation of the event before that one; `None` = there is none.
    pub epoch_before: Option<i64>,
    /// Seq of the last event.
    pub head: i64,
    /// Number of messages at the head.
    pub msg_no: i64,
    /// First seq the user may see.
    pub first: i64,
    /// The user's role.
    pub role: MemberRole,
    /// The user's read watermark.
    pub read: i64,
    /// Number of messages at the read watermark.
    pub read_msg_no: i64,
    /// Seq of the last change of membership.
    pub member_version: i64,
    /// When the last event happened, milliseconds since 1970.
    pub last_ms: i64,
    /// The last event.
    pub last: Option<Event>,
}

/// Place in a directory: the last entry of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryCursor {
    /// Its `last_ms`.
    pub last_ms: i64,
    /// Its id.
    pub conversation: Conversation,
}

/// The members of a conversation, as the fan-out needs them.
#[derive(Debug, Clone)]
pub struct MemberList {
    /// Seq of the conversation's last event when the list was read.
    pub as_of: i64,
    /// Each member and the seq it joined at.
    pub members: Vec<(User, i64)>,
}

/// A member, as lists show it.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who.
    pub user: User,
    /// As what.
    pub role: MemberRole,
    /// Seq of the event it joined with.
    pub joined: i64,
    /// Its read watermark.
    pub read: i64,
    /// Its received watermark.
    pub received: i64,
    /// Until when it may not speak, milliseconds since 1970; in the past: it may.
    pub muted_until_ms: Option<i64>,
}

/// The log, as the gateway sees it.
///
/// Every method answers for one app only: a conversation of another app does not exist.
pub trait MessageLog: Send + Sync + 'static {
    /// Commits writes in one transaction and says what became of each.
    ///
    /// Shapes: any number of writes; the caller bounds a batch.
    /// Errors: see [`Commit`]; a single write that may not be done is refused and leaves the others alone.
    fn append(&self, batch: Vec<Write>) -> impl Future<Output = Commit> + Send;

    /// Reads a range. Errors: `not_found` for a conversation that does not exist or that the viewer is no member of.
    fn read_range(&self, query: RangeQuery) -> impl Future<Output = Result<Page>> + Send;

    /// Where the named conversations stand for a user; those it is no member of are left out.
    fn entries(
        &self,
        app: AppRef,
        user: User,
        of: Vec<Conversation>,
    ) -> impl Future<Output = Result<Vec<Entry>>> + Send;

    /// A user's conversations, the most recently changed first.
    fn directory(
        &self,
        app: AppRef,
        user: User,
        after: Option<DirectoryCursor>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Entry>>> + Send;

    /// Members of conversations for the fan-out, in the order asked; empty where there is no such conversation.
    fn member_lists(&self, of: Vec<(AppRef, Conversation)>) -> impl Future<Output = Result<Vec<MemberList>>> + Send;

    /// A page of members, by user id. Errors: `not_found` as for [`MessageLog::read_range`].
    fn members(&self, query: MembersQuery) -> impl Future<Output = Result<Vec<Member>>> + Send;

    /// Who reacted to a message, in the order it was done. Errors: `not_found` as for [`MessageLog::read_range`], and for
    /// no such message.
    fn reactions(&self, query: ReactionsQuery) -> impl Future<Output = Result<Vec<Reactor>>> + Send;

    /// A page of the pinned messages of a conversation, the last pinned first; at most `PINS_MAX` there are.
    ///
    /// Errors: `not_found` as for [`MessageLog::read_range`].
    fn pins(&self, query: PinsQuery) -> impl Future<Output = Result<Pins>> + Send;
    /// A page of users on a list, by user id. Errors: `not_found` as for [`MessageLog::read_range`]; `forbidden` where the
    /// viewer may not see it.
    fn listed(&self, query: ListQuery) -> impl Future<Output = Result<Vec<Listed>>> + Send;

    /// Asks that a user may say something in a conversation now, stored or not.
    ///
    /// Errors: `not_found` for who is no member; `forbidden` for a guest; `muted`; `blocked`.
    fn check_speaker(
        &self,
        app: AppRef,
        conversation: Conversation,
        user: User,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Makes sure the user exists.
    fn ensure_users(&self, app: AppRef, users: Vec<User>) -> impl Future<Output = Result<()>> + Send;

    /// Who has acknowledged a message. Errors: `not_found` as for [`MessageLog::read_range`]; `invalid_field` for a seq that
    /// the viewer may not see.
    fn receipts(&self, query: ReceiptsQuery) -> impl Future<Output = Result<Receipts>> + Send;

    /// Up to where a device has the named conversations, as its cursors say; those without a cursor are left out.
    fn cursors(
        &self,
        app: AppRef,
        user: User,
        device: Device,
        of: Vec<Conversation>,
    ) -> impl Future<Output = Result<Vec<(Conversation, i64)>>> + Send;

    /// When users were seen last; those who never were are left out.
    fn last_seen(&self, app: AppRef, users: Vec<User>) -> impl Future<Output = Result<Vec<Seen>>> + Send;

    /// Saves who was seen, each user once; `now_ms`, milliseconds since 1970, is until when this process was alive.
    fn save_seen(&self, seen: Vec<Seen>, now_ms: i64) -> impl Future<Output = Result<()>> + Send;

    /// Closes what a process before this one left open: its users were seen until it was alive last.
    fn close_seen(&self) -> impl Future<Output = Result<()>> + Send;
}

/// When a user was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The app.
    pub app: AppRef,
    /// Who.
    pub user: User,
    /// When, milliseconds since 1970; while it is open, since when the user is there.
    pub seen_ms: i64,
    /// Number of the state that was told then; it never goes back.
    pub version: i64,
    /// Whether the user is there.
    pub is_open: bool,
}

/// Which acknowledgements of a message.
#[derive(Debug, Clone)]
pub struct ReceiptsQuery {
    /// The app.
    pub app: AppRef,
    /// The conversation.
    pub conversation: Conversation,
    /// A member; `None` = the app's server.
    pub viewer: Option<User>,
    /// The message's seq.
    pub seq: i64,
    /// Which watermark the page is of.
    pub state: Receipt,
    /// Whether the page lists who has, or who has not; `None` = counts only.
    pub has: Option<bool>,
    /// Users after this one.
    pub after: Option<User>,
    /// Members at most.
    pub limit: u32,
}

impl ReceiptsQuery {
    /// The watermark that a word names; read where none is given. Errors: `invalid_field`.
    pub fn state_of(word: Option<&str>) -> Result<Receipt> {
        match word {
            None | Some("read") => Ok(Receipt::Read),
            Some("received") => Ok(Receipt::Received),
            Some(_) => Err(Error::invalid("state", "`state` must be read or received")),
        }
    }

    /// Whom a word asks for. Errors: `invalid_field`.
    pub fn has_of(word: Option<&str>) -> Result<Option<bool>> {
        match word {
            None => Ok(None),
            Some("has") => Ok(Some(true)),
            Some("has_not") => Ok(Some(false)),
            Some(_) => Err(Error::invalid("who", "`who` must be has or has_not")),
        }
    }
}

/// Who has acknowledged a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipts {
    /// Members now who were members then.
    pub members: i64,
    /// Of them, who have read it.
    pub read: i64,
    /// Of them, who have received it.
    pub received: i64,
    /// The page, by user id; empty where none was asked for.
    pub page: Vec<Acknowledged>,
}

/// A member's watermarks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Who.
    pub user: User,
    /// Seen up to this seq.
    pub read: i64,
    /// Held by a device up to this seq.
    pub received: i64,
}

/// Which members.
#[derive(Debug, Clone)]
pub struct MembersQuery {
    /// The app.
    pub app: AppRef,
    /// The conversation.
    pub conversation: Conversation,
    /// A member; `None` = the app's server.
    pub viewer: Option<User>,
    /// Users after this one.
    pub after: Option<User>,
    /// Members at most.
    pub limit: u32,
}

/// A list of users beside the members.
#[derive(Debug, Clone)]
pub enum List {
    /// Who waits to be let in; for moderators.
    Requests(Conversation),
    /// Who is kept out; for moderators.
    Bans(Conversation),
    /// Whom a user blocks; for that user.
    Blocks(User),
}

/// Which part of which list.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// The app.
    pub app: AppRef,
    /// Which list.
    pub list: List,
    /// Who asks; `None` = the app's server.
    pub viewer: Option<User>,
    /// Users after this one.
    pub after: Option<User>,
    /// Users at most.
    pub limit: u32,
}

/// A user on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Who.
    pub user: User,
    /// Since when, milliseconds since 1970.
    pub at_ms: i64,
    /// Of a ban: who did it; `None` = the app's server.
    pub actor: Option<User>,
}
