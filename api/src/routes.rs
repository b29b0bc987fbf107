//! The router built from the rooms' lists of routes.

use crate::answer::Answer;
use crate::api::Api;
use crate::fault::Fault;
use crate::rim;
use crate::stream;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, Resource, Route, web};
use tokenim_domain::Code;
use tokenim_domain::actor::Action;
use tokenim_domain::scope::Scope;

/// Where every path begins.
const BASE: &str = "/v1";

/// The rooms of the JSON face; every route is in the list of its room.
const ROOMS: &[&[RouteSpec]] = &[
    crate::tokens::ROUTES,
    crate::conversations::ROUTES,
    crate::messages::ROUTES,
    crate::amendments::ROUTES,
    crate::streams::ROUTES,
    crate::members::ROUTES,
    crate::groups::ROUTES,
    crate::listed::ROUTES,
    crate::usage::ROUTES,
    crate::stats::ROUTES,
    crate::openapi::ROUTES,
    crate::live::ROUTES,
    crate::presence::ROUTES,
    crate::receipts::ROUTES,
    crate::uploads::ROUTES,
    crate::attachments::ROUTES,
    crate::manage::orgs::ROUTES,
    crate::manage::transfer::ROUTES,
    crate::manage::members::ROUTES,
    crate::manage::invitations::ROUTES,
    crate::manage::audit::ROUTES,
    crate::manage::management_keys::ROUTES,
    crate::manage::apps::ROUTES,
    crate::manage::keys::ROUTES,
    crate::manage::signing_keys::ROUTES,
    crate::manage::plans::ROUTES,
    crate::manage::usage::ROUTES,
    crate::manage::stats::ROUTES,
    crate::manage::service::ROUTES,
    crate::manage::announcements::ROUTES,
];

/// Every route; [`configure`] serves these and nothing else.
pub fn routes() -> impl Iterator<Item = &'static RouteSpec> {
    ROOMS.iter().copied().flatten()
}

/// The routes of the session over HTTP. They are no calls of REST: what they carry are the envelopes of the socket, so they are
/// neither counted nor repeated as calls are.
pub fn session_routes() -> impl Iterator<Item = &'static RouteSpec> {
    stream::ROUTES.iter()
}

/// How a route is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Creates or adds; takes an `Idempotency-Key`.
    Post,
    /// Changes what its body names; takes an `Idempotency-Key`.
    Patch,
    /// Sets what it names to its body; takes an `Idempotency-Key`.
    Put,
    /// Removes; repeating it changes nothing.
    Delete,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anybody.
    Public,
    /// An app's server, with a secret key of this scope.
    ServerKey(Scope),
    /// The same, or a user with a user or session token, within that user's rights.
    KeyOrUser(Scope),
    /// A user, with a user or session token.
    User,
    /// A management key of the org, in a role that may do this; or an operator's key.
    ManagementKey(Action),
    /// An operator's key.
    OperatorKey,
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct RouteSpec {
    /// How it is asked.
    pub verb: Verb,
    /// Its path, with the router's placeholders.
    pub path: &'static str,
    /// Its name in the OpenAPI document.
    pub operation: &'static str,
    /// Who may ask; the handler's extractor enforces it and a test compares.
    pub who: Who,
    /// Codes it may refuse with beside those of every route of its kind.
    pub refuses: &'static [Code],
    handler: fn() -> Route,
}

impl Verb {
    /// The method of HTTP.
    #[must_use]
    pub fn method(self) -> Method {
        match self {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Patch => Method::PATCH,
            Verb::Put => Method::PUT,
            Verb::Delete => Method::DELETE,
        }
    }

    /// Whether it has a body, and with it an `Idempotency-Key`.
    #[must_use]
    pub fn has_body(self) -> bool {
        match self {
            Verb::Post | Verb::Patch | Verb::Put => true,
            Verb::Get | Verb::Delete => false,
        }
    }
}

