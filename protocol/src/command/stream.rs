//! Fields of the commands of live messages.

use super::Mentions;
use serde::Deserialize;
use std::borrow::Cow;

/// Fields of `stream.begin`.
#[derive(Debug, Deserialize)]
pub struct StreamBegin<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// The sender's id of this message: a repeat is stored once.
    #[serde(borrow)]
    pub client_msg_id: Cow<'a, str>,
    /// Content kind, of which the body is an object with a `text` string; `text` when absent.
    #[serde(borrow)]
    pub kind: Option<Cow<'a, str>>,
    /// What it begins with.
    #[serde(borrow, default)]
    pub text: Cow<'a, str>,
    /// Seq of the message this one replies to.
    pub reply_to: Option<i64>,
    /// Users it speaks to, or `"*"`.
    #[serde(borrow)]
    pub mentions: Option<Mentions<'a>>,
    /// Asks for no attention: no push to a sleeping device.
    #[serde(default)]
    pub silent: bool,
}

/// Fields of `stream.append`.
#[derive(Debug, Deserialize)]
pub struct StreamAppend<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// Seq of the message.
    pub target: i64,
    /// Bytes of its text in UTF-8 that the writer knows to be stored.
    pub offset: i64,
    /// What follows them.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

/// Fields of `stream.end`.
#[derive(Debug, Deserialize)]
pub struct StreamEnd<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// Seq of the message.
    pub target: i64,
    /// Bytes of its text that must be stored before it ends; absent = whatever is.
    pub offset: Option<i64>,
    /// A last piece.
    #[serde(borrow, default)]
    pub text: Cow<'a, str>,
    /// The user's id of it: a repeat changes nothing.
    #[serde(borrow)]
    pub client_msg_id: Option<Cow<'a, str>>,
}

/// Fields of `stream.get`.
#[derive(Debug, Deserialize)]
pub struct StreamGet<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// Seq of the message.
    pub target: i64,
    /// Bytes of its text that the reader holds.
    #[serde(default)]
    pub offset: i64,
}
