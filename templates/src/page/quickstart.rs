//! The quickstart page: two panes, the checkpoints of an app, and example programs with the developer's own values.
use askama::Template;

use crate::{
    docs::Subject,
    frame::{Frame, Theme},
    language::Language,
    text::Text,
    time::Utc,
};

/// What the page's own script calls itself when it connects.
pub const PAGE_LIBRARY: &str = "console";

/// The languages of the examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A page for the browser.
    JavaScript,
    /// A component for React.
    React,
    /// Node.js.
    Node,
    /// Python.
    Python,
    /// Java, without a library.
    Java,
    /// Kotlin, with what the JDK has.
    Kotlin,
    /// Swift, with what its Foundation has.
    Swift,
    /// The command line.
    Curl,
}

impl Code {
    /// Every language, in the order of the tabs.
    pub const ALL: [Self; 8] =
        [Self::JavaScript, Self::React, Self::Node, Self::Python, Self::Java, Self::Kotlin, Self::Swift, Self::Curl];

    /// The language's name in the address.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JavaScript => "javascript",
            Self::React => "react",
            Self::Node => "node",
            Self::Python => "python",
            Self::Java => "java",
            Self::Kotlin => "kotlin",
            Self::Swift => "swift",
            Self::Curl => "curl",
        }
    }

    /// Reads a name that [`Self::name`] gave.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    const fn label(self) -> &'static str {
        match self {
            Self::JavaScript => "JavaScript",
            Self::React => "React",
            Self::Node => "Node.js",
            Self::Python => "Python",
            Self::Java => "Java",
            Self::Kotlin => "Kotlin",
            Self::Swift => "Swift",
            Self::Curl => "curl",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::JavaScript => include_str!("../../examples/javascript.html"),
            Self::React => include_str!("../../examples/react.jsx"),
            Self::Node => include_str!("../../examples/node.mjs"),
            Self::Python => include_str!("../../examples/python.py"),
            Self::Java => include_str!("../../examples/java.java"),
            Self::Kotlin => include_str!("../../examples/kotlin.kt"),
            Self::Swift => include_str!("../../examples/swift.swift"),
            Self::Curl => include_str!("../../examples/curl.sh"),
        }
    }

    /// Whether our tests run the program; a machine with Apple's tools is none of ours.
    #[must_use]
    pub const fn is_run_by_tests(self) -> bool {
        !matches!(self, Self::Swift)
    }

    /// The program for a server and a token.
    #[must_use]
    pub fn example(self, origin: &str, token: &str) -> String {
        self.text().replace("{{http}}", origin).replace("{{ws}}", &socket_origin(origin)).replace("{{token}}", token)
    }
}

/// The gateway's origin beside an HTTP one: `https` → `wss`, `http` → `ws`.
#[must_use]
pub fn socket_origin(origin: &str) -> String {
    origin.strip_prefix("http").map_or_else(String::new, |rest| format!("ws{rest}"))
}

/// A language to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab {
    /// Its name.
    pub name: &'static str,
    /// The page with that example.
    pub href: String,
    /// Whether it is shown.
    pub chosen: bool,
}

impl Tab {
    /// The tabs of a page at that address.
    #[must_use]
    pub fn all(path: &str, chosen: Code) -> Vec<Self> {
        let tab = |code: Code| Self {
            name: code.label(),
            href: format!("{path}?code={}#code-heading", code.name()),
            chosen: code == chosen,
        };
        Code::ALL.into_iter().map(tab).collect()
    }
}

/// A message of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who said it.
    pub sender: String,
    /// What.
    pub text: String,
    /// Its place.
    pub seq: i64,
    /// Whether the pane's user said it.
    pub own: bool,
}

/// One user's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pane {
    /// The user's id.
    pub user: &'static str,
    /// The user's name.
    pub name: &'static str,
    /// Where the script connects.
    pub url: String,
    /// The user's token.
    pub token: String,
    /// The conversation's epoch and last seq as drawn here; 0 where there is no conversation yet.
    pub epoch: i64,
    /// The last seq drawn.
    pub seq: i64,
    /// The newest messages, oldest first.
    pub lines: Vec<Line>,
}

