//! The console through its front door, over a real store: what its tests share.
mod account;
mod announcements;
mod docs;
mod operator;
mod rights;
mod rim;
mod sessions;
mod stream;
mod totp;

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
    mail::{Mail, Matter},
    rng::SystemRng,
    secret::Secret,
};
use tokenim_store::{Durability, Settings, Store};
use tokio_util::sync::CancellationToken;
use totp_rs::{Algorithm, Builder};

use crate::{Console, Live, Ports, Verb, Who, configure, routes, session};

const EMAIL: &str = "dev@example.com";
const PASSWORD: &str = "correct horse battery staple";
/// Somebody who is not known yet.
const NEW: &str = "ada@example.com";

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
    data: TempDir,
}

async fn open(data: &TempDir, clock: &Arc<TestClock>) -> Store {
    let settings = Settings { data: data.path().to_owned(), postgres: None, durability: Durability::Full };
    Store::open(&settings, clock.clone(), Arc::new(SystemRng)).await.unwrap().store
}

fn console(store: Store) -> web::Data<Console> {
    let ports = Ports {
        store,
        live: Arc::new(Fixed),
        public_origin: Some("https://console.example".into()),
        tls: false,
        outbox: None,
        stop: CancellationToken::new(),
    };
    web::Data::new(Console::new(ports).unwrap())
}

async fn face() -> Face {
    let data = TempDir::new().unwrap();
    let clock = Arc::new(TestClock(AtomicI64::new(1_795_615_503_000)));
    let store = open(&data, &clock).await;
    let new = |email: &str, org: &str, password| Bootstrap {
        email: email.into(),
        org: org.into(),
        app: "Shop".into(),
        password,
    };
    let own = bootstrap(&store, new(EMAIL, "Northwind <b>", Some(Secret::new(PASSWORD.into())))).await.unwrap();
    let foreign = bootstrap(&store, new("other@example.com", "Other", None)).await.unwrap();
    Face { clock, console: console(store), app: own.org.app.app, foreign_app: foreign.org.app.app, data }
}

type Answer = ServiceResponse<BoxBody>;

impl Face {
    /// Closes the store, writes `to` over the first `from` in its file, and opens it again.
    async fn alter(&mut self, from: &[u8], to: &[u8]) {
        self.console.store.close().await;
        let file = self.data.path().join("tokenim.db");
        let mut bytes = std::fs::read(&file).unwrap();
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to);
        std::fs::write(file, bytes).unwrap();
        self.console = console(open(&self.data, &self.clock).await);
    }

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

    fn advance(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// The mails that are due.
    async fn mails(&self) -> Vec<Mail> {
        let store = &self.console.store;
        let mut mails = Vec::new();
        for job in store.claim_jobs(100).await.unwrap() {
            mails.push(serde_json::from_slice(&store.open_job(&job).unwrap()).unwrap());
            assert!(store.finish_job(&job).await.unwrap());
        }
        mails
    }

    /// Opens the page of a form before sign-in, fills it in and sends it. Returns the answer.
    async fn fill(&self, page: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
        let answer = self.get(page, cookie).await;
        let form_cookie = cookie_of(&answer, "__Host-tim-form");
        let html = text_of(answer).await;
        let token = token_of(&html);
        assert!(!token.is_empty(), "{page}: {html}");
        let mut all = vec![("csrf", token.as_str())];
        all.extend_from_slice(fields);
        let path = page.split('?').next().unwrap();
        self.post(path, &format!("{cookie}; {form_cookie}"), &all).await
    }

    /// Sends a form of the account page, or of another page of the signed-in.
    async fn send(&self, page: &str, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
        let html = text_of(self.get(page, cookie).await).await;
        let (token, nonce) = (token_of(&html), nonce_of(&html));
        let mut all = vec![("csrf", token.as_str()), ("nonce", nonce.as_str())];
        all.extend_from_slice(fields);
        self.post(path, cookie, &all).await
    }

    /// Signs up and returns the session's cookie.
    async fn sign_up(&self, email: &str) -> String {
        let answer = self.fill("/sign-up", "", &[("email", email), ("new_password", PASSWORD)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", text_of(answer).await);
        cookie_of(&answer, "__Host-tim")
    }

    async fn try_sign_in(&self, password: &str) -> Answer {
        self.fill("/sign-in", "", &[("email", EMAIL), ("password", password)]).await
    }

    /// Switches the second factor on; the seed and the recovery codes.
    async fn switch_on(&self, cookie: &str) -> (String, Vec<u8>, Vec<String>) {
        let page = "/console/account/totp";
        let before = text_of(self.get(page, cookie).await).await;
        assert!(!before.contains("class=\"qr\""), "opening the page writes no seed");
        let begun = self.send(page, "/console/account/totp/begin", cookie, &[]).await;
        assert_eq!((begun.status(), location(&begun)), (StatusCode::SEE_OTHER, page));
        let again = self.send(page, "/console/account/totp/begin", cookie, &[]).await;
        assert_eq!(again.status(), StatusCode::SEE_OTHER);
        let html = text_of(self.get(page, cookie).await).await;
        let secret = html.split("<code>").nth(1).unwrap().split('<').next().unwrap().replace(' ', "");
        let seed = totp_rs::Secret::try_from_base32(&secret).unwrap().as_ref().to_vec();
        let code = self.code(&seed);
        let done = self.send(page, page, cookie, &[("code", &code)]).await;
        assert_eq!(done.status(), StatusCode::OK);
        let cookie = cookie_of(&done, "__Host-tim");
        let html = text_of(done).await;
        let codes = html.split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        (cookie, seed, codes.collect())
    }

    /// The code of now.
    fn code(&self, seed: &[u8]) -> String {
        let totp = Builder::new().with_algorithm(Algorithm::SHA1).with_secret(seed.to_vec()).build().unwrap();
        totp.generate(u64::try_from(self.clock.now_ms()).unwrap() / 1000).to_string()
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

fn nonce_of(html: &str) -> String {
    html.split("name=\"nonce\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

/// Path and query of the link in a mail.
fn link(mail: &Mail) -> String {
    match &mail.matter {
        Matter::VerifyAddress { path, .. } | Matter::ResetPassword { path, .. } => path.clone(),
        other => panic!("{other:?} has no link"),
    }
}

fn token_in(link: &str) -> &str {
    link.split("token=").nth(1).unwrap()
}

fn flash_of(answer: &Answer) -> String {
    let lines = header_list(answer, "set-cookie");
    let line = lines.iter().find(|line| line.starts_with("tim_flash=")).cloned().unwrap_or_default();
    line.split(';').next().unwrap_or_default().to_owned()
}

fn header_list(answer: &Answer, name: &str) -> Vec<String> {
    answer.headers().get_all(name).map(|value| value.to_str().unwrap().to_owned()).collect()
}

/// Answers differ by request id and time only.
fn without_request(html: &str) -> String {
    html.split("<dl").next().unwrap_or_default().to_owned()
}
