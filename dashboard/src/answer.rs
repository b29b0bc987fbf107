//! Answers: pages, redirects, and the headers that every answer of the console carries.
use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use tokenim_templates::{Template, assets::gzip_page, flash::Flash, page::quickstart::socket_origin};

use crate::{cookie::Cookie, quickstart, routes::Answer, visit::Visit};

/// Policy of every answer, around where scripts may connect to.
const POLICY: [&str; 2] = [
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'",
    "; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; report-uri /csp-report",
];

const FIXED: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// A year, once TLS is there.
const TRANSPORT_SECURITY: &str = "max-age=31536000";

/// Renders a page; compressed where the browser takes it.
pub(crate) fn page(status: StatusCode, page: &impl Template, visit: &Visit<'_>) -> Answer {
    let html = page.render().map_err(tokenim_domain::Error::internal)?;
    Ok(body(HttpResponse::build(status), "text/html; charset=utf-8", html.into_bytes(), visit))
}

/// A body of any kind, compressed where the browser takes it.
pub(crate) fn body(
    mut builder: HttpResponseBuilder,
    content_type: &str,
    body: Vec<u8>,
    visit: &Visit<'_>,
) -> HttpResponse {
    builder.insert_header((header::CONTENT_TYPE, content_type));
    if visit.accepts_gzip() {
        builder.insert_header((header::CONTENT_ENCODING, "gzip")).body(gzip_page(&body))
    } else {
        builder.body(body)
    }
}

/// Sends the browser elsewhere on this origin, with GET.
pub(crate) fn see_other(address: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, address)).finish()
}

/// The same, and the page there tells what was done.
pub(crate) fn done(visit: &Visit<'_>, flash: Flash, address: &str) -> HttpResponse {
    let cookie = Cookie::Flash.set(flash.name(), &visit.console.site);
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, address))
        .insert_header((header::SET_COOKIE, cookie))
        .finish()
}

/// The quickstart opens sockets to this host: some browsers do not count them as its own origin.
fn policy(visit: &Visit<'_>) -> String {
    let socket =
        if quickstart::is_page(visit) { format!(" {}", socket_origin(&visit.origin())) } else { String::new() };
    POLICY.join(&socket)
}

/// Adds what every answer carries: policy, cookies, caching rule, request id.
pub(crate) fn dress(mut answer: HttpResponse, visit: &Visit<'_>) -> HttpResponse {
    let headers = answer.headers_mut();
    for (name, value) in FIXED {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&policy(visit)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if visit.console.site.is_strict() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TRANSPORT_SECURITY));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Language, Cookie, Accept-Encoding"));
    }
    let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    // What browsers keep is the same for everybody, so it tells nobody what was done.
    let is_kept = headers.get(header::CACHE_CONTROL).is_some_and(|rule| rule != "no-store");
    let told = (visit.flash.is_some() && is_page && !is_kept).then(|| Cookie::Flash.remove(&visit.console.site));
    for cookie in visit.cookies.iter().chain(&told).filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        headers.append(header::SET_COOKIE, cookie);
    }
    if let Ok(id) = HeaderValue::from_str(&visit.request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    answer
}
