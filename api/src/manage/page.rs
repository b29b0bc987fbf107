//! Pages of the provisioning API's lists: keyset pages by id, the oldest first.

use crate::fault::Fault;
use crate::query::Query;
use actix_web::HttpRequest;
use std::fmt::Display;
use std::str::FromStr;
use tokenim_domain::Error;
use tokenim_domain::id::AppId;
use tokenim_domain::role::OrgRole;

/// Items of a page when the call names no `limit`.
const DEFAULT: u32 = 50;
/// Items of a page at most.
const MAX: u32 = 200;
const CURSOR_PREFIX: &str = "cur_";

/// Which part of a list is asked for.
#[derive(Debug)]
pub(crate) struct Ask<I> {
    /// The last item of the page before.
    pub(crate) after: Option<I>,
    limit: u32,
}

impl<I: FromStr + Display> Ask<I> {
    /// Reads `cursor` and `limit`, beside `org` and what else the list knows.
    ///
    /// Errors: `invalid_request`, `invalid_field`.
    pub(crate) fn read(request: &HttpRequest, more: &[&str]) -> Result<(Self, Query), Fault> {
        let query = Query::read(request, &[&["org", "cursor", "limit"], more].concat())?;
        let after = query.text("cursor").map(read_cursor).transpose()?;
        Ok((Ask { after, limit: query.limit(DEFAULT, MAX)? }, query))
    }

    /// How many rows to read: one more than the page holds tells whether there is another page.
    pub(crate) fn rows(&self) -> u64 {
        u64::from(self.limit) + 1
    }

    /// Cuts the rows to the page; the cursor of the next page, if there is one.
    pub(crate) fn cut<T>(&self, rows: &mut Vec<T>, id: impl Fn(&T) -> I) -> Option<String> {
        let limit = self.limit as usize;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        rows.last().filter(|_| has_more).map(|last| format!("{CURSOR_PREFIX}{}", id(last)))
    }
}

fn read_cursor<I: FromStr>(text: &str) -> Result<I, Fault> {
    let id = text.strip_prefix(CURSOR_PREFIX).and_then(|id| id.parse().ok());
    id.ok_or_else(|| Error::invalid("cursor", "`cursor` must be the `next_cursor` of a page of this list").into())
}

/// The id in a path; text that is none names nothing.
///
/// Errors: `not_found`.
pub(crate) fn id<I: FromStr>(text: &str) -> Result<I, Fault> {
    text.parse().map_err(|_| tokenim_domain::Code::NotFound.into())
}

/// The role that a body names.
///
/// Errors: `invalid_field`.
pub(crate) fn role(text: &str, param: &'static str) -> Result<OrgRole, Fault> {
    let wrong = || Error::invalid(param, format!("`{param}` must be the name of a role")).into();
    OrgRole::find(text).ok_or_else(wrong)
}

/// The app that a list is cut down to, where one is named; another org's has nothing in it, as one of nobody.
///
/// Errors: `invalid_field`.
pub(crate) fn app(text: Option<&str>) -> Result<Option<AppId>, Fault> {
    let wrong = || Error::invalid("app", "`app` must be the id of an app");
    Ok(text.map(|text| text.parse().map_err(|()| wrong())).transpose()?)
}

/// A time that a body names; `None` where it names none.
///
/// Errors: `invalid_field`.
pub(crate) fn time(text: Option<&str>, param: &'static str) -> Result<Option<i64>, Fault> {
    let wrong = || Error::invalid(param, format!("`{param}` must be an RFC 3339 time or a date"));
    let parse = |text| tokenim_protocol::time::parse(text).ok_or_else(wrong);
    Ok(text.map(parse).transpose()?)
}
