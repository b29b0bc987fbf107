//! `/v1/manage/orgs`: the orgs of the service, and the one a key is of.

use super::page::{Ask, Page, Paging};
use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Manager, Operator};
use crate::fault::Fault;
use crate::once::Job;
use crate::post::{Empty, Post};
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get, patch, post};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use tokenim_control::invitations::Invite;
use tokenim_control::orgs;
use tokenim_domain::Code;
use tokenim_domain::actor::{Acting, Action, Right};
use tokenim_domain::id::OrgId;
use tokenim_domain::role::OrgRole;
use tokenim_protocol::time::rfc3339;
use tokenim_store::{FoundOrg, OrgPatch, OrgView};
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/manage/orgs", "listOrgs", Who::OperatorKey, || web::to(list)),
    post("/v1/manage/orgs", "createOrg", Who::OperatorKey, || web::to(create)),
    get("/v1/manage/orgs/{org}", "getOrg", Who::ManagementKey(Action::ReadOverview), || web::to(show)),
    patch("/v1/manage/orgs/{org}", "changeOrg", Who::ManagementKey(Action::ChangeSettings), || web::to(change)),
    post("/v1/manage/orgs/{org}/suspend", "suspendOrg", Who::OperatorKey, || web::to(suspend))
        .refuses(&[Code::NotFound, Code::Conflict]),
    post("/v1/manage/orgs/{org}/resume", "resumeOrg", Who::OperatorKey, || web::to(resume))
        .refuses(&[Code::NotFound, Code::Conflict]),
];

/// An org to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrg {
    /// Its name.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// Address of its owner: an account that has it verified owns the org at once, any other address is invited to.
    owner_email: String,
    /// Language of the invitation: `en` or `zh-CN`.
    #[serde(default = "super::english")]
    #[schema(default = "en")]
    language: String,
}

/// What to change; an absent field stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrgChange {
    /// Its name.
    #[schema(min_length = 1, max_length = 64)]
    name: Option<String>,
    /// Whether its members need a second factor.
    requires_totp: Option<bool>,
}

/// An org.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Org)]
pub(crate) struct OrgReply {
    id: String,
    name: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// When an operator suspended it; null = it is not.
    #[schema(format = DateTime)]
    suspended_at: Option<String>,
    /// Why.
    suspended_reason: Option<String>,
    /// Whether its members need a second factor.
    requires_totp: bool,
}

/// An org as the service's list shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedOrg {
    #[serde(flatten)]
    org: OrgReply,
    /// Code of its present plan.
    plan: Option<String>,
    members: i64,
    apps: i64,
}

type ListedOrgPage = Page<ListedOrg>;

/// The orgs of the service.
#[utoipa::path(get, path = "/v1/manage/orgs",
    params(
        ("q" = Option<String>, Query, description = "Part of a name, of a member's address or of a key's hint, or a whole id."),
        Paging,
    ),
    responses((status = 200, body = ListedOrgPage, description = "The page.")))]
pub(crate) async fn list(api: web::Data<Api>, _: Auth<Operator>, request: HttpRequest) -> Answer {
    let (ask, query) = Ask::<OrgId>::read(&request, &["q"])?;
    let rows = api.store.search_orgs(query.text("q").unwrap_or_default(), ask.after, ask.rows()).await?;
    answer::view(&ask.page(rows, |found| found.org.id).map(listed))
}

/// Makes an org, without apps, on the first plan.
#[utoipa::path(post, path = "/v1/manage/orgs", request_body = NewOrg, responses((status = 200, body = OrgReply, description = "The org.")))]
pub(crate) async fn create(api: web::Data<Api>, post: Post<Operator, NewOrg>) -> Answer {
    post.once(&api, make).await
}

async fn make(api: web::Data<Api>, job: Job<Operator, NewOrg>) -> Result<String, Fault> {
    let NewOrg { name, owner_email: email, language } = job.body;
    let owner = Invite { email, role: OrgRole::Owner, language: super::parse::language(language)? };
    let made = orgs::create_for(&api.store, &job.caller.actor, &name, owner).await;
    // The field is called otherwise here.
    let made = made.map_err(|error| if error.param == Some("email") { error.at("owner_email") } else { error });
    answer::json(&reply(made?))
}

/// An org: the key's own.
#[utoipa::path(get, path = "/v1/manage/orgs/{org}", params(("org" = String, Path, description = "Id of the org.")), responses((status = 200, body = OrgReply, description = "The org.")))]
pub(crate) async fn show(api: web::Data<Api>, manager: Auth<Manager>, request: HttpRequest) -> Answer {
    Query::read(&request, &[])?;
    let org = manager.0.org(&api).find().await?.ok_or(Code::NotFound)?;
    answer::view(&reply(org))
}

/// Changes an org's name and rules.
#[utoipa::path(patch, path = "/v1/manage/orgs/{org}", params(("org" = String, Path, description = "Id of the org.")), request_body = OrgChange, responses((status = 200, body = OrgReply, description = "The org.")))]
pub(crate) async fn change(api: web::Data<Api>, post: Post<Manager, OrgChange>) -> Answer {
    post.once(&api, |api, job: Job<Manager, OrgChange>| async move {
        let OrgChange { name, requires_totp } = job.body;
        let patch = OrgPatch { name, requires_totp };
        answer::json(&reply(orgs::update(&api.store, &job.caller.acting, patch).await?))
    })
    .await
}

/// Suspends an org: its connections close, its keys are refused.
#[utoipa::path(post, path = "/v1/manage/orgs/{org}/suspend", params(("org" = String, Path, description = "Id of the org.")), request_body = Empty, responses((status = 200, body = OrgReply, description = "The suspended org.")))]
pub(crate) async fn suspend(api: web::Data<Api>, path: web::Path<String>, post: Post<Operator, Empty>) -> Answer {
    post.once_at(&api, path, |api, org, job| set_suspended(api, org, job, true)).await
}

/// Ends an org's suspension.
#[utoipa::path(post, path = "/v1/manage/orgs/{org}/resume", params(("org" = String, Path, description = "Id of the org.")), request_body = Empty, responses((status = 200, body = OrgReply, description = "The org.")))]
pub(crate) async fn resume(api: web::Data<Api>, path: web::Path<String>, post: Post<Operator, Empty>) -> Answer {
    post.once_at(&api, path, |api, org, job| set_suspended(api, org, job, false)).await
}

async fn set_suspended(
    api: web::Data<Api>,
    org: OrgId,
    job: Job<Operator, Empty>,
    is_suspended: bool,
) -> Result<String, Fault> {
    let acting = Acting { org, right: Right::Service, actor: job.caller.actor };
    answer::json(&reply(orgs::suspend(&api.store, &acting, is_suspended).await?))
}

fn listed(found: FoundOrg) -> ListedOrg {
    ListedOrg { org: reply(found.org), plan: found.plan, members: found.members, apps: found.apps }
}

fn reply(org: OrgView) -> OrgReply {
    OrgReply {
        id: org.id.to_string(),
        name: org.name,
        created_at: rfc3339(org.created_ms),
        suspended_at: org.suspended_ms.map(rfc3339),
        suspended_reason: org.suspended_reason,
        requires_totp: org.requires_totp,
    }
}
