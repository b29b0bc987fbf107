//! Messages of a conversation: reading the log page by page, and sending.

use crate::api::Api;
use crate::auth::{Auth, Caller};
use crate::fault::Fault;
use crate::once::Job;
use crate::post::Post;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get, post};
use crate::{
    answer::{self, Answer},
    conversations, cursor, event,
};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokenim_domain::limits::{
    EVENT_OVERHEAD_BYTES_MAX, HISTORY_PAGE_DEFAULT, HISTORY_PAGE_MAX, SERVER_FRAME_BYTES_MAX,
};
use tokenim_domain::log::{About, Attached, Draft, From, Mentions, Outcome, Page, RangeQuery, Sent, Write};
use tokenim_domain::name::{ClientMsgId, Conversation, User};
use tokenim_domain::plan::quota::Allowance;
use tokenim_domain::scope::Scope;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, content};
use tokenim_gateway::encode;
use tokenim_protocol::command::Everyone;
use tokenim_protocol::reply::Json;
use tokenim_protocol::time::rfc3339;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/conversations/{id}/messages", "listMessages", Who::KeyOrUser(Scope::MessagesRead), || web::to(list))
        .refuses(&[Code::NotFound]),
    post("/v1/conversations/{id}/messages", "sendMessage", Who::KeyOrUser(Scope::MessagesWrite), || web::to(send))
        .refuses(&[Code::NotFound, Code::Conflict, Code::OutcomeUnknown, Code::QuotaExceeded, Code::RateLimited]),
];

/// Bytes of bodies in one page, so that the page stays within the size of any server frame (docs/PROTOCOL.md §3).
const PAGE_BODY_BYTES_MAX: usize = SERVER_FRAME_BYTES_MAX - HISTORY_PAGE_MAX as usize * EVENT_OVERHEAD_BYTES_MAX;

/// A message to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    /// Who says it, a member of the conversation. Required with a server key; with a user token it is that user.
    #[schema(example = "alice")]
    pub(crate) sender: Option<String>,
    /// The sender's own id of it: a repeat is stored once and answered with `duplicate`.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9_.:@-]+$",
        example = "0198c0de-7000-7000-8000-000000000001"
    )]
    pub(crate) client_msg_id: String,
    /// `text` (an object with a `text` string), `json` (any JSON) or `file` (an object).
    #[schema(example = "text")]
    pub(crate) kind: String,
    /// The content, at most 64 KiB of JSON; stored to the byte.
    #[schema(value_type = serde_json::Value, example = json!({"text": "hello"}))]
    pub(crate) body: Box<RawValue>,
    /// Seq of the message it replies to.
    #[schema(minimum = 1)]
    reply_to: Option<i64>,
    /// Users it speaks to, at most 50, or `"*"`: everyone.
    #[schema(value_type = Option<serde_json::Value>, example = json!(["bob"]))]
    mentions: Option<Mentioned>,
    /// Asks for no attention: no push to a sleeping device.
    #[serde(default)]
    silent: bool,
    /// Ids of the files it carries, at most 16: uploaded by the sender, or of a message it sees.
    #[serde(default)]
    #[schema(max_items = 16)]
    attachments: Vec<String>,
}

impl NewMessage {
    /// Refuses what a message that is not stored can't carry, rather than dropping it without a word. Errors: `not_supported`.
    pub(crate) fn refuse_stored(&self) -> Result<(), Fault> {
        let fields = [
            ("reply_to", self.reply_to.is_some()),
            ("mentions", self.mentions.is_some()),
            ("silent", self.silent),
            ("attachments", !self.attachments.is_empty()),
        ];
        match fields.into_iter().find(|(_, is_used)| *is_used) {
            Some((field, _)) => {
                let wrong = Error::new(Code::NotSupported).says("an ephemeral message carries no such field");
                Err(wrong.at(field).into())
            }
            None => Ok(()),
        }
    }
}

/// Whom a message speaks to.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`mentions` is a list of user ids, or \"*\"")]
pub(crate) enum Mentioned {
    Users(Vec<String>),
    Everyone(Everyone),
}

