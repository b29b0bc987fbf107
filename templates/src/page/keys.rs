//! The pages of keys: server keys and signing keys of an app, and the page that shows a secret once.
use askama::Template;

use crate::{
    docs::Subject,
    frame::{Frame, Theme},
    language::Language,
    problem::Problems,
    text::Text,
    time::Utc,
};

/// Whether a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Stands,
    /// It does until then.
    Ends(Utc),
    /// Another took its place; it works until then.
    Leaving(Utc),
    /// It has ended.
    Ended(Utc),
    /// Another took its place, and its time is over.
    Replaced(Utc),
    /// It was revoked.
    Revoked(Utc),
}

impl State {
    /// Whether it still works.
    #[must_use]
    pub const fn is_working(&self) -> bool {
        matches!(self, Self::Stands | Self::Ends(_) | Self::Leaving(_))
    }

    /// Whether it may be replaced: it works, and nothing has its place.
    #[must_use]
    pub const fn is_replaceable(&self) -> bool {
        matches!(self, Self::Stands | Self::Ends(_))
    }

    fn sentence(&self, text: &Text) -> String {
        match self {
            Self::Stands => text.get("keys-state-stands"),
            Self::Ends(at) => text.with("keys-state-ends", "time", at.date_minute()),
            Self::Leaving(at) => text.with("keys-state-leaving", "time", at.date_minute()),
            Self::Ended(at) => text.with("keys-state-ended", "time", at.date_minute()),
            Self::Replaced(at) => text.with("keys-state-replaced", "time", at.date_minute()),
            Self::Revoked(at) => text.with("keys-state-revoked", "time", at.date_minute()),
        }
    }
}

/// How long ago a key was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Within the last day.
    Day,
    /// Within the last 30 days.
    Month,
    /// Longer ago.
    Long,
}

/// When and from where a key was used last.
#[derive(Clone, Debug)]
pub struct Used {
    /// When, to the minute.
    pub at: Utc,
    /// From which address; empty where it is not known.
    pub from: String,
    /// How long ago.
    pub age: Age,
}

impl Used {
    fn tag(&self) -> &'static str {
        match self.age {
            Age::Day => "live-now",
            Age::Month => "plain",
            Age::Long => "warn",
        }
    }
}

/// A key as its page shows it.
#[derive(Clone, Debug)]
pub struct KeyView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What tells it from others: the hint of a server key, the algorithm of a signing key.
    pub mark: String,
    /// What it may do, word by word; empty for a signing key.
    pub scopes: Vec<&'static str>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created: Utc,
    /// Whether it stands.
    pub state: State,
    /// Its last use, where uses are noted and there was one.
    pub used: Option<Used>,
    /// Whether it stands unused for 30 days.
    pub is_idle: bool,
    /// Whether its replacement brings a public key.
    pub is_public: bool,
}

/// A scope of the form.
#[derive(Clone, Copy, Debug)]
pub struct ScopeChoice {
    /// Its word.
    pub word: &'static str,
    /// Whether it is chosen.
    pub is_chosen: bool,
}

/// What the form of a new key asks beside its name. It tells of which kind the keys of the page are.
#[derive(Clone, Debug)]
pub enum NewKeyForm<'a> {
    /// A server key.
    Server {
        /// The scopes.
        scopes: Vec<ScopeChoice>,
        /// Whether it may do everything.
        is_all: bool,
    },
    /// A signing key.
    Signing {
        /// The algorithms, and whether each is chosen.
        algorithms: Vec<(&'static str, bool)>,
        /// The public key as it was entered; empty where that was anything else.
        public_key: &'a str,
    },
}

/// The messages that differ by the kind of the page's keys.
struct Words {
    heading: &'static str,
    all: &'static str,
    empty: &'static str,
    new: &'static str,
    new_help: &'static str,
    revoke_help: &'static str,
}

const SERVER: Words = Words {
    heading: "nav-keys",
    all: "keys-server",
    empty: "keys-empty",
    new: "keys-new",
    new_help: "keys-new-help",
    revoke_help: "keys-revoke-help",
};

const SIGNING: Words = Words {
    heading: "nav-signing-keys",
    all: "signing-all",
    empty: "signing-empty",
    new: "signing-new",
    new_help: "signing-new-help",
    revoke_help: "signing-revoke-help",
};

impl NewKeyForm<'_> {
    const fn is_signing(&self) -> bool {
        matches!(self, Self::Signing { .. })
    }

    const fn words(&self) -> &'static Words {
        if self.is_signing() { &SIGNING } else { &SERVER }
    }
}

/// The server keys of an app, or its signing keys.
#[derive(Template)]
#[template(path = "keys.html")]
pub struct KeysPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The page's own path, below which its forms send.
    pub address: &'a str,
    /// The keys, the oldest first.
    pub keys: Vec<KeyView>,
    /// Where the next page of them is; empty at the end.
    pub next: String,
    /// The name of a new key as it was entered.
    pub name: &'a str,
    /// The rest of its form.
    pub form: NewKeyForm<'a>,
    /// Why the form was refused.
    pub problems: Problems,
    /// How a key is used.
    pub snippet: &'a str,
}

/// A secret, shown once.
#[derive(Template)]
#[template(path = "secret.html")]
pub struct SecretPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The key's name.
    pub name: &'a str,
    /// The `kid` of a signing key; empty for a server key.
    pub kid: &'a str,
    /// The secret; empty for a key that has none.
    pub secret: &'a str,
    /// How it is used.
    pub snippet: &'a str,
    /// Until when the key works whose place this one takes.
    pub old_until: Option<Utc>,
    /// Where the app's keys are.
    pub back: &'a str,
}
