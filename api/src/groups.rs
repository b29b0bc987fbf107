//! Who may do what in a conversation: settings, joining and leaving, roles, mutes and bans.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Caller};
use crate::conversations;
use crate::fault::Fault;
use crate::members::{self, ChangeReply};
use crate::once::Job;
use crate::post::{Empty, Post};
use crate::query::Query;
use crate::routes::{RouteSpec, Who, delete, post, put};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use tokenim_domain::group::{SettingsChange, mute_ms};
use tokenim_domain::log::{Governing, GroupAct, Joined, MemberChange, Outcome, Write};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::{Change, MemberRole};
use tokenim_domain::scope::Scope;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error};
use tokenim_protocol::command::given;
use utoipa::ToSchema;

const WRITES: Who = Who::KeyOrUser(Scope::MembersWrite);

pub(crate) const ROUTES: &[RouteSpec] = &[
    post("/v1/conversations/{id}/join", "joinConversation", WRITES, || web::to(join)).refuses(&[
        Code::NotFound,
        Code::LimitReached,
        Code::OutcomeUnknown,
    ]),
    post("/v1/conversations/{id}/leave", "leaveConversation", WRITES, || web::to(leave))
        .refuses(&[Code::NotFound, Code::OutcomeUnknown]),
    put("/v1/conversations/{id}/members/{user}/role", "setMemberRole", WRITES, || web::to(give))
        .refuses(&[Code::NotFound, Code::OutcomeUnknown]),
    put("/v1/conversations/{id}/members/{user}/mute", "muteMember", WRITES, || web::to(mute))
        .refuses(&[Code::NotFound, Code::OutcomeUnknown]),
    put("/v1/conversations/{id}/bans/{user}", "banUser", WRITES, || web::to(ban)).refuses(&[
        Code::NotFound,
        Code::LimitReached,
        Code::OutcomeUnknown,
    ]),
    delete("/v1/conversations/{id}/bans/{user}", "unbanUser", WRITES, || web::to(unban))
        .refuses(&[Code::NotFound, Code::OutcomeUnknown]),
];

/// What a conversation becomes; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedConversation {
    /// Name to show; null removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    name: Option<Option<String>>,
    /// How users come in by themselves: `invite` (not at all), `approval` or `open`.
    join: Option<String>,
    /// Who may add members: `admins` or `members`.
    add: Option<String>,
}

/// Who joins or leaves.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Oneself {
    /// With a server key: the user in whose name it is. With a user token it is that user, and need not be said.
    user: Option<String>,
}

/// A role to give.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenRole {
    /// `owner` hands the conversation over; `admin`, `member` or `guest`.
    #[schema(example = "admin")]
    role: String,
}

/// How long a member may not speak.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mute {
    /// Seconds from now; 0 = it may speak again.
    #[schema(minimum = 0, maximum = 31_622_400)]
    for_s: i64,
}

/// What became of a join.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JoinReply {
    /// `joined`, or `requested` where a moderator has to say yes.
    state: &'static str,
    /// Seq of the member event; null where there is none.
    seq: Option<i64>,
}

/// Changes name and rules of a group. With a user token, its owner and admins may.
#[utoipa::path(patch, path = "/v1/conversations/{id}", params(("id" = String, Path, description = "Id of the conversation.")), request_body = ChangedConversation, responses((status = 200, body = ChangeReply, description = "The conversation is as asked.")))]
pub(crate) async fn update(
    api: web::Data<Api>,
    path: web::Path<String>,
    post: Post<Caller, ChangedConversation>,
) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, job| async move {
        let body = job.body;
        let name = body.name.as_ref().map(Option::as_deref);
        let change = SettingsChange::parse(name, body.join.as_deref(), body.add.as_deref())?;
        govern(&api, &job.caller, &path, GroupAct::Update(change)).await
    })
    .await
}

/// Joins an open conversation, or asks to be let into one that takes members by approval.
#[utoipa::path(post, path = "/v1/conversations/{id}/join", params(("id" = String, Path, description = "Id of the conversation.")), request_body = Oneself, responses((status = 200, body = JoinReply, description = "The user is a member or waits for a moderator's word.")))]
pub(crate) async fn join(api: web::Data<Api>, path: web::Path<String>, post: Post<Caller, Oneself>) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, job| enter(api, path, job)).await
}

async fn enter(api: web::Data<Api>, path: String, job: Job<Caller, Oneself>) -> Result<String, Fault> {
    let conversation = Conversation::parse(&path)?;
    job.caller.allow(conversation.as_str(), Cap::Join)?;
    let actor = Some(oneself(&job)?);
    let asked = Governing { app: job.caller.app(), conversation, actor, act: GroupAct::Join };
    match api.gateway.write(Write::Govern(asked)).await? {
        Outcome::Joined(Joined::Member(event)) => {
            answer::json(&JoinReply { state: "joined", seq: event.map(|event| event.seq) })
        }
        Outcome::Joined(Joined::Requested(_)) => answer::json(&JoinReply { state: "requested", seq: None }),
        _ => Err(conversations::unexpected()),
    }
}

