//! Who receives what, in which order, on one node and on two.

use super::World;
use super::client::frames;
use crate::bus::{Bus, Published};
use crate::connection::Connection;
use crate::encoded::Form;
use crate::gateway::Gateway;
use crate::incoming::Message;
use crate::model::ModelLog;
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;

/// The next frames for a socket, as the memory they are in.
async fn queued(connection: &Connection) -> Vec<Bytes> {
    let mut queued = Vec::new();
    while queued.is_empty() {
        tokio::task::yield_now().await;
        connection.drain(&mut queued);
    }
    queued
}

/// A connection of that form, connected.
async fn listen(world: &World, node: &Gateway<ModelLog>, user: &str, form: Form) -> Arc<Connection> {
    let connection = node.accept(form);
    let connect = json!({"id": 1, "connect": {"token": world.token(user, 600)}}).to_string();
    node.receive(&connection, Message::Json(&connect)).expect("an envelope");
    queued(&connection).await;
    connection
}

#[tokio::test]
async fn what_two_receive_is_compressed_once_for_both() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob", "carol"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let body = json!({"text": "x".repeat(1_000)});
    for form in [Form::JsonDeflated, Form::MessagePackDeflated] {
        let bob = listen(&world, &node, "bob", form).await;
        let carol = listen(&world, &node, "carol", form).await;
        // One event by itself, and what was said at once and goes out together.
        for ids in [&["one"][..], &["two", "three"]] {
            for id in ids {
                let id = format!("{form:?}-{id}");
                alice.command("send", json!({"conversation": "c", "client_msg_id": id, "kind": "text", "body": body}));
            }
            let (of_bob, of_carol) = (queued(&bob).await, queued(&carol).await);
            let ([of_bob], [of_carol]) = (&of_bob[..], &of_carol[..]) else { panic!("each has one piece") };
            assert_eq!(frames(of_bob).len(), ids.len());
            assert!(of_bob.len() < ids.len() * 500, "it is compressed");
            assert_eq!(of_bob.as_ptr(), of_carol.as_ptr(), "the same memory");
        }
        node.remove(&bob);
        node.remove(&carol);
    }
}

#[tokio::test]
async fn members_get_the_push_and_the_sender_the_ack() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let (other_device, bob) =
        (world.connect(&node, "alice", json!({})).await, world.connect(&node, "bob", json!({})).await);
    let stranger = world.connect(&node, "carol", json!({})).await;
    alice.send("c", "m1");
    let ack = alice.reply().await;
    assert_eq!((ack["ok"]["seq"].as_i64(), ack["ok"]["duplicate"].as_bool()), (Some(2), Some(false)));
    for client in [&bob, &other_device] {
        let push = client.message().await;
        assert_eq!(
            (push["seq"].as_i64(), push["client_msg_id"].as_str(), push["body"]["text"].as_str()),
            (Some(2), Some("m1"), Some("m1"))
        );
    }
    assert!(alice.drain().is_empty() && stranger.drain().is_empty());
    node.inner.registry.check();
}

#[tokio::test]
async fn events_committed_while_attaching_come_once_and_after_the_backlog() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    for n in 0..5 {
        alice.send("c", &format!("before{n}"));
        alice.reply().await;
    }
    let held = world.log.reads.acquire_many(1_000).await.unwrap();
    let mut bob = super::client::Client::open(&node);
    let token = world.token("bob", 600);
    bob.command("connect", json!({"token": token, "heads": {"c": [1, 1]}}));
    while node.stats(world.key.app.app).connections < 2 {
        tokio::task::yield_now().await;
    }
    for n in 0..5 {
        alice.send("c", &format!("during{n}"));
        alice.reply().await;
    }
    assert!(bob.drain().is_empty(), "the gate is shut");
    drop(held);
    let reply = bob.reply().await;
    assert_eq!(
        reply["ok"]["sync"],
        json!([{"conversation": "c", "epoch": 1, "head": 6, "first": 1, "outcome": "recovered"}]),
        "the head of when it asked; what came since waits at the gate"
    );
    let mut seqs = Vec::new();
    while seqs.len() < 10 {
        seqs.push(bob.message().await["seq"].as_i64().unwrap());
    }
    assert_eq!(seqs, (2..=11).collect::<Vec<_>>());
    assert!(bob.drain().is_empty());
}

