//! The message log: the store's side of the gateway's port.

mod amend;
mod append;
pub(crate) mod attachment;
mod change;
mod changed;
mod contact;
mod create;
mod cursor;
mod directory;
mod found;
mod govern;
mod listed;
mod live;
mod members;
mod postgres;
mod presence;
mod range;
mod receipts;
mod row;
mod send;
mod speech;
mod sqlite;
pub(crate) mod tally;
pub(crate) mod upload;

use crate::Store;
use tokenim_domain::log::{
    AppRef, BacklogQuery, BodyPart, BodyQuery, Changed, ChangedQuery, Commit, ConversationView, DirectoryQuery, Entry,
    Event, Idle, ListQuery, Listed, LiveText, Member, MemberList, MembersQuery, MessageLog, NewUpload, Page, Pins,
    PinsQuery, RangeQuery, ReactionsQuery, Reactor, Receipts, ReceiptsQuery, Sealed, Seen, Standing, TextQuery, Upload,
    UploadRef, Write,
};
use tokenim_domain::name::{Conversation, Device, User};
use tokenim_domain::role::MemberRole;
use tokenim_domain::{Error, Result};

/// What an answer holds, or the answer itself: ends a write that is refused, and leaves the rest of its batch alone.
macro_rules! allowed {
    ($answer:expr) => {
        match $answer {
            Ok(allowed) => allowed,
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
}
use allowed;

/// The role of a stored text.
fn member_role(text: &str) -> Result<MemberRole> {
    MemberRole::find(text).ok_or_else(|| Error::internal("unknown member role"))
}

impl Store {
    /// A conversation of an app, if it exists and the viewer is a member of it; without a viewer the app's server asks.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_conversation(
        &self,
        app: AppRef,
        id: &Conversation,
        viewer: Option<&User>,
    ) -> Result<Option<ConversationView>> {
        create::find_view(&self.log_readers, app, id, viewer).await
    }

    /// A range of a conversation as [`MessageLog::read_range`] reads it, for the faces: without a viewer the app's server
    /// asks, which must not stand in the delivery's way.
    ///
    /// Errors: `not_found`, `unavailable`, `overloaded`.
    pub async fn list_events(&self, query: &RangeQuery) -> Result<Page> {
        range::read(&self.log_readers, query).await
    }
}

impl MessageLog for Store {
    async fn append(&self, batch: Vec<Write>) -> Commit {
        append::append(self, batch).await
    }

    async fn read_range(&self, query: RangeQuery) -> Result<Page> {
        // Only the delivery reads as nobody through the port (faces call `list_events`); it has a connection of its own.
        let on = if query.viewer.is_some() { &self.log_readers } else { &self.fan_out };
        range::read(on, &query).await
    }

    async fn read_backlog(&self, query: BacklogQuery) -> Result<Vec<Vec<Event>>> {
        range::backlog(&self.log_readers, &query).await
    }

    async fn standings(&self, app: AppRef, user: User, of: Vec<Conversation>) -> Result<Vec<Standing>> {
        directory::standings(&self.log_readers, app, &user, &of).await
    }

    async fn directory(&self, query: DirectoryQuery) -> Result<Vec<Entry>> {
        directory::page(&self.log_readers, query).await
    }

    async fn member_lists(&self, of: Vec<(AppRef, Conversation)>) -> Result<Vec<MemberList>> {
        members::lists(&self.fan_out, &of).await
    }

    async fn members(&self, query: MembersQuery) -> Result<Vec<Member>> {
        members::page(&self.log_readers, &query).await
    }

    async fn reactions(&self, query: ReactionsQuery) -> Result<Vec<Reactor>> {
        amend::reactions(&self.log_readers, &query).await
    }

    async fn pins(&self, query: PinsQuery) -> Result<Pins> {
        amend::pins(&self.log_readers, &query).await
    }

    async fn listed(&self, query: ListQuery) -> Result<Vec<Listed>> {
        listed::page(&self.log_readers, &query).await
    }

    async fn check_speaker(&self, app: AppRef, conversation: Conversation, user: User) -> Result<()> {
        speech::check(&self.log_readers, app, &conversation, &user, self.clock.now_ms()).await
    }

    async fn ensure_users(&self, app: AppRef, users: Vec<User>) -> Result<()> {
        members::ensure_users(self, app, &users).await
    }

    async fn is_user(&self, app: AppRef, user: User) -> Result<bool> {
        members::are_users(self, app, &[user]).await
    }

    async fn receipts(&self, query: ReceiptsQuery) -> Result<Receipts> {
        receipts::read(&self.log_readers, &query).await
    }

    async fn cursors(
        &self,
        app: AppRef,
        user: User,
        device: Device,
        of: Vec<Conversation>,
    ) -> Result<Vec<(Conversation, i64)>> {
        cursor::cursors(&self.log_readers, app, &user, &device, &of).await
    }

    async fn last_seen(&self, app: AppRef, users: Vec<User>) -> Result<Vec<Seen>> {
        presence::find(&self.log_readers, app, &users).await
    }

    async fn save_seen(&self, seen: Vec<Seen>, now_ms: i64) -> Result<()> {
        presence::save(self, &seen, now_ms).await
    }

    async fn close_seen(&self) -> Result<()> {
        presence::close(self).await
    }

    async fn changed(&self, query: ChangedQuery) -> Result<Vec<Changed>> {
        changed::read(&self.log_readers, &query).await
    }

    async fn live_text(&self, query: TextQuery) -> Result<LiveText> {
        live::text(&self.log_readers, &query).await
    }

    async fn idle(&self, after_ms: i64, up_to_ms: i64, limit: u32) -> Result<Vec<Idle>> {
        live::idle(&self.log_readers, after_ms, up_to_ms, limit).await
    }

    async fn begin_upload(&self, new: NewUpload) -> Result<Upload> {
        upload::begin(self, &new).await
    }

    async fn find_upload(&self, at: UploadRef) -> Result<Upload> {
        upload::find(self, &at).await
    }

    async fn put_chunk(&self, at: UploadRef, index: i64, data: Vec<u8>) -> Result<()> {
        upload::put(self, &at, index, data).await
    }

    async fn seal_upload(&self, at: UploadRef) -> Result<Sealed> {
        upload::seal(self, &at).await
    }

    async fn drop_upload(&self, at: UploadRef) -> Result<()> {
        upload::give_up(self, &at).await
    }

    async fn read_body(&self, query: BodyQuery) -> Result<BodyPart> {
        upload::read_body(self, &query).await
    }
}
