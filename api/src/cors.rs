//! Calls from web pages of another origin (the Fetch standard's CORS): for user and session tokens, from origins the app
//! takes, never with cookies; a secret key hears nothing of it.

use crate::routes::{RouteSpec, Who, routes, session_routes};
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

/// Seconds a browser may remember what a preflight said.
const PREFLIGHT_SECONDS: &str = "600";
/// Headers a page may send.
const SENT: &str = "authorization, content-type, idempotency-key, last-event-id, tokenim-heads";
/// Headers of an answer a page may read.
const READ: &str =
    "x-request-id, retry-after, idempotent-replayed, ratelimit-limit, ratelimit-remaining, ratelimit-reset";

/// The origin whose page may read the answer of this request.
#[derive(Debug, Clone)]
struct Allowed(HeaderValue);

/// Notes that a request's page may read the answer: its token is a user's, and the app takes the origin.
pub(crate) fn allow(request: &HttpRequest) {
    if let Some(origin) = request.headers().get(header::ORIGIN) {
        request.extensions_mut().insert(Allowed(origin.clone()));
    }
}

/// The answer to a preflight of a route that user tokens open. It names no app and carries no credential, so any origin
/// may ask; whether it may call is told to the call.
pub(crate) fn preflight(request: &ServiceRequest) -> Option<HttpResponse> {
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    let origin = request.headers().get(header::ORIGIN).filter(|_| request.method() == Method::OPTIONS)?;
    let path = request.match_pattern()?;
    let is_of_users = |spec: &RouteSpec| matches!(spec.who, Who::KeyOrUser(_) | Who::User);
    let asked_here = routes().chain(session_routes()).filter(|spec| spec.path == path && is_of_users(spec));
    let methods: Vec<_> = asked_here.map(|spec| spec.verb.method()).collect();
    if !methods.iter().any(|method| method.as_str().as_bytes() == asked.as_bytes()) {
        return None;
    }
    let methods: Vec<_> = methods.iter().map(Method::as_str).collect();
    let mut answer = HttpResponse::build(StatusCode::NO_CONTENT);
    answer.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
    answer.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, methods.join(", ")));
    answer.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, SENT));
    answer.insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS));
    answer.insert_header((header::VARY, "Origin"));
    Some(answer.finish())
}

/// Says in the answer of an allowed request that its page may read it.
pub(crate) fn dress(request: &HttpRequest, headers: &mut HeaderMap) {
    if let Some(Allowed(origin)) = request.extensions().get::<Allowed>() {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    }
}
