//! Deliveries: each message unit counts once for each device that says it has it, through crashes too.

use crate::support::{Client, TestServer, until};
use serde_json::{Value, json};

/// A connection of bob's from one of his devices.
async fn device(server: &TestServer, name: &str, heads: Value) -> Client {
    Client::connect_with(server, json!({"token": server.token("bob"), "device": name, "heads": heads})).await
}

/// Sends messages as alice.
async fn send(server: &TestServer, from: usize, to: usize) {
    for at in from..to {
        server.rest().send("c1", "alice", &format!("m{at}"), "x").await;
    }
}

async fn received(client: &mut Client, seq: i64) {
    client.ok("received", json!({"conversation": "c1", "seq": seq})).await;
}

#[tokio::test]
async fn two_devices_count_each_message_once_through_kill_9() {
    let mut server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    send(&server, 0, 3).await;
    let (mut phone, mut desk) =
        (device(&server, "phone", json!({})).await, device(&server, "desk", json!({"c1": [1, 2]})).await);
    send(&server, 3, 10).await;
    received(&mut phone, 7).await;
    received(&mut phone, 7).await;
    received(&mut phone, 5).await;
    desk.ok("read", json!({"conversation": "c1", "seq": 11})).await;
    assert_eq!(server.rest().delivered().await, 3 + 9, "the phone was not there for the first three messages");
    server.kill();
    server.start().await;
    assert_eq!(server.rest().delivered().await, 12);
    // The phone had all of it before the crash and its last word was lost; the desk had said all.
    let mut phone = device(&server, "phone", json!({"c1": [1, 11]})).await;
    let mut desk = device(&server, "desk", json!({"c1": [1, 11]})).await;
    phone.ok("send", crate::support::client::text_message("c1", "of-bob", "x")).await;
    received(&mut phone, 12).await;
    received(&mut desk, 12).await;
    assert_eq!(server.rest().delivered().await, 12 + 4, "what bob said himself is delivered to nobody here");
    server.kill();
    server.start().await;
    assert_eq!(server.rest().delivered().await, 16);
    assert_eq!(server.rest().units().await, 11, "what was sent is counted as before");
}

#[tokio::test]
async fn heads_count_what_was_never_said_and_pass_what_is_too_far() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let phone = device(&server, "phone", json!({"c1": [1, 1]})).await;
    send(&server, 0, 4).await;
    drop(phone);
    let mut phone = device(&server, "phone", json!({"c1": [1, 5]})).await;
    let members = async || server.rest().get("/v1/conversations/c1/members").await.json();
    until(async || (members().await["items"][1]["received"] == 5).then_some(())).await;
    // Whatever a connection says follows what its heads said.
    received(&mut phone, 5).await;
    assert_eq!(server.rest().delivered().await, 4);
    drop(phone);
    send(&server, 4, 310).await;
    let mut phone = device(&server, "phone", json!({"c1": [1, 5]})).await;
    assert_eq!(phone.outcome("c1")["outcome"], "too_far");
    received(&mut phone, 311).await;
    assert_eq!(server.rest().delivered().await, 4, "it reads them as history");
    send(&server, 310, 312).await;
    received(&mut phone, 313).await;
    assert_eq!(server.rest().delivered().await, 6);
}

#[tokio::test]
async fn a_backlog_counts_once_it_is_received_and_old_history_never() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    send(&server, 0, 6).await;
    server.settled().await;
    let mut phone = device(&server, "phone", json!({"c1": [1, 3]})).await;
    assert_eq!(phone.pushes_so_far().await.len(), 4);
    phone.ok("history", json!({"conversation": "c1"})).await;
    assert_eq!(server.rest().delivered().await, 0, "sent is not received");
    received(&mut phone, 7).await;
    assert_eq!(server.rest().delivered().await, 4);
    let mut tablet = device(&server, "tablet", json!({})).await;
    received(&mut tablet, 7).await;
    assert_eq!(server.rest().delivered().await, 4, "it was not there when they were sent");
    server.rest().delete("/v1/conversations/c1/messages/7").await.ok();
    received(&mut tablet, 8).await;
    received(&mut phone, 8).await;
    assert_eq!(server.rest().delivered().await, 4, "a deletion counts nothing and takes nothing back");
}

#[tokio::test]
async fn what_a_passive_connection_pages_is_passed() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let mut phone = device(&server, "phone", json!({})).await;
    send(&server, 0, 2).await;
    received(&mut phone, 3).await;
    phone.ok("passive", json!({"conversation": "c1"})).await;
    send(&server, 2, 6).await;
    while phone.push_of("head").await["seq"] != 7 {}
    received(&mut phone, 5).await;
    phone.ok("open", json!({"conversation": "c1"})).await;
    send(&server, 6, 9).await;
    while phone.push_of("message").await["seq"] != 10 {}
    received(&mut phone, 10).await;
    assert_eq!(server.rest().delivered().await, 2 + 3, "what was pushed before and after");
}
