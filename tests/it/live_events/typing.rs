//! `typing`: who is told, how often, and who is not.

use crate::support::Client;
use crate::support::TestServer;
use crate::support::token::with_claims;
use serde_json::{Value, json};

async fn typing(client: &mut Client) -> Vec<Value> {
    client.pushes_so_far().await.into_iter().filter(|push| push["type"] == "typing").collect()
}

#[tokio::test]
async fn the_other_members_are_told_once_a_second() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut tablet) = (server.connect("alice").await, server.connect("alice").await);
    let (mut bob, mut carol) = (server.connect("bob").await, server.connect("carol").await);
    for _ in 0..20 {
        assert_eq!(alice.ok("typing", json!({"conversation": "c1"})).await, json!({}));
    }
    let told = json!({"type": "typing", "conversation": "c1", "user": "alice", "active": true});
    for client in [&mut bob, &mut tablet] {
        let seen = typing(client).await;
        assert!(seen.len() < 5, "20 in well under 4 s: {seen:?}");
        assert_eq!(seen[0], told);
    }
    assert!(typing(&mut alice).await.is_empty() && typing(&mut carol).await.is_empty());
    // A second later it is told again, here that it stopped.
    let stopped = loop {
        alice.ok("typing", json!({"conversation": "c1", "active": false})).await;
        if let Some(push) = typing(&mut bob).await.into_iter().find(|push| push["active"] == false) {
            break push;
        }
    };
    assert_eq!(stopped["user"], "alice");
    assert_eq!(bob.ok("history", json!({"conversation": "c1"})).await["head"], 1, "nothing is stored");
}

#[tokio::test]
async fn it_is_not_told_in_large_groups_and_members_alone_may_say_it() {
    let server = TestServer::spawn().await;
    let crowd: Vec<String> = (0..129).map(|at| format!("u{at}")).collect();
    let names: Vec<&str> = crowd.iter().map(String::as_str).collect();
    server.group("large", &names).await;
    let (mut one, mut two) = (server.connect("u0").await, server.connect("u1").await);
    assert_eq!(one.ok("typing", json!({"conversation": "large"})).await, json!({}));
    assert!(typing(&mut two).await.is_empty());
    let mut stranger = server.connect("mallory").await;
    for name in ["large", "nowhere"] {
        assert_eq!(stranger.refused("typing", json!({"conversation": name})).await["code"], "not_found");
    }
    server.group("c1", &["alice", "bob"]).await;
    let mut reader =
        Client::connect(&server, &with_claims(&server.founded, "alice", json!({"caps": {"*": ["read"]}}))).await;
    assert_eq!(reader.refused("typing", json!({"conversation": "c1"})).await["code"], "forbidden");
}

#[tokio::test]
async fn after_a_restart_members_are_read_first() {
    let mut server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    server.kill();
    server.start().await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    alice.ok("typing", json!({"conversation": "c1"})).await;
    assert_eq!(bob.push_of("typing").await["user"], "alice");
}
