//! The orgs of an account: looking at another one, making one, leaving one.
use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::orgs;
use tokenim_domain::{Error, actor::Action, id::OrgId};
use tokenim_templates::{
    flash::Flash,
    page::orgs::{OrgRow, OrgsPage},
    problem::Problems,
};

use crate::{
    answer,
    fault::Fault,
    form::{self, Form},
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    session,
    visit::Visit,
};

/// The page's path.
const PATH: &str = "/console/orgs";
pub(crate) const ROUTES: &[RouteSpec] = &[
    get(PATH, Who::SignedIn, |visit| Box::pin(show(visit))),
    post(PATH, Who::SignedIn, |visit, form| Box::pin(create(visit, form))).once(),
    post("/console/orgs/switch", Who::SignedIn, |visit, form| Box::pin(switch(visit, form))),
    post("/console/orgs/leave", Who::May(Action::ReadOverview), |visit, form| Box::pin(leave(visit, form)))
        .fresh()
        .once(),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOrg {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    org: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Leaving {
    org: String,
    typed: String,
}

async fn show(visit: &mut Visit<'_>) -> Answer {
    page(visit, StatusCode::OK, "", Problems::none()).await
}

async fn create(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let NewOrg { name } = form.parse()?;
    let account = visit.signed_in()?.account;
    match orgs::create(&visit.console.store, &visit.actor()?, account, &name).await {
        Ok(org) => {
            session::turn(visit, org.id).await?;
            Ok(answer::done(visit, Flash::Saved, "/console"))
        }
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            page(visit, status, &name, problems).await
        }
    }
}

async fn switch(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Choice { org } = form.parse()?;
    let org: OrgId = form::id(&org)?;
    orgs::check_member(&visit.console.store, visit.signed_in()?.account, org).await?;
    session::turn(visit, org).await?;
    Ok(answer::see_other("/console"))
}

/// The form names its org: what was confirmed about one org is never done to another that a second tab turned to.
async fn leave(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Leaving { org, typed } = form.parse()?;
    let member = visit.member()?;
    if member.org != form::id(&org)? {
        return Err(Fault::Domain(tokenim_domain::Code::Conflict.into()));
    }
    let done = if typed.trim() == member.org_name {
        orgs::leave(&visit.console.store, &visit.acting()?).await
    } else {
        Err(Error::invalid("typed", "the name of the org"))
    };
    match done {
        Ok(()) => {
            session::look_again(visit, visit.signed_in()?.account).await?;
            Ok(answer::done(visit, Flash::Saved, PATH))
        }
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            page(visit, status, "", problems).await
        }
    }
}

async fn page(visit: &Visit<'_>, status: StatusCode, name: &str, problems: Problems) -> Answer {
    let session = visit.signed_in()?;
    let here = session.member.as_ref().map(|member| member.org);
    let own = visit.console.store.list_orgs_of(session.account).await?;
    let orgs: Vec<_> = own
        .into_iter()
        .map(|own| OrgRow {
            is_here: here == Some(own.org.id),
            id: own.org.id.to_string(),
            name: own.org.name,
            role: own.role.as_str(),
            suspended: own.org.suspended_ms.map(|_| own.org.suspended_reason.unwrap_or_default()),
        })
        .collect();
    let page = OrgsPage { frame: visit.frame(None), orgs: &orgs, name, is_verified: session.is_verified, problems };
    answer::page(status, &page, visit)
}
