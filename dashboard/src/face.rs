//! The console through its front door, over a real store: sessions, form tokens, refusals, headers, the stream's life.
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use actix_web::{
    App,
    body::{BoxBody, MessageBody},
    dev::{Service, ServiceResponse},
    http::{Method, StatusCode},
    test::{self, TestRequest},
    web,
};
use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tokenim_control::bootstrap::{Bootstrap, bootstrap};
use tokenim_domain::{
    Code, Error,
    clock::Clock,
    id::AppId,
    log::{Outcome, Write},
    rng::SystemRng,
    secret::Secret,
};
use tokenim_store::{Durability, Settings, Store};
use tokio_util::sync::CancellationToken;

mod account;
mod rights;

use crate::{Console, Live, Ports, Verb, Who, configure, routes, session};

mod operator;

const EMAIL: &str = "dev@example.com";
const PASSWORD: &str = "correct horse battery staple";

/// A clock that tests advance.
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.now_ms() as u64)
    }
}

/// A gateway that always tells the same.
pub(crate) struct Fixed;

impl Live for Fixed {
    fn connections(&self, _: AppId) -> u64 {
        7
    }

    fn steps(&self, _: AppId) -> tokenim_gateway::checkpoints::Steps {
        Default::default()
    }

    fn write(&self, _: Write) -> BoxFuture<'_, Result<Outcome, Error>> {
        Box::pin(async { Err(Code::Unavailable.into()) })
    }

    fn all_connections(&self) -> u64 {
        14
    }

    fn lately(&self, _: AppId) -> crate::Lately {
        Default::default()
    }

    fn health(&self) -> crate::Health {
        Default::default()
    }
}

struct Face {
    clock: Arc<TestClock>,
    console: web::Data<Console>,
    app: AppId,
    foreign_app: AppId,
    _data: TempDir,
}

async fn face() -> Face {
    let data = TempDir::new().unwrap();
    let clock = Arc::new(TestClock(AtomicI64::new(1_795_615_503_000)));
    let settings = Settings { data: data.path().to_owned(), postgres: None, durability: Durability::Full };
    let store = Store::open(&settings, clock.clone(), Arc::new(SystemRng)).await.unwrap().store;
    let new = |email: &str, org: &str, password| Bootstrap {
        email: email.into(),
        org: org.into(),
        app: "Shop".into(),
        password,
    };
    let own = bootstrap(&store, new(EMAIL, "Northwind <b>", Some(Secret::new(PASSWORD.into())))).await.unwrap();
    let foreign = bootstrap(&store, new("other@example.com", "Other", None)).await.unwrap();
    let ports = Ports {
        store,
        live: Arc::new(Fixed),
        public_origin: Some("https://console.example".into()),
        tls: false,
        outbox: None,
        stop: CancellationToken::new(),
    };
    Face {
        clock,
        console: web::Data::new(Console::new(ports).unwrap()),
        app: own.org.app.app,
        foreign_app: foreign.org.app.app,
        _data: data,
    }
}

type Answer = ServiceResponse<BoxBody>;

impl Face {
    async fn service(&self) -> impl Service<actix_http::Request, Response = Answer, Error = actix_web::Error> {
        test::init_service(App::new().app_data(self.console.clone()).configure(configure)).await
    }

    async fn ask(&self, request: TestRequest) -> Answer {
        let request = request.insert_header(("host", "console.example")).to_request();
        self.service().await.call(request).await.unwrap()
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.ask(TestRequest::get().uri(path).insert_header(("cookie", cookie))).await
    }

    async fn post(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
        let request = TestRequest::post()
            .uri(path)
            .insert_header(("cookie", cookie))
            .insert_header(("sec-fetch-site", "same-origin"));
        self.ask(request.set_form(fields)).await
    }

    /// Signs in as a person would and returns the session's cookie.
    async fn sign_in(&self, cookie_before: &str) -> String {
        let page = self.get("/sign-in", cookie_before).await;
        let form_cookie = cookie_of(&page, "__Host-tim-form");
        let token = token_of(&text_of(page).await);
        let cookies = format!("{cookie_before}; {form_cookie}");
        let answer = self
            .post(
                "/sign-in",
                &cookies,
                &[("csrf", &token), ("email", EMAIL), ("password", PASSWORD), ("next", "/console/usage?range=7d")],
            )
            .await;
        assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, "/console/usage?range=7d"));
        cookie_of(&answer, "__Host-tim")
    }
}

