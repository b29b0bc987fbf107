//! Reading what a client sends: one envelope, one command (docs/PROTOCOL.md §3).

use crate::limits::HEADS_KEYS_MAX;
use crate::{Code, strict};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// One well-formed envelope.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// `{"id": 7, "<name>": {…}}`; the name is not yet known to be a command.
    Command {
        /// Chosen by the client, positive; the answer repeats it.
        id: u64,
        /// The key beside `id`.
        name: Cow<'a, str>,
        /// The value beside that key, still text.
        body: &'a RawValue,
    },
    /// `{"pong": {}}`, the answer to a server ping.
    Pong,
}

/// An envelope that cannot be used. With an id it is answered, without one the connection is closed with 4400.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The id to answer, where one could be read.
    pub id: Option<u64>,
    /// What is wrong, in a word for programs.
    pub cause: Cause,
    /// What is wrong, for the developer.
    pub message: String,
}

/// Why a message is no envelope. A close with 4400 `invalid_request` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The text is no JSON.
    NoJson,
    /// The bytes are no MessagePack, or are nested too deeply.
    NoMessagePack,
    /// It is no object.
    NoObject,
    /// It has no `id`, or one that is no positive integer.
    NoId,
    /// It has too many levels or keys, or a key twice.
    TooComplex,
    /// It carries no command, or more than one.
    NotOneCommand,
}

impl Cause {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::NoJson => "no_json",
            Cause::NoMessagePack => "no_messagepack",
            Cause::NoObject => "no_object",
            Cause::NoId => "no_id",
            Cause::TooComplex => "too_complex",
            Cause::NotOneCommand => "not_one_command",
        }
    }
}

impl Malformed {
    /// The code every malformed envelope is answered or closed with.
    pub const CODE: Code = Code::InvalidRequest;
}

/// Reads one envelope.
///
/// Shapes: JSON of at most [`crate::limits::FRAME_BYTES_MAX`] bytes; nesting and keys as [`strict::check`] allows.
/// Errors: [`Malformed`], with the id wherever the text still shows one.
pub fn read(text: &str) -> Result<Incoming<'_>, Malformed> {
    let raw: Raw<'_> = serde_json::from_str(text).map_err(|error| {
        let cause = if error.is_data() { Cause::NoObject } else { Cause::NoJson };
        Malformed { id: None, cause, message: error.to_string() }
    })?;
    let fail = |cause, message: String| Malformed { id: raw.id, cause, message };
    if let Err(error) = strict::check(text, HEADS_KEYS_MAX) {
        // What the parser refuses is no JSON, like a number beyond all; what the walk refuses is too much.
        let cause = if error.is_data() { Cause::TooComplex } else { Cause::NoJson };
        return Err(fail(cause, error.to_string()));
    }
    let mut keys = raw.keys;
    let (Some((name, body)), None) = (keys.pop(), keys.pop()) else {
        return Err(fail(Cause::NotOneCommand, "an envelope carries an `id` and exactly one command".to_owned()));
    };
    match (raw.id, name.as_ref()) {
        (None, "pong") => Ok(Incoming::Pong),
        (Some(id), _) => Ok(Incoming::Command { id, name, body }),
        (None, _) => Err(fail(Cause::NoId, "`id` must be a positive integer".to_owned())),
    }
}

/// The envelope's parts before they are judged.
struct Raw<'a> {
    /// None where it is absent or no positive integer.
    id: Option<u64>,
    keys: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an envelope object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw<'de>, A::Error> {
        let mut raw = Raw { id: None, keys: Vec::with_capacity(1) };
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let value: &'de RawValue = map.next_value()?;
            if key.0 == "id" {
                raw.id = value.get().parse().ok().filter(|id| *id > 0);
            } else if raw.keys.len() < 2 {
                raw.keys.push((key.0, value));
            }
        }
        Ok(raw)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> (Option<u64>, String) {
        let malformed = read(text).expect_err("must be malformed");
        (malformed.id, malformed.message)
    }

    #[test]
    fn a_command_keeps_its_id_name_and_body() {
        let Ok(Incoming::Command { id, name, body }) = read(r#"{"id":7,"send":{"a":[1]}}"#) else {
            panic!("a command")
        };
        assert_eq!((id, name.as_ref(), body.get()), (7, "send", r#"{"a":[1]}"#));
        assert!(matches!(read(r#"{"pong":{}}"#), Ok(Incoming::Pong)));
    }

    #[test]
    fn malformed_envelopes_keep_the_id_where_one_can_be_read() {
        assert_eq!(message(r#"{"id":7}"#).0, Some(7));
        assert_eq!(message(r#"{"id":7,"a":{},"b":{}}"#).0, Some(7));
        assert_eq!(message(r#"{"id":7,"a":{"x":1,"x":2}}"#).0, Some(7));
        for text in [
            "",
            "[]",
            "null",
            r#"{"send":{}}"#,
            r#"{"id":-1,"send":{}}"#,
            r#"{"id":0,"send":{}}"#,
            r#"{"id":"7","send":{}}"#,
            r#"{"id":7"#,
        ] {
            assert_eq!(message(text).0, None, "{text}");
        }
    }
}
