//! Connecting with heads: an explicit outcome per conversation, the backlog, then live events, without gap and in order.

use crate::support::client::{seqs, text_message};
use crate::support::{Client, TestServer};
use serde_json::{Value, json};

async fn connect_from(server: &TestServer, user: &str, heads: Value) -> Client {
    Client::connect_with(server, json!({"token": server.token(user), "heads": heads})).await
}

/// A group `c1` of alice and bob with that many messages.
async fn with_messages(count: usize) -> TestServer {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let mut alice = server.connect("alice").await;
    for start in (0..count).step_by(100) {
        let mut ids = Vec::new();
        for at in start..count.min(start + 100) {
            ids.push(alice.start("send", text_message("c1", &format!("m{at}"), "x")).await);
        }
        for id in ids {
            alice.ok_of(id).await;
        }
    }
    server.settled().await;
    server
}

#[tokio::test]
async fn what_was_missed_follows_the_reply() {
    let server = with_messages(9).await;
    let mut bob = connect_from(&server, "bob", json!({"c1": [1, 4]})).await;
    assert_eq!(
        bob.outcome("c1"),
        json!({"conversation": "c1", "epoch": 1, "head": 10, "first": 1, "outcome": "recovered"})
    );
    let missed = bob.events_so_far().await;
    assert_eq!(seqs(&missed), (5..=10).collect::<Vec<_>>());
    assert_eq!(missed, server.rest().log("c1").await[4..]);
    let mut again = connect_from(&server, "bob", json!({"c1": [1, 10]})).await;
    assert_eq!((again.outcome("c1")["outcome"].as_str(), again.events_so_far().await), (Some("recovered"), vec![]));
}

#[tokio::test]
async fn nothing_is_replayed_that_was_not_asked_for() {
    let server = with_messages(3).await;
    let mut bob = server.connect("bob").await;
    assert!(bob.events_so_far().await.is_empty());
}

#[tokio::test]
async fn more_than_300_missed_events_are_too_far() {
    let server = with_messages(301).await;
    let mut bob = connect_from(&server, "bob", json!({"c1": [1, 1]})).await;
    assert_eq!(
        bob.outcome("c1"),
        json!({"conversation": "c1", "epoch": 1, "head": 302, "first": 1, "outcome": "too_far"})
    );
    assert!(bob.events_so_far().await.is_empty(), "never a partial recovery");
    let mut nearer = connect_from(&server, "bob", json!({"c1": [1, 2]})).await;
    assert_eq!(nearer.outcome("c1")["outcome"], "recovered");
    assert_eq!(nearer.events_so_far().await.len(), 300);
    server.rest().send("c1", "alice", "live", "x").await;
    assert_eq!(bob.push_of("message").await["seq"], 303, "live events come all the same");
}

#[tokio::test]
async fn a_backlog_over_its_bytes_is_too_far() {
    let server = TestServer::spawn().await;
    server.group("big", &["alice", "bob"]).await;
    server.group("small", &["alice", "bob"]).await;
    let mut alice = server.connect("alice").await;
    for at in 0..10 {
        alice.send("big", &format!("m{at}"), &"x".repeat(60_000)).await;
    }
    alice.send("small", "m1", "x").await;
    server.settled().await;
    let mut bob = connect_from(&server, "bob", json!({"big": [1, 1], "small": [1, 1]})).await;
    assert_eq!(["big", "small"].map(|id| bob.outcome(id)["outcome"].clone()), ["too_far", "recovered"]);
    let pushed = bob.events_so_far().await;
    assert!(pushed.len() == 1 && pushed[0]["conversation"] == "small");
}

#[tokio::test]
async fn another_epoch_or_a_head_from_the_future_is_epoch_changed() {
    let server = with_messages(3).await;
    let mut bob = connect_from(&server, "bob", json!({"c1": [7, 2]})).await;
    assert_eq!(
        bob.outcome("c1"),
        json!({"conversation": "c1", "epoch": 1, "head": 4, "first": 1, "epoch_first": 1, "outcome": "epoch_changed"})
    );
    assert!(bob.events_so_far().await.is_empty());
    let future = connect_from(&server, "bob", json!({"c1": [1, 5]})).await;
    assert_eq!(
        (&future.outcome("c1")["outcome"], &future.outcome("c1")["epoch_first"]),
        (&json!("epoch_changed"), &json!(5))
    );
}

