//! Forms and query strings: read within a limit, parsed into a type, unknown fields refused.
use std::{str::FromStr, time::Duration};

use actix_web::web;
use futures_util::StreamExt;
use serde::{Deserialize, de::DeserializeOwned};
use tokenim_domain::secret::sha256;
use tokenim_store::NONCE_BYTES;

use crate::{cookie, fault::Fault};

/// Bytes of a form at most; the largest one holds an email address, a password and a return address.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// How long a body may take to arrive, as for the JSON face.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// The fields of a form that is a button and nothing more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// A form as it was sent.
pub(crate) struct Form(String);

impl Form {
    pub(crate) async fn read(payload: web::Payload) -> Result<Self, Fault> {
        String::from_utf8(read_body(payload, FORM_BYTES_MAX).await?).map(Self).map_err(|_| Fault::Form)
    }

    /// One field, decoded.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        field(&self.0, name)
    }

    /// The nonce of the form that was sent to a path; forms of one page share the number and not the path.
    pub(crate) fn nonce(&self, path: &str) -> Result<[u8; NONCE_BYTES], Fault> {
        let number = self.field("nonce").and_then(|nonce| cookie::decode::<NONCE_BYTES>(&nonce)).ok_or(Fault::Form)?;
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&sha256(&[&number, path.as_bytes()].concat())[..NONCE_BYTES]);
        Ok(nonce)
    }

    /// All fields as a type, but for `csrf` and `nonce`, which the steps before have read.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let pairs = self.0.split('&').filter(|pair| !pair.starts_with("csrf=") && !pair.starts_with("nonce="));
        let own = pairs.collect::<Vec<_>>().join("&");
        web::Query::from_query(&own).map(web::Query::into_inner).map_err(|_| Fault::Form)
    }
}

/// The id in a field; text that is none names nothing.
pub(crate) fn id<T: FromStr>(text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::NotFound)
}

/// Reads a body of at most so many bytes, which arrives within [`BODY_TIME_MAX`].
pub(crate) async fn read_body(payload: web::Payload, bytes_max: usize) -> Result<Vec<u8>, Fault> {
    match tokio::time::timeout(BODY_TIME_MAX, gather(payload, bytes_max)).await {
        Ok(body) => body,
        Err(_) => Err(Fault::Silent),
    }
}

async fn gather(mut payload: web::Payload, bytes_max: usize) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        body.extend_from_slice(&chunk.map_err(|_| Fault::Form)?);
        if body.len() > bytes_max {
            return Err(Fault::TooLarge);
        }
    }
    Ok(body)
}

/// One field of an urlencoded string.
pub(crate) fn field(encoded: &str, name: &str) -> Option<String> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(encoded).ok()?;
    pairs.into_inner().into_iter().find_map(|(key, value)| (key == name).then_some(value))
}

/// Appends a field to an address whose values need no encoding (ids, times, tags), or encodes them.
pub(crate) fn push_field(address: &mut String, name: &str, value: &str) {
    address.push(if address.contains('?') { '&' } else { '?' });
    address.push_str(name);
    address.push('=');
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            address.push(char::from(byte));
        } else {
            address.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{FromRequest, dev, test::TestRequest};
    use futures_util::stream;

    use super::*;

    #[actix_web::test]
    async fn a_body_that_stays_away_holds_nothing_for_long() {
        tokio::time::pause();
        let half = stream::iter([Ok(bytes::Bytes::from_static(b"csrf="))]).chain(stream::pending());
        let mut payload = dev::Payload::from(Box::pin(half) as actix_http::BoxedPayloadStream);
        let payload = web::Payload::from_request(&TestRequest::post().to_http_request(), &mut payload).await.unwrap();
        let start = tokio::time::Instant::now();
        assert!(matches!(read_body(payload, FORM_BYTES_MAX).await, Err(Fault::Silent)));
        assert!(start.elapsed() < BODY_TIME_MAX + Duration::from_secs(1));
    }
}
