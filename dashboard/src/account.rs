//! The account page: password, second factor, sign-ins, theme and language of the person themselves.
use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::{
    account::change_password,
    password::{CHARS_MAX, CHARS_MIN},
};
use tokenim_domain::{id::SessionId, secret::Secret};
use tokenim_store::SessionView;
use tokenim_templates::{
    flash::Flash,
    page::account::{AccountPage, SessionRow},
    problem::Problems,
    time::Utc,
};

use crate::{
    answer,
    attempts::Caller,
    fault::Fault,
    form::Form,
    link,
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    session,
    visit::Visit,
};

mod totp;

/// The page's path.
const PATH: &str = "/console/account";
pub(crate) const ROUTES: &[RouteSpec] = &[
    get(PATH, Who::SignedIn, |visit| Box::pin(show(visit))),
    post("/console/account/verify", Who::SignedIn, |visit, _| Box::pin(link::send_another(visit))).once(),
    post("/console/account/password", Who::SignedIn, |visit, form| Box::pin(change(visit, form))).once(),
    post("/console/account/sessions/end-others", Who::SignedIn, |visit, _| Box::pin(end_others(visit))).once(),
    post("/console/account/sessions/{session}/end", Who::SignedIn, |visit, _| Box::pin(end_one(visit))).once(),
    get(totp::PATH, Who::SignedIn, |visit| Box::pin(totp::show(visit))).fresh(),
    post(totp::PATH, Who::SignedIn, |visit, form| Box::pin(totp::confirm(visit, form))).fresh().shown_once(),
    post("/console/account/totp/begin", Who::SignedIn, |visit, _| Box::pin(totp::begin(visit))).fresh().once(),
    post("/console/account/totp/codes", Who::SignedIn, |visit, _| Box::pin(totp::regenerate(visit)))
        .fresh()
        .shown_once(),
    post("/console/account/totp/off", Who::SignedIn, |visit, form| Box::pin(totp::disable(visit, form))).fresh().once(),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordForm {
    #[serde(rename = "username")]
    _username: String,
    password: String,
    new_password: String,
}

async fn show(visit: &mut Visit<'_>) -> Answer {
    page(visit, StatusCode::OK, Problems::none()).await
}

async fn change(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let form: PasswordForm = form.parse()?;
    match try_change(visit, form).await {
        Ok(ended) => {
            visit.console.seats.check_all_again(&ended);
            session::prove(visit).await?;
            Ok(answer::done(visit, Flash::PasswordChanged, PATH))
        }
        Err(fault) => {
            let Refusal { status, problems } = refusal(visit, fault)?;
            page(visit, status, problems).await
        }
    }
}

async fn try_change(visit: &Visit<'_>, form: PasswordForm) -> Result<Vec<SessionId>, Fault> {
    let (account, actor) = (visit.account().await?, visit.actor()?);
    let caller = Caller::new(&account.email, visit.address());
    visit.attempts().try_take(&caller, visit.now_ms)?;
    let [old, new] = [form.password, form.new_password].map(Secret::new);
    let session = visit.signed_in()?.id;
    let ended = change_password(&visit.console.store, account.id, session, [&old, &new], &actor).await?;
    visit.attempts().forgive(&caller);
    Ok(ended)
}

async fn end_others(visit: &mut Visit<'_>) -> Answer {
    let session = visit.signed_in()?;
    let ended = visit.console.store.end_other_sessions(session.account, session.id).await?;
    visit.console.seats.check_all_again(&ended);
    Ok(answer::done(visit, Flash::SessionsEnded, PATH))
}

async fn end_one(visit: &mut Visit<'_>) -> Answer {
    let (account, session): (_, SessionId) = (visit.signed_in()?.account, visit.path("session")?);
    if !visit.console.store.end_session(account, session).await? {
        return Err(Fault::NotFound);
    }
    visit.console.seats.check_again(session);
    Ok(answer::done(visit, Flash::SessionsEnded, PATH))
}

async fn page(visit: &mut Visit<'_>, status: StatusCode, problems: Problems) -> Answer {
    let session = visit.signed_in()?;
    let (store, now_ms) = (&visit.console.store, visit.now_ms);
    let listed = store.list_sessions(session.account).await?;
    let current = listed.into_iter().filter(|view| session::is_open(view, now_ms));
    let sessions: Vec<SessionRow> = current.map(|view| row(view, session.id)).collect();
    let recovery_codes = store.count_recovery_codes(session.account).await?;
    let page = AccountPage {
        frame: visit.frame(None),
        email: &session.email,
        is_verified: session.is_verified,
        has_totp: session.has_totp,
        recovery_codes: i64::try_from(recovery_codes).unwrap_or(i64::MAX),
        sessions: &sessions,
        password_chars_min: CHARS_MIN,
        password_chars_max: CHARS_MAX,
        problems,
    };
    answer::page(status, &page, visit)
}

fn row(view: SessionView, current: SessionId) -> SessionRow {
    SessionRow {
        id: view.id.to_string(),
        agent: view.agent.unwrap_or_default(),
        address: view.address.unwrap_or_default(),
        seen: Utc::from_ms(view.seen_ms),
        is_current: view.id == current,
        is_operator: view.is_operator,
    }
}