async fn text_of(answer: Answer) -> String {
    String::from_utf8(test::read_body(answer).await.to_vec()).unwrap()
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

fn location(answer: &Answer) -> &str {
    header(answer, "location")
}

fn cookie_of(answer: &Answer, name: &str) -> String {
    let mut lines = answer.headers().get_all("set-cookie").map(|value| value.to_str().unwrap());
    let line = lines.rfind(|line| line.starts_with(&format!("{name}="))).unwrap_or_default();
    assert!(
        line.is_empty()
            || (line.contains("; Secure") && line.contains("; HttpOnly") && line.contains("; SameSite=Lax")),
        "{line}"
    );
    line.split(';').next().unwrap_or_default().to_owned()
}

fn token_of(html: &str) -> String {
    html.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

/// Answers differ by request id and time only.
fn without_request(html: &str) -> String {
    html.split("<dl").next().unwrap_or_default().to_owned()
}

/// A route's path with something in the places of its placeholders.
fn address(path: &str) -> String {
    path.replace(['{', '}'], "")
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
    }
}

#[actix_web::test]
async fn every_route_and_every_refusal_carries_the_headers() {
    let face = face().await;
    let signed_in = face.sign_in("").await;
    let listed = routes().map(|spec| (method(spec.verb), address(spec.path)));
    let refused = [
        (Method::GET, "/none"),
        (Method::DELETE, "/sign-in"),
        (Method::POST, "/console/usage"),
        (Method::GET, "/sign-out"),
    ]
    .map(|(method, path)| (method, path.to_owned()));
    for (method, path) in listed.chain(refused) {
        for cookie in ["", signed_in.as_str()] {
            let answer = face
                .ask(TestRequest::default().method(method.clone()).uri(&path).insert_header(("cookie", cookie)))
                .await;
            let name = format!("{method} {path} {}", answer.status());
            assert!(
                header(&answer, "content-security-policy")
                    .starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
                "{name}"
            );
            assert!(header(&answer, "content-security-policy").ends_with("report-uri /csp-report"), "{name}");
            for (header_name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cross-origin-resource-policy", "same-origin"),
                ("strict-transport-security", "max-age=31536000"),
                ("cache-control", "no-store"),
                ("vary", "Accept-Language, Cookie, Accept-Encoding"),
            ] {
                assert_eq!(header(&answer, header_name), value, "{name}: {header_name}");
            }
            assert!(header(&answer, "x-request-id").starts_with("req_"), "{name}");
        }
    }
}

#[actix_web::test]
async fn routes_for_the_signed_in_need_a_session_and_posts_need_a_token() {
    let face = face().await;
    let signed_in = face.sign_in("").await;
    for spec in routes() {
        let request = |cookie: &str| {
            TestRequest::default()
                .method(method(spec.verb))
                .uri(&address(spec.path))
                .insert_header(("cookie", cookie))
                .insert_header(("sec-fetch-site", "same-origin"))
        };
        if spec.who != Who::Public {
            let answer = face.ask(request("__Host-tim=AAAAAAAAAAAAAAAAAAAAAA")).await;
            let expected = match spec.who {
                Who::Operator => StatusCode::NOT_FOUND,
                _ if spec.path == "/console/stream" || spec.path.ends_with("/checkpoints") => StatusCode::UNAUTHORIZED,
                _ => StatusCode::SEE_OTHER,
            };
            assert_eq!(answer.status(), expected, "{spec:?}");
        }
        if spec.who == Who::Operator {
            let answer = face.ask(request(&signed_in)).await;
            assert_eq!(location(&answer), "/console/operator", "a console session opens no operator page: {spec:?}");
        } else if spec.verb == Verb::Post && spec.path != "/csp-report" {
            let answer = face.ask(request(&signed_in)).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{spec:?}");
            assert!(text_of(answer).await.contains("csrf_failed"), "{spec:?}");
        }
    }
}

#[actix_web::test]
async fn a_token_works_only_from_our_own_pages_and_for_its_own_session() {
    let face = face().await;
    let (one, two) = (face.sign_in("").await, face.sign_in("").await);
    let token = token_of(&text_of(face.get("/console/usage", &one).await).await);
    let again = token_of(&text_of(face.get("/console/usage", &one).await).await);
    assert_ne!(token, again, "masked anew for every answer");
    let send = |cookie: &str, site: Option<(&str, &str)>| {
        let request = TestRequest::post().uri("/console/preferences").insert_header(("cookie", cookie));
        let request = site.into_iter().fold(request, |request, header| request.insert_header(header));
        face.ask(request.set_form([("csrf", token.as_str()), ("theme", "dark"), ("return_to", "/console/usage")]))
    };
    for (cookie, site, expected) in [
        (&one, Some(("sec-fetch-site", "same-origin")), StatusCode::SEE_OTHER),
        (&one, Some(("origin", "https://console.example")), StatusCode::SEE_OTHER),
        (&one, None, StatusCode::FORBIDDEN),
        (&one, Some(("sec-fetch-site", "cross-site")), StatusCode::FORBIDDEN),
        (&one, Some(("origin", "https://evil.example")), StatusCode::FORBIDDEN),
        (&two, Some(("sec-fetch-site", "same-origin")), StatusCode::FORBIDDEN),
    ] {
        assert_eq!(send(cookie, site).await.status(), expected, "{site:?}");
    }
}

#[actix_web::test]
async fn signing_in_makes_a_new_session_and_ends_the_old_one() {
    let face = face().await;
    let old = face.sign_in("").await;
    assert_eq!(face.get("/console/usage", &old).await.status(), StatusCode::OK);
    let answer = face.get("/sign-in", &old).await;
    assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, "/console/overview"));
    let planted = "__Host-tim=AAAAAAAAAAAAAAAAAAAAAA";
    let new = face.sign_in(planted).await;
    assert!(new != planted && new != old);
    assert_eq!(face.get("/console/usage", planted).await.status(), StatusCode::SEE_OTHER);
    let token = token_of(&text_of(face.get("/console/usage", &new).await).await);
    let out = face.post("/sign-out", &new, &[("csrf", &token)]).await;
    assert_eq!((out.status(), location(&out)), (StatusCode::SEE_OTHER, "/sign-in"));
    assert_eq!(
        face.get("/console/usage", &new).await.status(),
        StatusCode::SEE_OTHER,
        "the cookie alone is worth nothing"
    );
}

