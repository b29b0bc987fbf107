//! Pages that say what happened, what to do, and the request id.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    text::Text,
    time::Utc,
};

/// What the notice is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No such page or object, or somebody else's.
    NotFound,
    /// A form without a valid token or from another site.
    Csrf,
    /// A filter in the address that cannot be read.
    Filter {
        /// Longest span of a range, in days.
        days_max: i64,
    },
    /// The page exists, the method does not.
    Method,
    /// A form above the size limit.
    TooLarge,
    /// A form that did not arrive in time.
    Silent,
    /// A limit of the console session is reached.
    Limited,
    /// The store cannot be reached.
    Unavailable,
    /// The store was lost while it kept a change: whether it did is not known.
    Unknown,
    /// A fault of ours.
    Internal,
    /// A host name that is not the console's.
    Host,
    /// The role may not.
    Forbidden {
        /// The roles that may, in words; empty where they are not known.
        roles: String,
    },
    /// The account is in no org.
    NoOrg,
    /// The address is not verified yet.
    Unverified,
    /// It takes proof that it is them.
    Reauth,
    /// The form was sent already.
    Twice,
    /// The same, and its answer showed a secret.
    ShownOnce,
    /// Somebody changed the same, or it is taken.
    Conflict,
    /// A rule refused it.
    Refused,
}

impl Kind {
    /// One of each, for samples.
    #[cfg(test)]
    pub(super) const SAMPLES: [Self; 19] = [
        Self::NotFound,
        Self::Csrf,
        Self::Filter { days_max: 92 },
        Self::Method,
        Self::TooLarge,
        Self::Silent,
        Self::Limited,
        Self::Unavailable,
        Self::Unknown,
        Self::Internal,
        Self::Host,
        Self::Forbidden { roles: String::new() },
        Self::NoOrg,
        Self::Unverified,
        Self::Reauth,
        Self::Twice,
        Self::ShownOnce,
        Self::Conflict,
        Self::Refused,
    ];

    /// Whether its code is one of the table, which the documentation explains.
    fn is_documented(&self) -> bool {
        !matches!(self, Self::Host)
    }

    fn title(&self, text: &Text) -> String {
        text.get(match self {
            Self::NotFound => "notice-not-found-title",
            Self::Csrf => "notice-csrf-title",
            Self::Filter { .. } => "notice-filter-title",
            Self::Method => "notice-method-title",
            Self::TooLarge => "notice-too-large-title",
            Self::Silent => "notice-silent-title",
            Self::Limited => "notice-limited-title",
            Self::Unavailable => "notice-unavailable-title",
            Self::Unknown => "notice-unknown-title",
            Self::Internal => "notice-internal-title",
            Self::Host => "notice-host-title",
            Self::Forbidden { .. } => "notice-forbidden-title",
            Self::NoOrg => "notice-no-org-title",
            Self::Unverified => "notice-unverified-title",
            Self::Reauth => "notice-reauth-title",
            Self::Twice => "notice-twice-title",
            Self::ShownOnce => "notice-shown-once-title",
            Self::Conflict => "notice-conflict-title",
            Self::Refused => "notice-refused-title",
        })
    }

    fn body(&self, text: &Text) -> String {
        match self {
            Self::NotFound => text.get("notice-not-found-body"),
            Self::Csrf => text.get("notice-csrf-body"),
            Self::Filter { days_max } => text.with("notice-filter-body", "days", days_max),
            Self::Method => text.get("notice-method-body"),
            Self::TooLarge => text.get("notice-too-large-body"),
            Self::Silent => text.get("notice-silent-body"),
            Self::Limited => text.get("notice-limited-body"),
            Self::Unavailable => text.get("notice-unavailable-body"),
            Self::Unknown => text.get("notice-unknown-body"),
            Self::Internal => text.get("notice-internal-body"),
            Self::Host => text.get("notice-host-body"),
            Self::Forbidden { roles } if roles.is_empty() => text.get("notice-forbidden-body-plain"),
            Self::Forbidden { roles } => text.with("notice-forbidden-body", "roles", roles),
            Self::NoOrg => text.get("notice-no-org-body"),
            Self::Unverified => text.get("notice-unverified-body"),
            Self::Reauth => text.get("notice-reauth-body"),
            Self::Twice => text.get("notice-twice-body"),
            Self::ShownOnce => text.get("notice-shown-once-body"),
            Self::Conflict => text.get("notice-conflict-body"),
            Self::Refused => text.get("notice-refused-body"),
        }
    }

    fn action(&self, text: &Text) -> String {
        text.get(match self {
            Self::NotFound => "notice-not-found-action",
            Self::Csrf => "notice-csrf-action",
            Self::Filter { .. } => "notice-filter-action",
            Self::Method => "notice-method-action",
            Self::TooLarge => "notice-too-large-action",
            Self::Silent => "notice-silent-action",
            Self::Limited => "notice-limited-action",
            Self::Unavailable => "notice-unavailable-action",
            Self::Unknown => "notice-unknown-action",
            Self::Internal => "notice-internal-action",
            Self::Host => "notice-host-action",
            Self::Forbidden { .. } => "notice-forbidden-action",
            Self::NoOrg => "notice-no-org-action",
            Self::Unverified => "notice-unverified-action",
            Self::Reauth => "notice-reauth-action",
            Self::Twice => "notice-twice-action",
            Self::ShownOnce => "notice-shown-once-action",
            Self::Conflict => "notice-conflict-action",
            Self::Refused => "notice-refused-action",
        })
    }
}

/// The page.
#[derive(Template)]
#[template(path = "notice.html")]
pub struct NoticePage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// What it is about.
    pub kind: Kind,
    /// Where its one action leads.
    pub action: &'a str,
    /// The stable error code.
    pub code: &'a str,
    /// The id that finds the request in our logs.
    pub request_id: &'a str,
    /// When it happened.
    pub at: Utc,
}
