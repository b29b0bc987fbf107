//! Pages of lists: what the address names of a list, and where the next page is.
use std::{fmt::Display, str::FromStr};

use crate::{
    fault::Fault,
    form::{self, push_field},
    visit::Visit,
};

/// Rows of a page.
const PAGE: usize = 50;
/// Rows to read for a page: one more tells of another page.
pub(crate) const ROWS: u64 = PAGE as u64 + 1;

/// The place in a list that the address names; text that is none is a filter that cannot be read.
pub(crate) fn cursor<T: FromStr>(visit: &Visit<'_>, name: &str) -> Result<Option<T>, Fault> {
    let text = form::field(visit.request.query_string(), name);
    text.map(|text| text.parse().map_err(|_| Fault::Filter)).transpose()
}

/// Cuts rows to the page; the address of the next one, empty at the end.
pub(crate) fn cut<T, I: Display>(rows: &mut Vec<T>, path: &str, name: &str, id: impl Fn(&T) -> I) -> String {
    let has_more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let mut next = String::new();
    if let Some(last) = rows.last().filter(|_| has_more) {
        next.push_str(path);
        push_field(&mut next, name, &id(last).to_string());
    }
    next
}
