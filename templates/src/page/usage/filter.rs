//! The filter bar of the usage page: which apps and which range can be chosen.
use crate::{frame::Mode, text::Text};

/// A range offered as a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// The last 24 hours, by hour.
    Day,
    /// The last 7 days, by hour.
    Week,
    /// The last 30 days, by day.
    Month,
}

impl Span {
    /// Every span, in the order shown.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// The span's name in the address.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// Reads a name that [`Self::name`] gave.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.name() == name)
    }

    pub(super) fn label(self, text: &Text) -> String {
        text.get(match self {
            Self::Day => "usage-range-24h",
            Self::Week => "usage-range-7d",
            Self::Month => "usage-range-30d",
        })
    }
}

/// An app that can be chosen.
#[derive(Clone, Debug)]
pub struct AppOption {
    /// The app's id.
    pub id: String,
    /// The app's name.
    pub name: String,
    /// Live or test.
    pub mode: Mode,
    /// Whether it is the one shown.
    pub chosen: bool,
}

impl AppOption {
    pub(super) fn label(&self, text: &Text) -> String {
        match self.mode {
            Mode::Live => text.with("usage-filter-option-live", "app", &self.name),
            Mode::Test => text.with("usage-filter-option-test", "app", &self.name),
        }
    }
}

/// A range that can be chosen.
#[derive(Clone, Debug)]
pub struct Preset {
    /// Which one.
    pub span: Span,
    /// Its address, with the app kept.
    pub href: String,
    /// Whether it is the one shown.
    pub chosen: bool,
}

/// All choices and the ones made.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The chosen app's id; empty for all.
    pub app: String,
    /// Apps to choose from.
    pub apps: Vec<AppOption>,
    /// Ranges to choose from.
    pub presets: Vec<Preset>,
    /// Whether the range is neither of them.
    pub custom: bool,
    /// Fields of the address that hold the range, for the app form to keep.
    pub range_fields: Vec<(&'static str, String)>,
}
