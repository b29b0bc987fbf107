//! Every named limit of the wire, each with its unit and its reason; the connect reply announces the ones clients need.

/// Largest WebSocket message a client may send, in bytes; larger bodies go by chunks.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Largest number of fragments of one client message; one-byte fragments cost a header each.
pub const FRAGMENTS_MAX: u32 = 16;
/// Bytes a connection may send before it has authenticated: a token of 4 KiB and 200 heads of about 90 bytes.
pub const UNAUTHENTICATED_BYTES_MAX: usize = 24 * 1024;
/// Largest frame the server sends, in bytes; what does not fit goes to the next page.
pub const SERVER_FRAME_BYTES_MAX: usize = 256 * 1024;
/// Commands of one connection that may be unanswered at a time.
pub const OPEN_COMMANDS_MAX: u32 = 256;
/// Nesting of arrays and objects in what a client sends.
pub const JSON_DEPTH_MAX: usize = 32;
/// Keys of one JSON object in a message body or a REST request.
pub const JSON_KEYS_MAX: usize = 64;
/// Keys of one JSON object in a socket envelope: `heads` names up to [`DIRECTORY_PAGE_MAX`] conversations, and a few more
/// are read so that the answer can say which limit it was.
pub const HEADS_KEYS_MAX: usize = 256;
/// Characters of an id made by an app (users, conversations, `client_msg_id`).
pub const ID_CHARS_MAX: usize = 64;
/// Bytes of a user token.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// Characters of an SDK name, a conversation name and a token label.
pub const NAME_CHARS_MAX: usize = 64;
/// Members named in one create or add command.
pub const MEMBERS_PER_COMMAND_MAX: usize = 1_000;
/// Users one message mentions.
pub const MENTIONS_MAX: usize = 50;
/// Bytes of a reaction: the longest emoji sequences take about 40.
pub const EMOJI_BYTES_MAX: usize = 64;
/// Different reactions to one message; they travel with every reading of it.
pub const REACTIONS_PER_MESSAGE_MAX: usize = 32;
/// Users of one page of reactions.
pub const REACTIONS_PAGE_MAX: u32 = 200;
/// Pinned messages of one conversation.
pub const PINS_MAX: usize = 100;
/// Live messages of one conversation at a time; each is a row that beginning one counts.
pub const LIVE_MESSAGES_MAX: usize = 16;
/// Bytes of text that one command adds to a live message.
pub const LIVE_PIECE_BYTES_MAX: usize = 16 * 1024;
/// Pieces of one live message, which its end puts together: one for each 4 bytes of the largest body.
pub const LIVE_PIECES_MAX: i64 = 16 * 1024;
/// Seconds after its last piece at which a live message is ended by the server.
pub const LIVE_IDLE_SECONDS: i64 = 10 * 60;
/// Members of one conversation.
pub const MEMBERS_MAX: usize = 100_000;
/// Bans of one conversation; each is a row that joins are checked against.
pub const BANS_MAX: usize = 10_000;
/// Users that wait for a moderator's word at one conversation.
pub const JOIN_REQUESTS_MAX: usize = 10_000;
/// Users that one user blocks.
pub const BLOCKS_MAX: usize = 10_000;
/// Seconds a member may be muted for at a time: a year.
pub const MUTE_SECONDS_MAX: i64 = 366 * 24 * 3600;
/// Moderators who are told of a join request at once; the others find it in the list.
pub const MODERATORS_TOLD_MAX: usize = 100;
/// Events of one history page.
pub const HISTORY_PAGE_MAX: u32 = 200;
/// Events of a history page when the client names no limit.
pub const HISTORY_PAGE_DEFAULT: u32 = 50;
/// Bytes an event of a page takes beside its body, at most: ids of 64 characters and numbers.
pub const EVENT_OVERHEAD_BYTES_MAX: usize = 512;
/// Members of one page of a conversation's members.
pub const MEMBERS_PAGE_MAX: u32 = 200;
/// Conversations of one directory page, and heads in one `connect` or `sync`.
pub const DIRECTORY_PAGE_MAX: usize = 200;
/// Messages pushed to a connection and not acknowledged by it, at which it is paused.
pub const UNACKNOWLEDGED_MAX: u32 = 1_000;
/// Events of one conversation that a connect replays itself; beyond it the outcome is `too_far`.
pub const BACKLOG_EVENTS_MAX: u32 = 300;
/// Bytes of backlog that one connect replays over all conversations; beyond it the outcome is `too_far`.
pub const BACKLOG_BYTES_MAX: usize = 512 * 1024;
/// Seconds a socket may stay open without a successful `connect`.
pub const CONNECT_SECONDS_MAX: u64 = 5;
/// Seconds between two server pings.
pub const PING_INTERVAL_SECONDS: u64 = 25;
/// Seconds beyond the ping interval after which a silent connection is dead.
pub const PING_GRACE_SECONDS: u64 = 10;
/// Heads of changed conversations in one ping; beyond it the ping says `more` and the client pages `sync`.
pub const PING_HEADS_MAX: usize = 32;
/// Seconds before a session's end at which it is told, once, that its token expires.
pub const TOKEN_NOTICE_SECONDS: i64 = 60;
/// Users of one `presence.watch` or `presence.get`.
pub const PRESENCE_USERS_MAX: usize = 500;
/// Characters of the text beside a user's presence.
pub const PRESENCE_TEXT_CHARS_MAX: usize = 100;
/// Members above which a conversation's events are pushed only to connections that have opened it.
pub const ACTIVE_MEMBERS_MAX: usize = 1_024;
/// Conversations that one connection may have opened or made passive.
pub const VIEWS_MAX: usize = 500;
/// Bytes of a close reason (RFC 6455 §5.5: a control frame carries 125 bytes, two of them the code).
pub const CLOSE_REASON_BYTES_MAX: usize = 123;
/// Seconds a user token may live (`exp - iat`).
pub const TOKEN_SECONDS_MAX: i64 = 24 * 3600;
/// Seconds a token minted by `POST /v1/tokens` lives when the call names no `ttl_s`.
pub const TOKEN_SECONDS_DEFAULT: i64 = 3600;
/// Seconds of clock difference forgiven between us and whoever signed a token.
pub const TOKEN_LEEWAY_SECONDS: i64 = 60;
/// Bytes of one message unit, the unit that is metered.
pub const MESSAGE_UNIT_BYTES: usize = 5_120;
/// Conversation patterns in the `caps` of one token.
pub const CAPS_MAX: usize = 32;

