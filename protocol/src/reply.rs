//! Writing what the server sends: replies, errors, unsequenced pushes and close reasons.

use crate::envelope::Cause;
use crate::limits::CLOSE_REASON_BYTES_MAX;
use crate::{Code, time};
use std::fmt::Write;

/// Appending JSON to a string, piece by piece, without building a tree.
pub trait Json {
    /// Appends text that is JSON already.
    fn raw(&mut self, text: &str) -> &mut Self;
    /// Appends a string known to need no escape (ids, codes, times).
    fn quoted(&mut self, text: &str) -> &mut Self;
    /// Appends any string, escaped.
    fn text(&mut self, text: &str) -> &mut Self;
    /// Appends an integer.
    fn int(&mut self, number: i64) -> &mut Self;
    /// Appends a time, given in milliseconds since 1970, as RFC 3339 UTC.
    fn time(&mut self, at_ms: i64) -> &mut Self;
}

impl Json for String {
    fn raw(&mut self, text: &str) -> &mut Self {
        self.push_str(text);
        self
    }

    fn quoted(&mut self, text: &str) -> &mut Self {
        self.push('"');
        self.push_str(text);
        self.push('"');
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        let escaped = serde_json::Value::from(text).to_string();
        self.push_str(&escaped);
        self
    }

    fn int(&mut self, number: i64) -> &mut Self {
        write!(self, "{number}").expect("writing to a string does not fail");
        self
    }

    fn time(&mut self, at_ms: i64) -> &mut Self {
        self.push('"');
        self.push_str(&time::rfc3339(at_ms));
        self.push('"');
        self
    }
}

/// `{"id": …, "ok": …}`; `ok` is JSON already.
#[must_use]
pub fn ok(id: u64, ok: &str) -> String {
    format!("{{\"id\":{id},\"ok\":{ok}}}")
}

/// What a refusal at a limit tells beside its code, for programs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What is counted: a meter.
    pub meter: Option<&'static str>,
    /// What the plan limits: a feature.
    pub feature: Option<&'static str>,
    /// How much there may be.
    pub limit: Option<i64>,
    /// How much there is.
    pub used: Option<i64>,
    /// When the count begins anew, milliseconds since 1970.
    pub resets_at_ms: Option<i64>,
    /// Why, in the words of whoever decided it.
    pub reason: Option<Box<str>>,
    /// When what is refused is allowed again, milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// Bytes of text that a live message holds.
    pub offset: Option<i64>,
}

impl Facts {
    /// Appends the members that are there, each with a comma before it.
    fn write(&self, out: &mut String) {
        for (name, text) in [("meter", self.meter), ("feature", self.feature)] {
            if let Some(text) = text {
                out.raw(",").quoted(name).raw(":").quoted(text);
            }
        }
        for (name, number) in [("limit", self.limit), ("used", self.used), ("offset", self.offset)] {
            if let Some(number) = number {
                out.raw(",").quoted(name).raw(":").int(number);
            }
        }
        for (name, at_ms) in [("resets_at", self.resets_at_ms), ("until", self.until_ms)] {
            if let Some(at_ms) = at_ms {
                out.raw(",").quoted(name).raw(":").time(at_ms);
            }
        }
        if let Some(reason) = &self.reason {
            out.raw(",\"reason\":").text(reason);
        }
    }
}

/// What an error reply says beside its code.
#[derive(Debug, Clone, Default)]
pub struct Detail<'a> {
    /// A sentence for the developer.
    pub message: &'a str,
    /// The field at fault.
    pub param: Option<&'a str>,
    /// How long to wait before a repeat, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// Which limit it was.
    pub facts: Option<&'a Facts>,
}

/// `{"id": …, "error": {…}}`.
#[must_use]
pub fn error(id: u64, code: Code, detail: &Detail<'_>) -> String {
    let mut out = String::with_capacity(128);
    out.raw("{\"id\":").raw(&id.to_string()).raw(",\"error\":{\"code\":").quoted(code.as_str());
    out.raw(",\"message\":").text(detail.message);
    if let Some(param) = detail.param {
        out.raw(",\"param\":").text(param);
    }
    out.raw(",\"retryable\":").raw(if code.row().retryable { "true" } else { "false" });
    if let Some(wait) = detail.retry_after_ms {
        out.raw(",\"retry_after_ms\":").raw(&wait.to_string());
    }
    if let Some(facts) = detail.facts {
        facts.write(&mut out);
    }
    out.raw("}}");
    out
}

/// Which watermark a receipt moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// The user has seen everything up to the seq.
    Read,
    /// A device of the user holds everything up to the seq.
    Received,
}

