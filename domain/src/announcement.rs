//! What the service's operators tell every org, for a while, in both languages of the console.

use crate::error::{Error, Result};

/// Characters of a title at most.
pub const TITLE_CHARS_MAX: usize = 60;
/// Characters of a text at most, line breaks included. Two texts, two titles and a reason fit a form of the console.
pub const TEXT_CHARS_MAX: usize = 500;
/// How long one may stand, and how long before its beginning it may be written, in milliseconds: a year each.
pub const SPAN_MS_MAX: i64 = 366 * 24 * 3_600_000;

crate::role::texts! {
    /// How much it matters.
    Severity { /// Shown on the overview; a person may put it away.
        Info "info", /// Shown on every page until it ends.
        Warning "warning", }
}
crate::role::texts! {
    /// Where it stands.
    State { /// Not shown yet.
        Planned "planned", /// Shown now.
        Shown "shown", /// Shown no more.
        Ended "ended", }
}

/// What is told, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// How much it matters.
    pub severity: Severity,
    /// Its title in English: one line.
    pub title_en: String,
    /// Its title in Chinese.
    pub title_zh: String,
    /// Its text in English: plain, with line breaks.
    pub text_en: String,
    /// Its text in Chinese.
    pub text_zh: String,
    /// From when it is shown, milliseconds since 1970.
    pub starts_ms: i64,
    /// From when it is shown no more.
    pub ends_ms: i64,
}

impl Content {
    /// The same without blanks around its texts and with line breaks of one kind, if it may be told from now on. A start
    /// that is past becomes now.
    ///
    /// Errors: `invalid_field` at `title_en`, `title_zh`, `text_en`, `text_zh`, `starts_at` or `ends_at`.
    pub fn checked(self, now_ms: i64) -> Result<Self> {
        if self.starts_ms > now_ms.saturating_add(SPAN_MS_MAX) {
            return Err(Error::invalid("starts_at", "an announcement begins within 366 days"));
        }
        let starts_ms = self.starts_ms.max(now_ms);
        if self.ends_ms <= starts_ms || self.ends_ms > starts_ms.saturating_add(SPAN_MS_MAX) {
            return Err(Error::invalid(
                "ends_at",
                "an announcement ends after it begins, in the future, within 366 days",
            ));
        }
        Ok(Content {
            title_en: title("title_en", &self.title_en)?,
            title_zh: title("title_zh", &self.title_zh)?,
            text_en: text("text_en", &self.text_en)?,
            text_zh: text("text_zh", &self.text_zh)?,
            starts_ms,
            ..self
        })
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self, now_ms: i64) -> State {
        if self.ends_ms <= now_ms {
            State::Ended
        } else if self.starts_ms <= now_ms {
            State::Shown
        } else {
            State::Planned
        }
    }
}

fn title(field: &'static str, title: &str) -> Result<String> {
    let title = title.trim();
    let is_title =
        title.chars().count() <= TITLE_CHARS_MAX && !title.chars().any(char::is_control) && is_legible(title);
    let wrong = || Error::invalid(field, format!("a title is one legible line of 1 to {TITLE_CHARS_MAX} characters"));
    if is_title { Ok(title.to_owned()) } else { Err(wrong()) }
}

fn text(field: &'static str, text: &str) -> Result<String> {
    let text = text.trim().replace("\r\n", "\n");
    let is_plain = !text.chars().any(|letter| letter.is_control() && letter != '\n');
    let is_text = is_plain && text.chars().count() <= TEXT_CHARS_MAX && is_legible(&text);
    let wrong =
        || Error::invalid(field, format!("a text has 1 to {TEXT_CHARS_MAX} legible characters and line breaks"));
    if is_text { Ok(text) } else { Err(wrong()) }
}

/// Whether something of it is seen, and nothing turns the direction of what follows or breaks lines unseen.
fn is_legible(text: &str) -> bool {
    let turns = |letter| matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(turns) && text.chars().any(is_seen)
}

/// Whether a character is drawn by itself: no blank, and none of those that Unicode lets be ignored (fillers, joiners,
/// selectors, tags).
fn is_seen(letter: char) -> bool {
    let is_ignored = matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    !is_ignored && !letter.is_whitespace() && !letter.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn content() -> Content {
        Content {
            severity: Severity::Info,
            title_en: " Works on Sunday ".into(),
            title_zh: "周日维护".into(),
            text_en: "From 10:00.\r\nTo 11:00.\n".into(),
            text_zh: "十点开始。".into(),
            starts_ms: NOW + 1,
            ends_ms: NOW + 3,
        }
    }

    #[test]
    fn line_breaks_are_kept_and_are_of_one_kind() {
        let checked = content().checked(NOW).unwrap();
        assert_eq!(
            (checked.title_en.as_str(), checked.text_en.as_str()),
            ("Works on Sunday", "From 10:00.\nTo 11:00.")
        );
    }

    #[test]
    fn what_cannot_be_told_is_refused_at_its_field() {
        let long = |chars: usize| "字".repeat(chars);
        type Change = fn(&mut Content, String);
        let wrong: [(&str, Change, String); 14] = [
            ("title_en", |content, text| content.title_en = text, " ".into()),
            ("title_en", |content, text| content.title_en = text, "two\nlines".into()),
            ("title_zh", |content, text| content.title_zh = text, long(TITLE_CHARS_MAX + 1)),
            ("text_en", |content, text| content.text_en = text, "\r\n".into()),
            ("text_en", |content, text| content.text_en = text, "bell\u{7}".into()),
            ("text_zh", |content, text| content.text_zh = text, long(TEXT_CHARS_MAX + 1)),
            ("title_zh", |content, text| content.title_zh = text, "\u{200b}\u{2060}".into()),
            ("text_en", |content, text| content.text_en = text, "\u{3164}\n\u{fe0f}".into()),
            ("title_en", |content, text| content.title_en = text, "Works \u{202e}yadnuS no".into()),
            ("text_zh", |content, text| content.text_zh = text, "\u{2066}甲\u{2069}".into()),
            ("title_en", |content, text| content.title_en = text, "two\u{2028}lines".into()),
            ("starts_at", |content, _| content.starts_ms = NOW + SPAN_MS_MAX + 1, String::new()),
            ("ends_at", |content, _| content.ends_ms = content.starts_ms, String::new()),
            ("ends_at", |content, _| (content.starts_ms, content.ends_ms) = (NOW - 9, NOW), String::new()),
        ];
        for (field, change, text) in wrong {
            let mut content = content();
            change(&mut content, text);
            assert_eq!(content.checked(NOW).unwrap_err().param, Some(field));
        }
        let full = Content { title_en: long(TITLE_CHARS_MAX), text_zh: long(TEXT_CHARS_MAX), ..content() };
        assert!(full.checked(NOW).is_ok());
        for legible in ["👩\u{200d}💻", "می\u{200c}شود", "!"] {
            assert!(Content { title_en: legible.into(), ..content() }.checked(NOW).is_ok(), "{legible}");
        }
    }

    #[test]
    fn a_start_that_is_past_becomes_now() {
        for starts_ms in [i64::MIN, NOW - 1, NOW] {
            assert_eq!(Content { starts_ms, ..content() }.checked(NOW).unwrap().starts_ms, NOW);
        }
        assert_eq!(content().checked(NOW).unwrap().starts_ms, NOW + 1);
    }

    #[test]
    fn it_is_shown_from_its_start_until_its_end() {
        let states = [NOW, NOW + 1, NOW + 2, NOW + 3].map(|now_ms| content().state(now_ms));
        assert_eq!(states, [State::Planned, State::Shown, State::Shown, State::Ended]);
    }
}
