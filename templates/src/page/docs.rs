//! The pages of the documentation: the list of documents, and one of them.
use askama::Template;

use crate::{
    docs::{Doc, Subject, Tail},
    frame::{Frame, Theme},
    language::Language,
};

/// The list of documents.
#[derive(Template)]
#[template(path = "docs.html")]
pub struct DocsPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// What the addresses of other pages of the documentation end with.
    pub tail: Tail,
}

/// One document.
#[derive(Template)]
#[template(path = "doc.html")]
pub struct DocPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The document.
    pub doc: &'a Doc,
    /// What the addresses of other pages of the documentation end with.
    pub tail: Tail,
}