/// Bytes of one chunk of a large body: as base64 it fits a client's message.
pub const CHUNK_BYTES_MAX: i64 = 32 * 1024;
/// Bytes of one chunk at least, so that a body has a bounded number of them.
pub const CHUNK_BYTES_MIN: i64 = 4 * 1024;
/// Bytes of one large body, whatever the plan: the whole of it is in memory once, when it is checked.
pub const LARGE_BODY_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// Bodies of one user that have begun and are not committed.
pub const OPEN_UPLOADS_MAX: i64 = 16;
/// Files that one message carries; each is looked up in its commit and told with every reading of it.
pub const ATTACHMENTS_MAX: usize = 16;
/// Files of one user that are whole and that no message carries yet: they cost room and count no unit.
pub const UNSENT_ATTACHMENTS_MAX: i64 = 64;
/// Bytes of the name of a file: what file systems take.
pub const ATTACHMENT_NAME_BYTES_MAX: usize = 255;
/// Bytes of a file's type: the two names of RFC 6838 at their longest, and the stroke.
pub const MEDIA_TYPE_BYTES_MAX: usize = 255;
/// Bytes that a file of a message takes in its event, at most: name (each byte may be escaped), type, sum and the keys.
pub const ATTACHMENT_ENTRY_BYTES_MAX: usize = 1_024;
/// Bytes of one page of a large body; as base64 they fit a server's frame.
pub const BODY_PAGE_BYTES_MAX: i64 = 128 * 1024;

/// Reconnect timings announced by the connect reply, in milliseconds.
pub mod reconnect {
    /// First retry after an abnormal end: uniform in `0..FIRST_MS`.
    pub const FIRST_MS: u64 = 2_000;
    /// Base of the exponential delay.
    pub const BASE_MS: u64 = 500;
    /// Cap of the exponential delay.
    pub const CAP_MS: u64 = 30_000;
    /// Healthy time after which the attempt counter returns to zero.
    pub const STABLE_MS: u64 = 10_000;
}
