//! Server-sent events (the HTML standard, §9.2): an envelope is the data of one event, and a sequenced push has an id to resume from.

use bytes::Bytes;
use serde::Deserialize;
use std::borrow::Cow;
use tokenim_domain::{Error, Result};
use tokenim_protocol::grammar;

/// What tells a sequenced push: no other has all of these.
#[derive(Deserialize)]
struct Sequenced<'a> {
    #[serde(borrow)]
    push: Place<'a>,
}

#[derive(Deserialize)]
struct Place<'a> {
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    conversation: Cow<'a, str>,
    epoch: i64,
    seq: i64,
    #[serde(rename = "msg_no")]
    _msg_no: i64,
    /// A coalesced head of a passive conversation has none: a stream may not resume from what it was never sent.
    #[serde(borrow, rename = "at")]
    _at: Cow<'a, str>,
}

/// Events that reach those they name in a passive conversation too: a stream that resumed from one would skip what it was not
/// sent before, so they have no id, and come again where they are the last.
const MEMBER: &str = "member";

/// An envelope as an event.
#[must_use]
pub fn encode(json: &str) -> Bytes {
    let mut out = String::with_capacity(json.len() + 128);
    if let Ok(Sequenced { push }) = serde_json::from_str::<Sequenced<'_>>(json)
        && push.event_type != MEMBER
    {
        out.push_str(&format!("id: {}.{}.{}\n", push.epoch, push.seq, push.conversation));
    }
    // Bodies are kept to the byte, line breaks between their parts too.
    for line in json.split(['\n', '\r']) {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    Bytes::from(out)
}

/// The last event of a stream: what would be the close code, and its reason.
#[must_use]
pub fn close(code: u16, reason: &str) -> Bytes {
    let reason = reason.strip_prefix('{').unwrap_or("}");
    Bytes::from(format!("event: close\ndata: {{\"close\":{code},{reason}\n\n"))
}

/// The head that the id of an event names: conversation, and its epoch and seq.
///
/// Errors: `invalid_field`.
pub fn head(id: &str) -> Result<(&str, (i64, i64))> {
    let read = || {
        let (epoch, rest) = id.split_once('.')?;
        let (seq, conversation) = rest.split_once('.')?;
        grammar::is_id(conversation).then_some(())?;
        let at = (epoch.parse().ok()?, seq.parse().ok()?);
        (at.0 >= 0 && at.1 >= 0).then_some((conversation, at))
    };
    read().ok_or_else(|| Error::invalid("Last-Event-ID", "`Last-Event-ID` is no id of one of our events"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequenced_push_has_an_id_that_names_its_place() {
        let push = r#"{"push":{"type":"message","conversation":"a.b","epoch":1,"seq":7,"msg_no":3,"at":"2026-01-01T00:00:00.000Z","body":{}}}"#;
        assert_eq!(encode(push), format!("id: 1.7.a.b\ndata: {push}\n\n"));
        assert_eq!(head("1.7.a.b").unwrap(), ("a.b", (1, 7)));
        for other in [
            r#"{"push":{"type":"receipt","conversation":"a","seq":7}}"#,
            r#"{"push":{"type":"head","conversation":"a","epoch":1,"seq":7,"msg_no":3}}"#,
            r#"{"push":{"type":"member","conversation":"a","epoch":1,"seq":7,"msg_no":3,"at":"2026-01-01T00:00:00.000Z"}}"#,
            r#"{"id":1,"ok":{}}"#,
        ] {
            assert_eq!(encode(other), format!("data: {other}\n\n"));
        }
        for bad in ["", "1", "1.2", "1.2.", "x.2.a", "1.2.a b"] {
            assert!(head(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_say_what_the_golden_vectors_say() {
        let file = include_str!("../../protocol/vectors/last_event_id.json");
        let file: serde_json::Value = serde_json::from_str(file).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let is = head(case["input"].as_str().unwrap()).ok().map(|(name, (epoch, seq))| (name, epoch, seq));
            assert_eq!(serde_json::json!(is), case["expected"], "{}", case["name"]);
        }
    }

    #[test]
    fn a_body_with_line_breaks_stays_one_event() {
        assert_eq!(encode("{\r\n1}"), "data: {\ndata: \ndata: 1}\n\n");
    }

    #[test]
    fn the_last_event_tells_code_and_reason() {
        assert_eq!(
            close(4001, r#"{"code":"draining"}"#),
            "event: close\ndata: {\"close\":4001,\"code\":\"draining\"}\n\n"
        );
    }
}