/// How far one client came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The library it named; empty where none; absent for the developer's code that has not come yet.
    pub library: Option<String>,
    /// When it connected.
    pub connected: Option<Utc>,
    /// When it sent.
    pub sent: Option<Utc>,
    /// When it received.
    pub received: Option<Utc>,
}

impl Row {
    /// A row that waits for the developer's own code.
    #[must_use]
    pub const fn awaited() -> Self {
        Self { library: None, connected: None, sent: None, received: None }
    }

    fn name(&self, text: &Text) -> String {
        match self.library.as_deref() {
            None => text.get("quickstart-client-own"),
            Some("") => text.get("quickstart-client-unnamed"),
            Some(PAGE_LIBRARY) => text.get("quickstart-client-page"),
            Some(library) => library.to_owned(),
        }
    }

    fn steps(&self, text: &Text) -> [(String, Option<Utc>); 3] {
        [
            (text.get("quickstart-connected"), self.connected),
            (text.get("quickstart-sent"), self.sent),
            (text.get("quickstart-received"), self.received),
        ]
    }
}

/// A connection that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The error code.
    pub code: &'static str,
    /// Why, in the language of the API.
    pub message: String,
    /// When.
    pub at: Utc,
}

impl Refused {
    fn fix(&self, text: &Text) -> String {
        text.get(match self.code {
            "token_expired" => "quickstart-fix-token-expired",
            "token_invalid" => "quickstart-fix-token-invalid",
            "token_revoked" => "quickstart-fix-token-revoked",
            "origin_not_allowed" => "quickstart-fix-origin-not-allowed",
            "quota_exceeded" => "quickstart-fix-quota-exceeded",
            "connection_limit" => "quickstart-fix-connection-limit",
            _ => "quickstart-fix-other",
        })
    }
}

/// The checkpoints of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// A row per client, this page's first.
    pub rows: Vec<Row>,
    /// The last refusal.
    pub refused: Option<Refused>,
}

/// Addresses of the page and around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// This page.
    pub here: String,
    /// The checkpoints alone.
    pub checkpoints: String,
    /// Where the panes' forms go.
    pub say: String,
    /// Server keys of the app.
    pub keys: String,
    /// Signing keys of the app.
    pub signing_keys: String,
}

impl Links {
    fn next(&self, text: &Text) -> [(String, String); 4] {
        [
            (self.keys.clone(), text.get("quickstart-next-keys")),
            (Subject::Tokens.path(), text.get("quickstart-next-signing")),
            ("/console/members".to_owned(), text.get("quickstart-next-members")),
            ("/console/usage".to_owned(), text.get("quickstart-next-usage")),
        ]
    }
}

/// The checkpoints alone, which the page asks for again and again.
#[derive(Template)]
#[template(path = "quickstart.html", block = "checkpoints")]
pub struct CheckpointsPart<'a> {
    /// What surrounds the page.
    pub frame: Frame<'a>,
    /// The checkpoints.
    pub steps: Steps,
    /// Addresses.
    pub links: Links,
}

/// The page.
#[derive(Template)]
#[template(path = "quickstart.html")]
pub struct QuickstartPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The app's name.
    pub app_name: &'a str,
    /// Whether there is a token to speak with.
    pub has_token: bool,
    /// Alice's side and Bob's; none for a live app, or one without a signing key.
    pub panes: Vec<Pane>,
    /// Why a message from here was not sent.
    pub refused: Option<&'static str>,
    /// The checkpoints.
    pub steps: Steps,
    /// The languages.
    pub tabs: Vec<Tab>,
    /// The chosen language.
    pub code: Code,
    /// The program in it.
    pub example: String,
    /// Characters of a message at most.
    pub text_chars_max: usize,
    /// Addresses.
    pub links: Links,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_holds_the_developers_own_values() {
        for code in Code::ALL {
            let example = code.example("https://im.example", "TOKEN.x");
            assert!(example.contains("TOKEN.x") && !example.contains("{{"), "{code:?}");
            assert!(example.contains("wss://im.example/v1") || example.contains("https://im.example/v1"));
        }
    }
}
