//! Who never says what it has is paused, told so, and goes on once it does; what it was pushed counts, whatever it skips.

use crate::support::client::text_message;
use crate::support::{Client, TestServer};
use serde_json::{Value, json};

/// At once, below the open commands of a connection.
const ROUND: usize = 200;

/// Sends messages as alice, each with its answer.
async fn send(alice: &mut Client, conversation: &str, from: usize, to: usize) {
    for begin in (from..to).step_by(ROUND) {
        let mut ids = Vec::new();
        for at in begin..(begin + ROUND).min(to) {
            ids.push(alice.start("send", text_message(conversation, &format!("m{at}"), "x")).await);
        }
        for id in ids {
            alice.ok_of(id).await;
        }
    }
}

/// Bob on his phone, with the thousand messages of `c1` that he was pushed and did not acknowledge.
async fn paused(server: &TestServer) -> (Client, Client) {
    server.group("c1", &["alice", "bob"]).await;
    server.group("c2", &["alice", "bob"]).await;
    let mut alice = server.connect("alice").await;
    let mut bob = Client::connect_with(server, json!({"token": server.token("bob"), "device": "phone"})).await;
    for begin in (0..1_000).step_by(ROUND) {
        send(&mut alice, "c1", begin, begin + ROUND).await;
        for at in begin..begin + ROUND {
            // The notice is a control push and may overtake the last messages.
            assert_eq!(bob.push_of("message").await["seq"], at + 2);
        }
    }
    (alice, bob)
}

fn kinds(pushes: &[Value]) -> Vec<&str> {
    pushes.iter().filter_map(|push| push["type"].as_str()).collect()
}

#[tokio::test]
async fn a_thousand_unacknowledged_messages_pause_a_connection_until_half_are_acknowledged() {
    let server = TestServer::spawn().await;
    let (mut alice, mut bob) = paused(&server).await;
    let mut desk = server.connect("bob").await;
    send(&mut alice, "c1", 1_000, 1_003).await;
    send(&mut alice, "c2", 0, 1).await;
    for seq in [1_002, 1_003, 1_004] {
        assert_eq!(desk.push_of("message").await["seq"], seq, "it is a matter of the connection");
    }
    assert_eq!(server.rest().delivered().await, 0);
    bob.ok("received", json!({"conversation": "c1", "seq": 500})).await;
    let told = bob.pushes_so_far().await;
    assert!(!kinds(&told).contains(&"message") && !kinds(&told).contains(&"resync"), "paused still: {told:?}");
    assert_eq!(server.rest().delivered().await, 499);
    bob.ok("received", json!({"conversation": "c1", "seq": 501})).await;
    let mut missed =
        [bob.push_of("resync").await, bob.push_of("resync").await].map(|push| push["conversation"].clone());
    missed.sort_by_key(Value::to_string);
    assert_eq!(missed, [json!("c1"), json!("c2")]);
    send(&mut alice, "c1", 1_003, 1_004).await;
    assert_eq!(bob.push_of("message").await["seq"], 1_005, "it goes on");
    bob.ok("received", json!({"conversation": "c1", "seq": 1_005})).await;
    assert_eq!(server.rest().delivered().await, 1_001, "what was pushed before and after the pause");
}

#[tokio::test]
async fn a_paused_connection_is_told_and_what_it_was_pushed_counts_though_it_pages_past_it() {
    let server = TestServer::spawn().await;
    let (mut alice, mut bob) = paused(&server).await;
    bob.ok("received", json!({"conversation": "c1", "seq": 1})).await;
    let told: Vec<Value> = bob.heard.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    let notice = told.iter().map(|told| &told["push"]).find(|push| push["kind"] == "unacknowledged");
    assert_eq!(notice, Some(&json!({"type": "notice", "kind": "unacknowledged", "messages": 1_000})));
    send(&mut alice, "c1", 1_000, 1_010).await;
    while bob.push_of("head").await["seq"] != 1_011 {}
    let page = bob.ok("history", json!({"conversation": "c1", "after": 1_001})).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 10);
    bob.ok("received", json!({"conversation": "c1", "seq": 1_011})).await;
    assert_eq!(server.rest().delivered().await, 1_000, "the ten that were withheld are passed");
    assert_eq!(bob.push_of("resync").await["conversation"], "c1");
    send(&mut alice, "c1", 1_010, 1_012).await;
    bob.ok("read", json!({"conversation": "c1", "seq": 1_013})).await;
    assert_eq!(server.rest().delivered().await, 1_002);
}

#[tokio::test]
async fn what_was_pushed_before_counts_though_the_conversation_is_opened_again_while_paused() {
    let server = TestServer::spawn().await;
    let (mut alice, mut bob) = paused(&server).await;
    send(&mut alice, "c1", 1_000, 1_001).await;
    assert_eq!(bob.ok("open", json!({"conversation": "c1"})).await["head"], 1_002);
    send(&mut alice, "c1", 1_001, 1_002).await;
    bob.ok("received", json!({"conversation": "c1", "seq": 1_003})).await;
    assert_eq!(server.rest().delivered().await, 1_000);
}

#[tokio::test]
async fn a_conversation_that_is_left_does_not_keep_a_connection_paused() {
    let server = TestServer::spawn().await;
    let (mut alice, mut bob) = paused(&server).await;
    send(&mut alice, "c2", 0, 1).await;
    server.rest().delete("/v1/conversations/c1/members/bob").await.ok();
    assert_eq!(bob.push_of("resync").await["conversation"], "c2");
    send(&mut alice, "c2", 1, 2).await;
    assert_eq!(bob.push_of("message").await["seq"], 3);
}