impl RouteSpec {
    const fn new(verb: Verb, path: &'static str, operation: &'static str, who: Who, handler: fn() -> Route) -> Self {
        RouteSpec { verb, path, operation, who, refuses: &[], handler }
    }

    /// The same route, which may refuse with these codes as well.
    pub(crate) const fn refuses(mut self, codes: &'static [Code]) -> Self {
        self.refuses = codes;
        self
    }

    /// Whether it takes an `Idempotency-Key`: keys are kept by credential.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.verb.has_body() && !matches!(self.who, Who::Public | Who::User)
    }
}

/// A route that reads.
pub(crate) const fn get(path: &'static str, operation: &'static str, who: Who, handler: fn() -> Route) -> RouteSpec {
    RouteSpec::new(Verb::Get, path, operation, who, handler)
}

/// A route that creates or adds.
pub(crate) const fn post(path: &'static str, operation: &'static str, who: Who, handler: fn() -> Route) -> RouteSpec {
    RouteSpec::new(Verb::Post, path, operation, who, handler)
}

/// A route that changes.
pub(crate) const fn patch(path: &'static str, operation: &'static str, who: Who, handler: fn() -> Route) -> RouteSpec {
    RouteSpec::new(Verb::Patch, path, operation, who, handler)
}

/// A route that sets.
pub(crate) const fn put(path: &'static str, operation: &'static str, who: Who, handler: fn() -> Route) -> RouteSpec {
    RouteSpec::new(Verb::Put, path, operation, who, handler)
}

/// A route that removes.
pub(crate) const fn delete(path: &'static str, operation: &'static str, who: Who, handler: fn() -> Route) -> RouteSpec {
    RouteSpec::new(Verb::Delete, path, operation, who, handler)
}

/// The row of the table that a request is served by.
pub(crate) fn spec(request: &HttpRequest) -> Option<&'static RouteSpec> {
    let path = request.match_pattern()?;
    routes().find(|spec| spec.path == path && spec.verb.method() == request.method())
}

/// What adds the JSON face to an application: everything under `/v1`, unknown paths and wrong methods included.
pub fn configure(api: &Api) -> impl Fn(&mut web::ServiceConfig) + Clone + use<> {
    let api = web::Data::new(api.clone());
    move |config| {
        let mut scope = web::scope(BASE).app_data(api.clone());
        for path in paths() {
            scope = scope.service(resource(path));
        }
        for spec in session_routes() {
            scope = scope.service(only(spec.path, vec![(spec.verb, (spec.handler)())]));
        }
        config.service(scope.default_service(web::to(not_found)).wrap(from_fn(rim::rim)));
    }
}

/// Each path once, in the order of the table.
fn paths() -> Vec<&'static str> {
    let mut paths: Vec<_> = routes().map(|spec| spec.path).collect();
    paths.dedup();
    paths
}

fn resource(path: &'static str) -> Resource {
    only(path, routes().filter(|spec| spec.path == path).map(|spec| (spec.verb, (spec.handler)())).collect())
}

/// A path that is asked in these ways and in no other.
fn only(path: &'static str, ways: Vec<(Verb, Route)>) -> Resource {
    let allow: Vec<_> = ways.iter().map(|(verb, _)| verb.method().to_string()).collect();
    let allow = allow.join(", ");
    let mut resource = web::resource(path.strip_prefix(BASE).unwrap_or(path));
    for (verb, route) in ways {
        resource = resource.route(route.method(verb.method()));
    }
    resource.default_service(web::to(move || {
        let fault = Fault::method_not_allowed(allow.clone());
        async move { Err::<HttpResponse, _>(fault) }
    }))
}

async fn not_found() -> Answer {
    Err(tokenim_domain::Error::new(Code::NotFound).says("there is no such path").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_under_the_base_and_listed_in_one_place() {
        let mut unique = paths();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), paths().len(), "routes of one path stand together");
        assert!(routes().all(|spec| spec.path.starts_with("/v1/")));
    }
}
