//! The page an invitation's link opens, and accepting it.
use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::invitations::{self, ACCEPT_PATH};
use tokenim_domain::{Code, membership::InvitationState};
use tokenim_templates::{
    flash::Flash,
    page::invitation::{InvitationPage, Standing},
    time::Utc,
};

use crate::{
    answer,
    fault::Fault,
    form::{self, Form, push_field},
    routes::{Answer, RouteSpec, Who, get, post},
    session,
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] = &[
    get(ACCEPT_PATH, Who::Public, |visit| Box::pin(show(visit))),
    post(ACCEPT_PATH, Who::SignedIn, |visit, form| Box::pin(accept(visit, form))),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acceptance {
    token: String,
}

/// Shows and changes nothing: mail programs open links before people do.
async fn show(visit: &mut Visit<'_>) -> Answer {
    let token = form::field(visit.request.query_string(), "token").ok_or(Fault::NotFound)?;
    page(visit, &token).await
}

async fn accept(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Acceptance { token } = form.parse()?;
    let account = visit.signed_in()?.account;
    match invitations::accept(&visit.console.store, &visit.actor()?, account, &token).await {
        Ok(invitation) => {
            session::turn(visit, invitation.org).await?;
            Ok(answer::done(visit, Flash::Joined, "/console"))
        }
        Err(error) if matches!(error.code.row().status, 403 | 409 | 410) => page(visit, &token).await,
        Err(error) => Err(error.into()),
    }
}

async fn page(visit: &Visit<'_>, token: &str) -> Answer {
    let (invitation, org) = invitations::find(&visit.console.store, token).await?;
    let own = visit.session.as_ref().map(|session| session.email.as_str());
    let (standing, status) = match (invitation.state, own) {
        (InvitationState::Expired, _) => (Standing::Expired, Code::InvitationExpired.row().status),
        (InvitationState::Accepted, _) => (Standing::Used, Code::InvitationUsed.row().status),
        (InvitationState::Revoked, _) => (Standing::Revoked, Code::InvitationRevoked.row().status),
        (InvitationState::Open, None) => (Standing::SignedOut, 200),
        (InvitationState::Open, Some(own)) if own == invitation.email => (Standing::Acceptable, 200),
        (InvitationState::Open, Some(_)) => (Standing::Foreign, Code::InvitationForeign.row().status),
    };
    let mut here = String::from(ACCEPT_PATH);
    push_field(&mut here, "token", token);
    let there = |path: &str| {
        let mut address = String::from(path);
        push_field(&mut address, "next", &here);
        push_field(&mut address, "email", &invitation.email);
        address
    };
    let page = InvitationPage {
        frame: visit.frame(None),
        org: &org,
        email: &invitation.email,
        role: invitation.role.as_str(),
        expires: Utc::from_ms(invitation.expires_ms),
        standing,
        token,
        sign_in: there("/sign-in"),
        sign_up: there("/sign-up"),
    };
    answer::page(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), &page, visit)
}
