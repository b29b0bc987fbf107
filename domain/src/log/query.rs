//! What is read of the log: which part, and what comes back.

use super::{AppRef, Event};
use crate::error::{Error, Result};
use crate::name::{Conversation, User};
use crate::role::{ConversationKind, MemberRole};
use tokenim_protocol::reply::Receipt;

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

/// What a member missed in several conversations.
#[derive(Debug, Clone)]
pub struct BacklogQuery {
    /// The app.
    pub app: AppRef,
    /// The member, who sees what happened since it joined.
    pub viewer: User,
    /// Each conversation once: above which seq, and up to which.
    pub missed: Vec<(Conversation, i64, i64)>,
    /// Bytes of bodies at most, over all of them in their order.
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
pub struct Standing {
    /// The conversation.
    pub conversation: Conversation,
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
}

/// A conversation in a user's directory.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where it stands.
    pub at: Standing,
    /// Its kind.
    pub kind: ConversationKind,
    /// Name to show.
    pub name: Option<String>,
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
    /// The last event; none where it is large, or [`DirectoryQuery::held`].
    pub last: Option<Event>,
}

/// A page of a user's conversations, the most recently changed first; ties by id.
#[derive(Debug, Clone)]
pub struct DirectoryQuery {
    /// The app.
    pub app: AppRef,
    /// The user.
    pub user: User,
    /// The last entry of the page before.
    pub after: Option<DirectoryCursor>,
    /// Entries at most.
    pub limit: usize,
    /// Conversation, epoch and seq of last events that are not asked for: whoever asks has them. The caller bounds how many there are.
    pub held: Vec<(String, i64, i64)>,
}

/// Place in a directory: the last entry of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryCursor {
    /// Its `last_ms`.
    pub last_ms: i64,
    /// Its id.
    pub conversation: Conversation,
}

/// Conversations of some users that changed from a time on, the earliest change first; ties by id.
#[derive(Debug, Clone)]
pub struct ChangedQuery {
    /// The app.
    pub app: AppRef,
    /// Members of them.
    pub users: Vec<User>,
    /// Behind which they are asked for: a time and the empty id, or the last one of the answer before.
    pub after: DirectoryCursor,
    /// At most so many.
    pub limit: usize,
}

/// Where a conversation stands that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The conversation.
    pub conversation: Conversation,
    /// Seq of its last event.
    pub seq: i64,
    /// When that happened, milliseconds since 1970.
    pub last_ms: i64,
}

impl Changed {
    /// Its place among those that changed.
    #[must_use]
    pub fn cursor(&self) -> DirectoryCursor {
        DirectoryCursor { last_ms: self.last_ms, conversation: self.conversation.clone() }
    }
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
    /// Members of the page at most. It may have fewer, even none, and another one follow.
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
    /// Another page follows after this user, who need not be of this one.
    pub next: Option<User>,
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

/// Cuts a page to `limit` items; true where another page follows. One item more than a page holds is asked for to know.
pub fn cut_page<T>(page: &mut Vec<T>, limit: u32) -> bool {
    let has_more = page.len() > limit as usize;
    page.truncate(limit as usize);
    has_more
}
