//! Bodies and attachments that come in chunks: what is asked of them, what is kept, what comes back.

use super::{About, AppRef, Attachment, Credential, Draft, FileName, MediaType};
use crate::error::{Error, Result};
use crate::id::UploadId;
use crate::name::{ClientMsgId, Conversation, User};
use crate::plan::quota::Allowance;
use crate::role::ContentKind;
use std::fmt;
use tokenim_protocol::Code;
use tokenim_protocol::limits::{
    CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, LARGE_BODY_BYTES_MAX, OPEN_UPLOADS_MAX, UNSENT_ATTACHMENTS_MAX,
};
use tokenim_protocol::reply::Facts;

/// A SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Digest(crate::secret::sha256(bytes))
    }

    /// Reads 64 hexadecimal digits. Errors: `invalid_field` at `sha256`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("sha256", "`sha256` is 64 hexadecimal digits");
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Digest(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// The content of a message that came in chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Large {
    /// What it came as; its object has the same id.
    pub upload: UploadId,
    /// Bytes of the whole.
    pub bytes: i64,
    /// SHA-256 of the whole.
    pub sha256: Digest,
}

/// What bytes are to become that come in chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// The body of one message.
    Body {
        /// Where to; who says it must be a member.
        conversation: Conversation,
        /// Content kind.
        kind: ContentKind,
    },
    /// A file that messages carry.
    Attachment {
        /// Its name.
        name: FileName,
        /// What it says it is.
        content_type: MediaType,
    },
}

/// A body or an attachment that is to come.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// The app.
    pub app: AppRef,
    /// Who says it.
    pub sender: User,
    /// The sender's id of the message; of an attachment its own, which no message shares.
    pub client_msg_id: ClientMsgId,
    /// What it is to become.
    pub purpose: Purpose,
    /// Bytes of the whole.
    pub bytes: i64,
    /// SHA-256 of the whole.
    pub sha256: Digest,
    /// Bytes of each chunk but the last.
    pub chunk_bytes: i64,
}

impl NewUpload {
    /// The bytes of a chunk that were asked for, or as many as there may be. Errors: `invalid_field` at `chunk_bytes`.
    pub fn chunk_bytes(asked: Option<i64>) -> Result<i64> {
        let bytes = asked.unwrap_or(CHUNK_BYTES_MAX);
        if (CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX).contains(&bytes) {
            return Ok(bytes);
        }
        Err(Error::invalid("chunk_bytes", format!("`chunk_bytes` must be {CHUNK_BYTES_MIN} to {CHUNK_BYTES_MAX}")))
    }

    /// Whether a user with so many open uploads may begin another. Errors: `limit_reached`.
    pub fn admit(open: i64) -> Result<()> {
        if open < OPEN_UPLOADS_MAX {
            return Ok(());
        }
        let (limit, used) = (Some(OPEN_UPLOADS_MAX), Some(open));
        let facts = Facts { feature: Some("open_uploads"), limit, used, ..Facts::default() };
        let wrong = format!("a user has at most {OPEN_UPLOADS_MAX} open uploads; commit or abort one");
        Err(Error::new(Code::LimitReached).says(wrong).with(facts))
    }

    /// Whether a user with so many attachments that it has not sent may begin another. Errors: `limit_reached`.
    pub fn admit_unsent(unsent: i64) -> Result<()> {
        if unsent < UNSENT_ATTACHMENTS_MAX {
            return Ok(());
        }
        let (limit, used) = (Some(UNSENT_ATTACHMENTS_MAX), Some(unsent));
        let facts = Facts { feature: Some("unsent_attachments"), limit, used, ..Facts::default() };
        let wrong =
            format!("a user has at most {UNSENT_ATTACHMENTS_MAX} attachments it has not sent; send or abort one");
        Err(Error::new(Code::LimitReached).says(wrong).with(facts))
    }

    /// The bytes of a body. Errors: `invalid_field` at `bytes`.
    pub fn bytes(asked: i64) -> Result<i64> {
        if (1..=LARGE_BODY_BYTES_MAX).contains(&asked) {
            return Ok(asked);
        }
        Err(Error::invalid("bytes", format!("`bytes` must be 1 to {LARGE_BODY_BYTES_MAX}")))
    }
}

/// A body that has begun, and who asks for it.
#[derive(Debug, Clone)]
pub struct UploadRef {
    /// The app.
    pub app: AppRef,
    /// Which.
    pub id: UploadId,
    /// Who began it; `None` = the app's server, which may name any.
    pub user: Option<User>,
}

/// How far a body has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Bytes of each chunk but the last.
    pub chunk_bytes: i64,
    /// Chunks in all.
    pub chunks: i64,
    /// Runs of chunks that are missing, first and last of each.
    pub missing: Vec<(i64, i64)>,
    /// Whether it is a message, or an attachment, already.
    pub is_committed: bool,
}

/// What was checked.
#[derive(Debug, Clone)]
pub enum Sealed {
    /// A body, to be sent.
    Body(SealedBody),
    /// An attachment, to be named by messages.
    Attachment(Attachment),
}

/// A body that was checked: what its message says, and where.
#[derive(Debug, Clone)]
pub struct SealedBody {
    /// The app.
    pub app: AppRef,
    /// Where to.
    pub conversation: Conversation,
    /// Who says it.
    pub sender: User,
    /// The sender's id of it.
    pub client_msg_id: ClientMsgId,
    /// Content kind.
    pub kind: ContentKind,
    /// Its content.
    pub large: Large,
}

impl SealedBody {
    /// The message, not sent yet.
    #[must_use]
    pub fn draft(self, about: About, credential: Credential, may_send: bool) -> Draft {
        Draft {
            app: self.app,
            conversation: self.conversation,
            sender: self.sender,
            client_msg_id: self.client_msg_id,
            prev: None,
            kind: self.kind,
            body: "".into(),
            about: About { large: Some(self.large), ..about },
            may_send,
            credential,
            allowance: Allowance::default(),
        }
    }
}

/// Which part of which large body.
#[derive(Debug, Clone)]
pub struct BodyQuery {
    /// The app.
    pub app: AppRef,
    /// The conversation.
    pub conversation: Conversation,
    /// A member; `None` = the app's server.
    pub viewer: Option<User>,
    /// The message's seq.
    pub seq: i64,
    /// First byte, from 0.
    pub offset: i64,
    /// Bytes at most.
    pub limit: i64,
}

/// A part of a large body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyPart {
    /// The bytes.
    pub data: Vec<u8>,
    /// Where they begin.
    pub offset: i64,
    /// Bytes of the whole.
    pub bytes: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written_and_nothing_else() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::parse(&digest.to_string().to_uppercase()).unwrap(), digest);
        for wrong in ["", "00", &"g".repeat(64), &"é".repeat(32), &"+1".repeat(32)] {
            assert_eq!(Digest::parse(wrong).unwrap_err().param, Some("sha256"), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_bounds() {
        assert_eq!(NewUpload::chunk_bytes(None).unwrap(), CHUNK_BYTES_MAX);
        for wrong in [0, -1, CHUNK_BYTES_MIN - 1, CHUNK_BYTES_MAX + 1, i64::MAX] {
            assert!(NewUpload::chunk_bytes(Some(wrong)).is_err());
        }
        for wrong in [0, -1, LARGE_BODY_BYTES_MAX + 1, i64::MAX] {
            assert!(NewUpload::bytes(wrong).is_err());
        }
    }
}
