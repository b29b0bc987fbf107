//! What happens around every route: the request's id, refusals that need no route, and the one shape of errors.

use crate::api::Api;
use crate::cors;
use crate::fault::Fault;
use crate::rates;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, web};
use std::rc::Rc;
use std::sync::Arc;
use tokenim_domain::{Code, Error, grammar, id};
use tokenim_gateway::places::Place;

/// Bytes of a path with its query.
const URL_BYTES_MAX: usize = 2 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of one request, in the answer and in our logs.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) Rc<str>);

/// The id of a request inside the rim; empty outside it.
pub(crate) fn request_id(request: &HttpRequest) -> RequestId {
    request.extensions().get::<RequestId>().cloned().unwrap_or_else(|| RequestId("".into()))
}

/// Wraps the scope of all routes.
pub(crate) async fn rim(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse, actix_web::Error> {
    let id = new_id(&request);
    request.extensions_mut().insert(id.clone());
    let response = match check(&request).map(|()| cors::preflight(&request)) {
        Err(fault) => {
            let answer = fault.answer(&id.0, doc(request.request()));
            request.into_response(answer)
        }
        Ok(Some(preflight)) => request.into_response(preflight),
        Ok(None) => metered(answered(next.call(request).await?, &id)),
    };
    Ok(dress(response, &id))
}

fn new_id(request: &ServiceRequest) -> RequestId {
    let id = request.app_data::<web::Data<Api>>().map(|api| id::encode(id::uuid_v7(api.clock(), api.rng()).as_u128()));
    RequestId(format!("req_{}", id.unwrap_or_default()).into())
}

/// The page that explains the codes.
fn doc(request: &HttpRequest) -> &str {
    request.app_data::<web::Data<Api>>().map_or("", |api| &api.doc)
}

fn check(request: &ServiceRequest) -> Result<(), Fault> {
    let url_bytes = request.uri().path_and_query().map_or(0, |text| text.as_str().len());
    if url_bytes > URL_BYTES_MAX {
        return Err(Error::new(Code::UrlTooLong).says("the URL is longer than 2,048 bytes").into());
    }
    let leaks = grammar::url_has_credential(request.uri().path(), request.query_string());
    if leaks {
        return Err(Code::TokenInUrl.into());
    }
    match request.app_data::<web::Data<Api>>() {
        Some(api) => Ok(api.rates.take_of_address(api, request.request())?),
        None => Ok(()),
    }
}

/// Gives an error its id and shape, whoever made it.
fn answered(response: ServiceResponse, id: &RequestId) -> ServiceResponse {
    let Some(error) = response.response().error() else { return response };
    let doc = doc(response.request());
    let answer = match error.as_error::<Fault>() {
        Some(fault) => {
            note(response.request(), fault);
            fault.answer(&id.0, doc)
        }
        None if response.status().is_client_error() => {
            Fault::malformed("the request cannot be read", None).answer(&id.0, doc)
        }
        None => Fault::from(Error::internal(error.to_string())).answer(&id.0, doc),
    };
    response.into_response(answer)
}

/// Counts a call whose credential was an app's, whatever the answer but that the server could not or would not yet.
fn metered(response: ServiceResponse) -> ServiceResponse {
    let (request, status) = (response.request(), response.status());
    if status != StatusCode::TOO_MANY_REQUESTS
        && !status.is_server_error()
        && let (Some(api), Some(place)) =
            (request.app_data::<web::Data<Api>>(), request.extensions().get::<Arc<Place>>())
    {
        api.gateway.metered().call(place.app.app);
    }
    response
}

/// Counts a refusal for the people of the app that was let in.
fn note(request: &HttpRequest, fault: &Fault) {
    if let (Some(api), Some(place)) = (request.app_data::<web::Data<Api>>(), request.extensions().get::<Arc<Place>>()) {
        place.refusals.note(api.now_ms(), fault.code());
    }
}

/// Headers of every answer: answers hold tokens and messages, so nothing may keep them or guess their type.
fn dress(mut response: ServiceResponse, id: &RequestId) -> ServiceResponse {
    let request = response.request().clone();
    let headers = response.headers_mut();
    cors::dress(&request, headers);
    rates::dress(&request, headers);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, value);
    }
    response
}
