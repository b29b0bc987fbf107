//! The opening handshake (RFC 6455 §4.2) and which refusals a browser can still read.

use crate::deflate;
use crate::encoded::Form;
use actix_http::Method;
use actix_http::Request;
use actix_http::header::{
    CONNECTION, HeaderName, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use aws_lc_rs::digest;
use bytes::Bytes;
use tokenim_domain::{Code, grammar};

/// The path of WebSocket connections.
pub const PATH: &str = "/v1/connect";
/// The subprotocols, and what each speaks.
const PROTOCOLS: [(&str, Form); 2] = [("tokenim.v1.json", Form::Json), ("tokenim.v1.msgpack", Form::MessagePack)];
/// Bytes of an origin: a scheme, a host name of 253 characters and a port.
const ORIGIN_BYTES_MAX: usize = 280;
/// RFC 6455 §1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What becomes of a request that asked for an upgrade.
pub enum Verdict {
    /// It is a WebSocket now; `refuse` = it is closed with a code at once, because a browser can't read a failed upgrade.
    Accept {
        /// The answer, as bytes.
        response: Bytes,
        /// What it speaks.
        form: Form,
        /// Why it is closed at once.
        refuse: Option<Code>,
        /// The page that opens it, where a browser does.
        origin: Option<Box<str>>,
    },
    /// It is none; the answer ends the connection.
    Reject {
        /// The answer, as bytes.
        response: Bytes,
    },
}

/// Whether a request asks for a WebSocket where there is one.
pub fn asks_for_websocket(request: &Request) -> bool {
    request.path() == PATH && header(request, UPGRADE).is_some_and(|name| name.eq_ignore_ascii_case("websocket"))
}

/// Judges a request that asks for a WebSocket.
pub fn judge(request: &Request) -> Verdict {
    // RFC 6455 §4.2.1.
    if request.method() != Method::GET || !header(request, CONNECTION).is_some_and(names_upgrade) {
        return reject(400, "Bad Request", Code::InvalidRequest);
    }
    if header(request, SEC_WEBSOCKET_VERSION) != Some("13") {
        return reject(426, "Upgrade Required\r\nsec-websocket-version: 13", Code::VersionUnsupported);
    }
    let Some(key) = header(request, SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24) else {
        return reject(400, "Bad Request", Code::InvalidRequest);
    };
    let offered: Vec<&str> = header(request, SEC_WEBSOCKET_PROTOCOL)
        .map(|list| list.split(',').map(str::trim).collect())
        .unwrap_or_default();
    // The client names what it likes best first.
    let spoken = offered.iter().find_map(|name| PROTOCOLS.iter().find(|(spoken, _)| spoken == name));
    let speaks = offered.is_empty() || spoken.is_some();
    let (protocol, form) = spoken.map_or((offered.first().copied(), Form::Json), |(name, form)| (Some(*name), *form));
    let refuse = match (speaks, grammar::url_has_credential(request.path(), request.uri().query().unwrap_or_default()))
    {
        (_, true) => Some(Code::TokenInUrl),
        (false, false) => Some(Code::VersionUnsupported),
        (true, false) => None,
    };
    let extension = deflate::negotiate(&extensions(request));
    let form = if extension.is_some() { form.deflated() } else { form };
    Verdict::Accept { response: accept(key, protocol, extension.as_deref()), form, refuse, origin: origin(request) }
}

/// An origin that is no text, too long or told twice is none on any list.
fn origin(request: &Request) -> Option<Box<str>> {
    let mut values = request.head().headers().get_all(ORIGIN);
    let first = values.next()?;
    let text = first.to_str().ok().filter(|text| text.len() <= ORIGIN_BYTES_MAX && values.next().is_none());
    Some(text.unwrap_or_default().into())
}

/// All that is offered; the header may come several times (RFC 6455 §9.1).
fn extensions(request: &Request) -> String {
    let all = request.head().headers().get_all(SEC_WEBSOCKET_EXTENSIONS);
    all.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
}

fn header(request: &Request, name: HeaderName) -> Option<&str> {
    request.head().headers().get(name).and_then(|value| value.to_str().ok())
}

fn names_upgrade(list: &str) -> bool {
    list.split(',').any(|option| option.trim().eq_ignore_ascii_case("upgrade"))
}

fn accept(key: &str, protocol: Option<&str>, extension: Option<&str>) -> Bytes {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{GUID}").as_bytes());
    let accept = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, hash);
    let line = |name, value: Option<&str>| value.map(|value| format!("{name}: {value}\r\n")).unwrap_or_default();
    let (protocol, extension) = (line("sec-websocket-protocol", protocol), line("sec-websocket-extensions", extension));
    Bytes::from(format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n{protocol}{extension}\r\n"
    ))
}

fn reject(status: u16, reason: &str, code: Code) -> Verdict {
    let body =
        format!(r#"{{"error":{{"code":"{}","message":"{}","retryable":false}}}}"#, code.as_str(), code.row().meaning);
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    Verdict::Reject { response: Bytes::from(head + &body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_key_is_the_one_of_the_rfc() {
        let response = accept("dGhlIHNhbXBsZSBub25jZQ==", None, None);
        assert!(
            std::str::from_utf8(&response).unwrap().contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
        );
    }
}
