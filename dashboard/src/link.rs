//! The pages behind links sent by mail. Scanners open links, so GET changes nothing: a button does.
use std::time::Duration;

use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::{
    check::EMAIL_CHARS_MAX,
    link::{self, RESET_PATH, VERIFY_PATH},
    password::{CHARS_MAX, CHARS_MIN},
    reset::{self, FORGOT_PATH},
    sign_in::normal,
};
use tokenim_domain::{Code, secret::Secret};
use tokenim_store::LinkPurpose;
use tokenim_templates::{
    flash::Flash,
    page::{
        link::{ForgotPage, ResetPage, VerifyPage},
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
    told,
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] = &[
    get(VERIFY_PATH, Who::Public, |visit| Box::pin(show_verify(visit))),
    post(VERIFY_PATH, Who::Public, |visit, form| Box::pin(verify(visit, form))),
    get(FORGOT_PATH, Who::Public, |visit| {
        Box::pin(std::future::ready(forgot_page(visit, StatusCode::OK, Problems::none())))
    }),
    post(FORGOT_PATH, Who::Public, |visit, form| Box::pin(forgot(visit, form))),
    get(RESET_PATH, Who::Public, |visit| Box::pin(show_reset(visit))),
    post(RESET_PATH, Who::Public, |visit, form| Box::pin(reset_password(visit, form))),
];
/// Before this the answer about a forgotten password is never given: it must not tell by its time whether a mail was
/// written, which takes a few milliseconds.
const ANSWER_AFTER: Duration = Duration::from_millis(300);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenForm {
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForgotForm {
    email: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResetForm {
    token: String,
    new_password: String,
}

async fn show_verify(visit: &mut Visit<'_>) -> Answer {
    let token = token_of(visit);
    if !link::works(&visit.console.store, &token, LinkPurpose::Verify).await? {
        return told::page(visit, StatusCode::NOT_FOUND, Told::VerifyEnded);
    }
    visit.offer_form();
    let page = VerifyPage { frame: visit.frame(None), token: &token };
    answer::page(StatusCode::OK, &page, visit)
}

async fn verify(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let TokenForm { token } = form.parse()?;
    match link::verify(&visit.console.store, &token, visit.address()).await {
        Ok(_) => told::page(visit, StatusCode::OK, Told::Verified),
        Err(error) if error.code == Code::NotFound => told::page(visit, StatusCode::NOT_FOUND, Told::VerifyEnded),
        Err(error) => Err(error.into()),
    }
}

async fn forgot(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let ForgotForm { email } = form.parse()?;
    let email = normal(&email);
    let caller = Caller::new(&format!("forgot {email}"), visit.address());
    let taken = visit.attempts().try_take(&caller, visit.now_ms);
    if let Err(error) = taken {
        let Refusal { status, problems } = refusal(visit, error)?;
        return forgot_page(visit, status, problems);
    }
    let request = reset::request(&visit.console.store, &email, visit.language.tag());
    let (requested, ()) = tokio::join!(request, tokio::time::sleep(ANSWER_AFTER));
    requested?;
    told::page(visit, StatusCode::OK, Told::MailSent)
}

fn forgot_page(visit: &mut Visit<'_>, status: StatusCode, problems: Problems) -> Answer {
    visit.offer_form();
    let page = ForgotPage { frame: visit.frame(None), email_chars_max: EMAIL_CHARS_MAX, problems };
    answer::page(status, &page, visit)
}

async fn show_reset(visit: &mut Visit<'_>) -> Answer {
    let token = token_of(visit);
    if !link::works(&visit.console.store, &token, LinkPurpose::Reset).await? {
        return told::page(visit, StatusCode::NOT_FOUND, Told::ResetEnded);
    }
    reset_page(visit, StatusCode::OK, &token, Problems::none())
}

async fn reset_password(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let ResetForm { token, new_password } = form.parse()?;
    match reset::reset(&visit.console.store, &token, &Secret::new(new_password), visit.address()).await {
        Ok(ended) => {
            visit.console.seats.check_all_again(&ended);
            Ok(answer::done(visit, Flash::PasswordSet, "/sign-in"))
        }
        Err(error) if error.code == Code::NotFound => told::page(visit, StatusCode::NOT_FOUND, Told::ResetEnded),
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            reset_page(visit, status, &token, problems)
        }
    }
}

fn reset_page(visit: &mut Visit<'_>, status: StatusCode, token: &str, problems: Problems) -> Answer {
    visit.offer_form();
    let page = ResetPage {
        frame: visit.frame(None),
        token,
        password_chars_min: CHARS_MIN,
        password_chars_max: CHARS_MAX,
        problems,
    };
    answer::page(status, &page, visit)
}

/// The link's token; anything that is none of ours is answered like one that has ended.
fn token_of(visit: &Visit<'_>) -> String {
    form::field(visit.request.query_string(), "token").unwrap_or_default()
}

/// Sends the signed-in account another link that verifies its address.
pub(crate) async fn send_another(visit: &mut Visit<'_>) -> Answer {
    let account = visit.account().await?;
    match link::send_verification(&visit.console.store, &account, visit.language.tag()).await {
        Ok(()) => Ok(answer::done(visit, Flash::MailSent, "/console/account")),
        Err(error) => Err(Fault::from(error)),
    }
}
