//! The way into the operator area: password and code begin a session of its own, beside the console's.
use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::{
    password::CHARS_MAX,
    sign_in::is_password_of,
    totp::{self, CODE_CHARS_MAX},
};
use tokenim_domain::{
    Error,
    actor::{Actor, Who as Somebody},
    secret::Secret,
};
use tokenim_templates::{page::code::ElevatePage, problem::Problems};

use crate::{
    answer,
    attempts::Caller,
    fault::Fault,
    form::Form,
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    session,
    visit::Visit,
};

/// The page's path.
pub(crate) const PATH: &str = "/console/operator";
pub(crate) const ROUTES: &[RouteSpec] = &[
    get(PATH, Who::SignedIn, |visit| Box::pin(std::future::ready(page(visit, StatusCode::OK, Problems::none())))),
    post(PATH, Who::SignedIn, |visit, form| Box::pin(elevate(visit, form))),
];
/// Where the operator area begins.
const AREA: &str = "/operator";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Elevation {
    password: String,
    code: String,
}

async fn elevate(visit: &mut Visit<'_>, form: &Form) -> Answer {
    check_operator(visit)?;
    let form: Elevation = form.parse()?;
    match check(visit, form).await {
        Ok(()) => {
            let account = visit.signed_in()?.account;
            let actor = Actor { who: Somebody::Operator(account), ..visit.actor()? };
            visit.console.store.note_elevation(account, &actor).await?;
            session::begin_operating(visit).await?;
            Ok(answer::see_other(AREA))
        }
        Err(fault) => {
            let Refusal { status, problems } = refusal(visit, fault)?;
            page(visit, status, problems)
        }
    }
}

/// Errors: `rate_limited`; `invalid_field` at `password` or `code`. Whoever has no second factor has no right code.
async fn check(visit: &Visit<'_>, form: Elevation) -> Result<(), Fault> {
    let session = visit.signed_in()?;
    let caller = Caller::new(&session.email, visit.address());
    let with_code = Caller::with_code(&session.email, visit.address());
    visit.attempts().try_take(&caller, visit.now_ms)?;
    let store = &visit.console.store;
    if !is_password_of(store, &session.email, &Secret::new(form.password)).await? {
        return Err(Error::invalid("password", "the password is not right").into());
    }
    visit.attempts().forgive(&caller);
    visit.attempts().try_take(&with_code, visit.now_ms)?;
    totp::take(store, session.account, &form.code, &visit.actor()?).await?;
    visit.attempts().forgive(&with_code);
    Ok(())
}

/// For others there is no such page.
fn check_operator(visit: &Visit<'_>) -> Result<(), Fault> {
    if visit.signed_in()?.may_operate { Ok(()) } else { Err(Fault::NotFound) }
}

fn page(visit: &Visit<'_>, status: StatusCode, problems: Problems) -> Answer {
    check_operator(visit)?;
    let page = ElevatePage {
        frame: visit.frame(None),
        has_totp: visit.signed_in()?.has_totp,
        password_chars_max: CHARS_MAX,
        code_chars_max: CODE_CHARS_MAX,
        problems,
    };
    answer::page(status, &page, visit)
}
