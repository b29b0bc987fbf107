//! Origins: which pages may connect and call, by real handshakes; a list that changes concerns whoever comes next.

use super::{assert_open, refused};
use crate::support::rest::{Answer, Rest, answer};
use crate::support::wire::{Wire, text};
use crate::support::{Client, TestServer, until};
use reqwest::Method;
use serde_json::json;

const LISTED: &str = "https://chat.example";
/// Spelled like the listed one, near it, or no origin at all.
const FOREIGN: [&str; 8] = [
    "https://evil.example",
    "http://chat.example",
    "https://chat.example:8443",
    "https://chat.example.evil.example",
    "https://sub.chat.example",
    "https://CHAT.example",
    "null",
    "",
];

/// A manager's calls about the origins of the app.
struct Origins {
    rest: Rest,
    path: String,
}

impl Origins {
    async fn of(server: &TestServer) -> Origins {
        let rest = server.rest_as(&server.manager(&server.founded).await.secret);
        Origins { rest, path: format!("/v1/manage/apps/{}/origins", server.founded.app) }
    }

    async fn add(&self, origin: &str) -> Answer {
        self.rest.post(&self.path, &json!({"origin": origin})).await
    }

    async fn remove(&self, origin: &str) -> Answer {
        self.rest.delete(&format!("{}?origin={origin}", self.path)).await
    }
}

/// A call with a user token from a page.
async fn call(server: &TestServer, origin: &str) -> Answer {
    let rest = server.rest_as(&server.token("alice"));
    answer(rest.request(Method::GET, "/v1/conversations/c").header("origin", origin)).await
}

/// Waits until the node answers a page as it should now.
async fn settled(server: &TestServer, origin: &str, status: u16) {
    until(async || (call(server, origin).await.status == status).then_some(())).await;
}

#[tokio::test]
async fn a_page_connects_and_calls_from_a_listed_origin_only() {
    let server = TestServer::spawn().await;
    server.group("c", &["alice"]).await;
    let token = json!({"token": server.token("alice")});
    let mut open = Client::open_from(&server, FOREIGN[0]).await;
    open.ok("connect", token.clone()).await;
    let origins = Origins::of(&server).await;
    assert_eq!(origins.add(LISTED).await.ok()["items"], json!([LISTED]));
    settled(&server, FOREIGN[0], 403).await;

    for origin in FOREIGN {
        let (error, closed) = refused(Client::open_from(&server, origin).await, token.clone()).await;
        assert_eq!((&error["code"], closed), (&json!("origin_not_allowed"), 4403), "{origin:?}");
        let answer = call(&server, origin).await;
        assert_eq!(answer.refusal(), (403, "origin_not_allowed".to_owned()), "{origin:?}");
        assert!(answer.headers.get("access-control-allow-origin").is_none(), "{origin:?}");
    }
    let mut page = Client::open_from(&server, LISTED).await;
    page.ok("connect", token.clone()).await;
    let mut program = Client::open(&server).await;
    program.ok("connect", token.clone()).await;
    let answer = call(&server, LISTED).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, LISTED));
    assert_eq!(answer.header("vary"), "Origin");
    assert!(answer.headers.get("access-control-allow-credentials").is_none());

    // A list that changes is for whoever comes next: who was let in stays.
    assert_open(&mut open).await;
    origins.add("http://localhost:3000").await.ok();
    origins.remove(LISTED).await.ok();
    settled(&server, LISTED, 403).await;
    settled(&server, "http://localhost:3000", 200).await;
    for client in [&mut page, &mut program, &mut open] {
        assert_open(client).await;
    }
    assert_eq!(refused(Client::open_from(&server, LISTED).await, token.clone()).await.1, 4403);
    // Without a list any page may.
    origins.remove("http://localhost:3000").await.ok();
    settled(&server, "null", 200).await;
    Client::open_from(&server, "null").await.ok("connect", token).await;
}

#[tokio::test]
async fn an_origin_told_twice_is_none() {
    let server = TestServer::spawn().await;
    server.group("c", &["alice"]).await;
    Origins::of(&server).await.add(LISTED).await.ok();
    settled(&server, FOREIGN[0], 403).await;
    let mut wire = Wire::open_at(&server, "/v1/connect", &format!("Origin: {LISTED}\r\nOrigin: {LISTED}\r\n")).await;
    wire.send(&text(&json!({"id": 1, "connect": {"token": server.token("alice")}}).to_string())).await;
    let closed = wire.closed().await;
    assert_eq!((closed.code, closed.why()), (4403, "origin_not_allowed".to_owned()));
    let rest = server.rest_as(&server.token("alice"));
    let twice = rest.request(Method::GET, "/v1/conversations/c").header("origin", LISTED).header("origin", "null");
    assert_eq!(answer(twice).await.refusal(), (403, "origin_not_allowed".to_owned()));
}

#[tokio::test]
async fn patterns_are_no_origins() {
    let server = TestServer::spawn().await;
    let origins = Origins::of(&server).await;
    for pattern in ["*", "https://*.example", "https://*", "null", "https://chat.example/*", ""] {
        assert_eq!(origins.add(pattern).await.refusal(), (422, "invalid_field".to_owned()), "{pattern:?}");
    }
    assert_eq!(origins.rest.get(&origins.path).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn pages_of_other_origins_may_call_with_user_tokens_and_hear_nothing_with_secret_keys() {
    let server = TestServer::spawn().await;
    server.group("c", &["alice"]).await;
    let token = server.token("alice");
    let call = async |method: Method, headers: &[(&str, &str)], credential: Option<&str>| {
        let rest = server.rest_as(credential.unwrap_or("none"));
        let mut request = rest.request(method, "/v1/conversations/c");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request).await
    };
    let page = ("origin", "https://chat.example");
    let ok = call(Method::GET, &[page], Some(&token)).await;
    assert_eq!((ok.status, ok.header("access-control-allow-origin")), (200, "https://chat.example"));
    assert!(ok.headers.get("access-control-allow-credentials").is_none());
    let secret = call(Method::GET, &[page], Some(&server.founded.key)).await;
    assert_eq!(secret.refusal(), (403, "secret_key_in_browser".to_owned()));
    assert!(secret.headers.get("access-control-allow-origin").is_none());
    let preflight = call(Method::OPTIONS, &[page, ("access-control-request-method", "GET")], None).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, "https://chat.example"));
    assert_eq!(
        preflight.header("access-control-allow-headers"),
        "authorization, content-type, idempotency-key, last-event-id, tokenim-heads"
    );
    let other = call(Method::OPTIONS, &[page, ("access-control-request-method", "DELETE")], None).await;
    assert_eq!(other.status, 405, "a method the path does not have");
}
