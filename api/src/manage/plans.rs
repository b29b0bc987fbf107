//! `/v1/manage/plans` and `/v1/manage/subscription`: what there is, and what the org has.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Manager};
use crate::fault::Fault;
use crate::once::Job;
use crate::post::Post;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get, put};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use tokenim_control::plans;
use tokenim_domain::Code;
use tokenim_domain::actor::Action;
use tokenim_domain::plan::{Entitlement, Feature};
use tokenim_protocol::time::rfc3339;
use tokenim_store::{Plan, Subscription};
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/manage/plans", "listPlans", Who::ManagementKey(Action::ReadBilling), || web::to(list)),
    get("/v1/manage/subscription", "getSubscription", Who::ManagementKey(Action::ReadBilling), || web::to(show)),
    put("/v1/manage/subscription", "changeSubscription", Who::ManagementKey(Action::ChangeBilling), || web::to(change))
        .refuses(&[Code::EmailUnverified]),
];

/// The plans, the smallest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlanList {
    items: Vec<PlanReply>,
}

/// A plan in one version.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub(crate) struct PlanReply {
    #[schema(example = "pro")]
    code: String,
    name: String,
    version: i64,
    /// Whether an org may choose it itself.
    public: bool,
    /// One per feature.
    entitlements: Vec<EntitlementReply>,
}

/// What a plan grants of one feature.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Entitlement)]
pub(crate) struct EntitlementReply {
    /// `connections`, `message_rate` (per second), `msg_sent` (units a calendar month, UTC), `large_body_bytes` (of one message), `apps` or `members`.
    #[schema(example = "msg_sent")]
    feature: &'static str,
    /// How much; null = without limit.
    limit: Option<i64>,
    /// `hard` = refused there, `soft` = counted on.
    mode: &'static str,
}

/// What the org is subscribed to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(crate) struct SubscriptionReply {
    plan: PlanReply,
    #[schema(format = DateTime)]
    since: String,
}

/// A plan to subscribe to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSubscription {
    /// Its code; the newest version is taken.
    #[schema(example = "pro")]
    plan: String,
}

/// The plans an org may choose; an operator's key sees all.
#[utoipa::path(get, path = "/v1/manage/plans", responses((status = 200, body = PlanList, description = "The plans in their newest versions.")))]
pub(crate) async fn list(api: web::Data<Api>, manager: Auth<Manager>, request: HttpRequest) -> Answer {
    Query::read(&request, &["org"])?;
    let sees_all = manager.0.acting.role().is_none();
    let plans = api.store.list_plans().await?;
    let items = plans.into_iter().filter(|plan| plan.is_public || sees_all).map(reply).collect();
    answer::view(&PlanList { items })
}

/// What the org is subscribed to, in the version it has.
#[utoipa::path(get, path = "/v1/manage/subscription", responses((status = 200, body = SubscriptionReply, description = "The subscription.")))]
pub(crate) async fn show(api: web::Data<Api>, manager: Auth<Manager>, request: HttpRequest) -> Answer {
    Query::read(&request, &["org"])?;
    let subscription = manager.0.org(&api).subscription().await?;
    answer::view(&subscribed(subscription))
}

/// Subscribes the org to a plan from now on; open connections have its limits within 2 s. What stands above a lowered
/// limit stays; only more is refused.
#[utoipa::path(put, path = "/v1/manage/subscription", request_body = NewSubscription, responses((status = 200, body = SubscriptionReply, description = "The subscription.")))]
pub(crate) async fn change(api: web::Data<Api>, post: Post<Manager, NewSubscription>) -> Answer {
    post.once(&api, subscribe).await
}

async fn subscribe(api: web::Data<Api>, job: Job<Manager, NewSubscription>) -> Result<String, Fault> {
    let changed = plans::change_plan(&api.store, &job.caller.acting, &job.body.plan).await?;
    answer::json(&subscribed(changed))
}

fn subscribed(subscription: Subscription) -> SubscriptionReply {
    SubscriptionReply { plan: reply(subscription.plan), since: rfc3339(subscription.from_ms) }
}

fn reply(plan: Plan) -> PlanReply {
    let entitlement = |feature: &Feature| {
        let Entitlement { value, mode } = plan.entitlements.of(*feature);
        EntitlementReply { feature: feature.as_str(), limit: value, mode: mode.as_str() }
    };
    let entitlements = Feature::ALL.iter().map(entitlement).collect();
    PlanReply { code: plan.code, name: plan.name, version: plan.version, public: plan.is_public, entitlements }
}
