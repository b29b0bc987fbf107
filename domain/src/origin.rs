//! Origins of pages that may connect to an app: scheme, host and port, nothing else (RFC 6454 §4).

use crate::error::{Error, Result};
use std::fmt;
use std::net::Ipv6Addr;

/// Characters of a host name (RFC 1035 §2.3.4).
const HOST_CHARS_MAX: usize = 253;

/// One origin, spelled as a browser sends it: lower case, without the scheme's own port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// Parses `https://shop.example:8443` and the like.
    ///
    /// Errors: `invalid_field`.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim().to_lowercase();
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let own_port = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(wrong()),
        };
        let (host, port) = split(rest).ok_or_else(wrong)?;
        let port = match port {
            Some(digits) => Some(port_number(digits).ok_or_else(wrong)?),
            None => None,
        };
        Ok(Origin(match port.filter(|port| *port != own_port) {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

fn wrong() -> Error {
    Error::invalid("origin", "an origin reads `https://shop.example` or `http://localhost:3000`: no path, no wildcard")
}

/// Host and port of an authority; `None` where the host is none.
fn split(rest: &str) -> Option<(&str, Option<&str>)> {
    if let Some(inside) = rest.strip_prefix('[') {
        let (address, behind) = inside.split_once(']')?;
        address.parse::<Ipv6Addr>().ok()?;
        let port = if behind.is_empty() { None } else { Some(behind.strip_prefix(':')?) };
        return Some((&rest[..address.len() + 2], port));
    }
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
    };
    (host.len() <= HOST_CHARS_MAX && host.split('.').all(is_label)).then_some((host, port))
}

fn port_number(digits: &str) -> Option<u16> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse::<u16>().ok().filter(|port| is_plain && *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_spelling() {
        for (text, spelled) in [
            ("https://Shop.Example", "https://shop.example"),
            (" https://shop.example:443 ", "https://shop.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("https://[::1]:8443", "https://[::1]:8443"),
            ("https://xn--fiqs8s.cn", "https://xn--fiqs8s.cn"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().as_str(), spelled);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "shop.example",
            "https://",
            "https://shop.example/",
            "https://shop.example/a",
            "https://*.example",
            "https://user@shop.example",
            "https://shop.example?x",
            "https://shop.example#x",
            "https://shop..example",
            "https://shop.example:0",
            "https://shop.example:99999",
            "https://shop.example:",
            "https://shop.example:+80",
            "ftp://shop.example",
            "null",
            "https://[::1",
            "https://[shop]",
            "https://caf\u{e9}.example",
            "https://a b.example",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }
}
