//! `/v1/manage/audit` and `…/service/audit`: who changed what, and whether that is what was written.

use super::page::{Ask, Page, Paging};
use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Manager, Operator};
use crate::fault::Fault;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get};
use actix_web::{HttpRequest, web};
use serde::Serialize;
use serde_json::value::RawValue;
use tokenim_domain::Error;
use tokenim_domain::actor::Action;
use tokenim_domain::id::OrgId;
use tokenim_domain::secret::hex;
use tokenim_protocol::time::rfc3339;
use tokenim_store::{AuditEvent, AuditQuery, AuditVerdict, OrgScope};
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/manage/audit", "listAudit", Who::ManagementKey(Action::ReadAudit), || web::to(list)),
    get("/v1/manage/audit/check", "checkAudit", Who::ManagementKey(Action::ReadAudit), || web::to(check)),
    get("/v1/manage/service/audit", "listServiceAudit", Who::OperatorKey, || web::to(list_service)),
    get("/v1/manage/service/audit/check", "checkServiceAudit", Who::OperatorKey, || web::to(check_service)),
];

/// A change of the org.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub(crate) struct EventReply {
    /// Its number in the org's chain, from 1.
    seq: i64,
    #[schema(format = DateTime)]
    at: String,
    /// `account`, `management_key`, `operator`, `operator_key` or `machine`.
    actor_kind: String,
    /// Id of the actor, or `machine`.
    actor: String,
    /// The member's address, or the management key's name; null for whoever is no member (any more) and for operators, whom
    /// only the service's own log names.
    actor_name: Option<String>,
    address: Option<String>,
    /// `thing.verb`.
    action: String,
    /// Id of the thing.
    object: String,
    #[schema(value_type = Option<Object>)]
    before: Option<Box<RawValue>>,
    #[schema(value_type = Option<Object>)]
    after: Option<Box<RawValue>>,
    /// Why, where it was said.
    reason: Option<String>,
    /// `hash` of the event before, in hex; zeros before the first.
    prev_hash: String,
    /// In hex: what the chain is made of stands in docs/MANAGE.md §6.
    hash: String,
}

/// Whether the log is what was written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditCheck {
    intact: bool,
    /// Where it is intact, its last event; else the first that is missing, altered or one too many.
    seq: i64,
}

type AuditEventPage = Page<EventReply>;

/// The org's audit log.
#[utoipa::path(get, path = "/v1/manage/audit",
    params(
        ("action" = Option<String>, Query, description = "Only this action, `thing.verb`."),
        ("actor" = Option<String>, Query, description = "Only what this actor did: an id, or `machine`."),
        Paging,
    ),
    responses((status = 200, body = AuditEventPage, description = "The page.")))]
pub(crate) async fn list(api: web::Data<Api>, manager: Auth<Manager>, request: HttpRequest) -> Answer {
    page(manager.0.org(&api), &request).await
}

/// Recomputes the log's chain of hashes.
#[utoipa::path(get, path = "/v1/manage/audit/check", responses((status = 200, body = AuditCheck, description = "What was found.")))]
pub(crate) async fn check(api: web::Data<Api>, manager: Auth<Manager>, request: HttpRequest) -> Answer {
    Query::read(&request, &["org"])?;
    verdict(manager.0.org(&api)).await
}

/// The service's own audit log: what operators did, and who entered their area.
#[utoipa::path(get, path = "/v1/manage/service/audit",
    params(
        ("action" = Option<String>, Query, description = "Only this action, `thing.verb`."),
        ("actor" = Option<String>, Query, description = "Only what this actor did: an id, or `machine`."),
        Paging,
    ),
    responses((status = 200, body = AuditEventPage, description = "The page.")))]
pub(crate) async fn list_service(api: web::Data<Api>, _: Auth<Operator>, request: HttpRequest) -> Answer {
    page(api.store.org(OrgId::SERVICE), &request).await
}

/// Recomputes the chain of hashes of the service's own log.
#[utoipa::path(get, path = "/v1/manage/service/audit/check", responses((status = 200, body = AuditCheck, description = "What was found.")))]
pub(crate) async fn check_service(api: web::Data<Api>, _: Auth<Operator>, request: HttpRequest) -> Answer {
    Query::read(&request, &[])?;
    verdict(api.store.org(OrgId::SERVICE)).await
}

async fn page(log: OrgScope<'_>, request: &HttpRequest) -> Answer {
    let (ask, query) = Ask::<i64>::read(request, &["action", "actor"])?;
    let text = |name| query.text(name).map(str::to_owned);
    let wanted =
        AuditQuery { action: text("action"), actor: text("actor"), after: Some(ask.after.unwrap_or(0)), before: None };
    let rows = log.search_audit(&wanted, ask.rows()).await?;
    let Page { items, next_cursor } = ask.page(rows, |event| event.seq);
    let names = log.event_actor_names(&items).await?;
    let items = items.into_iter().zip(names).map(|(event, name)| reply(event, name)).collect::<Result<_, Fault>>()?;
    answer::view(&Page { items, next_cursor })
}

async fn verdict(log: OrgScope<'_>) -> Answer {
    let (intact, seq) = match log.verify_audit().await? {
        AuditVerdict::Intact { seq } => (true, seq),
        AuditVerdict::Broken { seq } => (false, seq),
    };
    answer::view(&AuditCheck { intact, seq })
}

fn reply(event: AuditEvent, actor_name: Option<String>) -> Result<EventReply, Fault> {
    let json = |text: Option<String>| text.map(RawValue::from_string).transpose().map_err(Error::internal);
    Ok(EventReply {
        seq: event.seq,
        at: rfc3339(event.at_ms),
        actor_kind: event.actor_kind,
        actor: event.actor,
        actor_name,
        address: event.address,
        action: event.action,
        object: event.object,
        before: json(event.before)?,
        after: json(event.after)?,
        reason: event.reason,
        prev_hash: hex(&event.prev_hash),
        hash: hex(&event.hash),
    })
}
