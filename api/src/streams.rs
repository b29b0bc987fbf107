//! Messages that grow while they are read: begun, added to, ended, and read on the way.

use crate::amendments::{AmendedReply, amendment, commit, place};
use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Caller};
use crate::fault::Fault;
use crate::messages::{Mentioned, SentReply, deliver, mentions, sender};
use crate::once::Job;
use crate::post::Post;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get, post};
use crate::{amendments, conversations};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use tokenim_domain::log::{
    About, Amendment, Draft, Growth, LiveText, MessageAct, MessageLog, Outcome, Piece, TextQuery, Write, live,
};
use tokenim_domain::name::{ClientMsgId, Conversation};
use tokenim_domain::plan::quota::Allowance;
use tokenim_domain::role::ContentKind;
use tokenim_domain::scope::Scope;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, content};
use utoipa::ToSchema;

/// What adding to a live message may be refused with, and its end beside what any amendment may.
const REFUSES: &[Code] = &[
    Code::NotFound,
    Code::Conflict,
    Code::StreamOffset,
    Code::NotLive,
    Code::LimitReached,
    Code::OutcomeUnknown,
    Code::QuotaExceeded,
    Code::RateLimited,
];
const WRITE: Who = Who::KeyOrUser(Scope::MessagesWrite);

pub(crate) const ROUTES: &[RouteSpec] = &[
    post("/v1/conversations/{id}/streams", "beginStream", WRITE, || web::to(begin)).refuses(&[
        Code::NotFound,
        Code::Conflict,
        Code::LimitReached,
        Code::OutcomeUnknown,
        Code::QuotaExceeded,
        Code::RateLimited,
    ]),
    get("/v1/conversations/{id}/streams/{seq}", "getStream", Who::KeyOrUser(Scope::MessagesRead), || web::to(show))
        .refuses(&[Code::NotFound, Code::NotLive, Code::StreamOffset]),
    post("/v1/conversations/{id}/streams/{seq}/append", "appendStream", WRITE, || web::to(append)).refuses(REFUSES),
    post("/v1/conversations/{id}/streams/{seq}/end", "endStream", WRITE, || web::to(end)).refuses(REFUSES),
];

/// A live message to begin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewStream {
    /// Who says it, a member of the conversation. Required with a server key; with a user token it is that user.
    #[schema(example = "alice")]
    sender: Option<String>,
    /// The sender's own id of it: a repeat is stored once and answered with `duplicate`.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9_.:@-]+$",
        example = "0198c0de-7000-7000-8000-000000000002"
    )]
    client_msg_id: String,
    /// Content kind, of which the body is an object with a `text` string; `text` when absent.
    kind: Option<String>,
    /// What it begins with, at most 16 KiB.
    #[serde(default)]
    text: String,
    /// Seq of the message it replies to.
    #[schema(minimum = 1)]
    reply_to: Option<i64>,
    /// Users it speaks to, at most 50, or `"*"`: everyone.
    #[schema(value_type = Option<serde_json::Value>, example = json!(["bob"]))]
    mentions: Option<Mentioned>,
    /// Asks for no attention: no push to a sleeping device.
    #[serde(default)]
    silent: bool,
}

/// Text for the end of a live message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPiece {
    /// In whose name: the sender of the message. Without one a server key does it as the app itself.
    user: Option<String>,
    /// Bytes of its text in UTF-8 that are stored: where this goes.
    #[schema(minimum = 0)]
    offset: i64,
    /// What follows them, at most 16 KiB.
    #[schema(min_length = 1, example = "Hello")]
    text: String,
}

/// The end of a live message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewEnd {
    /// In whose name: the sender of the message. Without one a server key does it as the app itself.
    user: Option<String>,
    /// Bytes of its text in UTF-8 that must be stored before; absent = whatever is.
    #[schema(minimum = 0)]
    offset: Option<i64>,
    /// A last piece, at most 16 KiB.
    #[serde(default)]
    text: String,
    /// The user's own id of it: a repeat changes nothing.
    client_msg_id: Option<String>,
}

/// A piece is stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GrownReply {
    /// Bytes of text in UTF-8 up to its end.
    offset: i64,
}

/// The text of a live message, or of one that was.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StreamText {
    /// What follows the bytes named.
    text: String,
    /// Bytes of text in UTF-8 in all.
    offset: i64,
    /// Seq of the event that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ended: Option<i64>,
}

