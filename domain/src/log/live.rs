//! Messages that grow while they are read: begun as a message, added to piece by piece, ended by an event that holds all of it.

use super::{AppRef, Credential};
use crate::error::{Error, Result};
use crate::name::{Conversation, User};
use serde::Deserialize;
use tokenim_protocol::Code;
use tokenim_protocol::limits::{FRAME_BYTES_MAX, LIVE_PIECE_BYTES_MAX};
use tokenim_protocol::reply::Facts;

/// A piece of text for the end of a live message.
#[derive(Debug, Clone)]
pub struct Growth {
    /// The app.
    pub app: AppRef,
    /// Where.
    pub conversation: Conversation,
    /// Who adds it; must have sent the message. `None` = the app's server.
    pub actor: Option<User>,
    /// Seq of the message.
    pub target: i64,
    /// What is added.
    pub piece: Piece,
}

/// Text, and where it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    /// Bytes of text in UTF-8 before it; `None` = whatever is there.
    pub offset: Option<i64>,
    /// The text.
    pub text: Box<str>,
}

impl Piece {
    /// A piece as a client names it.
    ///
    /// Errors: `invalid_field` at `offset`; `payload_too_large`.
    pub fn new(offset: Option<i64>, text: &str) -> Result<Self> {
        if offset.is_some_and(|offset| offset < 0) {
            return Err(Error::invalid("offset", "`offset` is a number of bytes, 0 or more"));
        }
        if text.len() > LIVE_PIECE_BYTES_MAX {
            let wrong = format!("at most {LIVE_PIECE_BYTES_MAX} bytes of text are added at a time");
            return Err(Error::new(Code::PayloadTooLarge).says(wrong).at("text"));
        }
        Ok(Piece { offset, text: text.into() })
    }

    /// A piece that goes behind so many bytes and says something.
    ///
    /// Errors: as of [`Piece::new`]; `invalid_field` at `text`.
    pub fn more(offset: i64, text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::invalid("text", "`text` must hold something"));
        }
        Piece::new(Some(offset), text)
    }
}

/// What became of a [`Growth`].
#[derive(Debug, Clone)]
pub struct Grown {
    /// Bytes of text up to the end of the piece.
    pub offset: i64,
    /// What readers are told; absent where it was stored before.
    pub delta: Option<Delta>,
}

/// What a live message grew by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// The app.
    pub app: AppRef,
    /// Where.
    pub conversation: Conversation,
    /// The log's incarnation.
    pub epoch: i64,
    /// Seq of the message.
    pub target: i64,
    /// Bytes of text before these.
    pub offset: i64,
    /// What it grew by.
    pub text: String,
}

impl Delta {
    /// Takes in what follows it directly; else gives it back.
    ///
    /// Errors: the other one, where it is of another message or begins elsewhere.
    pub fn join(&mut self, next: Delta) -> Result<(), Delta> {
        let place = |delta: &Delta| (delta.app, delta.target, delta.epoch);
        let follows = place(self) == place(&next)
            && self.conversation == next.conversation
            && self.offset + self.text.len() as i64 == next.offset;
        if !follows {
            return Err(next);
        }
        self.text.push_str(&next.text);
        Ok(())
    }
}

/// Which text.
#[derive(Debug, Clone)]
pub struct TextQuery {
    /// The app.
    pub app: AppRef,
    /// The conversation.
    pub conversation: Conversation,
    /// A member; `None` = the app's server.
    pub viewer: Option<User>,
    /// Seq of the message.
    pub target: i64,
    /// Bytes of text that the reader holds.
    pub offset: i64,
}

/// The text of a live message, or of one that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveText {
    /// What follows the bytes the reader holds.
    pub text: String,
    /// Bytes of text in all.
    pub offset: i64,
    /// Seq of the event that ended it.
    pub ended: Option<i64>,
}

/// A live message that nobody goes on with.
#[derive(Debug, Clone)]
pub struct Idle {
    /// The app.
    pub app: AppRef,
    /// Where.
    pub conversation: Conversation,
    /// Seq of the message.
    pub target: i64,
    /// What it was begun under.
    pub credential: Credential,
    /// When it grew last, milliseconds since 1970.
    pub grown_ms: i64,
}

