//! Sign-in and sign-out.
use std::{future::ready, sync::PoisonError};

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use serde::Deserialize;
use tokenim_control::{
    bootstrap::EMAIL_CHARS_MAX,
    password::CHARS_MAX,
    sign_in::{check_password, normal},
};
use tokenim_domain::{Code, secret::Secret};
use tokenim_templates::page::sign_in::{Problem, SignInPage};

use crate::{
    answer,
    attempts::Caller,
    cookie::Cookie,
    fault::Fault,
    form::{self, Form},
    routes::{RouteSpec, Who, get, post},
    session,
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/", Who::Public, |visit| Box::pin(ready(Ok(home(visit))))),
    get("/console", Who::SignedIn, |visit| Box::pin(ready(Ok(home(visit))))),
    get("/sign-in", Who::Public, |visit| Box::pin(ready(show(visit)))),
    post("/sign-in", Who::Public, |visit, form| Box::pin(sign_in(visit, form))),
    post("/sign-out", Who::SignedIn, |visit, _| Box::pin(sign_out(visit))),
];

/// Where a sign-in without an address to return to leads.
pub(crate) const FIRST_PAGE: &str = "/console/usage";
/// Bytes of a return address.
const NEXT_BYTES_MAX: usize = 2048;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignInForm {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `/` and `/console`: the first page, or sign-in.
fn home(visit: &Visit<'_>) -> HttpResponse {
    answer::see_other(if visit.session.is_some() { FIRST_PAGE } else { "/sign-in" })
}

/// The empty form.
fn show(visit: &mut Visit<'_>) -> Result<HttpResponse, Fault> {
    let next = form::field(visit.request.query_string(), "next").unwrap_or_default();
    if visit.session.is_some() {
        return Ok(answer::see_other(safe_next(&next)));
    }
    form_page(visit, StatusCode::OK, "", &next, None)
}

/// Checks the password and begins a session.
async fn sign_in(visit: &mut Visit<'_>, form: &Form) -> Result<HttpResponse, Fault> {
    let SignInForm { email, password, next, .. } = form.parse()?;
    let email = normal(&email);
    let caller = Caller::new(&email, visit.address());
    let taken = visit.console.attempts.lock().unwrap_or_else(PoisonError::into_inner).take(&caller, visit.now_ms);
    if let Err(wait_s) = taken {
        let mut page =
            form_page(visit, StatusCode::TOO_MANY_REQUESTS, &email, &next, Some(Problem::Limited { wait_s }))?;
        page.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(wait_s));
        return Ok(page);
    }
    let is_readable = email.chars().count() <= EMAIL_CHARS_MAX && password.chars().count() <= CHARS_MAX;
    let password = Secret::new(if is_readable { password } else { String::new() });
    let console = visit.console;
    match check_password(&console.store, &email, &password).await {
        Ok(Some(signed_in)) => {
            console.attempts.lock().unwrap_or_else(PoisonError::into_inner).forgive(&caller);
            session::begin(visit, signed_in.account, Some(signed_in.org)).await?;
            remember_language(visit);
            Ok(answer::see_other(safe_next(&next)))
        }
        Ok(None) => form_page(visit, StatusCode::UNAUTHORIZED, &email, &next, Some(Problem::Mismatch)),
        Err(error) if error.code == Code::Overloaded => {
            form_page(visit, StatusCode::SERVICE_UNAVAILABLE, &email, &next, Some(Problem::Busy))
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends the session.
async fn sign_out(visit: &mut Visit<'_>) -> Result<HttpResponse, Fault> {
    session::end(visit).await?;
    Ok(answer::see_other("/sign-in"))
}

/// A language chosen on the sign-in page holds after it.
fn remember_language(visit: &mut Visit<'_>) {
    if let Some(language) = visit.asked_language() {
        visit.cookies.push(Cookie::Language.set(language.tag(), &visit.console.site));
    }
}

fn form_page(
    visit: &mut Visit<'_>,
    status: StatusCode,
    email: &str,
    next: &str,
    problem: Option<Problem>,
) -> Result<HttpResponse, Fault> {
    visit.offer_form();
    let page = SignInPage {
        frame: visit.frame(None),
        email,
        email_chars_max: EMAIL_CHARS_MAX,
        password_chars_max: CHARS_MAX,
        next: safe_next(next),
        problem,
    };
    answer::page(status, &page, visit)
}

/// A return address inside the console, or the first page: never another site's.
pub(crate) fn safe_next(next: &str) -> &str {
    let areas = ["/console", "/operator"].into_iter();
    let is_inside =
        areas.filter_map(|area| next.strip_prefix(area)).any(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let is_plain = next.len() <= NEXT_BYTES_MAX && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_inside && is_plain { next } else { FIRST_PAGE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_address_stays_inside_the_console() {
        for next in ["/console/usage?range=7d&app=app_1", "/console"] {
            assert_eq!(safe_next(next), next);
        }
        for next in [
            "",
            "//evil.example",
            "https://evil.example/console/",
            "/consolex",
            "/console/\\evil",
            "/console/\r\nSet-Cookie: a=b",
            "/v1/usage",
        ] {
            assert_eq!(safe_next(next), FIRST_PAGE, "{next:?}");
        }
    }
}
