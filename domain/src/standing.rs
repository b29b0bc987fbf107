//! Whether a key stands: revoked, replaced, past its end, or of an app that is suspended.

use crate::error::{Error, Result};
use tokenim_protocol::Code;

/// What decides whether a key stands. It may be remembered: its end is compared with the clock at each use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// It was revoked, or its app was deleted.
    pub is_revoked: bool,
    /// Another key took its place.
    pub is_rotated: bool,
    /// Its app is suspended; whether its org is, the terms of the app tell.
    pub is_suspended: bool,
    /// When it ends, milliseconds since 1970: the first at which it is refused.
    pub expires_ms: Option<i64>,
}

impl Standing {
    /// Judges a secret key.
    ///
    /// Errors: `key_rotated`, `key_revoked`, `key_expired`, `app_suspended`.
    pub fn check_key(&self, now_ms: i64) -> Result<()> {
        let is_over = self.expires_ms.is_some_and(|end| end <= now_ms);
        if self.is_rotated && (self.is_revoked || is_over) {
            Err(Code::KeyRotated.into())
        } else if self.is_revoked {
            Err(Code::KeyRevoked.into())
        } else if is_over {
            Err(Code::KeyExpired.into())
        } else if self.is_suspended {
            Err(Code::AppSuspended.into())
        } else {
            Ok(())
        }
    }

    /// Judges the key that signed a token.
    ///
    /// Errors: `token_revoked`, `app_suspended`.
    pub fn check_signing(&self, now_ms: i64) -> Result<()> {
        self.check_key(now_ms).map_err(|error| match error.code {
            Code::AppSuspended => error,
            Code::KeyExpired => {
                Error::new(Code::TokenRevoked).says("the key that signed the token has reached its end")
            }
            Code::KeyRotated => Error::new(Code::TokenRevoked).says("the key that signed the token was replaced"),
            _ => Error::new(Code::TokenRevoked).says("the key that signed the token was revoked"),
        })
    }

    /// Judges the server key that asked for a token. Its end or replacement leaves the token its own short life; only a
    /// revocation, which is for leaks, takes it.
    ///
    /// Errors: `token_revoked`, `app_suspended`.
    pub fn check_minter(&self) -> Result<()> {
        Standing { expires_ms: None, ..*self }.check_key(0).map_err(|error| match error.code {
            Code::AppSuspended => error,
            _ => Error::new(Code::TokenRevoked).says("the server key that asked for the token was revoked"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_refused_for_the_first_of_its_faults() {
        let code = |standing: Standing| standing.check_key(100).err().map(|error| error.code);
        let sound = Standing::default();
        assert_eq!(code(sound), None);
        assert_eq!(code(Standing { expires_ms: Some(101), ..sound }), None);
        assert_eq!(code(Standing { expires_ms: Some(100), ..sound }), Some(Code::KeyExpired));
        assert_eq!(code(Standing { is_rotated: true, expires_ms: Some(101), ..sound }), None);
        assert_eq!(code(Standing { is_rotated: true, expires_ms: Some(100), ..sound }), Some(Code::KeyRotated));
        assert_eq!(code(Standing { is_rotated: true, is_revoked: true, ..sound }), Some(Code::KeyRotated));
        assert_eq!(code(Standing { is_revoked: true, is_suspended: true, ..sound }), Some(Code::KeyRevoked));
        assert_eq!(code(Standing { is_suspended: true, ..sound }), Some(Code::AppSuspended));
    }

    #[test]
    fn a_token_outlives_the_end_of_its_minter_but_not_its_revocation() {
        let sound = Standing::default();
        assert!(Standing { is_rotated: true, expires_ms: Some(0), ..sound }.check_minter().is_ok());
        let code = |standing: Standing| standing.check_minter().unwrap_err().code;
        assert_eq!(code(Standing { is_revoked: true, ..sound }), Code::TokenRevoked);
        assert_eq!(code(Standing { is_suspended: true, ..sound }), Code::AppSuspended);
        assert_eq!(Standing { expires_ms: Some(5), ..sound }.check_signing(5).unwrap_err().code, Code::TokenRevoked);
    }
}
