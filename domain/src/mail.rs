//! Mails that the service sends: what each must know, typed. What they say is in templates/, how they travel in jobs/.

use crate::role::OrgRole;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One mail to one person. `Debug` shows neither the address nor the links: a link is a credential.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The address, as the account has it.
    pub to: String,
    /// Tag of the language to write in, as accounts and visits have it; one that we do not speak reads as English.
    pub language: String,
    /// What it is about.
    pub matter: Matter,
}

/// What a mail is about.
///
/// Shapes: every `path` is one of the console and begins with `/`; the mail's link is the configured public origin before
/// it, never a name that a request brought. Units: `…_ms` is milliseconds since 1970. A mail whose link has ended before
/// it could be sent is not sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matter {
    /// Prove that an address is yours.
    VerifyAddress {
        /// Of the page that verifies.
        path: String,
        /// When the link ends.
        expires_ms: i64,
    },
    /// Choose a new password.
    ResetPassword {
        /// Of the page that asks for it.
        path: String,
        /// When the link ends.
        expires_ms: i64,
    },
    /// A notice that the password was changed.
    PasswordChanged {
        /// When it was.
        at_ms: i64,
        /// Of the page that resets it, for the case that it was somebody else.
        path: String,
    },
    /// Join an org.
    Invitation {
        /// The org's name.
        org: String,
        /// Name or address of who invites.
        inviter: String,
        /// What one will be there.
        role: OrgRole,
        /// Of the page that accepts.
        path: String,
        /// When the invitation ends.
        expires_ms: i64,
    },
    /// Somebody signed up with an address that has an account; the page they see must not tell, so this does.
    AddressTaken {
        /// Of the sign-in page.
        sign_in_path: String,
        /// Of the page that resets the password.
        reset_path: String,
    },
    /// A key of an org that one owns was found where it should not be, and revoked.
    KeyLeaked {
        /// The org's name.
        org: String,
        /// The key's name.
        key: String,
        /// The ends of the key, as lists show it.
        hint: String,
        /// When it was reported.
        at_ms: i64,
        /// Of the page that makes keys.
        path: String,
    },
    /// A test of the mail settings.
    Test,
}

impl Mail {
    /// When the mail is of no use any more, milliseconds since 1970.
    #[must_use]
    pub fn expires_ms(&self) -> Option<i64> {
        match &self.matter {
            Matter::VerifyAddress { expires_ms, .. }
            | Matter::ResetPassword { expires_ms, .. }
            | Matter::Invitation { expires_ms, .. } => Some(*expires_ms),
            Matter::PasswordChanged { .. } | Matter::AddressTaken { .. } | Matter::KeyLeaked { .. } | Matter::Test => {
                None
            }
        }
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Mail({:?})", self.matter)
    }
}

impl fmt::Debug for Matter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Matter::VerifyAddress { .. } => "verify address",
            Matter::ResetPassword { .. } => "reset password",
            Matter::PasswordChanged { .. } => "password changed",
            Matter::Invitation { .. } => "invitation",
            Matter::AddressTaken { .. } => "address taken",
            Matter::KeyLeaked { .. } => "key leaked",
            Matter::Test => "test",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_prints_neither_its_address_nor_its_link() {
        let matter = Matter::ResetPassword { path: "/reset/secret".into(), expires_ms: 1 };
        let mail = Mail { to: "ada@example.com".into(), language: "en".into(), matter };
        assert_eq!(format!("{mail:?}"), "Mail(reset password)");
    }

    #[test]
    fn a_mail_reads_back() {
        let matter = Matter::Invitation {
            org: "Acme".into(),
            inviter: "ada@example.com".into(),
            role: OrgRole::Admin,
            path: "/invitations/x".into(),
            expires_ms: 7,
        };
        let mail = Mail { to: "bob@example.com".into(), language: "zh-CN".into(), matter };
        let text = serde_json::to_string(&mail).unwrap();
        assert!(text.contains("\"role\":\"admin\""), "{text}");
        assert_eq!(serde_json::from_str::<Mail>(&text).unwrap(), mail);
    }
}
