//! What a message may hold: the rules every face applies to a kind and a body.

use crate::error::{Error, Result};
use crate::role::ContentKind;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use tokenim_protocol::Code;
use tokenim_protocol::limits::{FRAME_BYTES_MAX, JSON_KEYS_MAX};
use tokenim_protocol::strict;

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow, rename = "text")]
    _text: Cow<'a, str>,
}

/// Checks a message's content.
///
/// Shapes: `body` is JSON of at most 64 KiB within the limits of [`strict::check`]; `text` needs an object with a string
/// `text`, `file` an object, `json` anything.
/// Errors: `invalid_field` naming `kind` or `body`; `payload_too_large`.
pub fn check(kind: &str, body: &str) -> Result<ContentKind> {
    let kind = find_kind(kind)?;
    if body.len() > FRAME_BYTES_MAX {
        return Err(Error::new(Code::PayloadTooLarge).says("a message body holds at most 64 KiB"));
    }
    check_body(kind, body)
}

/// The content kind of a name. Errors: `invalid_field` naming `kind`.
pub fn find_kind(kind: &str) -> Result<ContentKind> {
    ContentKind::find(kind).ok_or_else(|| Error::invalid("kind", "`kind` must be text, json or file"))
}

/// Checks a body of any size, as [`check`] does; whoever calls bounds it. Errors: `invalid_field` naming `body`.
pub fn check_body(kind: ContentKind, body: &str) -> Result<ContentKind> {
    strict::check(body, JSON_KEYS_MAX).map_err(|error| Error::invalid("body", error.to_string()))?;
    let fits = match kind {
        ContentKind::Text => serde_json::from_str::<Text<'_>>(body).is_ok(),
        ContentKind::File => serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(body).is_ok(),
        ContentKind::Json => true,
    };
    match (fits, kind) {
        (true, kind) => Ok(kind),
        (false, ContentKind::Text) => {
            Err(Error::invalid("body", "the body of `text` is an object with a string `text`"))
        }
        (false, _) => Err(Error::invalid("body", "the body of `file` is an object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_shape() {
        assert_eq!(check("text", r#"{"text":"hi","x":1}"#).unwrap(), ContentKind::Text);
        assert_eq!(check("json", "[1,2]").unwrap(), ContentKind::Json);
        assert_eq!(check("file", r#"{"url":"x"}"#).unwrap(), ContentKind::File);
        for (kind, body) in [
            ("text", "{}"),
            ("text", r#""hi""#),
            ("text", r#"{"text":1}"#),
            ("file", "[]"),
            ("video", "{}"),
            ("json", "{"),
        ] {
            assert_eq!(check(kind, body).unwrap_err().code, Code::InvalidField, "{kind} {body}");
        }
        assert_eq!(check("json", &format!("\"{}\"", "x".repeat(65_536))).unwrap_err().code, Code::PayloadTooLarge);
    }
}
