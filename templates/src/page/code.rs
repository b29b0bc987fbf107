//! Pages that ask for a code of the second factor: at sign-in, and on the way into the operator area.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    problem::Problems,
};

/// The second step of a sign-in.
#[derive(Template)]
#[template(path = "sign-in-code.html")]
pub struct CodePage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// Characters of a code at most.
    pub code_chars_max: usize,
    /// Where it goes afterwards.
    pub next: &'a str,
    /// Why the last attempt was refused.
    pub problems: Problems,
}

/// The way into the operator area.
#[derive(Template)]
#[template(path = "elevate.html")]
pub struct ElevatePage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// Whether the account has the second factor that the area asks for.
    pub has_totp: bool,
    /// Characters of a password at most.
    pub password_chars_max: usize,
    /// Characters of a code at most.
    pub code_chars_max: usize,
    /// Why the last attempt was refused.
    pub problems: Problems,
}
