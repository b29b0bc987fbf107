//! The console's cookies: names, reading and setting; every value is of our own alphabet.
use actix_web::{HttpRequest, http::header};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::site::Site;

/// Bytes of `Cookie` headers that are read; browsers cap one cookie at 4 KiB.
const COOKIE_BYTES_MAX: usize = 8 * 1024;
/// How long theme and language are kept, in seconds: a year.
const PREFERENCE_S: i64 = 365 * 24 * 3600;

/// A cookie of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The console session's id.
    Session,
    /// The id of a session of the operator area.
    Operator,
    /// A sign-in between its two steps.
    Half,
    /// What the request before did; read once.
    Flash,
    /// The random value that sign-in form tokens are derived from.
    Form,
    /// `light` or `dark`.
    Theme,
    /// A language tag.
    Language,
}

impl Cookie {
    /// With TLS the `__Host-` prefix keeps other hosts from planting it; without, the name says it is for development.
    const fn name(self, is_secure: bool) -> &'static str {
        match (self, is_secure) {
            (Self::Session, true) => "__Host-tim",
            (Self::Session, false) => "tim_dev",
            (Self::Operator, true) => "__Host-tim-op",
            (Self::Operator, false) => "tim_dev_op",
            (Self::Half, true) => "__Host-tim-half",
            (Self::Half, false) => "tim_dev_half",
            (Self::Flash, _) => "tim_flash",
            (Self::Form, true) => "__Host-tim-form",
            (Self::Form, false) => "tim_dev_form",
            (Self::Theme, _) => "tim_theme",
            (Self::Language, _) => "tim_language",
        }
    }

    /// Reads it from a request.
    pub(crate) fn read<'r>(self, request: &'r HttpRequest, site: &Site) -> Option<&'r str> {
        let name = self.name(site.is_secure());
        let headers = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
        headers
            .filter(|line| line.len() <= COOKIE_BYTES_MAX)
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The header that sets it: session cookies end with the browser, preferences after a year.
    pub(crate) fn set(self, value: &str, site: &Site) -> String {
        let age = match self {
            Self::Session | Self::Operator | Self::Half | Self::Form | Self::Flash => String::new(),
            Self::Theme | Self::Language => format!("; Max-Age={PREFERENCE_S}"),
        };
        self.header(value, &age, site)
    }

    /// The header that removes it.
    pub(crate) fn remove(self, site: &Site) -> String {
        self.header("", "; Max-Age=0", site)
    }

    fn header(self, value: &str, age: &str, site: &Site) -> String {
        let secure = if site.is_secure() { "; Secure" } else { "" };
        format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}", self.name(site.is_secure()))
    }
}

/// Random bytes as a cookie's or form's value.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a value that [`encode`] made.
pub(crate) fn decode_all(value: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(value).ok()
}

/// The same, if there are exactly `N`.
pub(crate) fn decode<const N: usize>(value: &str) -> Option<[u8; N]> {
    decode_all(value)?.try_into().ok()
}
