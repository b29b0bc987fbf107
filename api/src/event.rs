//! How the OpenAPI document describes sequenced events; the gateway writes them, the same for every face.

use utoipa::ToSchema;

/// One entry of a conversation's log.
#[derive(Debug, ToSchema)]
#[schema(as = Event)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
#[expect(clippy::large_enum_variant, reason = "no value of it is ever made")]
pub(crate) enum EventSchema {
    /// A message.
    Message(MessageSchema),
    /// Members joined or left, or stand otherwise.
    Member(MemberSchema),
    /// A message's content was replaced.
    Edited(EditedSchema),
    /// A message's content was erased.
    Deleted(DeletedSchema),
    /// A user reacted to a message, or took that back.
    Reaction(ReactionSchema),
    /// A message was pinned, or no more.
    Pinned(PinnedSchema),
    /// A live message is whole.
    Ended(EndedSchema),
    /// Settings became others.
    Conversation(SettingsSchema),
}

/// A message.
#[derive(Debug, ToSchema)]
#[schema(as = MessageEvent)]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
pub(crate) struct MessageSchema {
    conversation: String,
    /// Incarnation of the conversation's log.
    epoch: i64,
    /// Dense number in the conversation, from 1.
    seq: i64,
    /// Number among the conversation's messages.
    msg_no: i64,
    #[schema(format = DateTime)]
    at: String,
    /// Server's id.
    id: String,
    sender: String,
    client_msg_id: String,
    /// `text`, `json` or `file`.
    kind: String,
    /// The content, to the byte as it was sent, ended or last edited; absent where it was deleted.
    #[schema(value_type = Option<serde_json::Value>)]
    body: (),
    /// Of a body that came in chunks: what it is; `body` is absent then.
    #[schema(nullable = false)]
    large: Option<LargeSchema>,
    /// The files it carries; absent where there are none.
    #[schema(nullable = false)]
    attachments: Option<Vec<AttachmentSchema>>,
    /// Seq of the message it replies to.
    #[schema(nullable = false)]
    reply_to: Option<i64>,
    /// Users it speaks to, or `"*"`.
    #[schema(value_type = Option<serde_json::Value>)]
    mentions: (),
    /// Asks for no attention.
    #[schema(nullable = false)]
    silent: Option<bool>,
    /// True while it grows: `body` is what it began with.
    #[schema(nullable = false)]
    live: Option<bool>,
    /// Its end, of one that was live.
    #[schema(nullable = false)]
    ended: Option<MarkSchema>,
    /// Its last edit.
    #[schema(nullable = false)]
    edited: Option<MarkSchema>,
    /// Its deletion.
    #[schema(nullable = false)]
    deleted: Option<MarkSchema>,
    /// Seq of the event that pinned it.
    #[schema(nullable = false)]
    pinned: Option<i64>,
    /// Messages that reply to it.
    #[schema(nullable = false)]
    replies: Option<i64>,
    #[schema(nullable = false)]
    reactions: Option<Vec<CountedSchema>>,
}

/// The content of a message that came in chunks.
#[derive(Debug, ToSchema)]
#[schema(as = Large)]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
pub(crate) struct LargeSchema {
    /// Its bytes.
    bytes: i64,
    /// SHA-256 of them, hexadecimal.
    sha256: String,
}

/// A file that a message carries.
#[derive(Debug, ToSchema)]
#[schema(as = Attachment)]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
pub(crate) struct AttachmentSchema {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// Type and subtype, as whoever uploaded it says.
    content_type: String,
    /// Its bytes.
    bytes: i64,
    /// SHA-256 of them, hexadecimal.
    sha256: String,
}

/// An event that left its mark on a message.
#[derive(Debug, ToSchema)]
#[schema(as = Mark)]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
pub(crate) struct MarkSchema {
    seq: i64,
    #[schema(format = DateTime)]
    at: String,
}

/// Users who reacted alike.
#[derive(Debug, ToSchema)]
#[schema(as = Reactions)]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
pub(crate) struct CountedSchema {
    emoji: String,
    count: i64,
    /// True where the user who asks is one of them.
    #[schema(nullable = false)]
    mine: Option<bool>,
}

