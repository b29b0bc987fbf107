//! Asking a signed-in person to show again that it is them; what they wanted to send is never sent for them.
use std::sync::PoisonError;

use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::{password::CHARS_MAX, sign_in::is_password_of};
use tokenim_domain::{Error, secret::Secret};
use tokenim_templates::{page::prove::ProvePage, problem::Problems};

use crate::{
    answer,
    attempts::Caller,
    form::{self, Form},
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    session,
    sign_in::safe_next,
    visit::Visit,
};

/// The page's path.
pub(crate) const PATH: &str = "/console/prove";
pub(crate) const ROUTES: &[RouteSpec] = &[
    get(PATH, Who::SignedIn, |visit| Box::pin(show(visit))),
    post(PATH, Who::SignedIn, |visit, form| Box::pin(prove(visit, form))),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    password: String,
    #[serde(default)]
    next: String,
}

async fn show(visit: &mut Visit<'_>) -> Answer {
    let next = form::field(visit.request.query_string(), "next").unwrap_or_default();
    page(visit, StatusCode::OK, &next, Problems::none())
}

async fn prove(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Proof { password, next, .. } = form.parse()?;
    match check(visit, password).await {
        Ok(()) => {
            session::prove(visit).await?;
            Ok(answer::see_other(safe_next(&next)))
        }
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            page(visit, status, &next, problems)
        }
    }
}

/// Errors: `rate_limited`; `invalid_field` where the password is not the account's.
async fn check(visit: &Visit<'_>, password: String) -> Result<(), Error> {
    let session = visit.session.as_ref().ok_or_else(|| Error::internal("a route for the signed-in"))?;
    let caller = Caller::new(&session.email, visit.address());
    let attempts = &visit.console.attempts;
    attempts.lock().unwrap_or_else(PoisonError::into_inner).try_take(&caller, visit.now_ms)?;
    let password = Secret::new(if password.chars().count() <= CHARS_MAX { password } else { String::new() });
    if !is_password_of(&visit.console.store, &session.email, &password).await? {
        return Err(Error::invalid("password", "the password is not right"));
    }
    attempts.lock().unwrap_or_else(PoisonError::into_inner).forgive(&caller);
    Ok(())
}

fn page(visit: &Visit<'_>, status: StatusCode, next: &str, problems: Problems) -> Answer {
    let page = ProvePage {
        frame: visit.frame(None),
        email: &visit.signed_in()?.email,
        password_chars_max: CHARS_MAX,
        next: safe_next(next),
        problems,
    };
    answer::page(status, &page, visit)
}
