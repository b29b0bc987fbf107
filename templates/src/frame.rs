//! What surrounds every page: language, theme, form token and who is signed in.
use crate::{assets::Assets, flash::Flash, language::Language, nav::Nav, number::grouped, text::Text};

/// How light or dark the pages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Theme {
    /// As the visitor's system says.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// Every theme, in the order the menu shows them.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The theme's name in forms, in the cookie and in `data-theme`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads a name that [`Self::name`] gave.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }
}

/// Which apps a page shows; test and live differ in colour, label, icon and title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Traffic that is billed.
    Live,
    /// Traffic that is never billed.
    Test,
}

impl Mode {
    /// The mode's name in `data-mode`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }

    /// The mode as a word of the interface.
    #[must_use]
    pub fn label(self, text: &Text) -> String {
        match self {
            Self::Live => text.get("frame-mode-live"),
            Self::Test => text.get("frame-mode-test"),
        }
    }
}

/// The person the page is for.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'a> {
    /// Email address of the account.
    pub email: &'a str,
    /// Name of the org the session looks at, if it looks at one.
    pub org_name: Option<&'a str>,
    /// Whether the address is known to be theirs.
    pub is_verified: bool,
    /// Why that org is suspended, if it is; empty where nobody said.
    pub suspended: Option<&'a str>,
    /// Where another org is chosen; empty where it cannot be.
    pub orgs: &'a str,
    /// Whether this is the operator area.
    pub is_operator: bool,
}

/// The app a page is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPlace {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Live or test.
    pub mode: Mode,
}

/// What the service's operators tell everybody, in the visitor's language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced<'a> {
    /// The announcement's id.
    pub id: String,
    /// Whether it is on every page, and cannot be put away.
    pub is_warning: bool,
    /// Its title.
    pub title: &'a str,
    /// Its text: plain, with line breaks.
    pub text: &'a str,
}

/// What every page needs besides its own matter.
#[derive(Clone)]
pub struct Frame<'a> {
    /// Texts in the visitor's language.
    pub text: Text,
    /// The visitor's theme.
    pub theme: Theme,
    /// Addresses of the static files.
    pub assets: &'a Assets,
    /// The form token, masked for this answer.
    pub csrf: &'a str,
    /// The number by which a form of this page works once.
    pub nonce: &'a str,
    /// Path and query of this page, to which forms return.
    pub here: &'a str,
    /// Who is signed in, if anybody.
    pub viewer: Option<Viewer<'a>>,
    /// Where they may go.
    pub nav: Nav,
    /// The app the page is about, where it is about one.
    pub app: Option<AppPlace>,
    /// What the request before did.
    pub flash: Option<Flash>,
    /// What the service's operators tell everybody.
    pub announced: Vec<Announced<'a>>,
    /// The mode of the app shown, where a page shows one.
    pub mode: Option<Mode>,
}

impl Frame<'_> {
    /// The document's title for a page of that name.
    #[must_use]
    pub fn title(&self, page: &str) -> String {
        match self.mode {
            None => self.text.with("frame-title", "page", page),
            Some(Mode::Live) => self.text.with("frame-title-live", "page", page),
            Some(Mode::Test) => self.text.with("frame-title-test", "page", page),
        }
    }

    /// A number as the console prints it.
    #[must_use]
    pub fn number(&self, number: &i64) -> String {
        grouped(*number)
    }

    /// Whether the page is of the operator area.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.viewer.is_some_and(|viewer| viewer.is_operator)
    }

    /// What is told on every page.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &Announced<'_>> {
        self.announced.iter().filter(|announced| announced.is_warning)
    }

    /// What is told on the overview, and may be put away.
    pub(crate) fn infos(&self) -> impl Iterator<Item = &Announced<'_>> {
        self.announced.iter().filter(|announced| !announced.is_warning)
    }

    /// Whether something stands above the page's own matter.
    #[must_use]
    pub fn has_head(&self) -> bool {
        let has_banner = |viewer: Viewer<'_>| !viewer.is_verified || viewer.suspended.is_some();
        self.flash.is_some()
            || self.warnings().next().is_some()
            || self.app.is_some()
            || self.viewer.is_some_and(has_banner)
    }

    /// This page's address in another language.
    #[must_use]
    pub fn in_language(&self, language: &Language) -> String {
        let (path, query) = self.here.split_once('?').unwrap_or((self.here, ""));
        let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("lang="));
        let pairs: Vec<String> = kept.map(str::to_owned).chain([format!("lang={}", language.tag())]).collect();
        format!("{path}?{}", pairs.join("&"))
    }
}