#[actix_web::test]
async fn proof_that_it_is_them_takes_the_password_and_gives_a_new_cookie() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let page = text_of(face.get("/console/prove?next=/console/usage?range=7d", &cookie).await).await;
    assert!(page.contains("value=\"/console/usage?range=7d\""), "{page}");
    let token = token_of(&page);
    let prove = async |password: &str| {
        let fields = [("csrf", token.as_str()), ("password", password), ("next", "/console/usage?range=7d")];
        face.post("/console/prove", &cookie, &fields).await
    };
    let refused = prove("wrong horse battery staple").await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let html = text_of(refused).await;
    assert!(html.contains("href=\"#password\"") && html.contains("autofocus") && !html.contains("wrong horse"));
    let done = prove(PASSWORD).await;
    assert_eq!((done.status(), location(&done)), (StatusCode::SEE_OTHER, "/console/usage?range=7d"));
    let new = cookie_of(&done, "__Host-tim");
    assert_ne!(new, cookie);
    assert_eq!(
        face.get("/console/usage", &cookie).await.status(),
        StatusCode::SEE_OTHER,
        "the old one is worth nothing"
    );
    assert_eq!(face.get("/console/usage", &new).await.status(), StatusCode::OK);
    for _ in 0..5 {
        let token = token_of(&text_of(face.get("/console/prove", &new).await).await);
        face.post("/console/prove", &new, &[("csrf", &token), ("password", "wrong horse battery staple")]).await;
    }
    let token = token_of(&text_of(face.get("/console/prove", &new).await).await);
    let limited = face.post("/console/prove", &new, &[("csrf", &token), ("password", PASSWORD)]).await;
    assert_eq!(limited.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[actix_web::test]
async fn the_navigation_shows_what_there_is_and_where_one_is() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let page = text_of(face.get("/console/usage", &cookie).await).await;
    let links: Vec<&str> = page
        .split("class=\"side-group\"")
        .skip(1)
        .flat_map(|group| group.split("<a href=\"").skip(1).filter_map(|rest| rest.split('"').next()))
        .collect();
    assert!(links.contains(&"/console/usage"), "{links:?}");
    for link in links {
        let is_page = routes().any(|spec| spec.verb == Verb::Get && routes::fits(spec.path, link));
        assert!(is_page, "{link} leads nowhere");
    }
    assert_eq!(page.matches("aria-current=\"page\"").count(), 2, "beside and below the page");
}

