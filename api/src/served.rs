//! Bytes of large bodies and attachments on their way out: whole, in ranges, under links.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::fault::Fault;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokenim_domain::{Code, Error};
use tokenim_protocol::time::rfc3339;
use tokenim_store::{BodyLink, LargeBody, Store};
use utoipa::ToSchema;

/// Bytes that are in memory at a time while they are sent.
const PART_BYTES: i64 = 256 * 1024;
/// Seconds a link works, when the call names none and at most.
const LINK_SECONDS_DEFAULT: i64 = 300;
const LINK_SECONDS_MAX: i64 = 3_600;
/// What a page may do that is opened from it: nothing.
const SANDBOX: &str = "sandbox; default-src 'none'";

/// How long a link is to work.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLink {
    /// Seconds; 300 when absent.
    #[schema(minimum = 1, maximum = 3_600)]
    for_s: Option<i64>,
}

/// A link that needs no credential: whoever has it may read the bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinkReply {
    /// The address.
    url: String,
    /// When it ends.
    #[schema(format = DateTime)]
    expires_at: String,
}

impl NewLink {
    /// The seconds asked for. Errors: `invalid_field`.
    pub(crate) fn seconds(&self) -> Result<i64, Error> {
        let for_s = self.for_s.unwrap_or(LINK_SECONDS_DEFAULT);
        if (1..=LINK_SECONDS_MAX).contains(&for_s) {
            return Ok(for_s);
        }
        Err(Error::invalid("for_s", format!("`for_s` must be 1 to {LINK_SECONDS_MAX}")))
    }
}

/// A link to bytes; `ours` is the path before one of ours.
pub(crate) async fn link(api: &Api, body: &LargeBody, ours: &str, for_s: i64) -> Result<String, Fault> {
    let expires_at = rfc3339(api.now_ms() + for_s * 1_000);
    let url = match api.store.link_large_body(body, Duration::from_secs(for_s.unsigned_abs())).await? {
        BodyLink::Elsewhere(url) => url,
        BodyLink::Ours(link) => format!("{}{ours}/{link}", api.origin),
    };
    answer::json(&LinkReply { url, expires_at })
}

/// What bytes are handed out as.
pub(crate) struct Label<'a> {
    /// Their type.
    pub(crate) content_type: &'a str,
    /// How a browser saves them.
    pub(crate) disposition: &'a str,
}

/// Answers with bytes, part by part. They are what a user wrote: a browser saves them, and whatever opens them all the same runs nothing
/// that is in them.
pub(crate) fn serve(store: &Store, body: LargeBody, label: &Label<'_>, request: &HttpRequest) -> Answer {
    let range = request.headers().get(header::RANGE).and_then(|range| range.to_str().ok());
    let (status, from, to) = match range.and_then(|range| part(range, body.bytes)) {
        None => (StatusCode::OK, 0, body.bytes),
        Some(Some((from, to))) => (StatusCode::PARTIAL_CONTENT, from, to),
        Some(None) => {
            let says = format!("the body has {} bytes", body.bytes);
            return Err(Error::new(Code::RangeNotSatisfiable).says(says).into());
        }
    };
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::CONTENT_TYPE, label.content_type));
    answer.insert_header((header::ACCEPT_RANGES, "bytes"));
    answer.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    answer.insert_header((header::CONTENT_DISPOSITION, label.disposition));
    answer.insert_header((header::CONTENT_SECURITY_POLICY, SANDBOX));
    if status == StatusCode::PARTIAL_CONTENT {
        answer.insert_header((header::CONTENT_RANGE, format!("bytes {from}-{}/{}", to - 1, body.bytes)));
    }
    let store = store.clone();
    let parts = stream::try_unfold(from, move |at| {
        let store = store.clone();
        async move {
            if at >= to {
                return Ok::<_, Error>(None);
            }
            let end = to.min(at + PART_BYTES);
            let bytes = store.read_large_body(&body, at, end).await?;
            Ok(Some((web::Bytes::from(bytes), end)))
        }
    });
    Ok(answer.no_chunking(u64::try_from(to - from).unwrap_or(0)).streaming(Box::pin(parts)))
}

/// The part of so many bytes that a `Range` header names, from and to before; `Some(None)` = there is no such part, `None` = not
/// one range of bytes, so the whole is meant (RFC 9110 §14.2).
fn part(range: &str, bytes: i64) -> Option<Option<(i64, i64)>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| (text.bytes().all(|digit| digit.is_ascii_digit())).then(|| text.parse::<i64>().ok())?;
    let (from, to) = match (first, last) {
        ("", last) => ((bytes - number(last)?).max(0), bytes),
        (first, "") => (number(first)?, bytes),
        (first, last) => (number(first)?, number(last)?.saturating_add(1).min(bytes)),
    };
    Some((from < to).then_some((from, to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_part_or_the_whole() {
        for (range, expected) in [
            ("bytes=0-0", Some(Some((0, 1)))),
            ("bytes=2-", Some(Some((2, 10)))),
            ("bytes=2-99", Some(Some((2, 10)))),
            ("bytes=-3", Some(Some((7, 10)))),
            ("bytes=-99", Some(Some((0, 10)))),
            ("bytes=10-", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=9223372036854775807-", Some(None)),
            ("bytes=0-1,3-4", None),
            ("bytes=-", None),
            ("bytes=+1-2", None),
            ("bytes=99999999999999999999-", None),
            ("lines=0-1", None),
            ("", None),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
    }
}
