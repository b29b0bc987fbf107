//! Fields of the commands of large bodies and attachments.

use super::Mentions;
use serde::Deserialize;
use std::borrow::Cow;

/// Fields of `chunk.begin` that decide what else it takes.
#[derive(Debug, Deserialize)]
pub struct ChunkPurpose<'a> {
    /// What it is for: `body`, when absent too, or `attachment`.
    #[serde(borrow)]
    pub purpose: Option<Cow<'a, str>>,
}

/// Fields of `chunk.begin` for an attachment.
#[derive(Debug, Deserialize)]
pub struct AttachmentBegin<'a> {
    /// The sender's id of the attachment, which no message shares: a repeat goes on with what has begun.
    #[serde(borrow)]
    pub client_msg_id: Cow<'a, str>,
    /// Name of the file.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Type and subtype, as `image/png`.
    #[serde(borrow)]
    pub content_type: Cow<'a, str>,
    /// Bytes of the whole.
    pub bytes: i64,
    /// SHA-256 of the whole, 64 hexadecimal digits.
    #[serde(borrow)]
    pub sha256: Cow<'a, str>,
    /// Bytes of each chunk but the last; the largest allowed when absent.
    pub chunk_bytes: Option<i64>,
}

/// Fields of `chunk.begin` for a body.
#[derive(Debug, Deserialize)]
pub struct ChunkBegin<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// The sender's id of the message: a repeat goes on with what has begun.
    #[serde(borrow)]
    pub client_msg_id: Cow<'a, str>,
    /// Content kind.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// Bytes of the whole body.
    pub bytes: i64,
    /// SHA-256 of the whole body, 64 hexadecimal digits.
    #[serde(borrow)]
    pub sha256: Cow<'a, str>,
    /// Bytes of each chunk but the last; the largest allowed when absent.
    pub chunk_bytes: Option<i64>,
}

/// Fields of `chunk.put`.
#[derive(Debug, Deserialize)]
pub struct ChunkPut<'a> {
    /// What `chunk.begin` answered.
    #[serde(borrow)]
    pub upload: Cow<'a, str>,
    /// Which chunk, from 0.
    pub index: i64,
    /// Its bytes, base64.
    #[serde(borrow)]
    pub data: Cow<'a, str>,
}

/// Fields of `chunk.commit`.
#[derive(Debug, Deserialize)]
pub struct ChunkCommit<'a> {
    /// What `chunk.begin` answered.
    #[serde(borrow)]
    pub upload: Cow<'a, str>,
    /// Seq of the message this one replies to.
    pub reply_to: Option<i64>,
    /// Users it speaks to, or `"*"`.
    #[serde(borrow)]
    pub mentions: Option<Mentions<'a>>,
    /// Asks for no attention: no push to a sleeping device.
    #[serde(default)]
    pub silent: bool,
    /// Files it carries, by their ids.
    #[serde(borrow, default)]
    pub attachments: Vec<Cow<'a, str>>,
}

/// Fields of `chunk.abort`.
#[derive(Debug, Deserialize)]
pub struct ChunkAbort<'a> {
    /// What `chunk.begin` answered.
    #[serde(borrow)]
    pub upload: Cow<'a, str>,
}

/// Fields of `body.get`.
#[derive(Debug, Deserialize)]
pub struct BodyGet<'a> {
    /// Id of the conversation.
    #[serde(borrow)]
    pub conversation: Cow<'a, str>,
    /// The message's seq.
    pub seq: i64,
    /// First byte, from 0; 0 when absent.
    #[serde(default)]
    pub offset: i64,
    /// Bytes at most; as many as a page holds when absent.
    pub limit: Option<i64>,
}
