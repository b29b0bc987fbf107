//! The pages of apps: the list, a new one, and one with its state.
use askama::Template;

use crate::{
    frame::{Frame, Mode, Theme},
    language::Language,
    number::grouped,
    problem::Problems,
    time::Utc,
};

/// An app as its pages show it.
#[derive(Clone, Debug)]
pub struct AppView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Live or test.
    pub mode: Mode,
    /// When it was made.
    pub created: Utc,
    /// When it was suspended.
    pub suspended: Option<Utc>,
    /// Which of its users may bring others into a conversation.
    pub strangers: Strangers,
    /// Which connections of a user a newer one ends.
    pub logins: Logins,
    /// What becomes of a user whom nobody knows yet.
    pub unknown_users: UnknownUsers,
    /// Message units sent since midnight, UTC.
    pub units: i64,
}

/// Which users of an app may bring others into a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strangers {
    /// Any user any other.
    Anyone,
    /// Users those they share a conversation with.
    Shared,
    /// None.
    Server,
}

impl Strangers {
    /// Every rule.
    pub const ALL: &'static [Strangers] = &[Strangers::Anyone, Strangers::Shared, Strangers::Server];

    /// The word that forms carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Strangers::Anyone => "anyone",
            Strangers::Shared => "shared",
            Strangers::Server => "server",
        }
    }

    /// The key of its text.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Strangers::Anyone => "apps-strangers-anyone",
            Strangers::Shared => "apps-strangers-shared",
            Strangers::Server => "apps-strangers-server",
        }
    }
}

/// Which connections of a user a newer one ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logins {
    /// None.
    Devices,
    /// Those on its platform.
    Platforms,
    /// All.
    One,
}

impl Logins {
    /// Every rule.
    pub const ALL: &'static [Logins] = &[Logins::Devices, Logins::Platforms, Logins::One];

    /// The word that forms carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Logins::Devices => "devices",
            Logins::Platforms => "platforms",
            Logins::One => "one",
        }
    }

    /// The key of its text.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Logins::Devices => "apps-logins-devices",
            Logins::Platforms => "apps-logins-platforms",
            Logins::One => "apps-logins-one",
        }
    }
}

/// What becomes of somebody with a valid token whom the app does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownUsers {
    /// A user.
    Create,
    /// Nothing.
    Refuse,
}

impl UnknownUsers {
    /// Every rule.
    pub const ALL: &'static [UnknownUsers] = &[UnknownUsers::Create, UnknownUsers::Refuse];

    /// The word that forms carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            UnknownUsers::Create => "create",
            UnknownUsers::Refuse => "refuse",
        }
    }

    /// The key of its text.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            UnknownUsers::Create => "apps-unknown-users-create",
            UnknownUsers::Refuse => "apps-unknown-users-refuse",
        }
    }
}

impl AppView {
    /// The units as they are printed.
    #[must_use]
    pub fn units_shown(&self) -> String {
        grouped(self.units)
    }
}

/// The list.
#[derive(Template)]
#[template(path = "apps.html")]
pub struct AppsPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The apps, the oldest first.
    pub apps: Vec<AppView>,
    /// Whether the visitor may make one.
    pub may_change: bool,
    /// A call that makes one.
    pub snippet: &'a str,
}

/// The form of a new app.
#[derive(Template)]
#[template(path = "app-new.html")]
pub struct NewAppPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The name as it was entered.
    pub name: &'a str,
    /// The mode as it was chosen.
    pub mode: Mode,
    /// Why it was refused.
    pub problems: Problems,
}

/// One app.
#[derive(Template)]
#[template(path = "app.html")]
pub struct AppPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The app.
    pub app: AppView,
    /// Whether the visitor may change it.
    pub may_change: bool,
    /// The new name as it was entered.
    pub name: &'a str,
    /// Why a form was refused.
    pub problems: Problems,
}
