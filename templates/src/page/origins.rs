//! The page of an app's origins: which pages may connect.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    problem::Problems,
};

/// The origins of an app.
#[derive(Template)]
#[template(path = "origins.html")]
pub struct OriginsPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The app's id.
    pub app: &'a str,
    /// The origins, by their text.
    pub origins: Vec<String>,
    /// Whether the visitor may change them.
    pub may_change: bool,
    /// Origins of an app at most.
    pub most: u64,
    /// The origin as it was entered.
    pub origin: &'a str,
    /// This console's own origin, which its quickstart connects from.
    pub own: &'a str,
    /// Why it was refused.
    pub problems: Problems,
    /// A call that adds one.
    pub snippet: &'a str,
}
