//! The message log port: what the gateway asks of the store, and nothing more. SQL and an in-memory model implement it.

mod amend;
mod attachment;
mod event;
pub mod live;
mod outcome;
mod query;
mod upload;
mod write;

pub use amend::{
    About, Amended, Amendment, Emoji, Mark, Mentions, MessageAct, MessageState, Pins, PinsQuery, Reaction,
    ReactionsQuery, Reactor,
};
pub use attachment::{Attached, Attachment, AttachmentQuery, FileName, MediaType};
pub use event::{Event, EventBody};
pub use live::{Delta, Grown, Growth, Idle, LiveText, Piece, TextQuery};
pub use outcome::{Commit, ConversationView, JoinRequest, Joined, Outcome, Sent};
pub use query::{
    Acknowledged, BacklogQuery, Changed, ChangedQuery, DirectoryCursor, DirectoryQuery, Entry, From, List, ListQuery,
    Listed, Member, MemberList, MembersQuery, Page, RangeQuery, Receipts, ReceiptsQuery, Seen, Standing, cut_page,
};
pub use tokenim_protocol::reply::Receipt;
pub use upload::{BodyPart, BodyQuery, Digest, Large, NewUpload, Purpose, Sealed, SealedBody, Upload, UploadRef};
pub use write::{
    BlockChange, Draft, Governing, GroupAct, Held, MemberChange, NewConversation, Reach, Since, Watermark, Write,
};

use crate::error::Result;
use crate::id::{AppId, KeyId, OrgId};
use crate::name::{Conversation, Device, User};
use std::future::Future;
use std::sync::Arc;
use tokenim_protocol::Code;

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

    /// Reads what a member missed in several conversations: the events of each beside it, oldest first. They end before its
    /// head where the bytes have, and there are none where the user is no member. The caller bounds how many there may be.
    fn read_backlog(&self, query: BacklogQuery) -> impl Future<Output = Result<Vec<Vec<Event>>>> + Send;

    /// Where the named conversations stand for a user; those it is no member of are left out.
    fn standings(
        &self,
        app: AppRef,
        user: User,
        of: Vec<Conversation>,
    ) -> impl Future<Output = Result<Vec<Standing>>> + Send;

    /// A page of a user's conversations.
    fn directory(&self, query: DirectoryQuery) -> impl Future<Output = Result<Vec<Entry>>> + Send;

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

    /// Whether the user exists.
    fn is_user(&self, app: AppRef, user: User) -> impl Future<Output = Result<bool>> + Send;

    /// Makes sure the users exist.
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

    /// Where conversations stand that changed lately, each once however many of the users are in it.
    fn changed(&self, query: ChangedQuery) -> impl Future<Output = Result<Vec<Changed>>> + Send;

    /// The text of a live message, or of one that was live.
    ///
    /// Errors: `not_found` as for [`MessageLog::read_range`], and for no such message or a deleted one; `not_live` for a message
    /// that never was; `stream_offset`, `invalid_field` for an offset at which there is nothing.
    fn live_text(&self, query: TextQuery) -> impl Future<Output = Result<LiveText>> + Send;

    /// Live messages of all apps that grew last after one time and up to another, the longest idle first; times are
    /// milliseconds since 1970.
    fn idle(&self, after_ms: i64, up_to_ms: i64, limit: u32) -> impl Future<Output = Result<Vec<Idle>>> + Send;

    /// Begins a body that comes in chunks, or goes on with the one that began under the same id.
    ///
    /// Errors: as [`MessageLog::check_speaker`]; `conflict` where the id was used for another body; `limit_reached`.
    fn begin_upload(&self, _new: NewUpload) -> impl Future<Output = Result<Upload>> + Send {
        no_large_bodies()
    }

    /// How far a body has come. Errors: `not_found`.
    fn find_upload(&self, _at: UploadRef) -> impl Future<Output = Result<Upload>> + Send {
        no_large_bodies()
    }

    /// Keeps a chunk; it is durable when this returns, and a repeat takes its place.
    ///
    /// Errors: `not_found`; `invalid_field` at `index` or `data`.
    fn put_chunk(&self, _at: UploadRef, _index: i64, _data: Vec<u8>) -> impl Future<Output = Result<()>> + Send {
        no_large_bodies()
    }

    /// Checks a body that is complete and keeps it as one; the message is then an ordinary send. An attachment is committed by
    /// this, and answered again where it was before.
    ///
    /// Errors: `not_found`; `upload_incomplete`; `checksum_mismatch`; `invalid_field` at `body`.
    fn seal_upload(&self, _at: UploadRef) -> impl Future<Output = Result<Sealed>> + Send {
        no_large_bodies()
    }

    /// Gives up what is not committed, or an attachment that is not sent.
    ///
    /// Errors: `not_found`; `conflict` for what is a message, or carried by one.
    fn drop_upload(&self, _at: UploadRef) -> impl Future<Output = Result<()>> + Send {
        no_large_bodies()
    }

    /// Reads a part of a large body. Errors: `not_found`; `invalid_field` at `offset` beyond its end.
    fn read_body(&self, _query: BodyQuery) -> impl Future<Output = Result<BodyPart>> + Send {
        no_large_bodies()
    }
}

/// What a log that keeps no large bodies answers.
async fn no_large_bodies<T>() -> Result<T> {
    Err(Code::NotSupported.into())
}
