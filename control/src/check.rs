//! What a name, an address and the end of a key must be.

use tokenim_domain::{Error, Result, grammar};

/// Characters of an e-mail address at most (RFC 5321 §4.5.3.1.3).
pub const EMAIL_CHARS_MAX: usize = 254;

/// Checks the name of an org, an app or a key.
///
/// Errors: `invalid_field` at `name`.
pub(crate) fn name(text: &str) -> Result<()> {
    if grammar::is_name(text) && !text.trim().is_empty() {
        Ok(())
    } else {
        Err(Error::invalid("name", "a name has 1 to 64 characters, none of them a control character"))
    }
}

/// Checks that a key's end, milliseconds since 1970, is yet to come.
///
/// Errors: `invalid_field` at `expires_at`.
pub(crate) fn end(expires_ms: Option<i64>, now_ms: i64) -> Result<()> {
    if expires_ms.is_some_and(|end| end <= now_ms) {
        return Err(Error::invalid("expires_at", "`expires_at` must be in the future"));
    }
    Ok(())
}

/// Checks an address: it has one `@` with something on both sides; whether it works, only a mail can tell.
pub(crate) fn email(text: &str) -> Result<()> {
    let parts =
        text.split_once('@').filter(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@'));
    if parts.is_none()
        || text.chars().count() > EMAIL_CHARS_MAX
        || text.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        return Err(Error::invalid("email", format!("{text:?} is not an e-mail address")));
    }
    Ok(())
}
