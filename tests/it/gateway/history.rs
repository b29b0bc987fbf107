//! `history`: every direction, its limits, and frames that stay within theirs.

use crate::support::TestServer;
use crate::support::client::seqs;
use serde_json::{Value, json};

#[tokio::test]
async fn history_reads_every_direction() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    for at in 0..11 {
        alice.send("c1", &format!("m{at}"), "x").await;
    }
    for (part, expected) in [
        (json!({"after": 0, "limit": 3}), vec![1, 2, 3]),
        (json!({"after": 10}), vec![11, 12]),
        (json!({"before": 4, "limit": 2}), vec![2, 3]),
        (json!({"around": 6, "limit": 4}), vec![5, 6, 7, 8]),
        (json!({"limit": 2}), vec![11, 12]),
        (json!({"after": 99}), vec![]),
    ] {
        let mut fields = part.clone();
        fields["conversation"] = json!("c1");
        let page = alice.ok("history", fields).await;
        assert_eq!(seqs(page["items"].as_array().unwrap()), expected, "{part}");
        assert_eq!((&page["head"], &page["epoch"], &page["first"]), (&json!(12), &json!(1), &json!(1)));
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    for (part, code) in [
        (json!({"after": 1, "before": 3}), "invalid_request"),
        (json!({"before": -1}), "invalid_field"),
        (json!({"limit": 0}), "invalid_field"),
        (json!({"limit": 201}), "invalid_field"),
        (json!({"limit": -1}), "invalid_request"),
        (json!({"after": "1"}), "invalid_request"),
        (json!({"after": 9_223_372_036_854_775_807_u64}), ""),
        (json!({"after": 9_223_372_036_854_775_808_u64}), "invalid_request"),
    ] {
        let mut fields = part.clone();
        fields["conversation"] = json!("c1");
        let id = alice.start("history", fields).await;
        let reply = alice.reply(id).await;
        assert_eq!(reply["error"]["code"].as_str().unwrap_or_default(), code, "{part}");
    }
}

#[tokio::test]
async fn pages_of_large_bodies_stay_within_a_server_frame() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    let text = "x".repeat(60_000);
    for at in 0..12 {
        alice.send("c1", &format!("m{at}"), &text).await;
    }
    let (mut seen, mut pages) = (Vec::new(), 0);
    while seen.last() != Some(&13) {
        let after: i64 = seen.last().copied().unwrap_or(0);
        let page = alice.ok("history", json!({"conversation": "c1", "after": after, "limit": 200})).await;
        let got = seqs(page["items"].as_array().unwrap());
        assert!(!got.is_empty() && alice.heard.last().unwrap().len() <= 256 * 1024);
        seen.extend(got);
        pages += 1;
    }
    assert_eq!(seen, (1..=13).collect::<Vec<i64>>());
    assert!(pages >= 3, "{pages}");
    let around = alice.ok("history", json!({"conversation": "c1", "around": 7, "limit": 200})).await;
    assert!(alice.heard.last().unwrap().len() <= 256 * 1024 && !around["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn history_carries_ids_of_messages_held_already() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let ack = alice.send("c1", "m1", "x").await;
    let push = bob.push().await;
    let page = bob.ok("history", json!({"conversation": "c1", "after": 0})).await;
    assert_eq!((&page["items"][1], &page["items"][1]["id"]), (&push, &ack["id"]));
    assert_eq!(page["items"][0]["type"], Value::from("member"));
}