#[tokio::test]
async fn a_conversation_one_is_not_in_is_not_member() {
    let server = with_messages(3).await;
    let mut carol = connect_from(&server, "carol", json!({"c1": [1, 1], "nowhere": [1, 1]})).await;
    assert_eq!(carol.outcome("c1"), json!({"conversation": "c1", "outcome": "not_member"}));
    assert_eq!(carol.outcome("nowhere"), json!({"conversation": "nowhere", "outcome": "not_member"}));
    assert!(carol.events_so_far().await.is_empty());
    server.rest().delete("/v1/conversations/c1/members/bob").await.ok();
    let bob = connect_from(&server, "bob", json!({"c1": [1, 2]})).await;
    assert_eq!(bob.outcome("c1")["outcome"], "not_member");
}

#[tokio::test]
async fn a_late_member_recovers_from_its_joining() {
    let server = with_messages(3).await;
    server.rest().post("/v1/conversations/c1/members", &json!({"members": ["carol"]})).await.ok();
    server.rest().send("c1", "alice", "after", "x").await;
    server.settled().await;
    let mut carol = connect_from(&server, "carol", json!({"c1": [1, 0]})).await;
    assert_eq!((&carol.outcome("c1")["first"], seqs(&carol.events_so_far().await)), (&json!(5), vec![5, 6]));
}

#[tokio::test]
async fn reconnecting_while_others_send_leaves_no_gap_and_no_disorder() {
    let server = TestServer::spawn().await;
    for id in ["c1", "c2"] {
        server.group(id, &["alice", "bob"]).await;
    }
    const MESSAGES: i64 = 400;
    let send_all = async {
        let mut alice = server.connect("alice").await;
        for at in 0..MESSAGES {
            let conversation = ["c1", "c2"][at as usize % 2];
            let id = alice.start("send", text_message(conversation, &format!("m{at}"), "x")).await;
            if at % 8 == 0 {
                alice.ok_of(id).await;
            }
        }
        alice.events_so_far().await;
    };
    let receive_all = async {
        let (mut heads, mut connects) = ([1, 1], 0);
        while heads != [1 + MESSAGES / 2; 2] {
            let mut bob = connect_from(&server, "bob", json!({"c1": [1, heads[0]], "c2": [1, heads[1]]})).await;
            connects += 1;
            assert_eq!(["c1", "c2"].map(|id| bob.outcome(id)["outcome"].clone()), ["recovered", "recovered"]);
            for _ in 0..15 {
                if heads == [1 + MESSAGES / 2; 2] {
                    break;
                }
                // What it named as held is told as received, to its user's connections too.
                let push = bob.push_where(|push| push["type"] != "receipt").await;
                let at = usize::from(push["conversation"] == "c2");
                let seq = push["seq"].as_i64().unwrap();
                assert!(seq <= heads[at] + 1, "a gap: {seq} after {}", heads[at]);
                heads[at] = heads[at].max(seq);
            }
        }
        connects
    };
    let ((), connects) = tokio::join!(send_all, receive_all);
    assert!(connects >= 27, "{connects}");
}

#[tokio::test]
async fn a_head_that_names_no_conversation_is_passed_over() {
    let server = with_messages(1).await;
    let mut bob = server.connect("bob").await;
    let found = bob.ok("sync", json!({"heads": {"\u{0}": [1, 1], "no id": [1, 2], "c1": [1, 2]}})).await;
    let entry = &found["conversations"][0];
    assert_eq!((&entry["conversation"], &entry["outcome"]), (&json!("c1"), &json!("recovered")));
    assert_eq!((entry.get("last"), &found["done"]), (None, &json!(true)), "it holds that");
    for below in [json!([1, -1]), json!([-1, 1])] {
        let refused = bob.refused("sync", json!({"heads": {"c1": below}})).await;
        assert_eq!((&refused["code"], &refused["param"]), (&json!("invalid_field"), &json!("heads")), "{below}");
    }
    let many: serde_json::Map<_, _> = (0..201).map(|at| (format!("c{at}"), json!([1, 1]))).collect();
    let refused = bob.refused("sync", json!({"heads": many})).await;
    assert_eq!((&refused["code"], &refused["param"]), (&json!("limit_reached"), &json!("heads")));
}
