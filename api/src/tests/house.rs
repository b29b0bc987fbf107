//! A face over a store in a temporary folder, with a clock in hand.

use super::schema;
use crate::{Api, configure};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{App, test};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokenim_domain::actor::{Acting, Actor, Right};
use tokenim_domain::clock::Clock;
use tokenim_domain::mail::Mail;
use tokenim_domain::rng::SystemRng;
use tokenim_domain::role::{Mode, OrgRole};
use tokenim_gateway::bus::LocalBus;
use tokenim_gateway::limits::Limits;
use tokenim_gateway::verifier::{Lookups, Verifier};
use tokenim_gateway::{Gateway, Parts};
use tokenim_store::{Durability, FoundedOrg, NewOrg, Settings, Store};

/// A clock that moves when told.
pub(super) struct Hand(AtomicI64);

impl Clock for Hand {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed).unsigned_abs())
    }
}

/// One server, with the org, app and keys `alpha`.
pub(super) struct House {
    pub(super) api: Api,
    pub(super) alpha: FoundedOrg,
    clock: Arc<Hand>,
    _folder: tempfile::TempDir,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) json: Value,
}

impl Answer {
    /// The code of a refusal.
    pub(super) fn code(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or("no error")
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The answer without what differs between any two requests.
    pub(super) fn faceless(mut self) -> (u16, Value, Vec<(String, String)>) {
        if let Some(error) = self.json.get_mut("error") {
            error["request_id"] = Value::Null;
        }
        self.headers.remove("x-request-id");
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        headers.sort();
        (self.status, self.json, headers)
    }
}

impl House {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(1_800_000_000_000)));
        let settings = Settings { data: folder.path().join("data"), postgres: None, durability: Durability::Full };
        let store = Store::open(&settings, clock.clone(), Arc::new(SystemRng)).await.unwrap().store;
        let api = Api::new(store.clone(), gateway(&store), "https://chat.example");
        let alpha = founded(&store, "alpha").await;
        House { api, alpha, clock, _folder: folder }
    }

    /// Another org with its own app on the same server.
    pub(super) async fn founded(&self, name: &str) -> FoundedOrg {
        founded(&self.api.store, name).await
    }

    /// The same on that plan, with a verified owner or not.
    pub(super) async fn founded_with(&self, name: &str, plan: &'static str, is_verified: bool) -> FoundedOrg {
        self.api.store.found_org(&NewOrg { plan, is_verified, ..new_org(name) }).await.unwrap()
    }

    /// The same with a test app, whose limits are its own.
    pub(super) async fn founded_test(&self, name: &str, is_verified: bool) -> FoundedOrg {
        let new = NewOrg { plan: "basic", mode: Mode::Test, is_verified, ..new_org(name) };
        self.api.store.found_org(&new).await.unwrap()
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The mails that are due.
    pub(super) async fn mails(&self) -> Vec<Mail> {
        let store = &self.api.store;
        let mut mails = Vec::new();
        for job in store.claim_jobs(100).await.unwrap() {
            mails.push(serde_json::from_slice(&store.open_job(&job).unwrap()).unwrap());
            assert!(store.finish_job(&job).await.unwrap());
        }
        mails
    }

    pub(super) fn pass(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::Relaxed);
    }

    /// A request with these headers; every answer is checked against the document.
    pub(super) async fn raw(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let service = test::init_service(App::new().configure(configure(&self.api))).await;
        let mut request = test::TestRequest::with_uri(path).method(method.clone()).set_payload(body);
        for (name, value) in headers {
            request =
                request.append_header((HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap()));
        }
        let response = test::call_service(&service, request.to_request()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let json: Value = serde_json::from_slice(&test::read_body(response).await).expect("every answer is JSON");
        schema::check(method.as_str(), path, status, &json);
        Answer { status, headers, json }
    }

    pub(super) async fn call(&self, credential: &str, method: Method, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.raw(method, path, &[("authorization", &format!("Bearer {credential}"))], body).await
    }

    pub(super) async fn get(&self, credential: &str, path: &str) -> Answer {
        self.call(credential, Method::GET, path, Value::Null).await
    }

    pub(super) async fn post(&self, credential: &str, path: &str, body: Value) -> Answer {
        self.call(credential, Method::POST, path, body).await
    }

    /// The server key of `alpha`.
    pub(super) fn key(&self) -> &str {
        self.alpha.key.expose()
    }

    /// An owner of `alpha`.
    pub(super) fn acting(&self) -> Acting {
        Acting {
            org: self.alpha.app.org,
            right: Right::Role(OrgRole::Owner),
            actor: Actor::person(self.alpha.account, None),
        }
    }

    /// A management key of `alpha` in the role of an owner.
    pub(super) async fn manager(&self) -> String {
        super::sample::management_key(self, &self.acting(), OrgRole::Owner).await.1
    }

    /// An operator key.
    pub(super) async fn operator(&self) -> String {
        let (_, secret) = tokenim_control::operator_keys::create(&self.api.store, "test").await.unwrap();
        secret.expose().to_owned()
    }

    /// A user token of `alpha`, with more fields of the call.
    pub(super) async fn token(&self, user: &str, more: Value) -> String {
        let mut body = json!({"user": user});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let answer = self.post(self.key(), "/v1/tokens", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json["token"].as_str().unwrap().to_owned()
    }

    /// A group of `alice` (owner) and `bob` in `alpha`.
    pub(super) async fn group(&self, id: &str) {
        let answer = self
            .post(self.key(), "/v1/conversations", json!({"kind": "group", "members": ["alice", "bob"], "id": id}))
            .await;
        assert_eq!((answer.status, answer.json["existed"].as_bool()), (200, Some(false)), "{answer:?}");
    }

    /// Sends a text of alice.
    pub(super) async fn send(&self, conversation: &str, client_msg_id: &str, text: &str) -> Answer {
        let body = json!({"sender": "alice", "client_msg_id": client_msg_id, "kind": "text", "body": {"text": text}});
        self.post(self.key(), &format!("/v1/conversations/{conversation}/messages"), body).await
    }
}

fn gateway(store: &Store) -> Gateway<Store> {
    let (signing, minters) = (store.clone(), store.clone());
    let lookups = Lookups {
        signing: Arc::new(move |kid| {
            let store = signing.clone();
            Box::pin(async move { store.find_signing_key(kid).await })
        }),
        minter: Arc::new(move |app, key| {
            let store = minters.clone();
            Box::pin(async move { store.find_standing(app, key).await })
        }),
    };
    let verifier = Verifier::new(lookups, store.master().clone(), store.clock().clone());
    let (clock, rng) = (store.clock().clone(), store.rng().clone());
    let terms = Arc::new(store.clone());
    let limits = Limits::default();
    Gateway::start(Parts { log: terms.clone(), bus: LocalBus::default(), verifier, terms, clock, rng, limits })
}

async fn founded(store: &Store, name: &str) -> FoundedOrg {
    store.found_org(&new_org(name)).await.unwrap()
}

fn new_org(name: &str) -> NewOrg {
    NewOrg {
        email: format!("{name}@example.com"),
        password_hash: String::new(),
        org: name.to_owned(),
        app: name.to_owned(),
        mode: Mode::Live,
        plan: "operator",
        is_verified: true,
        is_operator: false,
        language: None,
    }
}
