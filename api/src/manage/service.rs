//! `/v1/manage/service`, `…/nodes` and `…/dead-jobs`: the service as its operators see it.

use super::page::{Ask, Page, Paging};
use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Operator};
use crate::post::{Empty, Post};
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get, post};
use actix_web::{HttpRequest, web};
use serde::Serialize;
use tokenim_domain::Code;
use tokenim_domain::id::JobId;
use tokenim_protocol::time::rfc3339;
use tokenim_store::{DeadJob, Node};
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/manage/service", "getService", Who::OperatorKey, || web::to(show)),
    get("/v1/manage/nodes", "listNodes", Who::OperatorKey, || web::to(list_nodes)),
    get("/v1/manage/dead-jobs", "listDeadJobs", Who::OperatorKey, || web::to(list_dead_jobs)),
    post("/v1/manage/dead-jobs/{job}/retry", "retryDeadJob", Who::OperatorKey, || web::to(retry))
        .refuses(&[Code::NotFound]),
];

/// The service in numbers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Service)]
pub(crate) struct ServiceReply {
    /// Connections of the node that answers; those of the others are with the nodes.
    connections: u64,
    orgs: i64,
    /// How many of them are suspended.
    suspended_orgs: i64,
    /// By the code of their plan, in any version.
    orgs_by_plan: Vec<PlanOrgs>,
    accounts: i64,
    /// Apps that are not deleted.
    apps: i64,
    jobs: Queue,
}

/// How many orgs have a plan.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlanOrgs {
    #[schema(example = "pro")]
    plan: String,
    orgs: i64,
}

/// The queue of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Queue {
    /// Neither done nor given up.
    waiting: u64,
    /// Milliseconds that the one that is due longest has been due; 0 where none is.
    oldest_ms: u64,
    /// Given up.
    dead: u64,
}

/// The processes that serve the database.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NodeList {
    /// The longest running first, at most 200.
    items: Vec<NodeReply>,
}

/// A process that serves the database.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct NodeReply {
    id: String,
    /// The machine's name.
    name: String,
    version: String,
    #[schema(format = DateTime)]
    started_at: String,
    /// When it told of itself last.
    #[schema(format = DateTime)]
    seen_at: String,
    /// Whether that is too long ago: it was killed, or can't reach the database.
    stale: bool,
    /// Open sockets then.
    connections: i64,
    /// Resident memory then.
    rss_bytes: i64,
    /// CPU time used from its start until then.
    cpu_ms: i64,
}

/// A job that was given up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadJob)]
pub(crate) struct DeadJobReply {
    id: String,
    /// Which work it is.
    kind: String,
    /// The org it was for; null = none.
    org: Option<String>,
    /// How often it was tried.
    attempts: i64,
    /// When it was enqueued, or retried.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was given up.
    #[schema(format = DateTime)]
    dead_at: String,
    /// Why.
    error: Option<String>,
}

/// A job that is in the queue again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetriedJob {
    id: String,
}

type DeadJobPage = Page<DeadJobReply>;

/// The service in numbers.
#[utoipa::path(get, path = "/v1/manage/service", responses((status = 200, body = ServiceReply, description = "Figures of this moment.")))]
pub(crate) async fn show(api: web::Data<Api>, _: Auth<Operator>, request: HttpRequest) -> Answer {
    Query::read(&request, &[])?;
    let (totals, queue) = (api.store.totals().await?, api.store.backlog().await?);
    let by_plan = api.store.count_orgs_by_plan().await?;
    answer::view(&ServiceReply {
        connections: u64::try_from(api.gateway.connections()).unwrap_or(u64::MAX),
        orgs: totals.orgs,
        suspended_orgs: totals.suspended,
        orgs_by_plan: by_plan.into_iter().map(|(plan, orgs)| PlanOrgs { plan, orgs }).collect(),
        accounts: totals.accounts,
        apps: totals.apps,
        jobs: Queue { waiting: queue.jobs_waiting, oldest_ms: queue.job_age_ms, dead: queue.jobs_dead },
    })
}

/// The processes that serve the database; one that ended without a word is stale, and listed for another day.
#[utoipa::path(get, path = "/v1/manage/nodes", responses((status = 200, body = NodeList, description = "The nodes.")))]
pub(crate) async fn list_nodes(api: web::Data<Api>, _: Auth<Operator>, request: HttpRequest) -> Answer {
    Query::read(&request, &[])?;
    answer::view(&NodeList { items: api.store.list_nodes().await?.into_iter().map(node).collect() })
}

/// Jobs that were given up, kept for 90 days.
#[utoipa::path(get, path = "/v1/manage/dead-jobs", params(Paging), responses((status = 200, body = DeadJobPage, description = "The page.")))]
pub(crate) async fn list_dead_jobs(api: web::Data<Api>, _: Auth<Operator>, request: HttpRequest) -> Answer {
    let (ask, _) = Ask::<JobId>::read(&request, &[])?;
    let rows = api.store.list_dead_jobs(ask.after, ask.rows()).await?;
    answer::view(&ask.page(rows, |job| job.id).map(dead))
}

/// Puts a job that was given up back into the queue; it is tried as often as a new one.
#[utoipa::path(post, path = "/v1/manage/dead-jobs/{job}/retry", params(("job" = String, Path, description = "Id of the job.")), request_body = Empty, responses((status = 200, body = RetriedJob, description = "It is in the queue.")))]
pub(crate) async fn retry(api: web::Data<Api>, path: web::Path<String>, post: Post<Operator, Empty>) -> Answer {
    post.once_at(&api, path, |api, id: JobId, job| async move {
        api.store.revive_job(&job.caller.actor, id).await?;
        answer::json(&RetriedJob { id: id.to_string() })
    })
    .await
}

fn node(node: Node) -> NodeReply {
    NodeReply {
        id: node.id.to_string(),
        name: node.name,
        version: node.version,
        started_at: rfc3339(node.started_ms),
        seen_at: rfc3339(node.seen_ms),
        stale: node.is_stale,
        connections: node.connections,
        rss_bytes: node.rss_bytes,
        cpu_ms: node.cpu_ms,
    }
}

fn dead(job: DeadJob) -> DeadJobReply {
    DeadJobReply {
        id: job.id.to_string(),
        kind: job.kind,
        org: job.org.map(|org| org.to_string()),
        attempts: job.attempts,
        created_at: rfc3339(job.created_ms),
        dead_at: rfc3339(job.dead_ms),
        error: job.error,
    }
}
