//! The second factor of the account: switching it on and off, and its recovery codes.
use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::totp::{self, CODE_CHARS_MAX};
use tokenim_domain::Error;
use tokenim_templates::{
    flash::Flash,
    page::account::{QrPicture, RecoveryCodesPage, Seed, TotpPage},
    problem::Problems,
};

use crate::{
    answer,
    attempts::Caller,
    fault::Fault,
    form::Form,
    problems::{Refusal, refusal},
    routes::Answer,
    session,
    visit::Visit,
};

/// The page's path.
pub(super) const PATH: &str = "/console/account/totp";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeForm {
    code: String,
}

pub(super) async fn show(visit: &mut Visit<'_>) -> Answer {
    page(visit, StatusCode::OK, Problems::none()).await
}

/// Writes a seed; the page that follows shows it.
pub(super) async fn begin(visit: &mut Visit<'_>) -> Answer {
    totp::begin(&visit.console.store, visit.signed_in()?.account).await?;
    Ok(answer::see_other(PATH))
}

pub(super) async fn confirm(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let CodeForm { code } = form.parse()?;
    match try_confirm(visit, &code).await {
        Ok(codes) => {
            session::prove(visit).await?;
            codes_page(visit, &codes)
        }
        Err(fault) => refused(visit, fault).await,
    }
}

pub(super) async fn regenerate(visit: &mut Visit<'_>) -> Answer {
    let account = visit.signed_in()?.account;
    let codes = totp::regenerate(&visit.console.store, account, &visit.actor()?).await?;
    codes_page(visit, &codes)
}

pub(super) async fn disable(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let CodeForm { code } = form.parse()?;
    match try_disable(visit, &code).await {
        Ok(()) => {
            session::prove(visit).await?;
            Ok(answer::done(visit, Flash::TotpOff, super::PATH))
        }
        Err(fault) => refused(visit, fault).await,
    }
}

async fn try_confirm(visit: &Visit<'_>, code: &str) -> Result<Vec<String>, Fault> {
    let caller = take_attempt(visit)?;
    let account = visit.signed_in()?.account;
    let codes = totp::confirm(&visit.console.store, account, code, &visit.actor()?).await?;
    visit.attempts().forgive(&caller);
    Ok(codes)
}

async fn try_disable(visit: &Visit<'_>, code: &str) -> Result<(), Fault> {
    let caller = take_attempt(visit)?;
    let account = visit.signed_in()?.account;
    totp::disable(&visit.console.store, account, code, &visit.actor()?).await?;
    visit.attempts().forgive(&caller);
    Ok(())
}

fn take_attempt(visit: &Visit<'_>) -> Result<Caller, Fault> {
    let caller = Caller::with_code(&visit.signed_in()?.email, visit.address());
    visit.attempts().try_take(&caller, visit.now_ms)?;
    Ok(caller)
}

async fn refused(visit: &mut Visit<'_>, fault: Fault) -> Answer {
    let Refusal { status, problems } = refusal(visit, fault)?;
    page(visit, status, problems).await
}

async fn page(visit: &mut Visit<'_>, status: StatusCode, problems: Problems) -> Answer {
    let session = visit.signed_in()?;
    let store = &visit.console.store;
    let enrolment = totp::pending(store, session.account, &session.email).await?;
    let picture = match &enrolment {
        Some(enrolment) => {
            Some(QrPicture::of(&enrolment.address).ok_or_else(|| Error::internal("no QR code of a seed"))?)
        }
        None => None,
    };
    let recovery_codes = store.count_recovery_codes(session.account).await?;
    let page = TotpPage {
        frame: visit.frame(None),
        enrolment: picture.zip(enrolment.as_ref()).map(|(picture, found)| Seed { picture, secret: &found.secret }),
        has_totp: session.has_totp,
        recovery_codes: i64::try_from(recovery_codes).unwrap_or(i64::MAX),
        code_chars_max: CODE_CHARS_MAX,
        problems,
    };
    answer::page(status, &page, visit)
}

fn codes_page(visit: &Visit<'_>, codes: &[String]) -> Answer {
    answer::page(StatusCode::OK, &RecoveryCodesPage { frame: visit.frame(None), codes }, visit)
}
