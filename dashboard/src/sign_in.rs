//! Sign-in and sign-out.
use std::future::ready;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use serde::Deserialize;
use tokenim_control::{
    check::EMAIL_CHARS_MAX,
    invitations::ACCEPT_PATH,
    password::CHARS_MAX,
    sign_in::{SignedIn, check_password, normal},
    totp,
};
use tokenim_domain::{
    Code, Error,
    actor::Actor,
    id::{AccountId, OrgId},
    secret::Secret,
};
use tokenim_store::Account;
use tokenim_templates::{
    language::Language,
    page::{
        code::CodePage,
        sign_in::{Problem, SignInPage},
    },
    problem::Problems,
};

use crate::{
    answer,
    attempts::Caller,
    cookie::Cookie,
    fault::Fault,
    form::{self, Form, push_field},
    half,
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    session,
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/", Who::Public, |visit| Box::pin(ready(Ok(home(visit))))),
    get("/console", Who::SignedIn, |visit| Box::pin(ready(Ok(home(visit))))),
    get("/sign-in", Who::Public, |visit| Box::pin(ready(show(visit)))),
    post("/sign-in", Who::Public, |visit, form| Box::pin(sign_in(visit, form))),
    get(CODE_PATH, Who::Public, |visit| Box::pin(show_code(visit))),
    post(CODE_PATH, Who::Public, |visit, form| Box::pin(sign_in_by_code(visit, form))),
    post("/sign-out", Who::SignedIn, |visit, _| Box::pin(sign_out(visit))),
];

/// The second step's path.
const CODE_PATH: &str = "/sign-in/code";
/// Where a sign-in without an address to return to leads.
pub(crate) const FIRST_PAGE: &str = "/console/overview";
/// Bytes of a return address.
const NEXT_BYTES_MAX: usize = 2048;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeForm {
    code: String,
    #[serde(default)]
    next: String,
}

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
    let first =
        visit.session.as_ref().map(|session| if session.member.is_some() { FIRST_PAGE } else { "/console/account" });
    answer::see_other(first.unwrap_or("/sign-in"))
}

/// The empty form.
fn show(visit: &mut Visit<'_>) -> Answer {
    let next = form::field(visit.request.query_string(), "next").unwrap_or_default();
    if visit.session.is_some() {
        return Ok(answer::see_other(safe_next(&next)));
    }
    let email = form::field(visit.request.query_string(), "email").unwrap_or_default();
    form_page(visit, StatusCode::OK, &email, &next, None)
}

/// Checks the password and begins a session.
async fn sign_in(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let SignInForm { email, password, next, .. } = form.parse()?;
    let email = normal(&email);
    let caller = Caller::new(&email, visit.address());
    let taken = visit.attempts().take(&caller, visit.now_ms);
    if let Err(wait_s) = taken {
        let mut page =
            form_page(visit, StatusCode::TOO_MANY_REQUESTS, &email, &next, Some(Problem::Limited { wait_s }))?;
        page.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(wait_s));
        return Ok(page);
    }
    let email_is_readable = email.chars().count() <= EMAIL_CHARS_MAX;
    let console = visit.console;
    match check_password(&console.store, if email_is_readable { &email } else { "" }, &Secret::new(password)).await {
        Ok(Some(SignedIn { account, org })) => {
            visit.attempts().forgive(&caller);
            after_password(visit, account, org, &next).await
        }
        Ok(None) => form_page(visit, StatusCode::UNAUTHORIZED, &email, &next, Some(Problem::Mismatch)),
        Err(error) if error.code == Code::Overloaded => {
            form_page(visit, StatusCode::SERVICE_UNAVAILABLE, &email, &next, Some(Problem::Busy))
        }
        Err(error) => Err(error.into()),
    }
}

/// Goes on once the password was right: with the second step where the account has one, else signed in.
pub(crate) async fn after_password(
    visit: &mut Visit<'_>,
    account: AccountId,
    org: Option<OrgId>,
    next: &str,
) -> Answer {
    let account = visit.console.store.find_account(account).await?.ok_or(Fault::SignedOut)?;
    if account.has_totp {
        half::begin(visit, &account)?;
        let mut address = String::from(CODE_PATH);
        push_field(&mut address, "next", safe_next(next));
        return Ok(answer::see_other(&address));
    }
    begin(visit, &account, org).await?;
    Ok(answer::see_other(safe_next(next)))
}

/// Begins a session; from now on pages without one, as the documentation's, speak the account's language too.
async fn begin(visit: &mut Visit<'_>, account: &Account, org: Option<OrgId>) -> Result<(), Error> {
    session::begin(visit, account.id, org).await?;
    let language = account.language.as_deref().and_then(Language::from_tag);
    visit.cookies.extend(language.map(|language| Cookie::Language.set(language.tag(), &visit.console.site)));
    Ok(())
}

/// The second step's form.
async fn show_code(visit: &mut Visit<'_>) -> Answer {
    let next = form::field(visit.request.query_string(), "next").unwrap_or_default();
    match half::find(visit).await? {
        Some(_) => code_page(visit, StatusCode::OK, &next, Problems::none()),
        None => Err(Fault::SignedOut),
    }
}

/// Checks the code and begins a session.
async fn sign_in_by_code(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let CodeForm { code, next } = form.parse()?;
    let Some(account) = half::find(visit).await? else { return Ok(answer::see_other("/sign-in")) };
    match take_code(visit, &account, &code).await {
        Ok(()) => {
            half::end(visit);
            let org = visit.console.store.find_first_org(account.id).await?;
            begin(visit, &account, org).await?;
            Ok(answer::see_other(safe_next(&next)))
        }
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            code_page(visit, status, &next, problems)
        }
    }
}

async fn take_code(visit: &Visit<'_>, account: &Account, code: &str) -> Result<(), Error> {
    let caller = Caller::with_code(&account.email, visit.address());
    visit.attempts().try_take(&caller, visit.now_ms)?;
    let actor = Actor::person(account.id, visit.address());
    totp::take(&visit.console.store, account.id, code, &actor).await?;
    visit.attempts().forgive(&caller);
    Ok(())
}

fn code_page(visit: &mut Visit<'_>, status: StatusCode, next: &str, problems: Problems) -> Answer {
    visit.offer_form();
    let page =
        CodePage { frame: visit.frame(None), code_chars_max: totp::CODE_CHARS_MAX, next: safe_next(next), problems };
    answer::page(status, &page, visit)
}

/// Ends the session.
async fn sign_out(visit: &mut Visit<'_>) -> Answer {
    session::end(visit).await?;
    Ok(answer::see_other("/sign-in"))
}

fn form_page(visit: &mut Visit<'_>, status: StatusCode, email: &str, next: &str, problem: Option<Problem>) -> Answer {
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

/// A return address inside the console, or the first page.
pub(crate) fn safe_next(next: &str) -> &str {
    inside(next).unwrap_or(FIRST_PAGE)
}

/// A return address, if it is inside the console: never another site's.
pub(crate) fn inside(next: &str) -> Option<&str> {
    let areas = ["/console", "/operator", ACCEPT_PATH].into_iter();
    let is_inside =
        areas.filter_map(|area| next.strip_prefix(area)).any(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let is_plain = next.len() <= NEXT_BYTES_MAX && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (is_inside && is_plain).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_address_stays_inside_the_console() {
        for next in ["/console/usage?range=7d&app=app_1", "/console", "/invitations/accept?token=t"] {
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
