//! Proxies whose word about a client's address is taken, and what a request's client is by their word.

use actix_http::header::{HeaderMap, X_FORWARDED_FOR};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

/// Hops that are followed, from the nearest: chains are short, and a header may hold thousands.
const HOPS_MAX: usize = 32;

/// The networks of `server.trusted_proxies`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Proxies(Arc<[Network]>);

impl Proxies {
    /// The address of a client: the last hop that a trusted one tells of, which is the first that is not trusted itself.
    /// What is told before that hop, anybody may have written. IPv4 in an IPv6 address is IPv4.
    ///
    /// Source: docs/OPERATIONS.md, Reverse proxy.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).collect();
        let hops = lines.into_iter().rev().flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let mut client = peer.to_canonical();
        for hop in hops.take(HOPS_MAX) {
            if !self.0.iter().any(|network| network.holds(client)) {
                break;
            }
            let Some(address) = address(hop) else { break };
            client = address;
        }
        client
    }
}

/// A hop, as proxies write it: an address, perhaps with a port.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse().or_else(|_| hop.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

impl TryFrom<Vec<String>> for Proxies {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        texts.iter().map(|text| text.parse()).collect::<Result<_, _>>().map(Proxies)
    }
}

impl From<Proxies> for Vec<String> {
    fn from(proxies: Proxies) -> Self {
        proxies.0.iter().map(ToString::to_string).collect()
    }
}

/// Addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    /// Leading bits that count.
    bits: u8,
}

impl Network {
    fn holds(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()) & mask4(self.bits) == 0,
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()) & mask6(self.bits) == 0,
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn mask4(bits: u8) -> u32 {
    !u32::MAX.checked_shr(bits.into()).unwrap_or(0)
}

fn mask6(bits: u8) -> u128 {
    !u128::MAX.checked_shr(bits.into()).unwrap_or(0)
}

impl FromStr for Network {
    type Err = String;

    /// `10.0.0.0/8`, `2001:db8::/32`, or an address alone. A network that holds everybody is refused, and so is one with
    /// bits beyond its prefix: either is a slip that would let anybody name an address.
    fn from_str(text: &str) -> Result<Self, String> {
        let (address, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(at, bits)| (at, Some(bits)));
        let wrong = || format!("server.trusted_proxies: {text:?} is no network like 10.0.0.0/8 or 2001:db8::/32");
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(bits_max), str::parse).map_err(|_| wrong())?;
        let is_clean = match address {
            IpAddr::V4(address) => address.to_bits() & !mask4(bits) == 0,
            IpAddr::V6(address) => address.to_bits() & !mask6(bits) == 0,
        };
        let is_network = (1..=bits_max).contains(&bits) && is_clean;
        if is_network { Ok(Network { address, bits }) } else { Err(wrong()) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_http::header::HeaderValue;

    fn proxies(texts: &[&str]) -> Proxies {
        texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>().try_into().unwrap()
    }

    /// The client of a peer that sends these header lines.
    fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        proxies(trusted).client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn without_trust_the_peer_is_the_client_whatever_it_says() {
        assert_eq!(client(&[], "198.51.100.7", &["203.0.113.9"]), "198.51.100.7");
        assert_eq!(client(&["10.0.0.0/8"], "198.51.100.7", &["203.0.113.9", "10.0.0.1"]), "198.51.100.7");
        assert_eq!(client(&["10.0.0.0/8"], "11.0.0.1", &["203.0.113.9"]), "11.0.0.1");
        assert_eq!(client(&["10.0.0.0/8"], "10.1.2.3", &[]), "10.1.2.3", "a proxy that tells nothing");
    }

    #[test]
    fn the_nearest_hop_that_is_not_trusted_is_the_client() {
        let trusted = ["10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1"];
        for (peer, lines, expected) in [
            ("10.0.0.1", &["203.0.113.9"][..], "203.0.113.9"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.9 , 10.9.9.9"], "203.0.113.9"),
            ("10.0.0.1", &["1.1.1.1", "203.0.113.9", "10.9.9.9,10.8.8.8"], "203.0.113.9"),
            ("10.0.0.1", &["10.2.2.2, 10.3.3.3"], "10.2.2.2"),
            ("127.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("::ffff:127.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
            ("2001:db8:1::5", &["2001:db8:2::1, 2001:db8:1:ffff::1"], "2001:db8:2::1"),
            ("10.0.0.1", &["[2001:db8:2::1]:443"], "2001:db8:2::1"),
            ("10.0.0.1", &["[2001:db8:2::1]"], "2001:db8:2::1"),
        ] {
            assert_eq!(client(&trusted, peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn garbage_ends_the_chain_where_it_was_believed() {
        for garbage in
            ["", " ", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "[::1", "fe80::1%eth0", "1.2.3.4:x", "\u{e9}"]
        {
            assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[garbage]), "10.0.0.1", "{garbage}");
            let line = format!("203.0.113.9, {garbage}, 10.7.7.7");
            // A line that is no text is not read at all.
            let expected = if garbage.is_ascii() { "10.7.7.7" } else { "10.0.0.1" };
            assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[&line]), expected, "{garbage}");
        }
    }

    #[test]
    fn ten_thousand_hops_are_not_followed() {
        let far = |hops: usize| (0..hops).map(|at| format!("10.0.{}.{}", at / 256, at % 256)).collect::<Vec<_>>();
        let line = format!("203.0.113.9,{}", far(10_000).join(","));
        assert_eq!(client(&["10.0.0.0/8"], "10.255.0.1", &[&line]), format!("10.0.{}.{}", 9_968 / 256, 9_968 % 256));
        let line = format!("203.0.113.9,{}", far(HOPS_MAX - 1).join(","));
        assert_eq!(client(&["10.0.0.0/8"], "10.255.0.1", &[&line]), "203.0.113.9");
    }

    #[test]
    fn a_network_has_one_reading_or_is_refused() {
        for (text, spelled) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            (" 127.0.0.1 ", "127.0.0.1/32"),
            ("::1", "::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("128.0.0.0/1", "128.0.0.0/1"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), spelled);
        }
        for wrong in [
            "",
            "proxy",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "0.0.0.0/0",
            "::/0",
            "::1/129",
            "10.0.0.0/-1",
            "10/8",
            "10.0.0.0/8/8",
            "::ffff:10.0.0.0/8",
        ] {
            assert!(wrong.parse::<Network>().unwrap_err().contains("trusted_proxies"), "{wrong}");
        }
    }
}