/// Leaves a group. An owner gives that role to somebody else first.
#[utoipa::path(post, path = "/v1/conversations/{id}/leave", params(("id" = String, Path, description = "Id of the conversation.")), request_body = Oneself, responses((status = 200, body = ChangeReply, description = "The user is no member.")))]
pub(crate) async fn leave(api: web::Data<Api>, path: web::Path<String>, post: Post<Caller, Oneself>) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, job| async move {
        let conversation = Conversation::parse(&path)?;
        job.caller.allow(conversation.as_str(), Cap::Join)?;
        let user = oneself(&job)?;
        let actor = Some(user.clone());
        let app = job.caller.app();
        let (change, role) = (Change::Removed, MemberRole::Member);
        let change = MemberChange { app, conversation, actor, change, users: vec![user], role };
        members::commit(&api, Write::Change(change)).await
    })
    .await
}

/// The user it is about: the token's own, or the one that a server names.
fn oneself(job: &Job<Caller, Oneself>) -> Result<User, Fault> {
    let named = job.body.user.as_deref().map(User::parse).transpose()?;
    match (job.caller.viewer(), named) {
        (Some(viewer), Some(named)) if named != viewer => {
            Err(Error::new(Code::Forbidden).says("with a user token `user` is that user").at("user").into())
        }
        (Some(viewer), _) => Ok(viewer),
        (None, Some(named)) => Ok(named),
        (None, None) => Err(Fault::malformed("with a server key `user` is required", Some("user".to_owned()))),
    }
}

/// Gives a member a role. Only an owner gives and takes the roles of owner and admin; admins make members guests and guests
/// members.
#[utoipa::path(put, path = "/v1/conversations/{id}/members/{user}/role",
    params(("id" = String, Path, description = "Id of the conversation."), ("user" = String, Path, description = "The member.")),
    request_body = GivenRole, responses((status = 200, body = ChangeReply, description = "The member has the role.")))]
pub(crate) async fn give(
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    post: Post<Caller, GivenRole>,
) -> Answer {
    let (path, user) = path.into_inner();
    post.once(&api, move |api, job| async move {
        let act = GroupAct::Role(User::parse(&user)?, MemberRole::parse(&job.body.role)?);
        govern(&api, &job.caller, &path, act).await
    })
    .await
}

/// Mutes a member of lower rank for a time, or lets it speak again.
#[utoipa::path(put, path = "/v1/conversations/{id}/members/{user}/mute",
    params(("id" = String, Path, description = "Id of the conversation."), ("user" = String, Path, description = "The member.")),
    request_body = Mute, responses((status = 200, body = ChangeReply, description = "The member is muted, or is not.")))]
pub(crate) async fn mute(api: web::Data<Api>, path: web::Path<(String, String)>, post: Post<Caller, Mute>) -> Answer {
    let (path, user) = path.into_inner();
    post.once(&api, move |api, job| async move {
        let act = GroupAct::Mute(User::parse(&user)?, mute_ms(job.body.for_s)?);
        govern(&api, &job.caller, &path, act).await
    })
    .await
}

/// Removes a user and keeps it out, whether it was a member or not.
#[utoipa::path(put, path = "/v1/conversations/{id}/bans/{user}",
    params(("id" = String, Path, description = "Id of the conversation."), ("user" = String, Path, description = "The user.")),
    request_body = Empty, responses((status = 200, body = ChangeReply, description = "The user is banned.")))]
pub(crate) async fn ban(api: web::Data<Api>, path: web::Path<(String, String)>, post: Post<Caller, Empty>) -> Answer {
    let (path, user) = path.into_inner();
    post.once(&api, move |api, job| async move {
        let act = GroupAct::Ban(User::parse(&user)?);
        govern(&api, &job.caller, &path, act).await
    })
    .await
}

/// Keeps a user out no more; it is not added again by that.
#[utoipa::path(delete, path = "/v1/conversations/{id}/bans/{user}",
    params(("id" = String, Path, description = "Id of the conversation."), ("user" = String, Path, description = "The user.")),
    responses((status = 200, body = ChangeReply, description = "The user is not banned.")))]
pub(crate) async fn unban(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &[])?;
    let act = GroupAct::Unban(User::parse(&path.1)?);
    govern(&api, &caller.0, &path.0, act).await.map(answer::ok)
}

/// Does what the caller asks of a conversation, within the token's capability to moderate.
async fn govern(api: &Api, caller: &Caller, path: &str, act: GroupAct) -> Result<String, Fault> {
    let conversation = Conversation::parse(path)?;
    caller.allow(conversation.as_str(), Cap::Moderate)?;
    let asked = Governing { app: caller.app(), conversation, actor: caller.viewer(), act };
    members::commit(api, Write::Govern(asked)).await
}
