//! Refusals that every route shares: credentials, methods, paths, bodies, and the headers of every answer.

use crate::support::TestServer;
use crate::support::rest::answer;
use crate::support::token::{now_s, with_claims};
use crate::support::wire::Wire;
use reqwest::Method;
use serde_json::json;
use tokenim_api::{Who, routes};

/// A route's path with ids of nothing.
fn path_of(template: &str) -> String {
    template.replace("{id}", "c1").replace("{user}", "alice")
}

#[tokio::test]
async fn every_route_but_public_ones_needs_a_credential() {
    let server = TestServer::spawn().await;
    let founded = &server.founded;
    let mut typo = founded.key.clone();
    typo.replace_range(20..21, if &typo[20..21] == "a" { "b" } else { "a" });
    let expired = with_claims(founded, "alice", json!({"iat": now_s() - 500, "exp": now_s() - 100}));
    let unknown_kid = crate::support::token::sign(&founded.signing.kid.replace("key_0", "key_1"), &json!({}), "x");
    for route in routes().filter(|route| route.who != Who::Public) {
        for (credential, code) in [
            ("", "unauthenticated"),
            (typo.as_str(), "key_malformed"),
            ("tim_live_sk_", "key_malformed"),
            ("nonsense", "token_invalid"),
            (expired.as_str(), "token_expired"),
            (unknown_kid.as_str(), "token_invalid"),
            ("tims_a.b", "session_invalid"),
        ] {
            let request = server
                .rest_as(credential)
                .request(route.verb.method().as_str().parse().unwrap(), &path_of(route.path))
                .json(&json!({}));
            let answer = answer(request).await;
            assert_eq!(answer.refusal(), (401, code.to_owned()), "{} {}", route.path, credential);
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
}

#[tokio::test]
async fn a_server_key_from_a_browser_or_in_a_url_is_refused() {
    let server = TestServer::spawn().await;
    let request = server.rest().request(Method::GET, "/v1/stats").header("origin", "https://shop.example");
    assert_eq!(answer(request).await.refusal(), (403, "secret_key_in_browser".to_owned()));
    for path in [
        format!("/v1/stats?key={}", server.founded.key),
        format!("/v1/stats?x={}", server.founded.key),
        format!("/v1/stats?token={}", server.token("a")),
    ] {
        assert_eq!(server.rest().get(&path).await.refusal(), (400, "token_in_url".to_owned()));
    }
}

#[tokio::test]
async fn server_routes_refuse_user_tokens() {
    let server = TestServer::spawn().await;
    for route in routes().filter(|route| matches!(route.who, Who::ServerKey(_))) {
        let request = server
            .rest_as(&server.token("alice"))
            .request(route.verb.method().as_str().parse().unwrap(), route.path)
            .json(&json!({}));
        assert_eq!(answer(request).await.refusal(), (403, "forbidden".to_owned()), "{}", route.path);
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let server = TestServer::spawn().await;
    let rest = server.rest();
    for path in ["/v1", "/v1/", "/v1/nothing", "/v1/conversations/c1/nothing", "/v1/tokens/x"] {
        assert_eq!(rest.get(path).await.refusal(), (404, "not_found".to_owned()), "{path}");
    }
    for route in routes() {
        let answer = answer(rest.request(Method::from_bytes(b"PURGE").unwrap(), &path_of(route.path))).await;
        assert_eq!(answer.refusal(), (405, "method_not_allowed".to_owned()), "{}", route.path);
        assert!(answer.header("allow").contains(route.verb.method().as_str()), "{}", route.path);
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_object_are_refused() {
    let server = TestServer::spawn().await;
    for body in [
        "",
        "null",
        "[]",
        "\"x\"",
        "{",
        "{\"user\":\"a\"} x",
        "{\"user\":\"a\",\"user\":\"b\"}",
        "\u{feff}{\"user\":\"a\"}",
    ] {
        let request = server.rest().request(Method::POST, "/v1/tokens").body(body.to_owned());
        assert_eq!(answer(request).await.refusal(), (400, "invalid_request".to_owned()), "{body:?}");
    }
    let deep = format!("{{\"user\":\"a\",\"caps\":{}{}}}", "{\"a\":".repeat(60), "}".repeat(60));
    let request = server.rest().request(Method::POST, "/v1/tokens").body(deep);
    assert_eq!(answer(request).await.refusal().1, "invalid_request");
    let request = server.rest().request(Method::POST, "/v1/tokens").body(b"{\"user\":\"\xff\"}".to_vec());
    assert_eq!(answer(request).await.refusal().1, "invalid_request");
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own_and_is_not_stored() {
    let server = TestServer::spawn().await;
    let mut ids = Vec::new();
    for path in ["/v1/stats", "/v1/openapi.json", "/v1/nothing", "/v1/usage?group=x"] {
        let answer = server.rest().get(path).await;
        assert_eq!(
            (answer.header("cache-control"), answer.header("x-content-type-options"), answer.header("content-type")),
            ("no-store", "nosniff", "application/json"),
            "{path}"
        );
        assert!(answer.header("x-request-id").starts_with("req_"));
        ids.push(answer.header("x-request-id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_announced_or_not() {
    let server = TestServer::spawn().await;
    let large = json!({"user": "x".repeat(300_000)});
    assert_eq!(server.rest().post("/v1/tokens", &large).await.refusal(), (413, "payload_too_large".to_owned()));
    let mut wire = Wire::dial(&server).await;
    let head = format!(
        "POST /v1/tokens HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n",
        server.founded.key
    );
    wire.send(head.as_bytes()).await;
    for _ in 0..40 {
        wire.send(format!("2000\r\n{}\r\n", " ".repeat(0x2000)).as_bytes()).await;
    }
    wire.read_head().await;
    assert!(wire.head.starts_with("HTTP/1.1 413"), "{}", wire.head);
    let long = format!("/v1/stats?x={}", "y".repeat(3_000));
    assert_eq!(server.rest().get(&long).await.refusal(), (414, "url_too_long".to_owned()));
}
