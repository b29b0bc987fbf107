//! Connections: as many as the plan says, over the live apps of an org; a larger plan lets the next one in.

use super::support::{store, subscribe};
use crate::support::client::Client;
use crate::support::server::TestServer;
use crate::support::wait::until;
use serde_json::{Value, json};

/// What Basic allows.
const BASIC: usize = 100;

#[tokio::test]
async fn the_plan_bounds_connections_and_a_larger_one_lets_the_next_one_in() {
    let server = TestServer::spawn().await;
    let store = store(&server).await;
    subscribe(&store, &server.founded, "basic").await;
    let mut open = Vec::new();
    for at in 0..BASIC {
        open.push(server.connect(&format!("u{at}")).await);
    }
    let late = json!({"token": server.token("late")});
    let mut refused = Client::open(&server).await;
    let error = refused.refused("connect", late.clone()).await;
    assert_eq!((&error["code"], &error["feature"]), (&json!("connection_limit"), &json!("connections")));
    assert_eq!((&error["limit"], &error["used"], &error["retryable"]), (&json!(BASIC), &json!(BASIC), &json!(true)));
    assert!(error["retry_after_ms"].is_u64());
    let closed = refused.closed().await;
    assert_eq!((closed.code, closed.why()), (4009, "connection_limit".to_owned()));
    let reason: Value = serde_json::from_str(&closed.reason).unwrap();
    assert_eq!(reason["retry_after_ms"], error["retry_after_ms"], "for those who read the close only");
    // The other org is not concerned, and a place that is given back is another's.
    Client::connect(&server, &crate::support::token::user_token(&server.other, "theirs")).await;
    assert_eq!(open.pop().unwrap().close().await.code, 1000);
    let mut client = until(async || {
        let mut client = Client::open(&server).await;
        let id = client.start("connect", late.clone()).await;
        client.reply(id).await.get("ok").map(|_| client)
    })
    .await;
    client.ok("ping", json!({})).await;

    subscribe(&store, &server.founded, "pro").await;
    let token = json!({"token": server.token("one-more")});
    let mut one_more = until(async || {
        let mut client = Client::open(&server).await;
        let id = client.start("connect", token.clone()).await;
        client.reply(id).await.get("ok").map(|_| client)
    })
    .await;
    // A smaller plan cuts nobody.
    subscribe(&store, &server.founded, "basic").await;
    until(async || {
        let id = one_more.start("ping", json!({})).await;
        one_more.reply(id).await;
        let mut client = Client::open(&server).await;
        let id = client.start("connect", late.clone()).await;
        (client.reply(id).await["error"]["code"] == "connection_limit").then_some(())
    })
    .await;
    for client in open.iter_mut().chain([&mut client, &mut one_more]) {
        client.ok("ping", json!({})).await;
    }
}

#[tokio::test]
async fn at_the_limit_a_device_that_comes_back_takes_its_own_place() {
    let server = TestServer::spawn().await;
    let store = store(&server).await;
    subscribe(&store, &server.founded, "basic").await;
    let fields = json!({"token": server.token("alice"), "device": "phone"});
    let mut old = Client::connect_with(&server, fields.clone()).await;
    let mut open = Vec::new();
    for at in 1..BASIC {
        open.push(server.connect(&format!("u{at}")).await);
    }
    let mut new = Client::connect_with(&server, fields).await;
    let closed = old.closed().await;
    assert_eq!((closed.code, closed.why()), (4409, "replaced".to_owned()));
    new.ok("ping", json!({})).await;
}
