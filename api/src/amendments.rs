//! What happens to a stored message: one message, its edit and deletion, reactions and pins.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Caller};
use crate::fault::Fault;
use crate::once::Job;
use crate::post::Post;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, delete, get, patch, post};
use crate::{conversations, event};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokenim_domain::limits::{EVENT_OVERHEAD_BYTES_MAX, PINS_MAX, REACTIONS_PAGE_MAX, SERVER_FRAME_BYTES_MAX};
use tokenim_domain::log::{
    Amendment, Emoji, EventBody, From, MessageAct, MessageLog, Outcome, PinsQuery, RangeQuery, ReactionsQuery, Reactor,
    Write, cut_page,
};
use tokenim_domain::name::{ClientMsgId, Conversation, User};
use tokenim_domain::plan::quota::Allowance;
use tokenim_domain::scope::Scope;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, content};
use tokenim_gateway::encode;
use tokenim_protocol::reply::Json;
use utoipa::ToSchema;

/// What any amendment may be refused with.
const REFUSES: &[Code] =
    &[Code::NotFound, Code::Conflict, Code::LimitReached, Code::OutcomeUnknown, Code::QuotaExceeded, Code::RateLimited];
const READ: Who = Who::KeyOrUser(Scope::MessagesRead);
const WRITE: Who = Who::KeyOrUser(Scope::MessagesWrite);

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/conversations/{id}/messages/{seq}", "getMessage", READ, || web::to(show)).refuses(&[Code::NotFound]),
    patch("/v1/conversations/{id}/messages/{seq}", "editMessage", WRITE, || web::to(edit)).refuses(REFUSES),
    delete("/v1/conversations/{id}/messages/{seq}", "deleteMessage", WRITE, || web::to(remove)).refuses(REFUSES),
    get("/v1/conversations/{id}/messages/{seq}/reactions", "listReactions", READ, || web::to(list_reactions))
        .refuses(&[Code::NotFound]),
    post("/v1/conversations/{id}/messages/{seq}/reactions", "react", WRITE, || web::to(react)).refuses(REFUSES),
    post("/v1/conversations/{id}/messages/{seq}/pin", "pinMessage", WRITE, || web::to(pin)).refuses(REFUSES),
    get("/v1/conversations/{id}/pins", "listPins", READ, || web::to(list_pins)).refuses(&[Code::NotFound]),
];

/// Reactions of a page when the call names no `limit`.
const PAGE_DEFAULT: u32 = 50;
const CURSOR_PREFIX: &str = "cur_";

/// What replaces a message's content.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewContent {
    /// In whose name: the sender of the message. Without one a server key does it as the app itself.
    #[schema(example = "alice")]
    user: Option<String>,
    /// `text`, `json` or `file`.
    #[schema(example = "text")]
    kind: String,
    /// The content, at most 64 KiB of JSON; stored to the byte.
    #[schema(value_type = serde_json::Value, example = json!({"text": "hello, all"}))]
    body: Box<RawValue>,
    /// The user's own id of this edit: a repeat changes nothing.
    client_msg_id: Option<String>,
}

/// A reaction to add, or to take back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReaction {
    /// Whose it is, a member. Required with a server key; with a user token it is that user.
    #[schema(example = "bob")]
    user: Option<String>,
    /// Any text of 1 to 64 bytes without spaces.
    #[schema(example = "👍")]
    emoji: String,
    /// Takes it back.
    #[serde(default)]
    remove: bool,
}

/// A pin to set, or to take away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPin {
    /// In whose name. Without one a server key does it as the app itself.
    user: Option<String>,
    /// Takes the pin away.
    #[serde(default)]
    remove: bool,
}

/// What became of an amendment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AmendedReply {
    /// False where it was so already.
    changed: bool,
    /// Seq of the event that made it so; null where none did.
    seq: Option<i64>,
    /// Whether an earlier request with this `client_msg_id` did it.
    duplicate: bool,
    /// Message units it counted.
    billed: i64,
}

/// A page of reactions, in the order they were added.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReactionPage {
    items: Vec<ReactionReply>,
    /// For `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// A user's reaction.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserReaction)]
pub(crate) struct ReactionReply {
    user: String,
    emoji: String,
    /// Seq of the event that added it.
    seq: i64,
}

/// The pinned messages.
#[derive(Debug, ToSchema)]
#[schema(as = PinList)]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
pub(crate) struct PinListSchema {
    /// The last pinned first.
    items: Vec<event::EventSchema>,
    /// For `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// A message's place as paths name it.
pub(crate) struct Place {
    pub(crate) conversation: Conversation,
    pub(crate) seq: i64,
}

pub(crate) fn place((conversation, seq): &(String, String)) -> Result<Place, Fault> {
    let seq = seq.parse().ok().filter(|seq| *seq > 0);
    let seq = seq.ok_or_else(|| Error::new(Code::NotFound).says("the path names no seq"))?;
    Ok(Place { conversation: Conversation::parse(conversation)?, seq })
}

/// One message, as it stands now.
#[utoipa::path(get, path = "/v1/conversations/{id}/messages/{seq}",
    params(("id" = String, Path, description = "Id of the conversation."), ("seq" = String, Path, description = "Seq of the message.")),
    responses((status = 200, body = event::EventSchema, description = "The message.")))]
