//! Reading a POST: credential first, then the body within its limits, then its JSON.

use crate::auth::{self, Authority};
use crate::fault::Fault;
use crate::rim::{self, RequestId};
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokenim_domain::secret::sha256;
use tokenim_domain::{Code, Error};
use tokenim_protocol::limits::{FRAME_BYTES_MAX, JSON_KEYS_MAX};
use tokenim_protocol::{fields, strict};
use utoipa::ToSchema;

/// Bytes of a request body.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// How long a body may take to arrive; a slower caller holds a connection for nothing.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// Characters of an `Idempotency-Key`.
const KEY_CHARS_MAX: usize = 255;
/// What a request says that has no body.
const NOTHING: &[u8] = b"{}";
const KEY_HEADER: &str = "idempotency-key";

/// A POST that was authorized and read. Its body is reached only through [`Post::once`], so no handler can forget the
/// `Idempotency-Key`.
#[derive(Debug)]
pub(crate) struct Post<A, B> {
    pub(crate) caller: A,
    pub(crate) body: B,
    pub(crate) once: Option<Once>,
    pub(crate) request_id: RequestId,
}

/// The body of a call that needs to say nothing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Empty {}

/// What makes a repeat of a request recognizable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Once {
    /// The caller's key, in the caller's own space.
    pub(crate) key: String,
    /// SHA-256 over method, path and body.
    pub(crate) request_hash: [u8; 32],
}

impl<A: Authority, B: DeserializeOwned + 'static> FromRequest for Post<A, B> {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let caller: A = auth::authorize(auth::api(&request)?, &request).await?;
            let key = idempotency_key(request.headers())?;
            let bytes = read(request.headers(), payload, BODY_BYTES_MAX).await?;
            let once = key.map(|key| Once { key: caller.corner() + key, request_hash: hash(&request, &bytes) });
            let body = parse(&bytes)?;
            Ok(Post { caller, body, once, request_id: rim::request_id(&request) })
        })
    }
}

/// The body of a call that needs no credential; it may come twice, so nothing is remembered of it.
#[derive(Debug)]
pub(crate) struct Open<B>(pub(crate) B);

impl<B: DeserializeOwned + 'static> FromRequest for Open<B> {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { parse(&read(request.headers(), payload, BODY_BYTES_MAX).await?).map(Open) })
    }
}

/// One envelope of the wire behind a credential, still text; it has its own way to be repeated.
#[derive(Debug)]
pub(crate) struct Envelope<A> {
    pub(crate) caller: A,
    pub(crate) text: String,
}

impl<A: Authority> FromRequest for Envelope<A> {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let caller: A = auth::authorize(auth::api(&request)?, &request).await?;
            let bytes = read(request.headers(), payload, FRAME_BYTES_MAX).await?;
            let text = String::from_utf8(bytes).map_err(|_| Fault::malformed("the request body is not UTF-8", None))?;
            Ok(Envelope { caller, text })
        })
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let Some(value) = headers.get(KEY_HEADER) else { return Ok(None) };
    let bytes = value.as_bytes();
    let is_key = (1..=KEY_CHARS_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(text) if is_key => Ok(Some(text)),
        _ => {
            Err(Error::invalid("Idempotency-Key", "`Idempotency-Key` must be 1 to 255 visible ASCII characters").into())
        }
    }
}

async fn read(headers: &HeaderMap, payload: Payload, bytes_max: usize) -> Result<Vec<u8>, Fault> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large(bytes_max));
    }
    match tokio::time::timeout(BODY_TIME_MAX, gather(payload, bytes_max)).await {
        Ok(Ok(body)) if body.is_empty() => Ok(NOTHING.to_vec()),
        Ok(body) => body,
        Err(_) => Err(Error::new(Code::Silent).says("the request body did not arrive in time").into()),
    }
}

async fn gather(mut payload: Payload, bytes_max: usize) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Fault::malformed("the request body is cut off or wrongly encoded", None))?;
        if body.len() + chunk.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn too_large(bytes_max: usize) -> Fault {
    let message = format!("the request body is larger than {} KiB", bytes_max / 1024);
    Error::new(Code::PayloadTooLarge).says(message).into()
}

