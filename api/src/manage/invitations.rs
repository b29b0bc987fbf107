//! `/v1/manage/invitations`: asking people into an org by mail.

use super::page::{Ask, Page, Paging};
use super::parse;
use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Manager};
use crate::fault::Fault;
use crate::once::Job;
use crate::post::Post;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, delete, get, post};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use tokenim_control::invitations::{self, Invite};
use tokenim_domain::Code;
use tokenim_domain::actor::Action;
use tokenim_domain::id::InvitationId;
use tokenim_protocol::time::rfc3339;
use tokenim_store::InvitationView;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/manage/invitations", "listInvitations", Who::ManagementKey(Action::ReadMembers), || web::to(list)),
    post("/v1/manage/invitations", "createInvitation", Who::ManagementKey(Action::ChangeMembers), || web::to(create))
        .refuses(&[Code::Conflict, Code::PlanLimit, Code::RateLimited]),
    delete("/v1/manage/invitations/{id}", "revokeInvitation", Who::ManagementKey(Action::ChangeMembers), || {
        web::to(revoke)
    })
    .refuses(&[Code::InvitationUsed, Code::InvitationRevoked]),
    post("/v1/manage/invitations/{id}/resend", "resendInvitation", Who::ManagementKey(Action::ChangeMembers), || {
        web::to(resend)
    })
    .refuses(&[Code::Conflict, Code::PlanLimit, Code::RateLimited, Code::InvitationUsed, Code::InvitationRevoked]),
];

/// Somebody to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvitation {
    /// Where the mail goes; only an account with this address can accept.
    #[schema(max_length = 254)]
    email: String,
    /// `owner`, `admin`, `developer`, `billing` or `viewer`; not above the caller's own.
    #[schema(example = "developer")]
    role: String,
    /// Language of the mail, where the address has no account that chose one: `en` or `zh-CN`.
    #[serde(default = "super::english")]
    #[schema(default = "en")]
    language: String,
}

/// What to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resend {
    /// Language of the mail, where the address has no account that chose one: `en` or `zh-CN`.
    #[serde(default = "super::english")]
    #[schema(default = "en")]
    language: String,
}

/// An invitation. Its link is in the mail and nowhere else.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitationReply {
    id: String,
    email: String,
    role: &'static str,
    /// `open`, `expired`, `accepted` or `revoked`.
    state: &'static str,
    /// Id of the account or key that invited.
    invited_by: String,
    /// The member's address, or the management key's name; in lists, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    invited_by_name: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

type InvitationPage = Page<InvitationReply>;

/// The org's invitations that are open or expired.
#[utoipa::path(get, path = "/v1/manage/invitations",
    params(Paging),
    responses((status = 200, body = InvitationPage, description = "The page.")))]
pub(crate) async fn list(api: web::Data<Api>, manager: Auth<Manager>, request: HttpRequest) -> Answer {
    let (ask, _) = Ask::<InvitationId>::read(&request, &[])?;
    let org = manager.0.org(&api);
    let rows = org.list_invitations(ask.after, ask.rows()).await?;
    let page = ask.page(rows, |invitation| invitation.id);
    let named = |invitation, invited_by_name| InvitationReply { invited_by_name, ..reply(invitation) };
    answer::view(&page.named(org, |invitation| Some(&invitation.invited_by), named).await?)
}

/// Invites an address by mail, for seven days.
#[utoipa::path(post, path = "/v1/manage/invitations", request_body = NewInvitation, responses((status = 200, body = InvitationReply, description = "The invitation; its mail is on the way.")))]
pub(crate) async fn create(api: web::Data<Api>, post: Post<Manager, NewInvitation>) -> Answer {
    post.once(&api, make).await
}

async fn make(api: web::Data<Api>, job: Job<Manager, NewInvitation>) -> Result<String, Fault> {
    let NewInvitation { email, role, language } = job.body;
    let wanted = Invite { email, role: parse::role(&role, "role")?, language: parse::language(language)? };
    answer::json(&reply(invitations::invite(&api.store, &job.caller.acting, wanted).await?))
}

/// Sends an invitation again, under a new link; the old one ends, and seven days begin anew.
#[utoipa::path(post, path = "/v1/manage/invitations/{id}/resend", params(("id" = String, Path, description = "Id of the invitation.")), request_body = Resend, responses((status = 200, body = InvitationReply, description = "The invitation; its mail is on the way.")))]
pub(crate) async fn resend(api: web::Data<Api>, path: web::Path<String>, post: Post<Manager, Resend>) -> Answer {
    post.once_at(&api, path, |api, id, job| async move {
        let language = parse::language(job.body.language)?;
        let again = invitations::resend(&api.store, &job.caller.acting, id, language).await?;
        answer::json(&reply(again))
    })
    .await
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/v1/manage/invitations/{id}", params(("id" = String, Path, description = "Id of the invitation.")), responses((status = 200, body = InvitationReply, description = "The revoked invitation.")))]
pub(crate) async fn revoke(
    api: web::Data<Api>,
    manager: Auth<Manager>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &["org"])?;
    let revoked = invitations::revoke(&api.store, &manager.0.acting, parse::id(&path)?).await?;
    answer::view(&reply(revoked))
}

fn reply(invitation: InvitationView) -> InvitationReply {
    InvitationReply {
        id: invitation.id.to_string(),
        email: invitation.email,
        role: invitation.role.as_str(),
        state: invitation.state.as_str(),
        invited_by: invitation.invited_by,
        invited_by_name: None,
        created_at: rfc3339(invitation.created_ms),
        expires_at: rfc3339(invitation.expires_ms),
    }
}
