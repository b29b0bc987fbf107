//! The sign-in page.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    text::Text,
};

/// Why a sign-in did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Unknown address or wrong password; never says which.
    Mismatch,
    /// Too many attempts.
    Limited {
        /// Seconds until the next attempt is taken.
        wait_s: i64,
    },
    /// The password queue is full.
    Busy,
}

impl Problem {
    fn sentence(self, text: &Text) -> String {
        match self {
            Self::Mismatch => text.get("sign-in-failed"),
            Self::Limited { wait_s } => text.count("sign-in-limited", &wait_s, wait_s),
            Self::Busy => text.get("sign-in-busy"),
        }
    }
}

/// The form, empty or after a refusal.
#[derive(Template)]
#[template(path = "sign-in.html")]
pub struct SignInPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The address entered before, to be filled in again.
    pub email: &'a str,
    /// Characters of an address at most.
    pub email_chars_max: usize,
    /// Characters of a password at most.
    pub password_chars_max: usize,
    /// Path inside the console to go to afterwards.
    pub next: &'a str,
    /// Why the last attempt failed.
    pub problem: Option<Problem>,
}