/// Text as it stands between the quotes of a JSON string; what is escaped piece by piece can be put together.
#[must_use]
pub fn escape(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The text of what [`escape`] made. Errors: `internal` for anything else.
pub fn unescape(escaped: &str) -> Result<String> {
    serde_json::from_str(&format!("\"{escaped}\"")).map_err(Error::internal)
}

/// The body of a message of this text, [`escape`]d.
#[must_use]
pub fn body(escaped: &str) -> Box<str> {
    format!("{{\"text\":\"{escaped}\"}}").into()
}

/// Bytes of [`body`] of so many bytes. Errors: `payload_too_large`.
pub fn body_bytes(escaped: usize) -> Result<usize> {
    let bytes = escaped + body("").len();
    if bytes > FRAME_BYTES_MAX {
        let wrong = "the message would not fit a body of 64 KiB, written as JSON; end it and go on in another";
        return Err(Error::new(Code::PayloadTooLarge).says(wrong).at("text"));
    }
    Ok(bytes)
}

/// The text of what [`body`] made. Errors: `internal` for anything else.
pub fn text_of(body: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Body {
        text: String,
    }
    serde_json::from_str::<Body>(body).map(|body| body.text).map_err(Error::internal)
}

/// The message holds so many bytes of text, and not what the writer took for stored.
#[must_use]
pub fn wrong_offset(held: i64) -> Error {
    let facts = Facts { offset: Some(held), ..Facts::default() };
    Error::new(Code::StreamOffset).at("offset").with(facts)
}

/// What follows the first `offset` bytes. Errors: `stream_offset` beyond the end; `invalid_field` within a character.
pub fn text_from(text: &str, offset: i64) -> Result<&str> {
    let at = usize::try_from(offset).map_err(|_| Error::invalid("offset", "`offset` is 0 or more"))?;
    if at > text.len() {
        return Err(wrong_offset(text.len() as i64));
    }
    text.get(at..).ok_or_else(|| Error::invalid("offset", "`offset` is within a character"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AppId, OrgId};
    use uuid::Uuid;

    #[test]
    fn pieces_put_together_are_the_body_of_the_whole() {
        let pieces = ["say \"hi\"\n", "\u{0}\\", "é\u{1f44d}", "</script>"];
        let escaped: String = pieces.iter().map(|piece| escape(piece)).collect();
        assert_eq!(text_of(&body(&escaped)).unwrap(), pieces.concat());
        assert_eq!(unescape(&escaped).unwrap(), pieces.concat());
        assert_eq!(body_bytes(escaped.len()).unwrap(), body(&escaped).len());
        assert_eq!(body_bytes(FRAME_BYTES_MAX).unwrap_err().code, Code::PayloadTooLarge);
    }

    #[test]
    fn text_is_cut_between_characters_only() {
        assert_eq!(text_from("aé", 1).unwrap(), "é");
        assert_eq!(text_from("aé", 3).unwrap(), "");
        assert_eq!(text_from("aé", 2).unwrap_err().code, Code::InvalidField);
        assert_eq!(text_from("aé", -1).unwrap_err().code, Code::InvalidField);
        let beyond = text_from("aé", 4).unwrap_err();
        assert_eq!((beyond.code, beyond.facts.unwrap().offset), (Code::StreamOffset, Some(3)));
    }

    #[test]
    fn deltas_join_where_one_follows_the_other() {
        let app = AppRef { org: OrgId(Uuid::nil()), app: AppId(Uuid::nil()) };
        let delta = |target, offset, text: &str| Delta {
            app,
            conversation: Conversation::trusted("c"),
            epoch: 1,
            target,
            offset,
            text: text.to_owned(),
        };
        let mut first = delta(1, 0, "aé");
        first.join(delta(1, 3, "b")).unwrap();
        assert_eq!(first, delta(1, 0, "aéb"));
        for other in [delta(1, 3, "b"), delta(2, 4, "b")] {
            assert_eq!(first.join(other.clone()), Err(other));
        }
    }
}
