//! What is said live to a conversation: typing, and messages that are never stored.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::Caller;
use crate::fault::Fault;
use crate::messages::{NewMessage, explain, sender};
use crate::once::Job;
use crate::post::Post;
use crate::routes::{RouteSpec, Who, post};
use actix_web::web;
use serde::{Deserialize, Serialize};
use tokenim_domain::name::{ClientMsgId, Conversation};
use tokenim_domain::scope::Scope;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, content};
use tokenim_gateway::live::{Saying, What};
use tokenim_protocol::time::rfc3339;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    post("/v1/conversations/{id}/typing", "sayTyping", Who::KeyOrUser(Scope::MessagesWrite), || web::to(typing))
        .refuses(&[Code::NotFound]),
    post("/v1/conversations/{id}/ephemeral", "sendEphemeral", Who::KeyOrUser(Scope::MessagesWrite), || {
        web::to(ephemeral)
    })
    .refuses(&[Code::NotFound, Code::NotSupported, Code::RateLimited]),
];

/// Who types.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTyping {
    /// A member of the conversation. Required with a server key; with a user token it is that user.
    #[schema(example = "alice")]
    sender: Option<String>,
    /// Whether the user types; false = it has stopped.
    #[serde(default = "yes")]
    #[schema(default = true)]
    active: bool,
}

const fn yes() -> bool {
    true
}

/// What was said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SaidReply {
    /// When it was said.
    #[schema(format = DateTime)]
    at: String,
}

/// Tells the members who are connected that a user types; at most one a second is told, and none above 128 members.
#[utoipa::path(post, path = "/v1/conversations/{id}/typing", params(("id" = String, Path, description = "Id of the conversation.")), request_body = NewTyping, responses((status = 200, body = SaidReply, description = "It was said, or needed not be.")))]
pub(crate) async fn typing(api: web::Data<Api>, path: web::Path<String>, post: Post<Caller, NewTyping>) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, job| async move {
        let Job { caller, body, .. } = job;
        let NewTyping { sender, active } = body;
        say(&api, &caller, &path, sender.as_deref(), What::Typing { active }).await
    })
    .await
}

/// Sends a message to the members who are connected; it is never stored, has no seq and is not billed.
#[utoipa::path(post, path = "/v1/conversations/{id}/ephemeral", params(("id" = String, Path, description = "Id of the conversation.")), request_body = NewMessage, responses((status = 200, body = SaidReply, description = "It was told to whoever reads fast enough.")))]
pub(crate) async fn ephemeral(api: web::Data<Api>, path: web::Path<String>, post: Post<Caller, NewMessage>) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, job| async move {
        let Job { caller, body, .. } = job;
        body.refuse_stored()?;
        let kind = content::check(&body.kind, body.body.get())?;
        let client_msg_id = ClientMsgId::parse(&body.client_msg_id)?;
        let what = What::Message { client_msg_id, kind, body: body.body.get().into() };
        say(&api, &caller, &path, body.sender.as_deref(), what).await
    })
    .await
}

async fn say(api: &Api, caller: &Caller, path: &str, named: Option<&str>, what: What) -> Result<String, Fault> {
    let conversation = Conversation::parse(path)?;
    caller.allow(conversation.as_str(), Cap::Send)?;
    let user = sender(caller, named)?;
    let saying = Saying { app: caller.app(), conversation: conversation.clone(), user, what };
    match api.gateway.say(saying).await {
        Ok(at_ms) => answer::json(&SaidReply { at: rfc3339(at_ms) }),
        Err(error) if error.code == Code::NotFound => Err(explain(api, caller, conversation, error).await),
        Err(error) => Err(error.into()),
    }
}