#[actix_web::test]
async fn a_session_ends_when_idle_and_at_its_age() {
    let face = face().await;
    let advance = |ms: i64| face.clock.0.fetch_add(ms, Ordering::SeqCst);
    let cookie = face.sign_in("").await;
    advance(session::IDLE_MS - 1);
    assert_eq!(face.get("/console/usage", &cookie).await.status(), StatusCode::OK);
    advance(session::IDLE_MS);
    assert_eq!(face.get("/console/usage", &cookie).await.status(), StatusCode::SEE_OTHER);
    let cookie = face.sign_in("").await;
    let steps = session::AGE_MS / (session::IDLE_MS / 2);
    for step in 1..=steps {
        advance(session::IDLE_MS / 2);
        let expected = if step < steps { StatusCode::OK } else { StatusCode::SEE_OTHER };
        assert_eq!(face.get("/console/usage", &cookie).await.status(), expected, "step {step}");
    }
}

#[actix_web::test]
async fn a_foreign_app_and_an_unknown_one_read_the_same() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let own = face.get(&format!("/console/usage?app={}", face.app), &cookie).await;
    assert_eq!(own.status(), StatusCode::OK);
    let own = text_of(own).await;
    assert!(own.contains("Northwind &#60;b&#62;") && !own.contains("Northwind <b>"));
    assert!(!own.contains(&face.foreign_app.to_string()));
    for path in ["/console/usage", "/console/usage.csv", "/console/stream"] {
        let mut pages = Vec::new();
        for app in [face.foreign_app.to_string(), "app_00000000000000000000000001".to_owned()] {
            let answer = face.get(&format!("{path}?app={app}"), &cookie).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
            pages.push(without_request(&text_of(answer).await).replace(&app, "as asked"));
        }
        assert_eq!(pages[0], pages[1], "{path}");
    }
}

#[actix_web::test]
async fn unreadable_filters_and_other_hosts_are_refused() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    for query in ["range=1y", "app=x", "page=2", "range=custom&from=2026-11-26T00:00&to=2026-11-25T00:00"] {
        let answer = face.get(&format!("/console/usage?{query}"), &cookie).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
        assert!(text_of(answer).await.contains("Reset the filters"), "{query}");
    }
    let request = TestRequest::get().uri("/sign-in").insert_header(("host", "evil.example")).to_request();
    let answer = face.service().await.call(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST);
    assert!(!text_of(answer).await.contains("evil.example"));
}

#[actix_web::test]
async fn no_page_links_to_a_host_that_the_address_named() {
    let face = face().await;
    for path in ["//evil.example/x", "/\\evil.example", "//evil.example/console/usage?range=24h"] {
        let answer = face.get(path, "").await;
        assert!(!text_of(answer).await.contains("evil.example"), "{path}");
    }
}

#[actix_web::test]
async fn asking_for_the_streams_head_opens_no_stream() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let request = TestRequest::default().method(Method::HEAD).uri("/console/stream").insert_header(("cookie", cookie));
    let answer = face.ask(request).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(test::read_body(answer).await.is_empty());
}

