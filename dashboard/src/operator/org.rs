//! The service's orgs, and one of them.
use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_domain::{Error, id::OrgId, plan::Feature, role::Mode};
use tokenim_gateway::recent::PACE_SECONDS;
use tokenim_store::FoundOrg;
use tokenim_templates::{
    flash::Flash,
    page::operator::{AppRow, MemberRow, OrgPage, OrgRow, OrgsPage},
    problem::Problems,
    time::Utc,
};

use super::{acting, plans};
use crate::{
    answer,
    fault::Fault,
    form::{self, Form, push_field},
    pager::{ROWS, cursor, cut},
    problems::{Refusal, refusal},
    routes::Answer,
    visit::Visit,
};

/// Members of an org that its page shows.
const MEMBERS_SHOWN: u64 = 100;
const PATH: &str = "/operator/orgs";

pub(crate) async fn list(visit: &mut Visit<'_>) -> Answer {
    let search = form::field(visit.request.query_string(), "q").unwrap_or_default();
    let mut found = visit.console.store.search_orgs(&search, cursor(visit, "after")?, ROWS).await?;
    let mut path = PATH.to_owned();
    if !search.is_empty() {
        push_field(&mut path, "q", &search);
    }
    let next = cut(&mut found, &path, "after", |found| found.org.id);
    let orgs: Vec<_> = found.into_iter().map(row).collect();
    let page = OrgsPage { frame: visit.frame(None), search: &search, orgs: &orgs, next };
    answer::page(StatusCode::OK, &page, visit)
}

pub(crate) async fn show(visit: &mut Visit<'_>) -> Answer {
    page(visit, visit.path("org")?, StatusCode::OK, "", Problems::none()).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanChange {
    plan: String,
    reason: String,
}

pub(crate) async fn change_plan(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let PlanChange { plan, reason } = form.parse()?;
    let acting = acting(visit, &reason)?;
    let done = tokenim_control::plans::change_plan(&visit.console.store, &acting, &plan).await;
    settle(visit, acting.org, done.map(drop), &reason).await
}

/// After a change: the page anew, or with what is wrong.
pub(crate) async fn settle(visit: &Visit<'_>, org: OrgId, done: Result<(), Error>, reason: &str) -> Answer {
    match done {
        Ok(()) => Ok(answer::done(visit, Flash::Saved, &format!("{PATH}/{org}"))),
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            page(visit, org, status, reason, problems).await
        }
    }
}

fn row(found: FoundOrg) -> OrgRow {
    OrgRow {
        id: found.org.id.to_string(),
        name: found.org.name,
        plan: found.plan.unwrap_or_default(),
        members: found.members,
        apps: found.apps,
        created: Utc::from_ms(found.org.created_ms),
        is_suspended: found.org.suspended_ms.is_some(),
    }
}

async fn page(visit: &Visit<'_>, id: OrgId, status: StatusCode, reason: &str, problems: Problems) -> Answer {
    let store = &visit.console.store;
    let found = store.search_orgs(&id.to_string(), None, 1).await?.pop().ok_or(Fault::NotFound)?;
    let why = found.org.suspended_reason.clone();
    let org = row(found);
    let listed = store.org(id).list_apps().await?;
    // What is tested does not count against the plan.
    let live = || listed.iter().filter(|app| app.mode == Mode::Live);
    let live_connections: u64 = live().map(|app| visit.console.live.connections(app.id)).sum();
    let messages: u64 = live().map(|app| visit.console.live.lately(app.id).messages).sum();
    let apps: Vec<_> = listed
        .into_iter()
        .map(|app| AppRow {
            connections: i64::try_from(visit.console.live.connections(app.id)).unwrap_or(i64::MAX),
            id: app.id.to_string(),
            name: app.name,
            mode: app.mode.as_str(),
        })
        .collect();
    let members: Vec<_> = store
        .org(id)
        .list_members(None, MEMBERS_SHOWN)
        .await?
        .into_iter()
        .map(|member| MemberRow { email: member.email, role: member.role.as_str(), has_totp: member.has_totp })
        .collect();
    let (subscription, seats) = (store.org(id).subscription().await?, store.org(id).count_members().await?);
    let units = store.org(id).quotas().await?.into_iter().find(|quota| quota.app.is_none()).map(|quota| quota.used);
    let connections: i64 = apps.iter().map(|app| app.connections).sum();
    let grants = plans::grants(&subscription.plan.entitlements, |feature| match feature {
        Feature::Connections => i64::try_from(live_connections).ok(),
        Feature::Apps => Some(org.apps),
        Feature::Members => i64::try_from(seats.members + seats.invitations).ok(),
        Feature::MessageRate => i64::try_from(messages / PACE_SECONDS as u64).ok(),
        Feature::MsgSent => units,
        // Of one message, so nothing of it is used.
        Feature::LargeBodyBytes => None,
    });
    let plans: Vec<_> = store.list_plans().await?.into_iter().map(|plan| (plan.code, plan.name)).collect();
    let page = OrgPage {
        frame: visit.frame(None),
        org: &org,
        suspended_reason: why.as_deref(),
        connections,
        apps: &apps,
        members: &members,
        grants: &grants,
        plans: &plans,
        reason,
        problems,
    };
    answer::page(status, &page, visit)
}
