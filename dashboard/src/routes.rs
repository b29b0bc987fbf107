//! The router built from the rooms' lists of routes, and the steps every request takes.
use actix_web::{HttpRequest, HttpResponse, guard, http::Method, web};
use futures_util::future::LocalBoxFuture;
use tokenim_domain::actor::Action;

use crate::{answer, console::Console, csrf, fault::Fault, form::Form, session, visit::Visit};

/// The rooms of the console; every route is in the list of its room.
const ROOMS: &[&[RouteSpec]] = &[
    crate::sign_up::ROUTES,
    crate::sign_in::ROUTES,
    crate::link::ROUTES,
    crate::prove::ROUTES,
    crate::account::ROUTES,
    crate::elevate::ROUTES,
    crate::overview::ROUTES,
    crate::usage::ROUTES,
    crate::plan::ROUTES,
    crate::quickstart::ROUTES,
    crate::apps::ROUTES,
    crate::keys::ROUTES,
    crate::signing_keys::ROUTES,
    crate::origins::ROUTES,
    crate::orgs::ROUTES,
    crate::members::ROUTES,
    crate::invitation::ROUTES,
    crate::audit::ROUTES,
    crate::settings::ROUTES,
    crate::announcements::ROUTES,
    crate::operator::ROUTES,
    crate::stream::ROUTES,
    crate::preferences::ROUTES,
    crate::docs::ROUTES,
    crate::assets::ROUTES,
    crate::csp::ROUTES,
    crate::mailbox::ROUTES,
];

/// Every route of the console; [`configure`] serves these and nothing else.
pub fn routes() -> impl Iterator<Item = &'static RouteSpec> {
    ROOMS.iter().copied().flatten()
}

/// How a route is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Reads; HEAD is answered as well.
    Get,
    /// Changes something, so it needs a form token.
    Post,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Anybody.
    Public,
    /// An account, in an org or not.
    SignedIn,
    /// A member of the session's org whose role may do this.
    May(Action),
    /// An operator in a session of the operator area; for others there is no such page.
    Operator,
}

/// What sending a form twice does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twice {
    /// The same as once.
    Harmless,
    /// The second one is refused: the form's nonce is used.
    Refused,
    /// The same, and the refusal says that the answer's secret is shown once.
    ShownOnce,
}

/// What a handler answers.
pub(crate) type Answer = Result<HttpResponse, Fault>;
/// A handler that reads.
pub(crate) type Read = for<'v, 'r> fn(&'v mut Visit<'r>) -> LocalBoxFuture<'v, Answer>;
/// A handler that takes a form.
pub(crate) type Change = for<'v, 'r> fn(&'v mut Visit<'r>, &'v Form) -> LocalBoxFuture<'v, Answer>;
/// A handler that takes any body, from anybody and under any host.
pub(crate) type Raw = for<'v, 'r> fn(&'v mut Visit<'r>, web::Payload) -> LocalBoxFuture<'v, Answer>;

#[derive(Clone, Copy, Debug)]
enum Handler {
    Read(Read),
    Change(Change),
    Raw(Raw),
}

/// One route of the console.
#[derive(Clone, Copy, Debug)]
pub struct RouteSpec {
    /// How it is asked.
    pub verb: Verb,
    /// Its path, with the router's placeholders.
    pub path: &'static str,
    /// Who may ask.
    pub who: Who,
    /// What sending its form twice does.
    pub twice: Twice,
    /// Whether the person must have shown within the last minutes that it is them.
    pub fresh: bool,
    handler: Handler,
}

impl RouteSpec {
    const fn new(verb: Verb, path: &'static str, who: Who, handler: Handler) -> Self {
        RouteSpec { verb, path, who, twice: Twice::Harmless, fresh: false, handler }
    }

    /// The same route, for those who have just shown that it is them.
    pub(crate) const fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }

    /// The same route, whose form works once.
    pub(crate) const fn once(mut self) -> Self {
        self.twice = Twice::Refused;
        self
    }

    /// The same route, whose form works once and whose answer shows a secret.
    pub(crate) const fn shown_once(mut self) -> Self {
        self.twice = Twice::ShownOnce;
        self
    }
}

/// A page.
pub(crate) const fn get(path: &'static str, who: Who, handler: Read) -> RouteSpec {
    RouteSpec::new(Verb::Get, path, who, Handler::Read(handler))
}

/// What a form is sent to.
pub(crate) const fn post(path: &'static str, who: Who, handler: Change) -> RouteSpec {
    RouteSpec::new(Verb::Post, path, who, Handler::Change(handler))
}

/// A route before all steps.
pub(crate) const fn raw(verb: Verb, path: &'static str, handler: Raw) -> RouteSpec {
    RouteSpec::new(verb, path, Who::Public, Handler::Raw(handler))
}

/// The page that holds the form which is sent to `path`: the same path, or the nearest above it that is a page.
pub(crate) fn page_of_form(path: &str) -> &str {
    let mut page = path;
    while !page.is_empty() {
        if routes().any(|spec| spec.verb == Verb::Get && fits(spec.path, page)) {
            return page;
        }
        page = page.rsplit_once('/').map_or("", |(above, _)| above);
    }
    "/console"
}

