//! The session over HTTP: a stream of server-sent events, and commands as requests. No routes of REST: what they carry are the
//! envelopes of the socket.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, EndUser, address, origin};
use crate::fault::Fault;
use crate::post::Envelope;
use crate::query::Query;
use crate::routes::{self, Verb};
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use std::convert::Infallible;
use tokenim_domain::Error;
use tokenim_domain::name::Device;
use tokenim_domain::token::session;
use tokenim_gateway::events;
use tokenim_protocol::command::{Connect, Heads};

/// The paths, and how each is asked.
pub(crate) const PATHS: [(&str, Verb); 2] = [("/v1/stream", Verb::Get), ("/v1/commands", Verb::Post)];
/// Where the client stands, as `heads` of `connect`.
pub(crate) const HEADS: &str = "tokenim-heads";
/// The id of the last event the client saw.
pub(crate) const LAST_EVENT_ID: &str = "last-event-id";

/// What serves the paths.
pub(crate) fn resources() -> [Resource; 2] {
    let [(stream, get), (commands, post)] = PATHS;
    [routes::only(stream, vec![(get, web::to(open))]), routes::only(commands, vec![(post, web::to(command))])]
}

/// Opens a stream; its first event is the reply of `connect`.
async fn open(api: web::Data<Api>, user: Auth<EndUser>, request: HttpRequest) -> Answer {
    let query = Query::read(&request, &["device", "sdk", "platform"])?;
    let heads = heads(&request)?;
    let (token, session) = match user.0.credential.as_str() {
        text if session::is_session(text) => (None, Some(text.into())),
        text => (Some(text.into()), None),
    };
    let of = |field| query.text(field).map(Into::into);
    let (device, sdk, platform) = (of("device"), of("sdk"), of("platform"));
    let connect = Connect { token, session, device, platform, sdk, features: Vec::new(), heads: Some(heads) };
    let mut stream = api.gateway.open_stream(connect, address(&request), origin(request.headers())).await?;
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
        Some(text) => serde_json::from_str(text).map_err(|error| {
            Fault::malformed(format!("`{HEADS}` is no object of heads: {error}"), Some(HEADS.into()))
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
async fn command(api: web::Data<Api>, request: HttpRequest, envelope: Envelope<EndUser>) -> Answer {
    let query = Query::read(&request, &["device"])?;
    let identity = &envelope.caller.identity;
    let named = query.text("device").map(Device::parse).transpose()?;
    let device = identity.device.clone().or(named);
    let device =
        device.ok_or_else(|| Error::invalid("device", "name the `device` of the stream, or use its session token"))?;
    Ok(answer::ok(api.gateway.stream_command(identity, &device, &envelope.text).await?))
}
