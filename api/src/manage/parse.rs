//! What paths, queries and bodies of the provisioning API name: ids, roles, apps, times.

use crate::fault::Fault;
use std::str::FromStr;
use tokenim_domain::id::AppId;
use tokenim_domain::role::OrgRole;
use tokenim_domain::{Code, Error};

/// The id in a path; text that is none names nothing.
///
/// Errors: `not_found`.
pub(crate) fn id<I: FromStr>(text: &str) -> Result<I, Fault> {
    text.parse().map_err(|_| Code::NotFound.into())
}

/// The role that a body names.
///
/// Errors: `invalid_field`.
pub(crate) fn role(text: &str, param: &'static str) -> Result<OrgRole, Fault> {
    let wrong = || Error::invalid(param, format!("`{param}` must be the name of a role")).into();
    OrgRole::find(text).ok_or_else(wrong)
}

/// The language of a mail that a body names: one we write in.
///
/// Errors: `invalid_field`.
pub(crate) fn language(text: String) -> Result<String, Fault> {
    if ["en", "zh-CN"].contains(&text.as_str()) {
        Ok(text)
    } else {
        Err(Error::invalid("language", "`language` must be `en` or `zh-CN`").into())
    }
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
