//! Conversations: creating one, and reading where it stands.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Caller};
use crate::fault::Fault;
use crate::groups;
use crate::once::Job;
use crate::post::Post;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get, patch, post};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use tokenim_domain::limits::{MEMBERS_PER_COMMAND_MAX, NAME_CHARS_MAX};
use tokenim_domain::log::{ConversationView, Outcome, Write};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::ConversationKind;
use tokenim_domain::scope::Scope;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, id};
use tokenim_protocol::grammar;
use tokenim_protocol::time::rfc3339;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    post("/v1/conversations", "createConversation", Who::KeyOrUser(Scope::ConversationsWrite), || web::to(create))
        .refuses(&[Code::Conflict, Code::LimitReached, Code::Blocked, Code::OutcomeUnknown]),
    get("/v1/conversations/{id}", "getConversation", Who::KeyOrUser(Scope::ConversationsRead), || web::to(show))
        .refuses(&[Code::NotFound]),
    patch("/v1/conversations/{id}", "updateConversation", Who::KeyOrUser(Scope::ConversationsWrite), || {
        web::to(groups::update)
    })
    .refuses(&[Code::NotFound, Code::OutcomeUnknown]),
];

/// Members of a direct conversation.
const DIRECT_MEMBERS: usize = 2;

/// A conversation to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConversation {
    /// `direct` (two users, unique per pair) or `group`.
    #[schema(example = "group")]
    kind: String,
    /// Its users. With a server key the first is the owner; with a user token the user is, and need not be listed.
    #[serde(default)]
    #[schema(max_items = 1000, example = json!(["alice", "bob"]))]
    members: Vec<String>,
    /// Your own id; absent = one is made.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:@-]+$")]
    id: Option<String>,
    /// Name to show.
    #[schema(min_length = 1, max_length = 64)]
    name: Option<String>,
}

/// A conversation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Conversation)]
pub(crate) struct ConversationReply {
    id: String,
    /// `direct` or `group`.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// Incarnation of the conversation's log.
    epoch: i64,
    /// Seq of the last event.
    last_seq: i64,
    /// Number of messages.
    messages: i64,
    /// Number of members.
    members: i64,
    /// How users come in by themselves: `invite` (not at all), `approval` or `open`.
    join: &'static str,
    /// Who may add members: `admins` or `members`.
    add: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
    as_of: AsOf,
    /// In the answer to a POST: whether it existed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    existed: Option<bool>,
}

/// The place in a conversation's log that an answer tells the state of.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AsOf {
    pub(crate) epoch: i64,
    pub(crate) seq: i64,
}

/// Creates a conversation, or returns the one that exists: a direct one of the same pair, or one of the same id, kind and creator.
#[utoipa::path(post, path = "/v1/conversations", request_body = NewConversation, responses((status = 200, body = ConversationReply, description = "The conversation, new or not.")))]
pub(crate) async fn create(api: web::Data<Api>, post: Post<Caller, NewConversation>) -> Answer {
    post.once(&api, make).await
}

async fn make(api: web::Data<Api>, job: Job<Caller, NewConversation>) -> Result<String, Fault> {
    let new = draft(&api, job)?;
    match api.gateway.write(Write::Create(new)).await? {
        Outcome::Created(view, _) => answer::json(&reply(&view, Some(view.existed))),
        _ => Err(unexpected()),
    }
}

fn draft(api: &Api, job: Job<Caller, NewConversation>) -> Result<tokenim_domain::log::NewConversation, Fault> {
    let Job { caller, body, seed } = job;
    let id = match &body.id {
        Some(id) => Conversation::parse(id).map_err(|error| error.at("id"))?,
        // A repeated idempotent request makes the same id again, and so finds what its first run made.
        None => Conversation::made(seed.unwrap_or_else(|| id::uuid_v7(api.clock(), api.rng()).as_u128())),
    };
    caller.allow(id.as_str(), Cap::Create)?;
    let kind = ConversationKind::find(&body.kind)
        .ok_or_else(|| Error::invalid("kind", "`kind` must be `direct` or `group`"))?;
    let actor = caller.viewer();
    let members = distinct(actor.iter().cloned().chain(users(&body.members)?));
    check_count(kind, members.len())?;
    if body.name.as_deref().is_some_and(|name| !grammar::is_name(name)) {
        return Err(Error::invalid(
            "name",
            format!("`name` must be 1 to {NAME_CHARS_MAX} characters, none of them a control character"),
        )
        .into());
    }
    Ok(tokenim_domain::log::NewConversation { app: caller.app(), id, kind, members, name: body.name, actor })
}

