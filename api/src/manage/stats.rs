//! `/v1/manage/stats`: what happens in the org's apps at this moment.

use super::parse;
use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Manager};
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get};
use actix_web::{HttpRequest, web};
use serde::Serialize;
use tokenim_domain::Code;
use tokenim_domain::actor::Action;
use tokenim_gateway::recent::Refused;
use tokenim_protocol::time::rfc3339;
use tokenim_store::App;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] =
    &[get("/v1/manage/stats", "listOrgStats", Who::ManagementKey(Action::ReadOverview), || web::to(list))];

/// Live figures of the org's apps; they are not billed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrgStats {
    /// One per app.
    items: Vec<AppStats>,
    /// When this was true.
    #[schema(format = DateTime)]
    as_of: String,
}

/// Live figures of an app, of the node that answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AppStats {
    app: String,
    /// Connections open now.
    connections: u64,
    /// Users who have one.
    users: u64,
    /// Messages stored in the last ten seconds.
    messages_10s: u64,
    /// What was refused in the last 24 hours, by code.
    refused: Vec<RefusedReply>,
}

/// How often a code was answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refused)]
pub(crate) struct RefusedReply {
    #[schema(example = "quota_exceeded")]
    code: &'static str,
    count: u64,
    #[schema(format = DateTime)]
    last_at: String,
}

/// What happens in the org's apps at this moment.
#[utoipa::path(get, path = "/v1/manage/stats",
    params(("app" = Option<String>, Query, description = "One app of the org; all when absent.")),
    responses((status = 200, body = OrgStats, description = "Figures of this moment.")))]
pub(crate) async fn list(api: web::Data<Api>, manager: Auth<Manager>, request: HttpRequest) -> Answer {
    let query = Query::read(&request, &["org", "app"])?;
    let org = manager.0.org(&api);
    let apps = match parse::app(query.text("app"))? {
        Some(id) => vec![org.show_app(id).await?.ok_or(Code::NotFound)?],
        None => org.list_apps().await?,
    };
    let now_ms = api.now_ms();
    let items = apps.iter().map(|app| stats(&api, app, now_ms)).collect();
    answer::view(&OrgStats { items, as_of: rfc3339(now_ms) })
}

fn stats(api: &Api, app: &App, now_ms: i64) -> AppStats {
    let (live, place) = (api.gateway.stats(app.id), api.gateway.known(app.id));
    AppStats {
        app: app.id.to_string(),
        connections: live.connections,
        users: live.users,
        messages_10s: place.as_ref().map_or(0, |place| place.pace.count(now_ms)),
        refused: place.map(|place| place.refusals.read(now_ms)).unwrap_or_default().into_iter().map(refused).collect(),
    }
}

fn refused(refused: Refused) -> RefusedReply {
    RefusedReply { code: refused.code.as_str(), count: refused.count, last_at: rfc3339(refused.last_ms) }
}
