//! The one list of the console's routes, the router built from it, and the steps every request takes.
use actix_web::{HttpRequest, HttpResponse, guard, http::Method, web};

use crate::{
    answer, assets, console::Console, csp, csrf, fault::Fault, form::Form, preferences, session, sign_in, stream,
    usage, visit::Visit,
};

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
    /// A console session of any role.
    SignedIn,
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
    page: Page,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Home,
    SignInForm,
    SignIn,
    SignOut,
    Usage,
    UsageCsv,
    Stream,
    Preferences,
    Asset,
    CspReport,
}

const fn route(verb: Verb, path: &'static str, who: Who, page: Page) -> RouteSpec {
    RouteSpec { verb, path, who, page }
}

/// Every route of the console; [`configure`] serves these and nothing else.
pub const ROUTES: &[RouteSpec] = &[
    route(Verb::Get, "/", Who::Public, Page::Home),
    route(Verb::Get, "/sign-in", Who::Public, Page::SignInForm),
    route(Verb::Post, "/sign-in", Who::Public, Page::SignIn),
    route(Verb::Post, "/sign-out", Who::SignedIn, Page::SignOut),
    route(Verb::Get, "/console", Who::SignedIn, Page::Home),
    route(Verb::Get, "/console/usage", Who::SignedIn, Page::Usage),
    route(Verb::Get, "/console/usage.csv", Who::SignedIn, Page::UsageCsv),
    route(Verb::Get, "/console/stream", Who::SignedIn, Page::Stream),
    route(Verb::Post, "/console/preferences", Who::SignedIn, Page::Preferences),
    route(Verb::Get, "/assets/{name}", Who::Public, Page::Asset),
    route(Verb::Post, "/csp-report", Who::Public, Page::CspReport),
];

/// Adds the console to an application that holds a `web::Data<Console>`; its 404 page becomes the application's default.
pub fn configure(cfg: &mut web::ServiceConfig) {
    let mut paths: Vec<&'static str> = ROUTES.iter().map(|spec| spec.path).collect();
    paths.dedup();
    for path in paths {
        let mut resource = web::resource(path);
        for spec in ROUTES.iter().filter(|spec| spec.path == path) {
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

/// Host, session, form token, then the page: in this order for every route.
async fn steps(spec: &RouteSpec, visit: &mut Visit<'_>, payload: web::Payload) -> Result<HttpResponse, Fault> {
    match spec.page {
        Page::Asset => return assets::show(visit),
        Page::CspReport => return csp::report(visit, payload).await,
        _ => {}
    }
    visit.check_host()?;
    session::resume(visit, spec.who).await?;
    match spec.verb {
        Verb::Get => show(spec.page, visit).await,
        Verb::Post => {
            let form = Form::read(payload).await?;
            check_token(spec.who, visit, &form)?;
            change(spec.page, visit, &form).await
        }
    }
}

fn check_token(who: Who, visit: &Visit<'_>, form: &Form) -> Result<(), Fault> {
    let secret = match who {
        Who::Public => visit.form_secret(),
        Who::SignedIn => visit.session.as_ref().map(|session| session.csrf),
    };
    let header = visit.request.headers().get(csrf::HEADER).and_then(|value| value.to_str().ok());
    let token = header.map(str::to_owned).or_else(|| form.field("csrf"));
    let (Some(secret), Some(token)) = (secret, token) else { return Err(Fault::Csrf) };
    let is_ours = csrf::is_same_origin(visit.request, &visit.origin()) && csrf::token_matches(&secret, &token);
    if is_ours { Ok(()) } else { Err(Fault::Csrf) }
}

async fn show(page: Page, visit: &mut Visit<'_>) -> Result<HttpResponse, Fault> {
    match page {
        Page::Home => Ok(sign_in::home(visit)),
        Page::SignInForm => sign_in::show(visit),
        Page::Usage => usage::show(visit).await,
        Page::UsageCsv => usage::csv::show(visit).await,
        Page::Stream => stream::open(visit).await,
        Page::SignIn | Page::SignOut | Page::Preferences | Page::Asset | Page::CspReport => Err(Fault::NotFound),
    }
}

async fn change(page: Page, visit: &mut Visit<'_>, form: &Form) -> Result<HttpResponse, Fault> {
    match page {
        Page::SignIn => sign_in::sign_in(visit, form).await,
        Page::SignOut => sign_in::sign_out(visit).await,
        Page::Preferences => preferences::update(visit, form).await,
        Page::Home | Page::SignInForm | Page::Usage | Page::UsageCsv | Page::Stream | Page::Asset | Page::CspReport => {
            Err(Fault::NotFound)
        }
    }
}
