//! Pages that tell one thing and lead on: a mail is under way, a link works no longer, an address is verified.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    text::Text,
};

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A mail is under way, if the address is one that gets it.
    MailSent,
    /// Somebody has an account with the address: said to its owner only, by mail.
    SignUpMailSent,
    /// A link that verifies an address works no longer.
    VerifyEnded,
    /// A link that resets a password works no longer.
    ResetEnded,
    /// The address is verified.
    Verified,
}

impl Told {
    /// One of each.
    pub const ALL: [Self; 5] =
        [Self::MailSent, Self::SignUpMailSent, Self::VerifyEnded, Self::ResetEnded, Self::Verified];

    fn title(self, text: &Text) -> String {
        text.get(match self {
            Self::MailSent | Self::SignUpMailSent => "told-mail-title",
            Self::VerifyEnded | Self::ResetEnded => "told-ended-title",
            Self::Verified => "told-verified-title",
        })
    }

    fn body(self, text: &Text) -> String {
        text.get(match self {
            Self::MailSent => "told-mail-body",
            Self::SignUpMailSent => "told-sign-up-body",
            Self::VerifyEnded => "told-verify-ended-body",
            Self::ResetEnded => "told-reset-ended-body",
            Self::Verified => "told-verified-body",
        })
    }

    fn action(self, text: &Text) -> String {
        text.get(match self {
            Self::MailSent | Self::SignUpMailSent => "told-sign-in",
            Self::ResetEnded => "told-another",
            Self::VerifyEnded | Self::Verified => "told-console",
        })
    }

    const fn href(self) -> &'static str {
        match self {
            Self::MailSent | Self::SignUpMailSent => "/sign-in",
            Self::ResetEnded => "/forgot",
            Self::VerifyEnded => "/console/account",
            Self::Verified => "/console",
        }
    }
}

/// The page.
#[derive(Template)]
#[template(path = "told.html")]
pub struct ToldPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// What is told.
    pub told: Told,
}