#[tokio::test]
async fn recovery_says_what_became_of_each_conversation() {
    let world = World::new();
    let node = world.node();
    for name in ["few", "many", "left"] {
        world.group(&node, name, &["alice", "bob"]).await;
    }
    let mut alice = world.connect(&node, "alice", json!({})).await;
    for n in 0..301 {
        alice.send("many", &format!("m{n}"));
        alice.reply().await;
    }
    alice.command("conversation.remove", json!({"conversation": "left", "members": ["bob"]}));
    assert_eq!(alice.reply().await["ok"]["changed"], true);
    let mut bob = super::client::Client::open(&node);
    let heads = json!({"few": [1, 1], "many": [1, 1], "left": [1, 1], "none": [1, 9], "Few": [1, 1]});
    let token = world.token("bob", 600);
    bob.command("connect", json!({"token": token, "heads": heads}));
    let sync = bob.reply().await["ok"]["sync"].take();
    let outcome = |name: &str| {
        sync.as_array().unwrap().iter().find(|entry| entry["conversation"] == name).unwrap()["outcome"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        ["few", "many", "left", "none", "Few"].map(outcome),
        ["recovered", "too_far", "not_member", "not_member", "not_member"]
    );
    let ahead = world.connect(&node, "bob", json!({"few": [1, 7]})).await;
    drop(ahead);
}

#[tokio::test]
async fn a_member_sees_its_joining_and_its_leaving_and_nothing_outside() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let bob = world.connect(&node, "bob", json!({})).await;
    alice.send("c", "early");
    alice.command("conversation.add", json!({"conversation": "c", "members": ["bob"]}));
    alice.send("c", "within");
    alice.command("conversation.remove", json!({"conversation": "c", "members": ["bob"]}));
    alice.send("c", "late");
    for _ in 0..5 {
        assert!(alice.reply().await["ok"].is_object());
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        let push = bob.wait(|message| message["push"]["seq"].is_i64()).await["push"].take();
        seen.push((push["seq"].as_i64().unwrap(), push["type"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen, [(3, "member".into()), (4, "message".into()), (5, "member".into())]);
    assert!(bob.drain().is_empty());
}

#[tokio::test]
async fn a_second_node_delivers_and_closes_gaps_from_the_log() {
    let world = World::new();
    let (near, far) = (world.node(), world.node());
    world.group(&near, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&near, "alice", json!({})).await;
    let bob = world.connect(&far, "bob", json!({})).await;
    alice.send("c", "m1");
    alice.reply().await;
    assert_eq!(bob.message().await["seq"], 2);
    // What another node published was lost, repeated and reordered on its way.
    for name in ["lost", "late", "last"] {
        let lone = world.log.clone();
        let draft = draft(&world, name);
        let tokenim_domain::log::Commit::Committed(_) =
            tokenim_domain::log::MessageLog::append(&*lone, vec![draft]).await
        else {
            panic!("commits")
        };
    }
    let events: Vec<_> = world.log.events(world.key.app, "c").into_iter().map(Arc::new).collect();
    for pick in [4, 3, 4, 1] {
        world
            .bus
            .publish(Arc::new(Published { node: 7, events: vec![events[pick].clone()], deltas: Vec::new() }))
            .await;
    }
    let mut seqs = Vec::new();
    for _ in 0..3 {
        seqs.push(bob.message().await["seq"].as_i64().unwrap());
    }
    assert_eq!(seqs, [3, 4, 5]);
    tokio::task::yield_now().await;
    assert!(bob.drain().is_empty(), "nothing twice");
}

fn draft(world: &World, client_msg_id: &str) -> tokenim_domain::log::Write {
    use tokenim_domain::log::{Credential, Draft, Write};
    use tokenim_domain::name::{ClientMsgId, Conversation, User};
    use tokenim_domain::plan::quota::Allowance;
    Write::Send(Draft {
        app: world.key.app,
        conversation: Conversation::trusted("c"),
        sender: User::trusted("alice"),
        client_msg_id: ClientMsgId::trusted(client_msg_id),
        prev: None,
        kind: tokenim_domain::role::ContentKind::Text,
        about: tokenim_domain::log::About::default(),
        body: "{\"text\":\"x\"}".into(),
        may_send: true,
        credential: Credential { key: world.key.id, label: None },
        allowance: Allowance::default(),
    })
}

#[tokio::test]
async fn a_moved_watermark_is_told_to_the_others() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let mut bob = world.connect(&node, "bob", json!({})).await;
    alice.send("c", "m1");
    alice.reply().await;
    bob.message().await;
    for _ in 0..2 {
        bob.command("read", json!({"conversation": "c", "seq": 2}));
        assert_eq!(bob.reply().await["ok"], json!({}));
    }
    let receipt = alice.wait(|message| message["push"]["type"] == "receipt").await;
    assert_eq!(receipt["push"], json!({"type": "receipt", "conversation": "c", "user": "bob", "read": 2}));
    assert!(alice.drain().is_empty() && bob.drain().is_empty());
}
