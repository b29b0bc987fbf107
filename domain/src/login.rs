//! Who may connect, and which connections of a user a newer one ends, as the app decides.

use crate::error::{Error, Result};
use crate::role::texts;

/// Characters of a platform's name.
pub const PLATFORM_CHARS_MAX: usize = 16;

texts! {
    /// How many connections a user of an app has at a time; the newest stays.
    Logins { /// As many as it has devices.
        Devices "devices", /// One on each platform.
        Platforms "platforms", /// One.
        One "one", }
}

impl Logins {
    /// The rule of a word a face was given.
    ///
    /// Errors: `invalid_field` at `logins`.
    pub fn parse(word: &str) -> Result<Self> {
        Logins::find(word).ok_or_else(|| Error::invalid("logins", "`logins` must be devices, platforms or one"))
    }

    /// Whether a newer connection on one platform ends an older one on another. Those that name none are on the same.
    #[must_use]
    pub fn ends(self, older: Option<&str>, newer: Option<&str>) -> bool {
        match self {
            Logins::Devices => false,
            Logins::Platforms => older == newer,
            Logins::One => true,
        }
    }
}

texts! {
    /// What becomes of somebody with a valid token whom the app does not know.
    UnknownUsers { /// A user of the app.
        Create "create", /// Nothing: the token is refused.
        Refuse "refuse", }
}

impl UnknownUsers {
    /// The rule of a word a face was given.
    ///
    /// Errors: `invalid_field` at `unknown_users`.
    pub fn parse(word: &str) -> Result<Self> {
        let wrong = || Error::invalid("unknown_users", "`unknown_users` must be create or refuse");
        UnknownUsers::find(word).ok_or_else(wrong)
    }
}

/// A platform's name as a client gave it: 1 to 16 characters of an id.
///
/// Errors: `invalid_field` at `platform`.
pub fn parse_platform(name: &str) -> Result<Box<str>> {
    if name.len() <= PLATFORM_CHARS_MAX && tokenim_protocol::grammar::is_id(name) {
        return Ok(name.into());
    }
    Err(Error::invalid("platform", "`platform` must be 1 to 16 characters of A-Z a-z 0-9 _ - . : @"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_ends_what_it_says() {
        for (rule, same, other) in
            [(Logins::Devices, false, false), (Logins::Platforms, true, false), (Logins::One, true, true)]
        {
            assert_eq!((rule.ends(Some("ios"), Some("ios")), rule.ends(None, None)), (same, same), "{rule:?}");
            assert_eq!((rule.ends(Some("ios"), Some("web")), rule.ends(Some("ios"), None)), (other, other), "{rule:?}");
        }
    }

    #[test]
    fn a_platform_is_a_short_id() {
        assert_eq!(&*parse_platform("android").unwrap(), "android");
        for wrong in ["", "a b", "seventeen-letters", "päd"] {
            assert_eq!(parse_platform(wrong).unwrap_err().param, Some("platform"), "{wrong}");
        }
    }
}
