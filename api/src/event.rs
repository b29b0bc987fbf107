//! How the OpenAPI document describes sequenced events; the gateway writes them, the same for every face.

use utoipa::ToSchema;

/// One entry of a conversation's log.
#[derive(Debug, ToSchema)]
#[schema(as = Event)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
pub(crate) enum EventSchema {
    /// A message.
    Message(MessageSchema),
    /// Members joined or left, or stand otherwise.
    Member(MemberSchema),
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
    /// The content, to the byte as it was sent.
    #[schema(value_type = serde_json::Value)]
    body: (),
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
