//! `/v1/manage/members`: the people of an org and their roles.

use super::page::{Ask, Page, Paging};
use super::parse;
use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Manager};
use crate::fault::Fault;
use crate::post::Post;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, delete, get, patch};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use tokenim_control::members;
use tokenim_domain::Code;
use tokenim_domain::actor::Action;
use tokenim_domain::id::{AccountId, OrgId};
use tokenim_protocol::time::rfc3339;
use tokenim_store::OrgMember;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/manage/members", "listOrgMembers", Who::ManagementKey(Action::ReadMembers), || web::to(list)),
    patch("/v1/manage/members/{account}", "changeOrgMember", Who::ManagementKey(Action::ChangeMembers), || {
        web::to(change)
    })
    .refuses(&[Code::Conflict, Code::LastOwner]),
    delete("/v1/manage/members/{account}", "removeOrgMember", Who::ManagementKey(Action::ChangeMembers), || {
        web::to(remove)
    })
    .refuses(&[Code::LastOwner]),
];

/// Another role for a member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleChange {
    /// `owner`, `admin`, `developer`, `billing` or `viewer`; not above the caller's own.
    #[schema(example = "developer")]
    role: String,
    /// The role that the caller saw: where it is another by now, the answer is `conflict`.
    from: Option<String>,
}

/// A member of the org.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrgMember)]
pub(crate) struct MemberReply {
    /// Id of the account.
    account: String,
    email: String,
    role: &'static str,
    #[schema(format = DateTime)]
    joined_at: String,
    /// Whether they sign in with a second factor.
    has_totp: bool,
}

/// Who was removed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RemovedMember {
    /// Id of the account.
    account: String,
}

type OrgMemberPage = Page<MemberReply>;

/// The org's members.
#[utoipa::path(get, path = "/v1/manage/members",
    params(Paging),
    responses((status = 200, body = OrgMemberPage, description = "The page.")))]
pub(crate) async fn list(api: web::Data<Api>, manager: Auth<Manager>, request: HttpRequest) -> Answer {
    let (ask, _) = Ask::<AccountId>::read(&request, &[])?;
    let rows = manager.0.org(&api).list_members(ask.after, ask.rows()).await?;
    answer::view(&ask.page(rows, |member| member.account).map(reply))
}

/// Gives a member another role.
#[utoipa::path(patch, path = "/v1/manage/members/{account}", params(("account" = String, Path, description = "Id of the account.")), request_body = RoleChange, responses((status = 200, body = MemberReply, description = "The member.")))]
pub(crate) async fn change(api: web::Data<Api>, path: web::Path<String>, post: Post<Manager, RoleChange>) -> Answer {
    post.once_at(&api, path, |api, account, job| async move {
        let acting = job.caller.acting;
        let to = parse::role(&job.body.role, "role")?;
        let from = match job.body.from {
            Some(from) => parse::role(&from, "from")?,
            None => find(&api, acting.org, account).await?.role,
        };
        members::change_role(&api.store, &acting, account, from, to).await?;
        answer::json(&reply(find(&api, acting.org, account).await?))
    })
    .await
}

/// Takes a member out of the org.
#[utoipa::path(delete, path = "/v1/manage/members/{account}", params(("account" = String, Path, description = "Id of the account.")), responses((status = 200, body = RemovedMember, description = "The account is no member.")))]
pub(crate) async fn remove(
    api: web::Data<Api>,
    manager: Auth<Manager>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &["org"])?;
    let account = parse::id::<AccountId>(&path)?;
    members::remove(&api.store, &manager.0.acting, account).await?;
    answer::view(&RemovedMember { account: account.to_string() })
}

pub(super) async fn find(api: &Api, org: OrgId, account: AccountId) -> Result<OrgMember, Fault> {
    Ok(api.store.org(org).find_member(account).await?.ok_or(Code::NotFound)?)
}

pub(super) fn reply(member: OrgMember) -> MemberReply {
    MemberReply {
        account: member.account.to_string(),
        email: member.email,
        role: member.role.as_str(),
        joined_at: rfc3339(member.joined_ms),
        has_totp: member.has_totp,
    }
}
