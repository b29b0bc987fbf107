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

/// A meter that can be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Meter {
    /// Message units sent.
    #[default]
    Sent,
    /// Message units that devices received.
    Delivered,
}

impl Meter {
    /// Every meter, in the order shown.
    pub const ALL: [Self; 2] = [Self::Sent, Self::Delivered];

    /// The meter's name, in the address too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "msg_sent",
            Self::Delivered => "msg_delivered",
        }
    }

    /// Reads a name that [`Self::name`] gave.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meter| meter.name() == name)
    }

    pub(super) fn label(self, text: &Text) -> String {
        text.get(match self {
            Self::Sent => "usage-units",
            Self::Delivered => "usage-units-delivered",
        })
    }

    pub(super) fn empty(self, text: &Text) -> String {
        text.get(match self {
            Self::Sent => "usage-empty",
            Self::Delivered => "usage-empty-delivered",
        })
    }
}

/// A meter offered as a link.
#[derive(Clone, Debug)]
pub struct MeterOption {
    /// Which one.
    pub meter: Meter,
    /// Its address, with app and range kept.
    pub href: String,
    /// Whether it is the one shown.
    pub chosen: bool,
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
    /// Meters to choose from.
    pub meters: Vec<MeterOption>,
    /// Ranges to choose from.
    pub presets: Vec<Preset>,
    /// Whether the range is neither of them.
    pub custom: bool,
    /// Fields of the address that hold the range, for the app form to keep.
    pub range_fields: Vec<(&'static str, String)>,
    /// The field that holds the meter, for forms to keep; none for the usual one.
    pub meter_field: Option<(&'static str, &'static str)>,
}
