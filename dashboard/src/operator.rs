//! The operator area: what operators see of the whole service, and what they change for a reason.
use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::orgs;
use tokenim_domain::{
    Error,
    actor::{Acting, Right},
    id::{JobId, OrgId},
};
use tokenim_templates::{
    flash::Flash,
    page::operator::{DeadRow, Figures, HomePage, JobsPage},
    problem::Problems,
    time::Utc,
};

use crate::{
    answer, audit,
    form::Form,
    pager::{ROWS, cursor, cut},
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    visit::Visit,
};

mod announcements;
mod nodes;
mod org;
mod plans;

const JOBS: &str = "/operator/jobs";
const WHO: Who = Who::Operator;
pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/operator", WHO, |visit| Box::pin(home(visit))),
    get("/operator/orgs", WHO, |visit| Box::pin(org::list(visit))),
    get("/operator/orgs/{org}", WHO, |visit| Box::pin(org::show(visit))),
    post("/operator/orgs/{org}/suspend", WHO, |visit, form| Box::pin(suspend(visit, form))).fresh().once(),
    post("/operator/orgs/{org}/resume", WHO, |visit, form| Box::pin(resume(visit, form))).fresh().once(),
    post("/operator/orgs/{org}/plan", WHO, |visit, form| Box::pin(org::change_plan(visit, form))).fresh().once(),
    get("/operator/plans", WHO, |visit| Box::pin(plans::show(visit))),
    get("/operator/nodes", WHO, |visit| Box::pin(nodes::show(visit))),
    get(JOBS, WHO, |visit| Box::pin(jobs(visit))),
    post("/operator/jobs/{job}/retry", WHO, |visit, form| Box::pin(retry(visit, form))).fresh().once(),
    get("/operator/announcements", WHO, |visit| Box::pin(announcements::list(visit))),
    post("/operator/announcements", WHO, |visit, form| Box::pin(announcements::create(visit, form))).fresh().once(),
    get("/operator/announcements/{announcement}", WHO, |visit| Box::pin(announcements::show(visit))),
    post("/operator/announcements/{announcement}", WHO, |visit, form| Box::pin(announcements::update(visit, form)))
        .fresh()
        .once(),
    post("/operator/announcements/{announcement}/end", WHO, |visit, form| Box::pin(announcements::end(visit, form)))
        .fresh()
        .once(),
    get("/operator/audit", WHO, |visit| Box::pin(service_audit(visit))),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    reason: String,
}

async fn home(visit: &mut Visit<'_>) -> Answer {
    let store = &visit.console.store;
    let (totals, queue) = (store.totals().await?, store.backlog().await?);
    let figures = Figures {
        connections: number(visit.console.live.all_connections()),
        orgs: totals.orgs,
        suspended: totals.suspended,
        accounts: totals.accounts,
        apps: totals.apps,
        waiting: number(queue.jobs_waiting),
        oldest_s: number(queue.job_age_ms / 1000),
        dead: number(queue.jobs_dead),
    };
    answer::page(StatusCode::OK, &HomePage { frame: visit.frame(None), figures, at: visit.now() }, visit)
}

/// A count as pages take it.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

async fn suspend(visit: &mut Visit<'_>, form: &Form) -> Answer {
    set_suspended(visit, form, true).await
}

async fn resume(visit: &mut Visit<'_>, form: &Form) -> Answer {
    set_suspended(visit, form, false).await
}

async fn set_suspended(visit: &Visit<'_>, form: &Form, is_suspended: bool) -> Answer {
    let Why { reason } = form.parse()?;
    let acting = acting(visit, &reason)?;
    let done = orgs::suspend(&visit.console.store, &acting, is_suspended).await;
    org::settle(visit, acting.org, done.map(drop), &reason).await
}

/// The operator acting in the org that the path names.
fn acting(visit: &Visit<'_>, reason: &str) -> Result<Acting, crate::fault::Fault> {
    Ok(Acting { org: visit.path("org")?, right: Right::Service, actor: visit.operating(reason)? })
}

async fn jobs(visit: &mut Visit<'_>) -> Answer {
    jobs_page(visit, StatusCode::OK, Problems::none()).await
}

async fn retry(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Why { reason } = form.parse()?;
    let job: JobId = visit.path("job")?;
    let done: Result<(), Error> = visit.console.store.revive_job(&visit.operating(&reason)?, job).await;
    match done {
        Ok(()) => Ok(answer::done(visit, Flash::Saved, JOBS)),
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            jobs_page(visit, status, problems).await
        }
    }
}

async fn jobs_page(visit: &Visit<'_>, status: StatusCode, problems: Problems) -> Answer {
    let store = &visit.console.store;
    let queue = store.backlog().await?;
    let mut dead = store.list_dead_jobs(cursor(visit, "after")?, ROWS).await?;
    let next = cut(&mut dead, JOBS, "after", |job| job.id);
    let rows: Vec<_> = dead
        .into_iter()
        .map(|job| DeadRow {
            id: job.id.to_string(),
            kind: job.kind,
            org: job.org.map(|org| org.to_string()),
            attempts: job.attempts,
            dead: Utc::from_ms(job.dead_ms),
            error: job.error.unwrap_or_default(),
        })
        .collect();
    let page = JobsPage {
        frame: visit.frame(None),
        waiting: number(queue.jobs_waiting),
        oldest_s: number(queue.job_age_ms / 1000),
        dead: number(queue.jobs_dead),
        jobs: &rows,
        next,
        problems,
    };
    answer::page(status, &page, visit)
}

async fn service_audit(visit: &mut Visit<'_>) -> Answer {
    audit::page(visit, OrgId::SERVICE, "/operator/audit").await
}