pub(crate) async fn show(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &[])?;
    let (caller, Place { conversation, seq }) = (caller.0, place(&path)?);
    caller.allow(conversation.as_str(), Cap::Read)?;
    let range = RangeQuery {
        app: caller.app(),
        conversation,
        viewer: caller.viewer(),
        thread: None,
        from: From::After(seq - 1),
        limit: 1,
        bytes_max: SERVER_FRAME_BYTES_MAX,
    };
    let page = api.store.list_events(&range).await?;
    let found = page.events.first().filter(|event| event.seq == seq && matches!(event.body, EventBody::Message { .. }));
    let found = found.ok_or_else(|| Error::new(Code::NotFound).says("the seq is of no message here"))?;
    let mut out = String::new();
    encode::write_event(&mut out, found);
    Ok(answer::ok(out))
}

/// Replaces the content of a message. With a user token, its sender may.
#[utoipa::path(patch, path = "/v1/conversations/{id}/messages/{seq}",
    params(("id" = String, Path, description = "Id of the conversation."), ("seq" = String, Path, description = "Seq of the message.")),
    request_body = NewContent, responses((status = 200, body = AmendedReply, description = "The message has this content.")))]
pub(crate) async fn edit(
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    post: Post<Caller, NewContent>,
) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, Job { caller, body, .. }| async move {
        let kind = content::check(&body.kind, body.body.get())?;
        let client_msg_id = body.client_msg_id.as_deref().map(ClientMsgId::parse).transpose()?;
        let act = MessageAct::Edit { kind, body: body.body.get().into() };
        let amendment = amendment(&caller, place(&path)?, body.user.as_deref(), act, Cap::Send)?;
        check_id(client_msg_id.as_ref(), &amendment)?;
        commit(&api, Amendment { client_msg_id, ..amendment }).await
    })
    .await
}

/// Erases the content of a message, for everybody and for good. With a user token, its sender or a moderator may.
#[utoipa::path(delete, path = "/v1/conversations/{id}/messages/{seq}",
    params(
        ("id" = String, Path, description = "Id of the conversation."),
        ("seq" = String, Path, description = "Seq of the message."),
        ("user" = Option<String>, Query, description = "In whose name. Without one a server key does it as the app itself."),
    ),
    responses((status = 200, body = AmendedReply, description = "The message is deleted.")))]
pub(crate) async fn remove(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Answer {
    let query = Query::read(&request, &["user"])?;
    let amendment = amendment(&caller.0, place(&path)?, query.text("user"), MessageAct::Delete, Cap::Send)?;
    commit(&api, amendment).await.map(answer::ok)
}

/// Adds a user's reaction to a message, or takes it back.
#[utoipa::path(post, path = "/v1/conversations/{id}/messages/{seq}/reactions",
    params(("id" = String, Path, description = "Id of the conversation."), ("seq" = String, Path, description = "Seq of the message.")),
    request_body = NewReaction, responses((status = 200, body = AmendedReply, description = "The reaction is as asked.")))]
pub(crate) async fn react(
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    post: Post<Caller, NewReaction>,
) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, Job { caller, body, .. }| async move {
        let act = MessageAct::React { emoji: Emoji::parse(&body.emoji)?, on: !body.remove, count: 0 };
        let amendment = amendment(&caller, place(&path)?, body.user.as_deref(), act, Cap::Send)?;
        commit(&api, amendment).await
    })
    .await
}

/// Pins a message in its conversation, or takes the pin away. With a user token, a moderator may; in a direct conversation
/// both may.
#[utoipa::path(post, path = "/v1/conversations/{id}/messages/{seq}/pin",
    params(("id" = String, Path, description = "Id of the conversation."), ("seq" = String, Path, description = "Seq of the message.")),
    request_body = NewPin, responses((status = 200, body = AmendedReply, description = "The pin is as asked.")))]
pub(crate) async fn pin(api: web::Data<Api>, path: web::Path<(String, String)>, post: Post<Caller, NewPin>) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, Job { caller, body, .. }| async move {
        let act = MessageAct::Pin { on: !body.remove };
        commit(&api, amendment(&caller, place(&path)?, body.user.as_deref(), act, Cap::Moderate)?).await
    })
    .await
}

/// Ids are a user's. Errors: `invalid_field`.
pub(crate) fn check_id(id: Option<&ClientMsgId>, amendment: &Amendment) -> Result<(), Fault> {
    if id.is_some() && amendment.actor.is_none() {
        let wrong = "`client_msg_id` is a user's; without `user` take an Idempotency-Key";
        return Err(Error::invalid("client_msg_id", wrong).into());
    }
    Ok(())
}