/// A stored message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SentReply {
    /// Server's id.
    id: String,
    /// Its number in the conversation.
    seq: i64,
    /// Incarnation of the conversation's log.
    epoch: i64,
    #[schema(format = DateTime)]
    at: String,
    /// Whether it was stored by an earlier request.
    duplicate: bool,
    /// Message units it counted.
    billed: i64,
}

/// A page of a conversation's log.
#[derive(Debug, ToSchema)]
#[schema(as = EventPage)]
#[expect(dead_code, reason = "describes in the OpenAPI document what `page_json` writes")]
pub(crate) struct EventPageSchema {
    /// Sequenced events, ascending; every seq is listed.
    items: Vec<event::EventSchema>,
    /// Seq of the conversation's last event.
    head: i64,
    /// Incarnation of the conversation's log.
    epoch: i64,
    /// First seq the caller may see: 1 for a server key, else where the user joined.
    first: i64,
    /// For `cursor`, to read on in the same direction; null at the end.
    next_cursor: Option<String>,
}

/// The log of a conversation, page by page. At most one of `after`, `before`, `around` and `cursor`; none of them = the newest page.
#[utoipa::path(get, path = "/v1/conversations/{id}/messages",
    params(
        ("id" = String, Path, description = "Id of the conversation."),
        ("after" = Option<i64>, Query, description = "Events above this seq."),
        ("before" = Option<i64>, Query, description = "The last events below this seq."),
        ("around" = Option<i64>, Query, description = "Half a page up to this seq, half a page above it."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("thread" = Option<i64>, Query, description = "Only messages that reply to the message of this seq."),
        ("limit" = Option<u32>, Query, description = "Events of the page; a page of large bodies holds fewer.", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = EventPageSchema, description = "The page.")))]
pub(crate) async fn list(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    let query = Query::read(&request, &["after", "before", "around", "cursor", "thread", "limit"])?;
    let caller = caller.0;
    let conversation = Conversation::parse(&path)?;
    caller.allow(conversation.as_str(), Cap::Read)?;
    let (from, limit) = (place(&query)?, query.limit(HISTORY_PAGE_DEFAULT, HISTORY_PAGE_MAX)?);
    let range = RangeQuery {
        app: caller.app(),
        conversation,
        viewer: caller.viewer(),
        thread: query.parsed::<i64>("thread")?,
        from,
        limit,
        bytes_max: PAGE_BODY_BYTES_MAX,
    };
    let page = api.store.list_events(&range).await?;
    Ok(answer::ok(page_json(from, &page)))
}

/// Which part of the log the query names.
fn place(query: &Query) -> Result<From, Fault> {
    let seq = |name: &'static str| match query.parsed::<i64>(name)? {
        Some(seq) if seq < 0 => Err(Fault::from(Error::invalid(name, format!("`{name}` is a seq, 0 or more")))),
        seq => Ok(seq),
    };
    let cursor = query.text("cursor").map(cursor::read).transpose()?;
    let places =
        [seq("after")?.map(From::After), seq("before")?.map(From::Before), seq("around")?.map(From::Around), cursor];
    let mut named = places.into_iter().flatten();
    match (named.next(), named.next()) {
        (Some(_), Some(_)) => {
            Err(Fault::malformed("give at most one of `after`, `before`, `around` and `cursor`", None))
        }
        (place, _) => Ok(place.unwrap_or(From::Newest)),
    }
}

fn page_json(from: From, page: &Page) -> String {
    let mut out = String::from("{\"items\":[");
    for (at, one) in page.events.iter().enumerate() {
        out.raw(if at == 0 { "" } else { "," });
        encode::write_event(&mut out, one);
    }
    out.raw("],\"head\":").int(page.head).raw(",\"epoch\":").int(page.epoch);
    out.raw(",\"first\":").int(page.first).raw(",\"next_cursor\":");
    match cursor::next(from, page) {
        Some(next) => out.quoted(&next),
        None => out.raw("null"),
    };
    out.raw("}");
    out
}

