//! The documentation: for everybody, without a session and without the store, so that it is there when they are not.
use std::future::ready;

use actix_web::{
    HttpResponse,
    http::header::{self, CacheControl, CacheDirective, ETag, EntityTag, Header, IfNoneMatch},
};
use tokenim_domain::{Error, secret::sha256};
use tokenim_templates::{
    Template,
    docs::{PATH, Tail},
    page::docs::{DocPage, DocsPage},
};

use crate::{
    answer,
    fault::Fault,
    routes::{Answer, RouteSpec, Verb, raw},
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] = &[
    raw(Verb::Get, PATH, |visit, _| Box::pin(ready(index(visit)))),
    raw(Verb::Get, "/docs/{name}", |visit, _| Box::pin(ready(show(visit)))),
];

/// What a page depends on beside its address.
const VARY: &str = "Accept-Language, Cookie, Accept-Encoding";

fn index(visit: &Visit<'_>) -> Answer {
    visit.check_host()?;
    kept(&DocsPage { frame: visit.frame(None), tail: Tail(visit.asked_language()) }, visit)
}

fn show(visit: &Visit<'_>) -> Answer {
    visit.check_host()?;
    let name = visit.request.match_info().get("name").unwrap_or_default();
    let doc = visit.console.docs.find(name).ok_or(Fault::NotFound)?;
    kept(&DocPage { frame: visit.frame(None), doc, tail: Tail(visit.asked_language()) }, visit)
}

/// A page that the browser keeps and asks about: it is sent again only where it changed. The tag is weak, because the same
/// page is sent with and without compression.
fn kept(page: &impl Template, visit: &Visit<'_>) -> Answer {
    let html = page.render().map_err(Error::internal)?;
    let hash = sha256(html.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = EntityTag::new_weak(hash);
    let is_held = match IfNoneMatch::parse(visit.request) {
        Ok(IfNoneMatch::Items(held)) => held.iter().any(|held| held.weak_eq(&tag)),
        Ok(IfNoneMatch::Any) | Err(_) => false,
    };
    let mut builder = if is_held { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    builder.insert_header(ETag(tag));
    builder.insert_header(CacheControl(vec![CacheDirective::NoCache]));
    builder.insert_header((header::VARY, VARY));
    if is_held {
        return Ok(builder.finish());
    }
    Ok(answer::body(builder, "text/html; charset=utf-8", html.into_bytes(), visit))
}
