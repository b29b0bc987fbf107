//! Reports of browsers about violations of the content security policy: logged within limits, answered with nothing.
use actix_web::{HttpResponse, web};

use crate::{
    fault::Fault,
    form::read_body,
    routes::{RouteSpec, Verb, raw},
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] =
    &[raw(Verb::Post, "/csp-report", |visit, payload| Box::pin(report(visit, payload)))];

/// Bytes of a report at most.
const REPORT_BYTES_MAX: usize = 8 * 1024;
/// Characters of a report that are logged; anybody can send one.
const LOGGED_CHARS_MAX: usize = 600;

async fn report(visit: &Visit<'_>, payload: web::Payload) -> Result<HttpResponse, Fault> {
    let body = read_body(payload, REPORT_BYTES_MAX).await?;
    let text: String =
        String::from_utf8_lossy(&body).chars().filter(|letter| !letter.is_control()).take(LOGGED_CHARS_MAX).collect();
    tracing::warn!(request_id = %visit.request_id, report = text, "content security policy violated");
    Ok(HttpResponse::NoContent().finish())
}
