//! `sync`: the directory with unread counts, in pages, and outcomes for heads.

use crate::support::TestServer;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn the_directory_tells_head_unread_and_last_event() {
    let server = TestServer::spawn().await;
    let rest = server.rest();
    rest.post("/v1/conversations", &json!({"kind": "group", "id": "c1", "name": "Team", "members": ["alice", "bob"]}))
        .await
        .ok();
    for at in 0..3 {
        rest.send("c1", "alice", &format!("m{at}"), "x").await;
    }
    let mut bob = server.connect("bob").await;
    bob.ok("read", json!({"conversation": "c1", "seq": 2})).await;
    let page = bob.ok("sync", json!({})).await;
    assert_eq!(page["done"], true);
    let entry = &page["conversations"][0];
    for (key, expected) in [
        ("conversation", json!("c1")),
        ("kind", json!("group")),
        ("name", json!("Team")),
        ("epoch", json!(1)),
        ("head", json!(4)),
        ("msg_no", json!(3)),
        ("first", json!(1)),
        ("read", json!(2)),
        ("unread", json!(2)),
        ("member_version", json!(1)),
    ] {
        assert_eq!(entry[key], expected, "{key}");
    }
    assert_eq!((&entry["last"]["seq"], &entry["last"]["body"]["text"]), (&json!(4), &json!("x")));
    assert!(entry.get("outcome").is_none());
}

#[tokio::test]
async fn the_newest_conversation_comes_first_and_pages_hold_all() {
    let server = TestServer::spawn().await;
    let rest = server.rest();
    for at in 0..230 {
        rest.create_group(&format!("c{at:03}"), &["alice"]).await;
    }
    rest.send("c007", "alice", "m1", "newest").await;
    let mut alice = server.connect("alice").await;
    let first = alice.ok("sync", json!({})).await;
    assert_eq!((first["conversations"].as_array().unwrap().len(), &first["done"]), (200, &json!(false)));
    assert_eq!(first["conversations"][0]["conversation"], "c007");
    let second = alice.ok("sync", json!({"page": first["next"]})).await;
    assert_eq!(second["done"], true);
    let mut all: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page["conversations"].as_array().unwrap())
        .map(|entry| entry["conversation"].as_str().unwrap())
        .collect();
    all.sort_unstable();
    assert_eq!(all, (0..230).map(|at| format!("c{at:03}")).collect::<Vec<_>>());
    for page in ["x", "1", ":c1", "1:a b"] {
        assert_eq!(alice.refused("sync", json!({"page": page})).await["code"], "invalid_field", "{page}");
    }
}

#[tokio::test]
async fn heads_in_a_sync_are_answered_with_outcomes() {
    let server = TestServer::spawn().await;
    let rest = server.rest();
    for id in ["here", "behind", "ahead", "epoch"] {
        rest.create_group(id, &["alice"]).await;
        rest.send(id, "alice", "m1", "x").await;
    }
    let mut alice = server.connect("alice").await;
    let heads = json!({"here": [1, 2], "behind": [1, 1], "ahead": [1, 9], "epoch": [2, 1], "foreign": [1, 1]});
    let page = alice.ok("sync", json!({"heads": heads})).await;
    let outcome = |id: &str| -> Value {
        let entries = page["conversations"].as_array().unwrap();
        entries
            .iter()
            .find(|entry| entry["conversation"] == id)
            .map(|entry| entry["outcome"].clone())
            .unwrap_or_default()
    };
    assert_eq!(
        ["here", "behind", "ahead", "epoch", "foreign"].map(outcome),
        [json!("recovered"), json!("too_far"), json!("epoch_changed"), json!("epoch_changed"), json!(null)]
    );
    let told = page["conversations"].as_array().unwrap().iter().filter(|entry| entry["last"].is_object());
    let told: BTreeSet<_> = told.map(|entry| entry["conversation"].as_str().unwrap()).collect();
    assert_eq!(told, BTreeSet::from(["ahead", "behind", "epoch"]), "who stands at the head has the last event");
}
