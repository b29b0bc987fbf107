//! The pages behind links sent by mail, and the one that asks for such a link. Opening them changes nothing.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    problem::Problems,
};

/// The page with the one button that verifies an address.
#[derive(Template)]
#[template(path = "verify.html")]
pub struct VerifyPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The link's token.
    pub token: &'a str,
}

/// The page that asks for the address of a forgotten password.
#[derive(Template)]
#[template(path = "forgot.html")]
pub struct ForgotPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// Characters of an address at most.
    pub email_chars_max: usize,
    /// Why the last attempt was refused.
    pub problems: Problems,
}

/// The page that takes a new password.
#[derive(Template)]
#[template(path = "reset.html")]
pub struct ResetPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The link's token.
    pub token: &'a str,
    /// Characters of a password at least.
    pub password_chars_min: usize,
    /// Characters of a password at most.
    pub password_chars_max: usize,
    /// Why the last attempt was refused.
    pub problems: Problems,
}
