//! Asking a signed-in person to show again that it is them; what they wanted to send is never sent for them.
use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::{
    password::CHARS_MAX,
    sign_in::is_password_of,
    totp::{self, CODE_CHARS_MAX},
};
use tokenim_domain::{Error, secret::Secret};
use tokenim_templates::{page::prove::ProvePage, problem::Problems};

use crate::{
    answer,
    attempts::Caller,
    fault::Fault,
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
    #[serde(default)]
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

async fn show(visit: &mut Visit<'_>) -> Answer {
    let next = form::field(visit.request.query_string(), "next").unwrap_or_default();
    page(visit, StatusCode::OK, &next, Problems::none())
}

async fn prove(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let proof: Proof = form.parse()?;
    match check(visit, &proof).await {
        Ok(()) => {
            session::prove(visit).await?;
            Ok(answer::see_other(safe_next(&proof.next)))
        }
        Err(fault) => {
            let Refusal { status, problems } = refusal(visit, fault)?;
            page(visit, status, &proof.next, problems)
        }
    }
}

/// Takes a code where the account has a second factor, the password elsewhere.
///
/// Errors: `rate_limited`; `invalid_field` at `password` or `code`.
async fn check(visit: &Visit<'_>, proof: &Proof) -> Result<(), Fault> {
    let (session, store) = (visit.signed_in()?, &visit.console.store);
    let caller = if session.has_totp { Caller::with_code } else { Caller::new };
    let caller = caller(&session.email, visit.address());
    visit.attempts().try_take(&caller, visit.now_ms)?;
    if session.has_totp {
        totp::take(store, session.account, &proof.code, &visit.actor()?).await?;
    } else if !is_password_of(store, &session.email, &Secret::new(proof.password.clone())).await? {
        return Err(Error::invalid("password", "the password is not right").into());
    }
    visit.attempts().forgive(&caller);
    Ok(())
}

fn page(visit: &Visit<'_>, status: StatusCode, next: &str, problems: Problems) -> Answer {
    let session = visit.signed_in()?;
    let page = ProvePage {
        frame: visit.frame(None),
        email: &session.email,
        has_totp: session.has_totp,
        code_chars_max: CODE_CHARS_MAX,
        password_chars_max: CHARS_MAX,
        next: safe_next(next),
        problems,
    };
    answer::page(status, &page, visit)
}
