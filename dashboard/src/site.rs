//! Under which name the console answers: one public origin, or loopback.
use std::net::IpAddr;

use tokenim_domain::Error;

/// The console's own address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// Opened by this origin and no other.
    Public {
        /// `https://console.example`, without a slash at the end.
        origin: String,
    },
    /// Opened on the machine itself.
    Loopback {
        /// Whether this process speaks TLS.
        tls: bool,
    },
}

/// Checks a public origin as the console would at its start.
///
/// Errors: `invalid_field` where it is no origin, or plain HTTP although this process speaks TLS or on an address that is not
/// loopback.
pub fn check_public_origin(public_origin: Option<String>, tls: bool) -> Result<(), Error> {
    Site::new(public_origin, tls).map(drop)
}

impl Site {
    pub(crate) fn new(public_origin: Option<String>, tls: bool) -> Result<Self, Error> {
        let Some(origin) = public_origin else { return Ok(Self::Loopback { tls }) };
        let origin = origin.trim_end_matches('/').to_ascii_lowercase();
        let (scheme, host) = origin.split_once("://").unwrap_or_default();
        let is_host =
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte));
        match scheme {
            "https" if is_host => Ok(Self::Public { origin }),
            "http" if is_host && is_loopback(host) && !tls => Ok(Self::Loopback { tls }),
            _ => Err(Error::invalid(
                "public_origin",
                "the public origin must be https://HOST, or without TLS http:// on a loopback address",
            )),
        }
    }

    /// Whether cookies may rely on TLS.
    pub(crate) const fn is_secure(&self) -> bool {
        matches!(self, Self::Public { .. } | Self::Loopback { tls: true })
    }

    /// Whether browsers are told to use nothing but TLS here. Not on loopback: that would bind every port of `localhost`.
    pub(crate) const fn is_strict(&self) -> bool {
        matches!(self, Self::Public { .. })
    }

    /// The origin for a request with this `Host`, if it is one of ours.
    pub(crate) fn origin_of(&self, host: &str) -> Option<String> {
        match self {
            Self::Public { origin } => {
                let own = origin.strip_prefix("https://").unwrap_or_default();
                host.eq_ignore_ascii_case(own).then(|| origin.clone())
            }
            Self::Loopback { tls } => {
                let scheme = if *tls { "https" } else { "http" };
                is_loopback(host).then(|| format!("{scheme}://{}", host.to_ascii_lowercase()))
            }
        }
    }
}

/// Whether a host with an optional port is this machine.
fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port),
        _ => (host, "0"),
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_local =
        name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_local && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_answers_only_on_the_machine_itself() {
        let site = Site::new(None, false).unwrap();
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.9.9.9", "[::1]:80", "[::1]"] {
            assert!(site.origin_of(host).is_some(), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "10.0.0.1",
            "localhost:x",
            "127.0.0.1:99999",
        ] {
            assert_eq!(site.origin_of(host), None, "{host}");
        }
    }

    #[test]
    fn a_public_site_answers_under_its_name_and_needs_tls() {
        let site = Site::new(Some("https://Console.example:8443/".into()), false).unwrap();
        assert_eq!(site.origin_of("console.example:8443").as_deref(), Some("https://console.example:8443"));
        assert_eq!(site.origin_of("console.example"), None);
        assert_eq!(site.origin_of("localhost"), None);
        for origin in ["http://console.example", "console.example", "https://", "https://a b", "ftp://a", "https://a/b"]
        {
            assert!(Site::new(Some(origin.into()), false).is_err(), "{origin}");
        }
    }

    #[test]
    fn with_tls_loopback_is_secure_but_not_strict() {
        let site = Site::new(None, true).unwrap();
        assert_eq!(site.origin_of("LOCALHOST:8443").as_deref(), Some("https://localhost:8443"));
        assert_eq!(site.origin_of("console.example"), None);
        assert!(site.is_secure() && !site.is_strict());
        assert!(Site::new(Some("http://localhost:8443".into()), true).is_err(), "it would not answer there");
    }
}