/// Method and path hold no line break, so no two requests have one text.
fn hash(request: &HttpRequest, body: &[u8]) -> [u8; 32] {
    let mut text = format!("{}\n{}\n", request.method(), request.path()).into_bytes();
    text.extend_from_slice(body);
    sha256(&text)
}

/// Reads a JSON object; a struct may not come as an array, which the derived reader would take.
///
/// Errors: `invalid_request`, with the path of the field where one is at fault.
fn parse<B: DeserializeOwned>(bytes: &[u8]) -> Result<B, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::malformed("the request body is not UTF-8", None))?;
    if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err(Fault::malformed("the request body must be a JSON object", None));
    }
    strict::check(text, JSON_KEYS_MAX).map_err(|error| {
        // JSON that is well formed but beyond a limit says so itself.
        let wrong = if error.is_data() { error.to_string() } else { format!("malformed JSON: {error}") };
        Fault::malformed(wrong, None)
    })?;
    fields::read(text).map_err(|misfit| Fault::malformed(misfit.message, misfit.param))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};
    use serde_json::value::RawValue;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        user: String,
        #[serde(default)]
        members: Vec<String>,
        body: Option<Box<RawValue>>,
    }

    fn param(text: &str) -> Option<String> {
        let fault = parse::<Sample>(text.as_bytes()).expect_err(text);
        assert_eq!(fault.code(), Code::InvalidRequest, "{text}");
        let json: serde_json::Value = serde_json::from_slice(&fault.json("", "")).unwrap();
        json["error"]["param"].as_str().map(str::to_owned)
    }

    #[test]
    fn bodies_keep_their_bytes() {
        let sample: Sample = parse(br#" {"user":"a","members":["b"],"body":{ "x" : 1.0 }}"#).unwrap();
        assert_eq!((sample.user.as_str(), sample.members.len()), ("a", 1));
        assert_eq!(sample.body.unwrap().get(), r#"{ "x" : 1.0 }"#);
    }

    #[test]
    fn the_field_at_fault_is_named_by_its_path() {
        assert_eq!(param(r#"{"user":3}"#).as_deref(), Some("user"));
        assert_eq!(param(r#"{"user":"a","members":["b",4]}"#).as_deref(), Some("members[1]"));
        assert_eq!(param(r#"{"user":"a","org_id":1}"#).as_deref(), Some("org_id"));
        assert_eq!(param("{}").as_deref(), Some("user"), "missing");
        let inner = parse::<std::collections::BTreeMap<String, Sample>>(br#"{"a":{}}"#).unwrap_err();
        let said: serde_json::Value = serde_json::from_slice(&inner.json("", "")).unwrap();
        assert_eq!(said["error"]["param"], "a.user", "missing in another");
        let odd = parse::<Sample>(br#"{"user":"a","x at line y":1}"#).unwrap_err().json("", "");
        let odd: serde_json::Value = serde_json::from_slice(&odd).unwrap();
        let message = odd["error"]["message"].as_str().unwrap();
        assert!(message.contains("`x at line y`") && !message.contains("column"), "{message}");
        for whole in ["", "null", r#"["a"]"#, "{", r#"{"user":"a"} x"#, r#"{"user":"a","user":"b"}"#] {
            assert_eq!(param(whole), None, "{whole}");
        }
        assert_eq!(parse::<Sample>(b"{\"user\":\"\xff\"}").unwrap_err().code(), Code::InvalidRequest);
    }

    #[test]
    fn idempotency_keys_are_short_and_visible() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(KEY_HEADER), HeaderValue::from_bytes(text.as_bytes()).unwrap());
            idempotency_key(&headers).map(|key| key.map(str::to_owned)).ok()
        };
        assert_eq!(of("a-1"), Some(Some("a-1".to_owned())));
        assert_eq!(of(&"k".repeat(255)), Some(Some("k".repeat(255))));
        for bad in ["", "a b", "é", &"k".repeat(256)] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
