//! Static files: addressed by content hash, so that a browser keeps them for ever.
use actix_web::{HttpResponse, http::header};

use crate::{
    fault::Fault,
    routes::{Answer, RouteSpec, Verb, raw},
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] =
    &[raw(Verb::Get, "/assets/{name}", |visit, _| Box::pin(std::future::ready(show(visit))))];

/// A year; the name changes when the content does.
const CACHE: &str = "public, max-age=31536000, immutable";

fn show(visit: &Visit<'_>) -> Answer {
    let asset = visit.console.assets.find(visit.request.path()).ok_or(Fault::NotFound)?;
    let mut builder = HttpResponse::Ok();
    builder.insert_header((header::CONTENT_TYPE, asset.content_type));
    builder.insert_header((header::CACHE_CONTROL, CACHE));
    builder.insert_header((header::VARY, "Accept-Encoding"));
    Ok(if visit.accepts_gzip() {
        builder.insert_header((header::CONTENT_ENCODING, "gzip")).body(asset.gzip.clone())
    } else {
        builder.body(asset.plain.clone())
    })
}
