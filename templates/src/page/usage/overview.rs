//! The overview page: the usage page's moving parts, and where to start.
use askama::Template;

use super::{Links, UsageView, pulse::Level};
use crate::{
    frame::{Frame, Mode, Theme},
    language::Language,
    text::Text,
    time::Utc,
};

/// The page.
#[derive(Template)]
#[template(path = "overview.html")]
pub struct OverviewPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The frame's texts again, under the name the live parts use.
    pub text: &'a Text,
    /// The figures of the last 24 hours.
    pub view: &'a UsageView,
    /// Addresses of the usage page.
    pub links: &'a Links,
    /// Quickstarts of test apps that sent nothing yet: address and the app's name.
    pub starts: Vec<(String, String)>,
    /// Address of the live stream.
    pub stream: String,
    /// When the figures were read.
    pub sampled_at: Utc,
    /// The chart's numbers for `console.js`, as JSON.
    pub chart_json: String,
    /// Sentences of the live state, by state, with the time as `{time}`.
    pub moving_states: Vec<(&'static str, String)>,
}
