//! Users an app does not know: it lets them in, or not.

use super::ended;
use crate::support::page::Console;
use crate::support::rest::answer;
use crate::support::{Client, TestServer};
use reqwest::Method;
use serde_json::json;

/// A server whose app refuses whom it does not know, from the start.
async fn refusing() -> TestServer {
    let mut server = TestServer::spawn().await;
    let manager = server.manager(&server.founded).await;
    let path = format!("/v1/manage/apps/{}", server.founded.app);
    let set = async |rule| {
        answer(server.rest_as(&manager.secret).request(Method::PATCH, &path).json(&json!({"unknown_users": rule})))
            .await
    };
    assert_eq!(set("sometimes").await.refusal().1, "invalid_field");
    assert_eq!(set("refuse").await.ok()["unknown_users"], "refuse");
    // A process that runs learns of it within two seconds, one that starts at once.
    server.kill();
    server.start().await;
    server
}

#[tokio::test]
async fn an_app_may_refuse_users_it_does_not_know() {
    let server = refusing().await;
    let refused = async |user: &str| {
        let mut client = Client::open(&server).await;
        let error = client.refused("connect", json!({"token": server.token(user)})).await;
        assert_eq!((&error["code"], &error["retryable"]), (&json!("forbidden"), &json!(false)), "{error}");
        assert_eq!(ended(&mut client).await, (4403, "forbidden".to_owned()));
        let rest = server.rest_as(&server.token(user));
        assert_eq!(rest.get("/v1/conversations/c1/messages").await.refusal(), (403, "forbidden".to_owned()));
        let create = json!({"kind": "group", "id": "own"});
        assert_eq!(rest.post("/v1/conversations", &create).await.refusal(), (403, "forbidden".to_owned()));
        assert_eq!(rest.get("/v1/stream?device=d1").await.refusal(), (403, "forbidden".to_owned()));
    };
    refused("mallory").await;
    // The server names users by a token or as members; from then on any valid token of theirs is good.
    server.rest().post("/v1/tokens", &json!({"user": "alice"})).await.ok();
    server.group("c1", &["alice", "bob"]).await;
    let mut alice = Client::connect_with(&server, json!({"token": server.token("alice")})).await;
    let mut bob = Client::connect_with(&server, json!({"token": server.token("bob")})).await;
    alice.send("c1", "m1", "x").await;
    assert_eq!(bob.push_of("message").await["seq"], 2);
    refused("mallory").await;
}

#[tokio::test]
async fn the_rule_is_set_in_the_console() {
    let server = TestServer::spawn().await;
    let mut console = Console::sign_in(&server, &server.founded).await;
    let path = format!("/console/apps/{}", server.founded.app);
    assert!(console.get(&path).await.text.contains("value=\"create\" checked"));
    let answer = console.send(&format!("{path}/unknown-users"), &[("unknown_users", "refuse")]).await;
    assert_eq!(answer.status, 303);
    assert!(console.get(&path).await.text.contains("value=\"refuse\" checked"));
}