fn check_count(kind: ConversationKind, members: usize) -> Result<(), Fault> {
    match kind {
        ConversationKind::Direct if members != DIRECT_MEMBERS => {
            Err(Error::invalid("members", "a direct conversation has two different members").into())
        }
        ConversationKind::Group if members == 0 => {
            Err(Error::invalid("members", "`members` must name the owner at least").into())
        }
        ConversationKind::Direct | ConversationKind::Group => Ok(()),
    }
}

/// Parses a list of users.
///
/// Errors: `limit_reached` for a list that is too long, `invalid_field` for an entry that is no user id.
pub(crate) fn users(names: &[String]) -> Result<Vec<User>, Fault> {
    if names.len() > MEMBERS_PER_COMMAND_MAX {
        let error =
            Error::new(Code::LimitReached).says(format!("one call names at most {MEMBERS_PER_COMMAND_MAX} members"));
        return Err(error.at("members").into());
    }
    let parse = |(at, name): (usize, &String)| {
        User::parse(name).map_err(|error| Fault::from(error).at(format!("members[{at}]")))
    };
    names.iter().enumerate().map(parse).collect()
}

/// Each user once, in the order of first mention.
pub(crate) fn distinct(users: impl Iterator<Item = User>) -> Vec<User> {
    let mut seen = std::collections::HashSet::new();
    users.filter(|user| seen.insert(user.clone())).collect()
}

/// Where a conversation stands.
#[utoipa::path(get, path = "/v1/conversations/{id}", params(("id" = String, Path, description = "Id of the conversation.")), responses((status = 200, body = ConversationReply, description = "The conversation.")))]
pub(crate) async fn show(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &[])?;
    let conversation = Conversation::parse(&path)?;
    caller.0.allow(conversation.as_str(), Cap::Read)?;
    let view = api.store.find_conversation(caller.0.app(), &conversation, caller.0.viewer().as_ref()).await?;
    let view = view.ok_or_else(|| Error::new(Code::NotFound))?;
    answer::view(&reply(&view, None))
}

fn reply(view: &ConversationView, existed: Option<bool>) -> ConversationReply {
    ConversationReply {
        id: view.id.to_string(),
        kind: view.kind.as_str(),
        name: view.name.clone(),
        epoch: view.epoch,
        last_seq: view.last_seq,
        messages: view.last_msg_no,
        members: view.members,
        join: view.join.as_str(),
        add: view.add.as_str(),
        created_at: rfc3339(view.created_ms),
        as_of: AsOf { epoch: view.epoch, seq: view.last_seq },
        existed,
    }
}

/// An outcome of another kind than the write's: a bug below. Its content is not logged, because it may hold a message.
pub(crate) fn unexpected() -> Fault {
    Error::internal("the gateway answered a write with the outcome of another kind").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_distinct_in_the_order_of_mention() {
        let named = users(&["b", "a", "b"].map(str::to_owned)).unwrap();
        assert_eq!(distinct(named.into_iter()), ["b", "a"].map(User::trusted));
        assert_eq!(users(&["a".to_owned(), "a b".to_owned()]).unwrap_err().code(), Code::InvalidField);
        assert!(users(&vec!["a".to_owned(); MEMBERS_PER_COMMAND_MAX + 1]).is_err());
    }

    #[test]
    fn a_direct_conversation_has_two_members_and_a_group_an_owner() {
        assert!(check_count(ConversationKind::Direct, 2).is_ok() && check_count(ConversationKind::Group, 1).is_ok());
        for (kind, count) in
            [(ConversationKind::Direct, 1), (ConversationKind::Direct, 3), (ConversationKind::Group, 0)]
        {
            assert!(check_count(kind, count).is_err(), "{kind:?} {count}");
        }
    }
}
