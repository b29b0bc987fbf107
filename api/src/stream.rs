//! The session over HTTP: a stream of server-sent events, and commands as requests. No routes of REST: what they carry are the
//! envelopes of the socket.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, EndUser, address, origin};
use crate::fault::Fault;
use crate::openapi::session::{Envelope, EnvelopeReply, StreamEvent};
use crate::post;
use crate::query::Query;
use crate::routes::{self, RouteSpec, Who};
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use std::convert::Infallible;
use tokenim_domain::name::Device;
use tokenim_domain::token::session;
use tokenim_domain::{Code, Error};
use tokenim_gateway::events;
use tokenim_protocol::command::{Connect, Heads};

pub(crate) const ROUTES: &[RouteSpec] = &[
    routes::get("/v1/stream", "openStream", Who::User, || web::to(open))
        .refuses(&[Code::ConnectionLimit, Code::LimitReached]),
    routes::post("/v1/commands", "sendCommand", Who::User, || web::to(command)).refuses(&[
        Code::StreamEnded,
        Code::OutcomeUnknown,
        Code::Silent,
    ]),
];
/// Where the client stands, as `heads` of `connect`.
pub(crate) const HEADS: &str = "tokenim-heads";
/// The id of the last event the client saw.
pub(crate) const LAST_EVENT_ID: &str = "last-event-id";

/// Opens a stream; its first event is the reply of `connect`.
#[utoipa::path(get, path = "/v1/stream",
    params(
        ("device" = Option<String>, Query, description = "Name of the device, an id; where it is absent and the token names none, one is made."),
        ("platform" = Option<String>, Query, description = "What the client runs on, like `web` or `ios`."),
        ("sdk" = Option<String>, Query, description = "Name and version of the library."),
        ("Tokenim-Heads" = Option<String>, Header, description = "`heads` of `connect`, as JSON: where the client stands."),
        ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event; it resumes that conversation where `Tokenim-Heads` does not name it."),
    ),
    responses((status = 200, body = StreamEvent, content_type = "text/event-stream", description = "Server-sent events until one side ends it. The data of each is one envelope: first the reply of `connect` with `id` 0, then pushes, at the end `event: close`.")))]
pub(crate) async fn open(api: web::Data<Api>, user: Auth<EndUser>, request: HttpRequest) -> Answer {
    let query = Query::read(&request, &["device", "sdk", "platform"])?;
    let heads = heads(&request)?;
    let (token, session) = match user.0.credential.as_str() {
        text if session::is_session(text) => (None, Some(text.into())),
        text => (Some(text.into()), None),
    };
    let of = |field| query.text(field).map(Into::into);
    let (device, sdk, platform) = (of("device"), of("sdk"), of("platform"));
    let connect = Connect { token, session, device, platform, sdk, features: Vec::new(), heads: Some(heads) };
    let opened = api.gateway.open_stream(connect, address(&request), origin(request.headers())).await;
    // They came in a header here.
    let named = |error: Error| if error.field() == Some("heads") { error.at_path(HEADS) } else { error };
    let mut stream = opened.map_err(named)?;
    let events = futures_util::stream::poll_fn(move |context| {
        stream.poll_next(context).map(|event| event.map(Ok::<_, Infallible>))
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        // nginx would hold events back.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events))
}

/// The heads a request names, and the one that its last event was.
fn heads(request: &HttpRequest) -> Result<Heads<'_>, Fault> {
    let text = |name| request.headers().get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?"));
    let mut heads: Heads<'_> = match text(HEADS) {
        Some(text) => serde_json::from_str(text).map_err(|_| {
            Fault::malformed(
                format!("`{HEADS}` is no JSON object of heads, {{conversation: [epoch, seq]}}"),
                Some(HEADS.into()),
            )
        })?,
        None => Heads::new(),
    };
    if let Some(id) = text(LAST_EVENT_ID).filter(|id| !id.is_empty()) {
        let (conversation, at) = events::head(id)?;
        heads.entry(conversation.into()).or_insert(at);
    }
    Ok(heads)
}

/// Does what one envelope says; the answer is its reply.
#[utoipa::path(post, path = "/v1/commands",
    params(("device" = Option<String>, Query, description = "Device of the stream, where the token names none.")),
    request_body = Envelope,
    responses((status = 200, body = EnvelopeReply, description = "The reply, an error of the command too; `{}` to a pong.")))]
pub(crate) async fn command(api: web::Data<Api>, request: HttpRequest, envelope: post::Envelope<EndUser>) -> Answer {
    let query = Query::read(&request, &["device"])?;
    let identity = &envelope.caller.identity;
    let named = query.text("device").map(Device::parse).transpose()?;
    let device = identity.device.clone().or(named);
    let device = device.ok_or_else(|| {
        Fault::malformed("name the `device` of the stream, or use its session token", Some("device".to_owned()))
    })?;
    Ok(answer::ok(api.gateway.stream_command(identity, &device, &envelope.text).await?))
}