/// A change of membership.
#[derive(Debug, ToSchema)]
#[schema(as = MemberEvent)]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
pub(crate) struct MemberSchema {
    conversation: String,
    /// Incarnation of the conversation's log.
    epoch: i64,
    /// Dense number in the conversation, from 1.
    seq: i64,
    /// Messages of the conversation so far.
    msg_no: i64,
    #[schema(format = DateTime)]
    at: String,
    /// `created`, `added`, `removed`, `role`, `muted`, `unmuted`, `banned` or `unbanned`.
    change: String,
    /// Who did it; absent when the app's server did.
    #[schema(nullable = false)]
    actor: Option<String>,
    users: Vec<ChangedUser>,
    /// Of `muted`: when it ends.
    #[schema(nullable = false, format = DateTime)]
    until: Option<String>,
}

/// A change of a conversation's settings: absent fields stay.
#[derive(Debug, ToSchema)]
#[schema(as = ConversationEvent)]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
pub(crate) struct SettingsSchema {
    conversation: String,
    /// Incarnation of the conversation's log.
    epoch: i64,
    /// Dense number in the conversation, from 1.
    seq: i64,
    /// Messages of the conversation so far.
    msg_no: i64,
    #[schema(format = DateTime)]
    at: String,
    /// Who did it; absent when the app's server did.
    #[schema(nullable = false)]
    actor: Option<String>,
    /// Name to show; null = it has none any more.
    name: Option<String>,
    /// `invite`, `approval` or `open`.
    #[schema(nullable = false)]
    join: Option<String>,
    /// `admins` or `members`.
    #[schema(nullable = false)]
    add: Option<String>,
}

/// A user whose membership changed.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
pub(crate) struct ChangedUser {
    user: String,
    /// `owner`, `admin`, `member` or `guest`; of who left, the role it had; absent for who was no member.
    #[schema(nullable = false)]
    role: Option<String>,
}

/// An event that speaks of a message, with what it carries of its own.
macro_rules! amendment {
    ($(#[$doc:meta])* $name:ident as $schema:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, ToSchema)]
        #[schema(as = $schema)]
        #[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
        pub(crate) struct $name {
            conversation: String,
            /// Incarnation of the conversation's log.
            epoch: i64,
            /// Dense number in the conversation, from 1.
            seq: i64,
            /// Messages of the conversation so far.
            msg_no: i64,
            #[schema(format = DateTime)]
            at: String,
            /// Seq of the message.
            target: i64,
            /// Who did it; absent when the app's server did.
            #[schema(nullable = false)]
            actor: Option<String>,
            /// The actor's own id of it.
            #[schema(nullable = false)]
            client_msg_id: Option<String>,
            $($own)*
        }
    };
}

amendment! {
    /// A message's content was replaced.
    EditedSchema as EditedEvent {
        /// Content kind; absent where the message was deleted since.
        #[schema(nullable = false)]
        kind: Option<String>,
        /// The new content; absent where the message was deleted since.
        #[schema(value_type = Option<serde_json::Value>)]
        body: (),
    }
}

amendment! {
    /// A live message is whole; the server ends one that nobody goes on with.
    EndedSchema as EndedEvent {
        /// Content kind; absent where the message was deleted since.
        #[schema(nullable = false)]
        kind: Option<String>,
        /// The whole content; absent where the message was deleted since.
        #[schema(value_type = Option<serde_json::Value>)]
        body: (),
    }
}

amendment! {
    /// A message's content was erased.
    DeletedSchema as DeletedEvent {}
}

amendment! {
    /// A user reacted to a message, or took that back.
    ReactionSchema as ReactionEvent {
        /// Absent where the message was deleted since.
        #[schema(nullable = false)]
        emoji: Option<String>,
        /// `added` or `removed`.
        change: String,
        /// Users with this reaction afterwards; absent where the message was deleted since.
        #[schema(nullable = false)]
        count: Option<i64>,
    }
}

amendment! {
    /// A message was pinned, or no more.
    PinnedSchema as PinnedEvent {
        /// `added` or `removed`.
        change: String,
    }
}
