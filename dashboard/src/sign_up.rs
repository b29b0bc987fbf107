//! Sign-up: signed in at once, on the quickstart of the first app. What an address that is taken is told, and why:
//! docs/adr/0007.
use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::{
    check::EMAIL_CHARS_MAX,
    password::{CHARS_MAX, CHARS_MIN},
    sign_in::{SignedIn, normal},
    sign_up::{SignUp, SignedUp, sign_up as use_case},
};
use tokenim_domain::{limits::NAME_CHARS_MAX, secret::Secret};
use tokenim_templates::{
    page::{
        sign_up::{SignUpPage, app_name, org_name},
        told::Told,
    },
    problem::Problems,
};

use crate::{
    answer,
    attempts::Caller,
    fault::Fault,
    form::{self, Form},
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    session,
    sign_in::{after_password, inside, safe_next},
    told,
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/sign-up", Who::Public, |visit| Box::pin(std::future::ready(show(visit)))),
    post("/sign-up", Who::Public, |visit, form| Box::pin(sign_up(visit, form))),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignUpForm {
    email: String,
    new_password: String,
    #[serde(default)]
    next: String,
}

fn show(visit: &mut Visit<'_>) -> Answer {
    let next = form::field(visit.request.query_string(), "next").unwrap_or_default();
    if visit.session.is_some() {
        return Ok(answer::see_other(safe_next(&next)));
    }
    let email = form::field(visit.request.query_string(), "email").unwrap_or_default();
    page(visit, StatusCode::OK, &email, &next, Problems::none())
}

async fn sign_up(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let SignUpForm { email, new_password, next } = form.parse()?;
    let email = normal(&email);
    match try_sign_up(visit, &email, new_password).await {
        Ok(SignedUp::Founded(founded)) => {
            session::begin(visit, founded.account, Some(founded.app.org)).await?;
            let first = format!("/console/apps/{}/quickstart", founded.app.app);
            Ok(answer::see_other(inside(&next).unwrap_or(&first)))
        }
        Ok(SignedUp::Known(SignedIn { account, org })) => after_password(visit, account, org, &next).await,
        Ok(SignedUp::Taken) => told::page(visit, StatusCode::OK, Told::SignUpMailSent),
        Err(fault) => {
            let Refusal { status, problems } = refusal(visit, fault)?;
            page(visit, status, &email, &next, problems)
        }
    }
}

async fn try_sign_up(visit: &Visit<'_>, email: &str, password: String) -> Result<SignedUp, Fault> {
    visit.attempts().try_take(&Caller::new(email, visit.address()), visit.now_ms)?;
    let text = visit.text();
    let wanted = SignUp {
        email: email.to_owned(),
        password: Secret::new(password),
        language: visit.language.tag().to_owned(),
        org: org_name(&text, email.split('@').next().unwrap_or_default(), NAME_CHARS_MAX),
        app: app_name(&text),
        address: visit.address(),
    };
    Ok(use_case(&visit.console.store, wanted).await?)
}

fn page(visit: &mut Visit<'_>, status: StatusCode, email: &str, next: &str, problems: Problems) -> Answer {
    visit.offer_form();
    let page = SignUpPage {
        frame: visit.frame(None),
        email,
        email_chars_max: EMAIL_CHARS_MAX,
        password_chars_min: CHARS_MIN,
        password_chars_max: CHARS_MAX,
        next: inside(next).unwrap_or_default(),
        problems,
    };
    answer::page(status, &page, visit)
}
