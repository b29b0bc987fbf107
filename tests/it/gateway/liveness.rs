//! Pings with heads, silence, and connections that end.

use crate::support::client::text_message;
use crate::support::wait::within_at_most;
use crate::support::{TestServer, until};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn the_servers_ping_carries_heads_of_changed_conversations() {
    let server = TestServer::spawn().await;
    for id in ["c1", "c2"] {
        server.group(id, &["alice", "bob"]).await;
    }
    let mut bob = server.connect("bob").await;
    server.rest().send("c1", "alice", "m1", "x").await;
    assert_eq!(bob.push().await["seq"], 2);
    let hear_ping = async {
        while bob.pings.is_empty() {
            assert!(bob.hear().await);
        }
    };
    within_at_most(Duration::from_secs(40), hear_ping).await;
    assert_eq!(bob.pings[0], json!({"type": "ping", "heads": {"c1": [1, 2]}}));
}

#[tokio::test]
async fn who_does_not_answer_pings_is_closed_and_who_does_stays() {
    let server = TestServer::spawn().await;
    let (mut dead, mut alive) = (server.connect("alice").await, server.connect("alice").await);
    dead.plays_dead = true;
    let wait = async {
        loop {
            tokio::select! {
                closed = dead.closed() => return closed,
                heard = alive.hear() => assert!(heard),
            }
        }
    };
    let closed = within_at_most(Duration::from_secs(60), wait).await;
    assert_eq!((closed.code, closed.why().as_str()), (4002, "silent"));
    assert!(!alive.pings.is_empty());
    alive.ok("ping", json!({})).await;
}

#[tokio::test]
async fn ping_answers_the_servers_time() {
    let server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    let time = alice.ok("ping", json!({})).await["server_time"].as_str().unwrap().to_owned();
    let ms = tokenim_protocol::time::parse(&time).unwrap();
    assert!((ms / 1000).abs_diff(crate::support::token::now_s() as i64) <= 5, "{time}");
    assert_eq!(alice.refused("ping", json!(5)).await["code"], "invalid_request");
}

#[tokio::test]
async fn a_close_is_echoed_and_the_connection_forgotten() {
    let server = TestServer::spawn().await;
    let (alice, _bob) = (server.connect("alice").await, server.connect("bob").await);
    let rest = server.rest();
    let connections = async || rest.get("/v1/stats").await.ok()["connections"].as_u64().unwrap();
    assert_eq!(connections().await, 2);
    alice.close().await;
    until(async || (connections().await == 1).then_some(())).await;
}

#[tokio::test]
async fn a_connection_that_vanishes_is_forgotten_and_harms_nobody() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob", "carol"]).await;
    let (mut alice, bob, mut carol) =
        (server.connect("alice").await, server.connect("bob").await, server.connect("carol").await);
    alice.start("send", text_message("c1", "m0", "x")).await;
    drop(bob);
    alice.send("c1", "m1", "x").await;
    assert_eq!([carol.push().await, carol.push().await].map(|push| push["seq"].clone()), [2, 3]);
    let rest = server.rest();
    until(async || (rest.get("/v1/stats").await.ok()["users"] == 2).then_some(())).await;
}
