//! `/v1/manage/orgs/{org}/transfer`: giving an org away.

use super::members::{MemberReply, find, reply};
use super::parse;
use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::Manager;
use crate::fault::Fault;
use crate::once::Job;
use crate::post::Post;
use crate::routes::{RouteSpec, Who, post};
use actix_web::web;
use serde::{Deserialize, Serialize};
use tokenim_control::orgs;
use tokenim_domain::actor::Action;
use tokenim_domain::id::AccountId;
use tokenim_domain::role::OrgRole;
use tokenim_domain::{Code, Error};
use tokenim_store::OrgMember;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] =
    &[post("/v1/manage/orgs/{org}/transfer", "transferOrg", Who::ManagementKey(Action::TransferOwnership), || {
        web::to(transfer)
    })
    .refuses(&[Code::Conflict])];

/// Who owns the org in whose place.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transfer {
    /// Id of the account that owns it and becomes an admin; a management key names the owner who made it.
    from: String,
    /// Id of the member who shall own it.
    to: String,
    /// The org's name, so that no slip of a script gives away the wrong one.
    name: String,
}

/// The two members as they are now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Transferred {
    /// An admin now.
    from: MemberReply,
    /// An owner now.
    to: MemberReply,
}

/// Makes a member an owner in the place of another, who stays as an admin.
#[utoipa::path(post, path = "/v1/manage/orgs/{org}/transfer", params(("org" = String, Path, description = "Id of the org.")), request_body = Transfer, responses((status = 200, body = Transferred, description = "The two members.")))]
pub(crate) async fn transfer(api: web::Data<Api>, post: Post<Manager, Transfer>) -> Answer {
    post.once(&api, give_away).await
}

async fn give_away(api: web::Data<Api>, job: Job<Manager, Transfer>) -> Result<String, Fault> {
    let (Transfer { from, to, name }, acting) = (job.body, job.caller.acting);
    let (from, to) = (parse::id::<AccountId>(&from)?, parse::id::<AccountId>(&to)?);
    if api.store.org(acting.org).find().await?.ok_or(Code::NotFound)?.name != name {
        return Err(Error::invalid("name", "this is not the org's name; nothing was changed").into());
    }
    // Read before, so that nothing can fail once the org is given away.
    let [giver, heir] = [find(&api, acting.org, from).await?, find(&api, acting.org, to).await?];
    orgs::transfer_ownership(&api.store, &acting, from, to).await?;
    let (from, to) = (OrgMember { role: OrgRole::Admin, ..giver }, OrgMember { role: OrgRole::Owner, ..heir });
    answer::json(&Transferred { from: reply(from), to: reply(to) })
}
