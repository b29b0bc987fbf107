//! The documentation: for everybody, without a session and without the store, so that it is there when they are not.
use std::{
    collections::HashMap,
    future::ready,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::{
    HttpResponse,
    http::header::{self, CacheControl, CacheDirective, ETag, EntityTag, Header, IfNoneMatch},
    web::Bytes,
};
use tokenim_domain::{Error, secret::sha256};
use tokenim_templates::{
    Template,
    assets::gzip_page,
    docs::{Doc, PATH, Subject, Tail},
    frame::{Frame, Theme},
    language::Language,
    page::docs::{DocPage, DocsPage},
};

use crate::{
    cookie,
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

/// The pages as they are sent, each rendered when it is first asked for: at most 72
/// (6 pages, 2 languages, 3 themes, with the language in the links or without), so none is dropped.
#[derive(Default)]
pub(crate) struct Pages(Mutex<HashMap<Key, Arc<Page>>>);

/// All that a page depends on: the document (none: their list), language, theme, and what its links end with.
type Key = (Option<Subject>, Language, Theme, Tail);

/// A page as it is sent, with and without compression.
struct Page {
    tag: EntityTag,
    html: Bytes,
    gzip: Bytes,
}

fn index(visit: &Visit<'_>) -> Answer {
    visit.check_host()?;
    answer(None, visit)
}

fn show(visit: &Visit<'_>) -> Answer {
    visit.check_host()?;
    let name = visit.request.match_info().get("name").unwrap_or_default();
    answer(Some(visit.console.docs.find(name).ok_or(Fault::NotFound)?), visit)
}

/// A page that the browser keeps and asks about: it is sent again only where it changed.
fn answer(doc: Option<&Doc>, visit: &Visit<'_>) -> Answer {
    let page = visit.console.pages.page(doc, visit)?;
    let is_held = match IfNoneMatch::parse(visit.request) {
        Ok(IfNoneMatch::Items(held)) => held.iter().any(|held| held.weak_eq(&page.tag)),
        Ok(IfNoneMatch::Any) | Err(_) => false,
    };
    let mut builder = if is_held { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    builder.insert_header(ETag(page.tag.clone()));
    builder.insert_header(CacheControl(vec![CacheDirective::NoCache]));
    builder.insert_header((header::VARY, VARY));
    if is_held {
        return Ok(builder.finish());
    }
    builder.insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"));
    if visit.accepts_gzip() {
        return Ok(builder.insert_header((header::CONTENT_ENCODING, "gzip")).body(page.gzip.clone()));
    }
    Ok(builder.body(page.html.clone()))
}

impl Pages {
    fn page(&self, doc: Option<&Doc>, visit: &Visit<'_>) -> Result<Arc<Page>, Error> {
        let tail = Tail(visit.asked_language());
        // Of the visit it takes what the key holds; the rest of its address is not the page's.
        let here = doc.map_or_else(|| PATH.to_owned(), |doc| doc.subject.path());
        let frame = Frame { here: &here, flash: None, ..visit.frame(None) };
        let key = (doc.map(|doc| doc.subject), frame.text.language(), frame.theme, tail);
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = pages.get(&key) {
            return Ok(page.clone());
        }
        let html = match doc {
            None => DocsPage { frame, tail }.render(),
            Some(doc) => DocPage { frame, doc, tail }.render(),
        };
        let page = Arc::new(Page::new(html.map_err(Error::internal)?));
        pages.insert(key, page.clone());
        Ok(page)
    }

    /// How many are kept.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Page {
    /// The tag is weak, because the same page is sent with and without compression.
    fn new(html: String) -> Self {
        let tag = EntityTag::new_weak(cookie::encode(&sha256(html.as_bytes())));
        Self { tag, gzip: gzip_page(html.as_bytes()).into(), html: html.into() }
    }
}
