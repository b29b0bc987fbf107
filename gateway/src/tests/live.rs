//! What is said live: rates, shedding, and members that are read beside the delivery.

use super::World;
use serde_json::{Value, json};
use std::time::Duration;
use tokenim_domain::log::MessageLog;
use tokenim_domain::name::{Conversation, User};

fn ephemeral(id: &str) -> Value {
    json!({"conversation": "c", "client_msg_id": id, "kind": "json", "body": 1, "ephemeral": true})
}

#[tokio::test]
async fn an_ephemeral_message_takes_from_the_rate_of_its_app_and_typing_does_not() {
    let world = World::new();
    world.book.change(|terms| terms.limits.message_rate = Some(5));
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let (mut alice, bob) =
        (world.connect(&node, "alice", json!({})).await, world.connect(&node, "bob", json!({})).await);
    for at in 0..8 {
        alice.command("send", ephemeral(&format!("e{at}")));
        let reply = alice.reply().await;
        assert_eq!(reply["ok"].is_object(), at < 5, "{reply}");
        assert_eq!(reply["error"]["retry_after_ms"].is_u64(), at >= 5);
    }
    alice.command("typing", json!({"conversation": "c"}));
    assert_eq!(alice.reply().await["ok"], json!({}));
    let pushes: Vec<_> = bob.drain().into_iter().map(|push| push["push"]["type"].clone()).collect();
    assert_eq!(pushes, ["ephemeral", "ephemeral", "ephemeral", "ephemeral", "ephemeral", "typing"]);
    assert_eq!(node.counters().ephemeral, 5);
    assert_eq!(world.log.events(world.key.app, "c").len(), 1, "nothing is stored");
}

#[tokio::test]
async fn typing_is_told_once_a_second_and_to_each_conversation() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    world.group(&node, "d", &["alice", "bob"]).await;
    let (mut alice, bob) =
        (world.connect(&node, "alice", json!({})).await, world.connect(&node, "bob", json!({})).await);
    let mut told = Vec::new();
    for step in 0..6 {
        for name in ["c", "d"] {
            alice.command("typing", json!({"conversation": name, "active": step < 3}));
            assert_eq!(alice.reply().await["ok"], json!({}));
        }
        told.push(bob.drain().len());
        world.clock.advance(Duration::from_millis(500));
    }
    assert_eq!(told, [2, 0, 2, 0, 2, 0]);
}

#[tokio::test]
async fn members_nobody_remembers_are_read_beside_the_delivery() {
    let world = World::new();
    let first = world.node();
    world.group(&first, "c", &["alice", "bob"]).await;
    let node = world.node();
    let (mut alice, bob) =
        (world.connect(&node, "alice", json!({})).await, world.connect(&node, "bob", json!({})).await);
    world.log.fail_lists(1);
    alice.command("typing", json!({"conversation": "c"}));
    assert_eq!(alice.reply().await["error"]["code"], "unavailable");
    for name in ["c", "nowhere"] {
        alice.command("typing", json!({"conversation": name}));
    }
    // Who may speak is asked beside each other.
    let mut replies = [alice.reply().await, alice.reply().await];
    replies.sort_by_key(|reply| reply["id"].as_u64());
    assert_eq!((&replies[0]["ok"], &replies[1]["error"]["code"]), (&json!({}), &json!("not_found")));
    assert_eq!(bob.wait(|push| push["push"]["type"] == "typing").await["push"]["user"], "alice");
    // A member who has left is told nothing, and may say nothing.
    alice.command("conversation.remove", json!({"conversation": "c", "members": ["bob"]}));
    assert_eq!(alice.reply().await["ok"]["changed"], true);
    bob.wait(|push| push["push"]["type"] == "member").await;
    alice.command("send", ephemeral("e1"));
    assert!(alice.reply().await["ok"].is_object() && bob.drain().is_empty());
}

#[tokio::test]
async fn a_call_of_the_process_says_it_too() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let alice = world.connect(&node, "alice", json!({})).await;
    let saying = |user: &str| crate::live::Saying {
        app: world.key.app,
        conversation: Conversation::trusted("c"),
        user: User::trusted(user),
        what: crate::live::What::Typing { active: true },
    };
    assert!(node.say(saying("bob")).await.is_ok());
    assert_eq!(alice.wait(|push| push["push"]["type"] == "typing").await["push"]["user"], "bob");
    assert_eq!(node.say(saying("mallory")).await.unwrap_err().code, tokenim_domain::Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn who_was_seen_is_saved_again_after_a_failure_and_at_the_stop() {
    let world = World::new();
    world.log.fail_saves(1);
    let node = world.node();
    let (alice, bob) = (world.connect(&node, "alice", json!({})).await, world.connect(&node, "bob", json!({})).await);
    // Two savings: the first fails, the second has both.
    tokio::time::sleep(Duration::from_secs(11)).await;
    let users = ["alice", "bob"].map(User::trusted);
    let stored = async || world.log.last_seen(world.key.app, users.to_vec()).await.unwrap();
    assert!(stored().await.iter().all(|row| row.is_open) && stored().await.len() == 2);
    node.remove(&bob.connection);
    world.clock.advance(Duration::from_secs(6));
    tokio::time::sleep(Duration::from_secs(1)).await;
    node.remove(&alice.connection);
    node.drain(Duration::ZERO).await;
    let rows = stored().await;
    assert_eq!(rows.iter().map(|row| row.is_open).collect::<Vec<_>>(), [true, false], "alice has her grace still");
    // The next process finds her row open and closes it: she was there for as long as this one was.
    let next = world.node();
    let states = next.presence_of(world.key.app, None, &users).await.unwrap();
    assert!(states.contains("offline") && !states.contains("online"), "{states}");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(stored().await.iter().all(|row| !row.is_open));
}
