//! Fields of the commands of conversations, their members and lists.

use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// Fields of `conversation.create`.
#[derive(Debug, Deserialize)]
pub struct ConversationCreate<'a> {
    /// `direct` or `group`.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// Users beside the creator.
    #[serde(borrow, default)]
    pub members: Vec<Cow<'a, str>>,
    /// Id made by the app; absent = one is made.
    #[serde(borrow)]
    pub id: Option<Cow<'a, str>>,
    /// Name to show.
    #[serde(borrow)]
    pub name: Option<Cow<'a, str>>,
}

/// Fields of `conversation.add`, `.remove` and `.decline`.
#[derive(Debug, Deserialize)]
pub struct MemberChange<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// The users it is about.
    #[serde(borrow)]
    pub members: Vec<Cow<'a, str>>,
    /// Of `.add`: `member`, as when absent, or `guest`.
    #[serde(borrow)]
    pub role: Option<Cow<'a, str>>,
}

/// Fields of `conversation.members`, `.requests` and `.bans`.
#[derive(Debug, Deserialize)]
pub struct Members<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// `next` of the page before.
    #[serde(borrow)]
    pub page: Option<Cow<'a, str>>,
    /// Users of the page, 1–200; 200 when absent.
    pub limit: Option<u32>,
}

/// Fields of `conversation.update`; what is absent stays.
#[derive(Debug, Deserialize)]
pub struct ConversationUpdate<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// Name to show; null removes it.
    #[serde(borrow, default, deserialize_with = "given")]
    pub name: Option<Option<Cow<'a, str>>>,
    /// Who may join: `invite`, `approval` or `open`.
    #[serde(borrow)]
    pub join: Option<Cow<'a, str>>,
    /// Who may add members: `admins` or `members`.
    #[serde(borrow)]
    pub add: Option<Cow<'a, str>>,
}

/// A field that may be null: `None` = absent, `Some(None)` = null.
///
/// Errors: the inner type's.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Fields of `conversation.join` and `.leave`.
#[derive(Debug, Deserialize)]
pub struct ConversationOnly<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
}

/// Fields of `conversation.role`.
#[derive(Debug, Deserialize)]
pub struct ConversationRole<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// The member.
    #[serde(borrow)]
    pub user: Cow<'a, str>,
    /// `owner`, `admin`, `member` or `guest`.
    #[serde(borrow)]
    pub role: Cow<'a, str>,
}

/// Fields of `conversation.mute`.
#[derive(Debug, Deserialize)]
pub struct ConversationMute<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// The member.
    #[serde(borrow)]
    pub user: Cow<'a, str>,
    /// Seconds from now; 0 = not muted any more.
    pub for_s: i64,
}

/// Fields of `conversation.ban` and `.unban`.
#[derive(Debug, Deserialize)]
pub struct ConversationBan<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// The user, a member or not.
    #[serde(borrow)]
    pub user: Cow<'a, str>,
}

/// Fields of `block` and `unblock`.
#[derive(Debug, Deserialize)]
pub struct Block<'a> {
    /// The other user.
    #[serde(borrow)]
    pub user: Cow<'a, str>,
}

/// Fields of `blocks`.
#[derive(Debug, Deserialize)]
pub struct Blocks<'a> {
    /// `next` of the page before.
    #[serde(borrow)]
    pub page: Option<Cow<'a, str>>,
    /// Users of the page, 1–200; 200 when absent.
    pub limit: Option<u32>,
}
