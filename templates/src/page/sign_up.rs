//! The sign-up page.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    problem::Problems,
};

/// The form, empty or after a refusal.
#[derive(Template)]
#[template(path = "sign-up.html")]
pub struct SignUpPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The address entered before, to be filled in again.
    pub email: &'a str,
    /// Characters of an address at most.
    pub email_chars_max: usize,
    /// Characters of a password at least.
    pub password_chars_min: usize,
    /// Characters of a password at most.
    pub password_chars_max: usize,
    /// Why the last attempt was refused.
    pub problems: Problems,
}
