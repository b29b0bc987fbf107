//! The page that asks a signed-in person to show again that it is them.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    problem::Problems,
};

/// The form.
#[derive(Template)]
#[template(path = "prove.html")]
pub struct ProvePage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The account's address.
    pub email: &'a str,
    /// Whether a code of the second factor is asked for instead of the password.
    pub has_totp: bool,
    /// Characters of a code at most.
    pub code_chars_max: usize,
    /// Characters of a password at most.
    pub password_chars_max: usize,
    /// Where it goes afterwards.
    pub next: &'a str,
    /// Why it was refused.
    pub problems: Problems,
}