pub(crate) fn amendment(
    caller: &Caller,
    place: Place,
    user: Option<&str>,
    act: MessageAct,
    cap: Cap,
) -> Result<Amendment, Fault> {
    caller.allow(place.conversation.as_str(), cap)?;
    Ok(Amendment {
        app: caller.app(),
        actor: actor(caller, user)?,
        client_msg_id: None,
        target: place.seq,
        act,
        moderates: caller.allow(place.conversation.as_str(), Cap::Moderate).is_ok(),
        conversation: place.conversation,
        credential: caller.credential(),
        allowance: Allowance::default(),
    })
}

/// In whose name it is done; `None` = as the app itself, which a server key may.
pub(crate) fn actor(caller: &Caller, named: Option<&str>) -> Result<Option<User>, Fault> {
    let named = named.map(|name| User::parse(name).map_err(|error| Fault::from(error).at("user"))).transpose()?;
    match (caller.viewer(), named) {
        (None, named) => Ok(named),
        (Some(user), named) if named.as_ref().is_none_or(|named| *named == user) => Ok(Some(user)),
        (Some(_), _) => {
            Err(Fault::from(Error::new(Code::Forbidden).says("a user token acts as its own user only")).at("user"))
        }
    }
}

pub(crate) async fn commit(api: &Api, amendment: Amendment) -> Result<String, Fault> {
    match api.gateway.write(Write::Amend(amendment)).await? {
        Outcome::Amended(amended) => answer::json(&AmendedReply {
            changed: amended.event.is_some(),
            seq: amended.seq,
            duplicate: amended.duplicate,
            billed: amended.billed,
        }),
        _ => Err(conversations::unexpected()),
    }
}

/// Who reacted to a message, and how.
#[utoipa::path(get, path = "/v1/conversations/{id}/messages/{seq}/reactions",
    params(
        ("id" = String, Path, description = "Id of the conversation."),
        ("seq" = String, Path, description = "Seq of the message."),
        ("emoji" = Option<String>, Query, description = "Only this reaction."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "Reactions of the page.", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = ReactionPage, description = "The page.")))]
pub(crate) async fn list_reactions(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Answer {
    let query = Query::read(&request, &["emoji", "cursor", "limit"])?;
    let (caller, Place { conversation, seq }) = (caller.0, place(&path)?);
    caller.allow(conversation.as_str(), Cap::Read)?;
    let limit = query.limit(PAGE_DEFAULT, REACTIONS_PAGE_MAX)?;
    let wanted = ReactionsQuery {
        app: caller.app(),
        conversation,
        viewer: caller.viewer(),
        target: seq,
        emoji: query.text("emoji").map(Emoji::parse).transpose()?,
        after: query.text("cursor").map(read_cursor).transpose()?.unwrap_or(0),
        limit: limit + 1,
    };
    answer::view(&page_of(api.store.reactions(wanted).await?, limit))
}

fn page_of(mut reactors: Vec<Reactor>, limit: u32) -> ReactionPage {
    let has_more = cut_page(&mut reactors, limit);
    let next_cursor = reactors.last().filter(|_| has_more).map(|last| format!("{CURSOR_PREFIX}{}", last.seq));
    let reply = |one: &Reactor| ReactionReply {
        user: one.user.to_string(),
        emoji: one.emoji.as_str().to_owned(),
        seq: one.seq,
    };
    ReactionPage { items: reactors.iter().map(reply).collect(), next_cursor }
}

fn read_cursor(text: &str) -> Result<i64, Fault> {
    let seq = text.strip_prefix(CURSOR_PREFIX).and_then(|seq| seq.parse().ok());
    seq.ok_or_else(|| Error::invalid("cursor", "`cursor` must be the `next_cursor` of a page of this list").into())
}

/// The pinned messages of a conversation, at most 100, the last pinned first; a page holds what fits 256 KiB.
#[utoipa::path(get, path = "/v1/conversations/{id}/pins",
    params(
        ("id" = String, Path, description = "Id of the conversation."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses((status = 200, body = PinListSchema, description = "The page.")))]
pub(crate) async fn list_pins(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    let query = Query::read(&request, &["cursor"])?;
    let (caller, conversation) = (caller.0, Conversation::parse(&path)?);
    caller.allow(conversation.as_str(), Cap::Read)?;
    let wanted = PinsQuery {
        app: caller.app(),
        conversation,
        viewer: caller.viewer(),
        before: query.text("cursor").map(read_cursor).transpose()?.unwrap_or(i64::MAX),
        bytes_max: SERVER_FRAME_BYTES_MAX - PINS_MAX * EVENT_OVERHEAD_BYTES_MAX,
    };
    let pins = api.store.pins(wanted).await?;
    let mut out = String::from("{\"items\":[");
    for (at, event) in pins.events.iter().enumerate() {
        out.raw(if at > 0 { "," } else { "" });
        encode::write_event(&mut out, event);
    }
    out.raw("],\"next_cursor\":");
    match pins.next {
        Some(next) => out.quoted(&format!("{CURSOR_PREFIX}{next}")),
        None => out.raw("null"),
    };
    out.raw("}");
    Ok(answer::ok(out))
}
