//! The commands of this version and their fields (docs/PROTOCOL.md §4).

mod group;
mod stream;
mod upload;

pub use group::{
    Block, Blocks, ConversationBan, ConversationCreate, ConversationMute, ConversationOnly, ConversationRole,
    ConversationUpdate, MemberChange, Members, given,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
pub use stream::{StreamAppend, StreamBegin, StreamEnd, StreamGet};
pub use upload::{AttachmentBegin, BodyGet, ChunkAbort, ChunkBegin, ChunkCommit, ChunkPurpose, ChunkPut};

macro_rules! commands {
    ($($variant:ident $name:literal;)*) => {
        /// A command a client may send. The isolation test walks [`Command::ALL`], so a command can't be forgotten there.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Command { $(#[doc = $name] $variant,)* }

        impl Command {
            /// Every command of this version.
            pub const ALL: &'static [Command] = &[$(Command::$variant,)*];

            /// The command's name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Command::$variant => $name,)* }
            }

            /// The command of that name.
            #[must_use]
            pub fn find(name: &str) -> Option<Command> {
                match name { $($name => Some(Command::$variant),)* _ => None }
            }
        }
    };
}

commands! {
    Connect "connect";
    Refresh "refresh";
    Send "send";
    History "history";
    Sync "sync";
    Read "read";
    Received "received";
    ConversationCreate "conversation.create";
    ConversationAdd "conversation.add";
    ConversationRemove "conversation.remove";
    ConversationMembers "conversation.members";
    Ping "ping";
    Edit "edit";
    Delete "delete";
    React "react";
    Reactions "reactions";
    Pin "pin";
    Pins "pins";
    Typing "typing";
    ConversationUpdate "conversation.update";
    ConversationJoin "conversation.join";
    ConversationLeave "conversation.leave";
    ConversationRequests "conversation.requests";
    ConversationDecline "conversation.decline";
    ConversationRole "conversation.role";
    ConversationMute "conversation.mute";
    ConversationBan "conversation.ban";
    ConversationUnban "conversation.unban";
    ConversationBans "conversation.bans";
    Block "block";
    Unblock "unblock";
    Blocks "blocks";
    PresenceSet "presence.set";
    PresenceWatch "presence.watch";
    PresenceGet "presence.get";
    Receipts "receipts";
    Open "open";
    Passive "passive";
    StreamBegin "stream.begin";
    StreamAppend "stream.append";
    StreamEnd "stream.end";
    StreamGet "stream.get";
    ChunkBegin "chunk.begin";
    ChunkPut "chunk.put";
    ChunkCommit "chunk.commit";
    ChunkAbort "chunk.abort";
    BodyGet "body.get";
}

/// Conversation id → `[epoch, seq]`: where a client stands.
pub type Heads<'a> = BTreeMap<Cow<'a, str>, (i64, i64)>;

/// Fields of `connect`.
#[derive(Debug, Deserialize)]
pub struct Connect<'a> {
    /// A user token (JWT), or absent when `session` is given.
    #[serde(borrow)]
    pub token: Option<Cow<'a, str>>,
    /// The session token of an earlier connect.
    #[serde(borrow)]
    pub session: Option<Cow<'a, str>>,
    /// Name of the device, an id; absent = one is made.
    #[serde(borrow)]
    pub device: Option<Cow<'a, str>>,
    /// What it runs on, like `web` or `ios`; an app may have a user on each platform once.
    #[serde(borrow)]
    pub platform: Option<Cow<'a, str>>,
    /// Name and version of the library, shown in the console.
    #[serde(borrow)]
    pub sdk: Option<Cow<'a, str>>,
    /// Optional features the client understands; the reply lists those accepted.
    #[serde(borrow, default)]
    pub features: Vec<Cow<'a, str>>,
    /// Where the client stands; what it missed follows the reply.
    #[serde(borrow)]
    pub heads: Option<Heads<'a>>,
}

/// Fields of `refresh`.
#[derive(Debug, Deserialize)]
pub struct Refresh<'a> {
    /// A newer user token of the same app and user.
    #[serde(borrow)]
    pub token: Cow<'a, str>,
}

/// Fields of `send`.
#[derive(Debug, Deserialize)]
pub struct Send<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// The sender's id of this message: a repeat is stored once.
    #[serde(borrow)]
    pub client_msg_id: Cow<'a, str>,
    /// Content kind: `text`, `json` or `file`.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// The content, any JSON; `text` needs an object with a `text` string.
    #[serde(borrow)]
    pub body: &'a RawValue,
    /// `client_msg_id` of the message before this one that was still unanswered.
    #[serde(borrow)]
    pub prev: Option<Cow<'a, str>>,
    /// Seq of the message this one replies to.
    pub reply_to: Option<i64>,
    /// Users it speaks to, or `"*"`.
    #[serde(borrow)]
    pub mentions: Option<Mentions<'a>>,
    /// Told to members who are connected, never stored.
    #[serde(default)]
    pub ephemeral: bool,
    /// Asks for no attention: no push to a sleeping device.
    #[serde(default)]
    pub silent: bool,
    /// Files it carries, by their ids.
    #[serde(borrow, default)]
    pub attachments: Vec<Cow<'a, str>>,
}

/// Whom a message speaks to.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`mentions` is a list of user ids, or \"*\"")]
pub enum Mentions<'a> {
    /// Users by their ids.
    Users(#[serde(borrow)] Vec<Cow<'a, str>>),
    /// `"*"`: everyone.
    Everyone(Everyone),
}

