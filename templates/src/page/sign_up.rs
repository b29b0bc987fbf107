//! The sign-up page.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    problem::Problems,
    text::Text,
};

/// What the org of somebody new is called: after `local`, the part of the address before the `@`, within `chars_max`.
#[must_use]
pub fn org_name(text: &Text, local: &str, chars_max: usize) -> String {
    let named = |name: &str| text.with("sign-up-org", "name", name);
    let room = chars_max.saturating_sub(named("").chars().count());
    named(&local.chars().take(room).collect::<String>())
}

/// What the first app of somebody new is called.
#[must_use]
pub fn app_name(text: &Text) -> String {
    text.get("sign-up-app")
}

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
    /// Where to go on afterwards; empty: with the first app.
    pub next: &'a str,
    /// Why the last attempt was refused.
    pub problems: Problems,
}