/// Sends a message; the answer means it is stored durably with its seq.
#[utoipa::path(post, path = "/v1/conversations/{id}/messages", params(("id" = String, Path, description = "Id of the conversation.")), request_body = NewMessage, responses((status = 200, body = SentReply, description = "The message is stored, by this request or an earlier one.")))]
pub(crate) async fn send(api: web::Data<Api>, path: web::Path<String>, post: Post<Caller, NewMessage>) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, Job { caller, body, .. }| async move {
        let draft = draft(&caller, &path, body)?;
        deliver(&api, &caller, draft).await
    })
    .await
}

/// Stores a message and tells its place.
pub(crate) async fn deliver(api: &Api, caller: &Caller, draft: Draft) -> Result<String, Fault> {
    let conversation = draft.conversation.clone();
    match api.gateway.write(Write::Send(draft)).await {
        Ok(Outcome::Sent(sent)) => answer::json(&reply(&sent)),
        Ok(_) => Err(conversations::unexpected()),
        Err(error) if error.code == Code::NotFound => Err(explain(api, caller, conversation, error).await),
        Err(error) => Err(error.into()),
    }
}

/// The log says `not_found` both for no such conversation and for a sender who is no member. An app's server, which sees
/// all conversations of its app, is told which; a user is not. Where it names a field, what that names was not found.
pub(crate) async fn explain(api: &Api, caller: &Caller, conversation: Conversation, error: Error) -> Fault {
    let seen = match caller {
        Caller::Server(_) if error.field().is_some() => None,
        Caller::Server(key) => api.store.find_conversation(key.app, &conversation, None).await.ok().flatten(),
        Caller::User(_) => None,
    };
    if seen.is_some() {
        return Fault::from(Error::new(Code::Forbidden).says("`sender` is not a member of this conversation"))
            .at("sender");
    }
    error.into()
}

fn draft(caller: &Caller, path: &str, new: NewMessage) -> Result<Draft, Fault> {
    let conversation = Conversation::parse(path)?;
    let may_send = caller.allows(conversation.as_str(), Cap::Send);
    let kind = content::check(&new.kind, new.body.get())?;
    Ok(Draft {
        app: caller.app(),
        conversation,
        sender: sender(caller, new.sender.as_deref())?,
        client_msg_id: ClientMsgId::parse(&new.client_msg_id)?,
        prev: None,
        kind,
        body: new.body.get().into(),
        about: about(caller, &new.attachments, new.reply_to, new.mentions, new.silent)?,
        may_send,
        credential: caller.credential(),
        allowance: Allowance::default(),
    })
}

/// Whom a message speaks to. Errors: `invalid_field`, `limit_reached`.
pub(crate) fn mentions(named: Option<Mentioned>) -> Result<Option<Mentions>, Fault> {
    Ok(match named {
        None => None,
        Some(Mentioned::Everyone(_)) => Some(Mentions::Everyone),
        Some(Mentioned::Users(ids)) => Mentions::of(ids.iter().map(String::as_str))?,
    })
}

/// What a message says beside its content.
pub(crate) fn about(
    caller: &Caller,
    files: &[String],
    reply_to: Option<i64>,
    named: Option<Mentioned>,
    silent: bool,
) -> Result<About, Fault> {
    let attached = Attached::of(files.iter().map(String::as_str), caller.sees_all())?;
    Ok(About { reply_to, mentions: mentions(named)?, silent, attached, ..About::default() })
}

pub(crate) fn sender(caller: &Caller, named: Option<&str>) -> Result<User, Fault> {
    let named = named.map(|name| User::parse(name).map_err(|error| Fault::from(error).at("sender"))).transpose()?;
    match (caller.viewer(), named) {
        (None, Some(named)) => Ok(named),
        (None, None) => Err(Fault::malformed("a server key must name the `sender`", Some("sender".to_owned()))),
        (Some(user), named) if named.as_ref().is_none_or(|named| *named == user) => Ok(user),
        (Some(_), _) => {
            Err(Fault::from(Error::new(Code::Forbidden).says("a user token sends as its own user only")).at("sender"))
        }
    }
}

pub(crate) fn reply(sent: &Sent) -> SentReply {
    SentReply {
        id: sent.id.to_string(),
        seq: sent.seq,
        epoch: sent.epoch,
        at: rfc3339(sent.at_ms),
        duplicate: sent.event.is_none(),
        billed: sent.billed,
    }
}
