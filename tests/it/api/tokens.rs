//! `POST /v1/tokens`.

use crate::support::client::text_message;
use crate::support::token::now_s;
use crate::support::{Client, TestServer};
use serde_json::json;

#[tokio::test]
async fn a_minted_token_connects_and_calls_as_its_user() {
    let server = TestServer::spawn().await;
    let rest = server.rest();
    let minted = rest.post("/v1/tokens", &json!({"user": "alice"})).await.ok();
    let expires = tokenim_protocol::time::parse(minted["expires_at"].as_str().unwrap()).unwrap() / 1000;
    assert!((expires - 3_600).abs_diff(now_s() as i64) <= 5);
    let token = minted["token"].as_str().unwrap();
    assert_eq!(Client::connect(&server, token).await.welcome["user"], "alice");
    let made = server.rest_as(token).post("/v1/conversations", &json!({"kind": "group", "id": "c1"})).await.ok();
    assert_eq!(made["id"], "c1");
}

#[tokio::test]
async fn ttl_caps_and_label_are_carried() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    server.group("c2", &["alice"]).await;
    let minted = server
        .rest()
        .post("/v1/tokens", &json!({"user": "alice", "ttl_s": 60, "caps": {"c1": ["send", "read"]}, "label": "acme"}))
        .await
        .ok();
    let mut alice = Client::connect(&server, minted["token"].as_str().unwrap()).await;
    assert!(alice.welcome["expires_in_s"].as_i64().unwrap() <= 60);
    assert_eq!(alice.send("c1", "m1", "x").await["seq"], 2);
    assert_eq!(alice.refused("send", text_message("c2", "m1", "x")).await["code"], "forbidden");
}

#[tokio::test]
async fn a_token_that_cannot_be_is_refused() {
    let server = TestServer::spawn().await;
    for (body, refusal) in [
        (json!({}), (400, "invalid_request")),
        (json!({"user": "a b"}), (422, "invalid_field")),
        (json!({"user": "alice", "ttl_s": 0}), (422, "invalid_field")),
        (json!({"user": "alice", "ttl_s": 86_401}), (422, "invalid_field")),
        (json!({"user": "alice", "label": ""}), (422, "invalid_field")),
        (json!({"user": "alice", "caps": {"a*b": ["read"]}}), (400, "invalid_request")),
        (json!({"user": "alice", "caps": {"a": ["fly"]}}), (400, "invalid_request")),
        (json!({"user": "alice", "role": "admin"}), (400, "invalid_request")),
    ] {
        let (status, code) = server.rest().post("/v1/tokens", &body).await.refusal();
        assert_eq!((status, code.as_str()), refusal, "{body}");
    }
}

#[tokio::test]
async fn only_a_server_key_mints() {
    let server = TestServer::spawn().await;
    let rest = server.rest_as(&server.token("alice"));
    assert_eq!(rest.post("/v1/tokens", &json!({"user": "bob"})).await.refusal(), (403, "forbidden".to_owned()));
}