/// The word for every member.
#[derive(Debug, Deserialize)]
pub enum Everyone {
    /// `"*"`.
    #[serde(rename = "*")]
    All,
}

/// Fields of `edit`.
#[derive(Debug, Deserialize)]
pub struct Edit<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// Seq of the message.
    pub target: i64,
    /// Content kind.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// The content that replaces the old one.
    #[serde(borrow)]
    pub body: &'a RawValue,
    /// The user's id of this edit: a repeat changes nothing.
    #[serde(borrow)]
    pub client_msg_id: Option<Cow<'a, str>>,
}

/// Fields of `delete`.
#[derive(Debug, Deserialize)]
pub struct Delete<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// Seq of the message.
    pub target: i64,
    /// The user's id of it: a repeat changes nothing.
    #[serde(borrow)]
    pub client_msg_id: Option<Cow<'a, str>>,
}

/// Fields of `react`.
#[derive(Debug, Deserialize)]
pub struct React<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// Seq of the message.
    pub target: i64,
    /// The reaction.
    #[serde(borrow)]
    pub emoji: Cow<'a, str>,
    /// Takes the reaction back.
    #[serde(default)]
    pub remove: bool,
    /// The user's id of it: a repeat changes nothing.
    #[serde(borrow)]
    pub client_msg_id: Option<Cow<'a, str>>,
}

/// Fields of `pin`.
#[derive(Debug, Deserialize)]
pub struct Pin<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// Seq of the message.
    pub target: i64,
    /// Takes the pin away.
    #[serde(default)]
    pub remove: bool,
    /// The user's id of it: a repeat changes nothing.
    #[serde(borrow)]
    pub client_msg_id: Option<Cow<'a, str>>,
}

/// Fields of `reactions`.
#[derive(Debug, Deserialize)]
pub struct Reactions<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// Seq of the message.
    pub target: i64,
    /// Only this reaction.
    #[serde(borrow)]
    pub emoji: Option<Cow<'a, str>>,
    /// `next` of the page before.
    pub page: Option<i64>,
    /// Users of the page, 1–200; 200 when absent.
    pub limit: Option<u32>,
}

/// Fields of `pins`.
#[derive(Debug, Deserialize)]
pub struct Pins<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// `next` of the page before.
    pub page: Option<i64>,
}

/// Fields of `history`; at most one of `after`, `before`, `around` (none = the newest page).
#[derive(Debug, Deserialize)]
pub struct History<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// Events with a greater seq, oldest first.
    pub after: Option<i64>,
    /// Events with a smaller seq; the page still lists oldest first.
    pub before: Option<i64>,
    /// Events on both sides of a seq.
    pub around: Option<i64>,
    /// Only messages that reply to the message of this seq.
    pub thread: Option<i64>,
    /// Events of the page, 1–200; 50 when absent.
    pub limit: Option<u32>,
}

/// Fields of `sync`.
#[derive(Debug, Deserialize)]
pub struct Sync<'a> {
    /// Where the client stands; entries that differ carry an outcome.
    #[serde(borrow, default)]
    pub heads: Heads<'a>,
    /// `next` of the page before.
    #[serde(borrow)]
    pub page: Option<Cow<'a, str>>,
}

/// What `ping` says: nothing, as an object.
#[derive(Debug, Deserialize)]
pub struct Ping {}

/// Fields of `read` and `received`: a cumulative, monotonic watermark.
#[derive(Debug, Deserialize)]
pub struct Watermark<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// Everything up to and including this seq.
    pub seq: i64,
}

/// Fields of `typing`.
#[derive(Debug, Deserialize)]
pub struct Typing<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// Whether the user types; false = it has stopped.
    #[serde(default = "yes")]
    pub active: bool,
}

const fn yes() -> bool {
    true
}

/// Fields of `presence.set`; what is absent stays as it is.
#[derive(Debug, Deserialize)]
pub struct PresenceSet<'a> {
    /// How this device is: `online`, `away` or `invisible`.
    #[serde(borrow)]
    pub state: Option<Cow<'a, str>>,
    /// Text beside the user, on all its devices; null or empty clears it.
    #[serde(borrow, default, deserialize_with = "given")]
    pub text: Option<Option<Cow<'a, str>>>,
}

/// Fields of `presence.watch` and `presence.get`.
#[derive(Debug, Deserialize)]
pub struct Users<'a> {
    /// The users, each once.
    #[serde(borrow)]
    pub users: Vec<Cow<'a, str>>,
}

/// Fields of `receipts`.
#[derive(Debug, Deserialize)]
pub struct Receipts<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// The message's seq.
    pub seq: i64,
    /// Of which watermark the page is: `read` (when absent) or `received`.
    #[serde(borrow)]
    pub state: Option<Cow<'a, str>>,
    /// `has` or `has_not`: whom the page lists; no page when absent.
    #[serde(borrow)]
    pub who: Option<Cow<'a, str>>,
    /// `next` of the page before.
    #[serde(borrow)]
    pub page: Option<Cow<'a, str>>,
    /// Members of the page, 1–200; 200 when absent.
    pub limit: Option<u32>,
}

/// Fields of `open` and `passive`.
#[derive(Debug, Deserialize)]
pub struct View<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
}
