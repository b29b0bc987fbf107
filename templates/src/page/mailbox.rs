//! The development mailbox: the list of mails, and one of them.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    time::Utc,
};

/// A mail of the list.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// Address of its page.
    pub href: String,
    /// Its subject.
    pub subject: &'a str,
    /// To whom.
    pub to: &'a str,
    /// Its date.
    pub at: Utc,
}

/// The list.
#[derive(Template)]
#[template(path = "mailbox.html")]
pub struct MailboxPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// Mails of this page, the newest first.
    pub mails: Vec<Row<'a>>,
    /// Whether there are newer ones on the pages before.
    pub newest: bool,
    /// Address of the next page.
    pub older: Option<String>,
}

/// One mail.
#[derive(Template)]
#[template(path = "mail.html")]
pub struct MailPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// Its subject.
    pub subject: &'a str,
    /// Its headers as they would have been sent.
    pub head: &'a str,
    /// Lines of the text part; one that is an address becomes a link.
    pub lines: Vec<&'a str>,
    /// The HTML part.
    pub html: &'a str,
}

impl MailPage<'_> {
    fn is_link(line: &str) -> bool {
        (line.starts_with("http://") || line.starts_with("https://")) && !line.contains(char::is_whitespace)
    }
}