/// Begins a live message: a message that has its place in the log now, grows, and counts when it ends.
#[utoipa::path(post, path = "/v1/conversations/{id}/streams", params(("id" = String, Path, description = "Id of the conversation.")), request_body = NewStream, responses((status = 200, body = SentReply, description = "The message is stored, by this request or an earlier one.")))]
pub(crate) async fn begin(api: web::Data<Api>, path: web::Path<String>, post: Post<Caller, NewStream>) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, Job { caller, body, .. }| async move {
        let draft = draft(&caller, &path, body)?;
        deliver(&api, &caller, draft).await
    })
    .await
}

fn draft(caller: &Caller, path: &str, new: NewStream) -> Result<Draft, Fault> {
    let conversation = Conversation::parse(path)?;
    let may_send = caller.allows(conversation.as_str(), Cap::Send);
    let body = live::body(&live::escape(&Piece::new(None, &new.text)?.text));
    Ok(Draft {
        app: caller.app(),
        conversation,
        sender: sender(caller, new.sender.as_deref())?,
        client_msg_id: ClientMsgId::parse(&new.client_msg_id)?,
        prev: None,
        kind: content::check(new.kind.as_deref().unwrap_or(ContentKind::Text.as_str()), &body)?,
        body,
        about: About {
            reply_to: new.reply_to,
            mentions: mentions(new.mentions)?,
            silent: new.silent,
            live: true,
            ..About::default()
        },
        may_send,
        credential: caller.credential(),
        allowance: Allowance::default(),
    })
}

/// Adds text to a live message. With a user token, its sender may. The answer means it is stored durably.
#[utoipa::path(post, path = "/v1/conversations/{id}/streams/{seq}/append",
    params(("id" = String, Path, description = "Id of the conversation."), ("seq" = String, Path, description = "Seq of the message.")),
    request_body = NewPiece, responses((status = 200, body = GrownReply, description = "The text is stored, by this request or an earlier one.")))]
pub(crate) async fn append(
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    post: Post<Caller, NewPiece>,
) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, Job { caller, body, .. }| async move {
        let place = place(&path)?;
        caller.allow(place.conversation.as_str(), Cap::Send)?;
        let growth = Growth {
            app: caller.app(),
            actor: amendments::actor(&caller, body.user.as_deref())?,
            conversation: place.conversation,
            target: place.seq,
            piece: Piece::more(body.offset, &body.text)?,
        };
        match api.gateway.write(Write::Grow(growth)).await? {
            Outcome::Grown(grown) => answer::json(&GrownReply { offset: grown.offset }),
            _ => Err(conversations::unexpected()),
        }
    })
    .await
}

/// Ends a live message: an event that holds its whole text, and counts it. With a user token, its sender may.
#[utoipa::path(post, path = "/v1/conversations/{id}/streams/{seq}/end",
    params(("id" = String, Path, description = "Id of the conversation."), ("seq" = String, Path, description = "Seq of the message.")),
    request_body = NewEnd, responses((status = 200, body = AmendedReply, description = "The message has ended.")))]
pub(crate) async fn end(api: web::Data<Api>, path: web::Path<(String, String)>, post: Post<Caller, NewEnd>) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, Job { caller, body, .. }| async move {
        let last = Piece::new(body.offset, &body.text)?;
        let act = MessageAct::End { last, kind: ContentKind::Text, body: Box::default() };
        let client_msg_id = body.client_msg_id.as_deref().map(ClientMsgId::parse).transpose()?;
        let amendment = amendment(&caller, place(&path)?, body.user.as_deref(), act, Cap::Send)?;
        amendments::check_id(client_msg_id.as_ref(), &amendment)?;
        commit(&api, Amendment { client_msg_id, ..amendment }).await
    })
    .await
}

/// The text of a live message so far, or of one that has ended.
#[utoipa::path(get, path = "/v1/conversations/{id}/streams/{seq}",
    params(
        ("id" = String, Path, description = "Id of the conversation."),
        ("seq" = String, Path, description = "Seq of the message."),
        ("offset" = Option<i64>, Query, description = "Bytes of text in UTF-8 that the reader holds.", minimum = 0),
    ),
    responses((status = 200, body = StreamText, description = "The text.")))]
pub(crate) async fn show(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Answer {
    let query = Query::read(&request, &["offset"])?;
    let (caller, place) = (caller.0, place(&path)?);
    caller.allow(place.conversation.as_str(), Cap::Read)?;
    let wanted = TextQuery {
        app: caller.app(),
        conversation: place.conversation,
        viewer: caller.viewer(),
        target: place.seq,
        offset: query.parsed::<i64>("offset")?.unwrap_or(0),
    };
    let LiveText { text, offset, ended } = api.store.live_text(wanted).await?;
    answer::view(&StreamText { text, offset, ended })
}
