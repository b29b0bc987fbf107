//! `/v1/manage/orgs`: the orgs of the service, and the one a key is of.

use super::page::Ask;
use crate::answer;
use crate::api::Api;
use crate::auth::{Auth, Manager, Operator};
use crate::fault::Fault;
use crate::query::Query;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use tokenim_domain::Code;
use tokenim_domain::id::OrgId;
use tokenim_protocol::time::rfc3339;
use tokenim_store::OrgView;
use utoipa::ToSchema;

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
}

/// A page of orgs, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrgPage {
    items: Vec<OrgReply>,
    /// For `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// The orgs of the service.
#[utoipa::path(get, path = "/v1/manage/orgs",
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "Orgs of the page.", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = OrgPage, description = "The page.")))]
pub(crate) async fn list(api: web::Data<Api>, _: Auth<Operator>, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let (ask, _) = Ask::<OrgId>::read(&request, &[])?;
    let mut rows = api.store.list_orgs(ask.after, ask.rows()).await?;
    let next_cursor = ask.cut(&mut rows, |org| org.id);
    answer::json(&OrgPage { items: rows.iter().map(reply).collect(), next_cursor }).map(answer::ok)
}

/// An org: the key's own.
#[utoipa::path(get, path = "/v1/manage/orgs/{org}", params(("org" = String, Path, description = "Id of the org.")), responses((status = 200, body = OrgReply, description = "The org.")))]
pub(crate) async fn show(
    api: web::Data<Api>,
    manager: Auth<Manager>,
    request: HttpRequest,
) -> Result<HttpResponse, Fault> {
    Query::read(&request, &[])?;
    let org = api.store.org(manager.0.acting.org).find().await?.ok_or(Code::NotFound)?;
    answer::json(&reply(&org)).map(answer::ok)
}

fn reply(org: &OrgView) -> OrgReply {
    OrgReply {
        id: org.id.to_string(),
        name: org.name.clone(),
        created_at: rfc3339(org.created_ms),
        suspended_at: org.suspended_ms.map(rfc3339),
    }
}
