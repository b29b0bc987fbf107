//! Answers that are JSON.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::Serialize;
use tokenim_domain::Error;

use crate::fault::Fault;

/// What a handler answers.
pub(crate) type Answer = Result<HttpResponse, Fault>;

/// A 200 with JSON text.
pub(crate) fn ok(json: String) -> HttpResponse {
    text(StatusCode::OK, json.into_bytes())
}

/// A 200 with the JSON of a view.
pub(crate) fn view(view: &impl Serialize) -> Answer {
    json(view).map(ok)
}

/// A status with JSON bytes. `Content-Type` carries no charset: JSON is UTF-8 (RFC 8259 §8.1).
pub(crate) fn text(status: StatusCode, json: Vec<u8>) -> HttpResponse {
    HttpResponse::build(status).insert_header((header::CONTENT_TYPE, "application/json")).body(json)
}

/// The JSON text of a response.
pub(crate) fn json(view: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(view).map_err(|error| Error::internal(error).into())
}
