//! The account page, and the pages of the second factor.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    problem::Problems,
    time::Utc,
};

/// One sign-in of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub id: String,
    /// What the browser called itself; empty where it did not.
    pub agent: String,
    /// From which address; empty where it is not known.
    pub address: String,
    /// When it was last used.
    pub seen: Utc,
    /// Whether it is the one that looks.
    pub is_current: bool,
    /// Whether it is of the operator area.
    pub is_operator: bool,
}

/// Words by which browsers name themselves, and their names: one names itself by the words of those below it, too.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
/// The same for systems.
const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

impl SessionRow {
    /// Browser and system as people call them; what the browser called itself where neither is known.
    fn browser(&self) -> String {
        let find = |names: &[(&'static str, &'static str)]| {
            names.iter().find(|(word, _)| self.agent.contains(word)).map(|(_, name)| *name)
        };
        let known: Vec<_> = [find(&BROWSERS), find(&SYSTEMS)].into_iter().flatten().collect();
        if known.is_empty() { self.agent.clone() } else { known.join(" · ") }
    }
}

/// The account page.
#[derive(Template)]
#[template(path = "account.html")]
pub struct AccountPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The account's address.
    pub email: &'a str,
    /// Whether it is verified.
    pub is_verified: bool,
    /// Whether the second factor is on.
    pub has_totp: bool,
    /// Recovery codes that still work.
    pub recovery_codes: i64,
    /// Its sign-ins, the newest first.
    pub sessions: &'a [SessionRow],
    /// Characters of a password at least.
    pub password_chars_min: usize,
    /// Characters of a password at most.
    pub password_chars_max: usize,
    /// Why the password was not changed.
    pub problems: Problems,
}

/// A seed to be read by an authenticator app, or what can be done about one that is in use.
#[derive(Template)]
#[template(path = "totp.html")]
pub struct TotpPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// What to read, once switching on was begun.
    pub enrolment: Option<Seed<'a>>,
    /// Whether the second factor is on.
    pub has_totp: bool,
    /// Recovery codes that still work.
    pub recovery_codes: i64,
    /// Characters of a code at most.
    pub code_chars_max: usize,
    /// Why the last attempt was refused.
    pub problems: Problems,
}

/// A seed as a picture and as text.
pub struct Seed<'a> {
    /// The picture.
    pub picture: QrPicture,
    /// The text.
    pub secret: &'a str,
}

impl Seed<'_> {
    /// The secret in groups of four, for typing.
    fn grouped(&self) -> String {
        let letters: Vec<char> = self.secret.chars().collect();
        letters.chunks(4).map(|chunk| chunk.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
    }
}

/// A QR code as one path of squares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QrPicture {
    /// Squares along a side, the quiet zone of four on each side included (ISO/IEC 18004 §5.3.8).
    pub side: usize,
    /// The path's data.
    pub path: String,
}

impl QrPicture {
    const QUIET: usize = 4;

    /// The picture of a text; none where it is longer than a QR code holds.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let code = qrcode::QrCode::new(text.as_bytes()).ok()?;
        let width = code.width();
        let dark = code.to_colors().into_iter().enumerate().filter(|(_, colour)| *colour == qrcode::Color::Dark);
        let square =
            |(at, _): (usize, _)| format!("M{} {}h1v1h-1z", at % width + Self::QUIET, at / width + Self::QUIET);
        Some(Self { side: width + 2 * Self::QUIET, path: dark.map(square).collect() })
    }
}

/// The recovery codes, shown once.
#[derive(Template)]
#[template(path = "recovery-codes.html")]
pub struct RecoveryCodesPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The codes.
    pub codes: &'a [String],
}

impl RecoveryCodesPage<'_> {
    /// A file of them as an address (RFC 2397); codes are letters and digits.
    fn file(&self) -> String {
        format!("data:text/plain;charset=utf-8,{}%0A", self.codes.join("%0A"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_as_people_name_browsers() {
        for (agent, name) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0 Safari/537.36",
                "Chrome · Linux",
            ),
            ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/148.0 Safari/537.36 Edg/148.0", "Edge · Windows"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19.0 Safari/604",
                "Safari · iOS",
            ),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:150.0) Gecko/20100101 Firefox/150.0", "Firefox · macOS"),
            ("curl/8.0", "curl/8.0"),
            ("", ""),
        ] {
            let row = SessionRow {
                id: String::new(),
                agent: agent.to_owned(),
                address: String::new(),
                seen: Utc::from_ms(0),
                is_current: false,
                is_operator: false,
            };
            assert_eq!(row.browser(), name, "{agent}");
        }
    }
}