/// Whether a path is one of a pattern's.
pub(crate) fn fits(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if pattern == part || (pattern.starts_with('{') && !part.is_empty()) => {}
            _ => return false,
        }
    }
}

/// Adds the console to an application that holds a `web::Data<Console>`; its 404 page becomes the application's default.
pub fn configure(cfg: &mut web::ServiceConfig) {
    let mut paths: Vec<&'static str> = Vec::new();
    for spec in routes() {
        if !paths.contains(&spec.path) {
            paths.push(spec.path);
        }
    }
    // The router takes the first path that fits, so `{app}` comes after what has a name there.
    paths.sort_by_key(|path| path.contains('{'));
    for path in paths {
        let mut resource = web::resource(path);
        for spec in routes().filter(|spec| spec.path == path) {
            let by_verb = match spec.verb {
                Verb::Get => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
                Verb::Post => web::route().method(Method::POST),
            };
            resource =
                resource.route(by_verb.to(move |console, request, payload| serve(spec, console, request, payload)));
        }
        cfg.service(resource.default_service(web::to(wrong_method)));
    }
    cfg.default_service(web::to(not_found));
}

async fn not_found(console: web::Data<Console>, request: HttpRequest) -> HttpResponse {
    let visit = Visit::new(&console, &request);
    answer::dress(Fault::NotFound.answer(&visit), &visit)
}

async fn wrong_method(console: web::Data<Console>, request: HttpRequest) -> HttpResponse {
    let visit = Visit::new(&console, &request);
    answer::dress(Fault::Method.answer(&visit), &visit)
}

async fn serve(
    spec: &'static RouteSpec,
    console: web::Data<Console>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let mut visit = Visit::new(&console, &request);
    let answer = steps(spec, &mut visit, payload).await.unwrap_or_else(|fault| fault.answer(&visit));
    answer::dress(answer, &visit)
}

/// Host, session, right, form token, proof, nonce, then the page: in this order for every route.
async fn steps(spec: &RouteSpec, visit: &mut Visit<'_>, payload: web::Payload) -> Answer {
    if let Handler::Raw(handler) = spec.handler {
        return handler(visit, payload).await;
    }
    visit.check_host()?;
    session::resume(visit, spec.who).await?;
    visit.check_right(spec.who)?;
    if spec.who == Who::Public {
        visit.remember_language();
    }
    match spec.handler {
        Handler::Read(handler) => {
            if spec.fresh {
                visit.proved()?;
            }
            handler(visit).await
        }
        Handler::Change(handler) => {
            let form = Form::read(payload).await?;
            check_token(spec.who, visit, &form)?;
            if spec.fresh {
                visit.proved()?;
            }
            change(spec, handler, visit, &form).await
        }
        Handler::Raw(_) => Err(Fault::NotFound),
    }
}

/// Uses the form's nonce where sending twice matters; a fault of ours gives it back, so that the form may be sent again.
async fn change(spec: &RouteSpec, handler: Change, visit: &mut Visit<'_>, form: &Form) -> Answer {
    if spec.twice == Twice::Harmless {
        return handler(visit, form).await;
    }
    let session = visit.signed_in()?.id;
    let nonce = form.nonce(visit.request.path())?;
    if !visit.console.store.use_nonce(session, nonce).await? {
        return Err(Fault::Twice { is_secret: spec.twice == Twice::ShownOnce });
    }
    let answer = handler(visit, form).await;
    if matches!(&answer, Err(fault) if fault.is_ours()) {
        visit.console.store.give_nonce_back(session, nonce).await?;
    }
    answer
}

fn check_token(who: Who, visit: &Visit<'_>, form: &Form) -> Result<(), Fault> {
    let secret = match who {
        Who::Public => visit.form_secret(),
        Who::SignedIn | Who::May(_) | Who::Operator => visit.session.as_ref().map(session::form_secret),
    };
    let header = visit.request.headers().get(csrf::HEADER).and_then(|value| value.to_str().ok());
    let token = header.map(str::to_owned).or_else(|| form.field("csrf"));
    let (Some(secret), Some(token)) = (secret, token) else { return Err(Fault::Csrf) };
    let is_ours = csrf::is_same_origin(visit.request, &visit.origin()) && csrf::token_matches(&secret, &token);
    if is_ours { Ok(()) } else { Err(Fault::Csrf) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_a_form_is_the_nearest_above_it() {
        assert_eq!(page_of_form("/sign-in"), "/sign-in");
        assert_eq!(page_of_form("/console/usage/anything/deep"), "/console/usage");
        assert_eq!(page_of_form("/sign-out"), "/console");
        assert!(fits("/console/apps/{app}/keys", "/console/apps/app_1/keys"));
        assert!(!fits("/console/apps/{app}", "/console/apps/") && !fits("/console", "/console/apps"));
    }

    #[test]
    fn whoever_may_not_be_known_sends_no_form_that_works_once() {
        for spec in routes().filter(|spec| spec.twice != Twice::Harmless || spec.fresh) {
            assert_ne!(spec.who, Who::Public, "{spec:?}");
        }
    }
}
