//! What operators tell every org: the list with the form of a new one, and one of them.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    problem::Problems,
    text::Text,
    time::Utc,
};

/// Where an announcement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not shown yet.
    Planned,
    /// Shown now.
    Shown,
    /// Shown no more.
    Ended,
}

impl Stage {
    fn label(self, text: &Text) -> String {
        text.get(match self {
            Self::Planned => "announcements-planned",
            Self::Shown => "announcements-shown",
            Self::Ended => "announcements-ended",
        })
    }

    const fn is_shown(self) -> bool {
        matches!(self, Self::Shown)
    }

    const fn is_ended(self) -> bool {
        matches!(self, Self::Ended)
    }
}

/// An announcement in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncementRow {
    /// Its id.
    pub id: String,
    /// Its title in the visitor's language.
    pub title: String,
    /// Whether it is a warning.
    pub is_warning: bool,
    /// Where it stands.
    pub stage: Stage,
    /// From when it is shown.
    pub starts: Utc,
    /// From when it is shown no more.
    pub ends: Utc,
}

/// How long its words may be, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of a title.
    pub title_chars_max: usize,
    /// Of a text.
    pub text_chars_max: usize,
}

/// The fields of the form, as they were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnouncementForm<'a> {
    /// Whether it is a warning.
    pub is_warning: bool,
    /// Its title in English.
    pub title_en: &'a str,
    /// Its title in Chinese.
    pub title_zh: &'a str,
    /// Its text in English.
    pub text_en: &'a str,
    /// Its text in Chinese.
    pub text_zh: &'a str,
    /// From when it is shown, as the input has it.
    pub starts_at: &'a str,
    /// From when it is shown no more.
    pub ends_at: &'a str,
    /// Why.
    pub reason: &'a str,
    /// How long its words may be.
    pub limits: Limits,
}

/// The list, and the form of a new one.
#[derive(Template)]
#[template(path = "operator-announcements.html")]
pub struct AnnouncementsPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// A page of announcements, the newest first.
    pub rows: &'a [AnnouncementRow],
    /// The form of a new one.
    pub form: AnnouncementForm<'a>,
    /// Where the next page is; empty at the end.
    pub next: String,
    /// What is wrong with the form.
    pub problems: Problems,
}

/// One announcement.
#[derive(Template)]
#[template(path = "operator-announcement.html")]
pub struct AnnouncementPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The announcement.
    pub row: AnnouncementRow,
    /// The form that writes it anew.
    pub form: AnnouncementForm<'a>,
    /// The version that the form was shown with.
    pub version: &'a str,
    /// What is wrong with it.
    pub problems: Problems,
}