/// A `receipt` push: somebody's watermark moved.
#[must_use]
pub fn receipt(conversation: &str, user: &str, receipt: Receipt, seq: i64) -> String {
    let field = match receipt {
        Receipt::Read => "read",
        Receipt::Received => "received",
    };
    format!(r#"{{"push":{{"type":"receipt","conversation":"{conversation}","user":"{user}","{field}":{seq}}}}}"#)
}

/// A `join_request` push, for moderators: a user asks to be let in.
#[must_use]
pub fn join_request(conversation: &str, user: &str) -> String {
    format!(r#"{{"push":{{"type":"join_request","conversation":"{conversation}","user":"{user}"}}}}"#)
}

/// A `resync` push: events of this conversation were not queued; fetch them by `history`.
#[must_use]
pub fn resync(conversation: &str, reason: Code) -> String {
    format!(r#"{{"push":{{"type":"resync","conversation":"{conversation}","reason":"{}"}}}}"#, reason.as_str())
}

/// A `drain` push: this node is going away; reconnect after a random wait within the window.
#[must_use]
pub fn drain(retry_after_ms: u64) -> String {
    format!(r#"{{"push":{{"type":"drain","retry_after_ms":{retry_after_ms}}}}}"#)
}

/// A `ping` push with the heads of conversations that changed since the last one.
///
/// `more` says the list was cut, so the client pages `sync`.
pub fn ping<'a>(heads: impl Iterator<Item = (&'a str, i64, i64)>, more: bool) -> String {
    let mut out = String::from(r#"{"push":{"type":"ping""#);
    let mut any = false;
    for (conversation, epoch, seq) in heads {
        out.raw(if any { "," } else { ",\"heads\":{" });
        any = true;
        out.quoted(conversation).raw(":[").int(epoch).raw(",").int(seq).raw("]");
    }
    out.raw(if any { "}" } else { "" }).raw(if more { ",\"more\":true" } else { "" }).raw("}}");
    out
}

/// The JSON of a close frame, at most 123 bytes. Of a message that was no envelope it tells the cause.
#[must_use]
pub fn close_reason(code: Code, cause: Option<Cause>, retry_after_ms: Option<u64>) -> String {
    let mut out = format!("{{\"code\":\"{}\"", code.as_str());
    if let Some(cause) = cause {
        out.raw(",\"cause\":").quoted(cause.as_str());
    }
    if let Some(wait) = retry_after_ms {
        out.push_str(&format!(",\"retry_after_ms\":{wait}"));
    }
    out.push('}');
    debug_assert!(out.len() <= CLOSE_REASON_BYTES_MAX, "codes are short");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_reason_fits_a_control_frame() {
        for code in Code::ALL {
            assert!(close_reason(*code, Some(Cause::NotOneCommand), Some(120_000)).len() <= CLOSE_REASON_BYTES_MAX);
        }
    }

    #[test]
    fn pings_list_heads_only_when_there_are_some() {
        assert_eq!(ping([].into_iter(), false), r#"{"push":{"type":"ping"}}"#);
        let heads = [("a", 1, 5), ("b", 1, 7)];
        assert_eq!(
            ping(heads.into_iter(), true),
            r#"{"push":{"type":"ping","heads":{"a":[1,5],"b":[1,7]},"more":true}}"#
        );
    }

    #[test]
    fn errors_escape_what_they_quote() {
        let text = error(
            3,
            Code::InvalidField,
            &Detail { message: "say \"x\"", param: Some("a\nb"), retry_after_ms: Some(5), facts: None },
        );
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["error"]["message"], "say \"x\"");
        assert_eq!(value["error"]["retryable"], false);
    }

    #[test]
    fn a_limit_tells_its_figures_and_nothing_that_is_not_there() {
        let facts = Facts {
            meter: Some("msg_sent"),
            limit: Some(10),
            used: Some(9),
            resets_at_ms: Some(0),
            reason: Some("a \"b\"".into()),
            ..Facts::default()
        };
        let of = |facts| {
            let text = error(3, Code::QuotaExceeded, &Detail { message: "no", facts, ..Detail::default() });
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["error"].take()
        };
        let told = of(Some(&facts));
        assert_eq!(
            (told["meter"].as_str(), told["limit"].as_i64(), told["used"].as_i64()),
            (Some("msg_sent"), Some(10), Some(9))
        );
        assert_eq!(
            (told["resets_at"].as_str(), told["reason"].as_str()),
            (Some("1970-01-01T00:00:00.000Z"), Some("a \"b\""))
        );
        assert!(told.get("feature").is_none() && of(None).get("limit").is_none());
    }
}