#[actix_web::test]
async fn the_language_is_asked_chosen_or_accepted_in_that_order() {
    let face = face().await;
    let spoken = async |path: &str, cookie: &str, accept: &str| {
        let request =
            TestRequest::get().uri(path).insert_header(("cookie", cookie)).insert_header(("accept-language", accept));
        let html = text_of(face.ask(request).await).await;
        html.split("<html lang=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    };
    assert_eq!(spoken("/sign-in", "", "zh-CN,zh;q=0.9").await, "zh-CN");
    assert_eq!(spoken("/sign-in", "tim_language=en", "zh-CN").await, "en");
    assert_eq!(spoken("/sign-in?lang=zh-CN", "tim_language=en", "en").await, "zh-CN");
    assert_eq!(spoken("/sign-in?lang=xx", "", "fr").await, "en");
    let cookie = face.sign_in("").await;
    let token = token_of(&text_of(face.get("/console/usage", &cookie).await).await);
    face.post(
        "/console/preferences",
        &cookie,
        &[("csrf", &token), ("language", "zh-CN"), ("return_to", "/console/usage")],
    )
    .await;
    assert_eq!(spoken("/console/usage", &cookie, "en").await, "zh-CN", "kept with the account");
}

#[actix_web::test]
async fn guessing_is_slowed_down_with_the_form_kept() {
    let face = face().await;
    let page = face.get("/sign-in", "").await;
    let cookie = cookie_of(&page, "__Host-tim-form");
    let token = token_of(&text_of(page).await);
    let fields =
        [("csrf", token.as_str()), ("email", "Dev@Example.com "), ("password", "wrong password"), ("next", "")];
    for _ in 0..5 {
        assert_eq!(face.post("/sign-in", &cookie, &fields).await.status(), StatusCode::UNAUTHORIZED);
    }
    let answer = face.post("/sign-in", &cookie, &fields).await;
    assert_eq!((answer.status(), header(&answer, "retry-after")), (StatusCode::TOO_MANY_REQUESTS, "60"));
    let html = text_of(answer).await;
    assert!(html.contains("value=\"dev@example.com\"") && !html.contains("wrong password"));
    let huge = "x".repeat(20_000);
    let answer = face.post("/sign-in", &cookie, &[("csrf", &token), ("email", &huge), ("password", "x")]).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[actix_web::test]
async fn the_stream_begins_with_the_full_state_and_ends_with_the_session() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let answer = face.get("/console/stream?topics=figures,chart,rows", &cookie).await;
    assert_eq!(header(&answer, "content-type"), "text/event-stream");
    assert_eq!(header(&answer, "x-accel-buffering"), "no");
    let mut body = Box::pin(answer.into_body());
    let mut next = async || {
        let chunk = std::future::poll_fn(|context| body.as_mut().poll_next(context));
        tokio::time::timeout(Duration::from_secs(5), chunk)
            .await
            .unwrap()
            .map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap())
    };
    assert_eq!(next().await.as_deref(), Some(": open\n\n"));
    let first = next().await.unwrap();
    for wanted in
        ["id: 1795615503000\n", "event: chart\n", "#usage-total", "#usage-connections", "#usage-rows", "#usage-buckets"]
    {
        assert!(first.contains(wanted), "{wanted} in {first}");
    }
    face.clock.0.fetch_add(1000, Ordering::SeqCst);
    let second = next().await.unwrap();
    assert!(second.contains("#usage-complete") && !second.contains("#usage-rows"), "only what changed: {second}");
    let token = token_of(&text_of(face.get("/console/usage", &cookie).await).await);
    face.post("/sign-out", &cookie, &[("csrf", &token)]).await;
    assert!(next().await.unwrap().contains("event: gone"));
    assert_eq!(next().await, None);
    assert_eq!(face.get("/console/stream", &cookie).await.status(), StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn the_stream_ends_when_the_process_stops() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let answer = face.get("/console/stream", &cookie).await;
    face.console.stop.cancel();
    let all = tokio::time::timeout(Duration::from_secs(5), test::read_body(answer)).await;
    assert!(all.is_ok());
}

#[actix_web::test]
async fn files_are_kept_for_ever_under_their_hash() {
    let face = face().await;
    for asset in face.console.assets.iter() {
        let plain = face.get(&asset.path, "").await;
        assert_eq!(plain.status(), StatusCode::OK);
        assert_eq!(header(&plain, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(test::read_body(plain).await, asset.plain);
        let gzip = face.ask(TestRequest::get().uri(&asset.path).insert_header(("accept-encoding", "gzip, br"))).await;
        assert_eq!(header(&gzip, "content-encoding"), "gzip");
        assert_eq!(test::read_body(gzip).await, asset.gzip);
    }
}
