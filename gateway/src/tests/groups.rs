//! Bans and join requests on their way to those they concern.

use super::client::World;
use serde_json::{Value, json};

fn is_member_event(message: &Value) -> bool {
    message["push"]["type"] == "member"
}

#[tokio::test]
async fn the_banned_hear_of_it_on_another_node_that_reads_the_members_afterwards() {
    let world = World::new();
    let (one, two) = (world.node(), world.node());
    world.group(&one, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&one, "alice", json!({})).await;
    let bob = world.connect(&two, "bob", json!({})).await;
    let dave = world.connect(&two, "dave", json!({})).await;
    alice.command("conversation.ban", json!({"conversation": "c", "user": "bob"}));
    assert_eq!(alice.reply().await["ok"]["seq"], 2);
    let push = bob.wait(|message| is_member_event(message) && message["push"]["change"] == "banned").await;
    assert_eq!(push["push"]["users"], json!([{"user": "bob", "role": "member"}]));
    alice.command("conversation.ban", json!({"conversation": "c", "user": "dave"}));
    alice.reply().await;
    alice.wait(|message| message["push"]["users"] == json!([{"user": "dave"}])).await;
    alice.send("c", "m");
    alice.reply().await;
    // Another conversation comes after it on the bus: what was to come has come.
    world.group(&one, "later", &["bob", "dave"]).await;
    for client in [&bob, &dave] {
        client.wait(|message| message["push"]["conversation"] == "later").await;
        let heard = client.drain();
        assert!(heard.iter().all(|message| message["push"]["seq"].as_i64().unwrap_or(0) < 2), "{heard:?}");
    }
}

#[tokio::test]
async fn a_moderator_who_is_connected_hears_who_asks() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let alice = world.connect(&node, "alice", json!({})).await;
    let bob = world.connect(&node, "bob", json!({})).await;
    let mut dave = world.connect(&node, "dave", json!({})).await;
    dave.command("conversation.join", json!({"conversation": "c"}));
    assert_eq!(dave.reply().await["ok"], json!({"state": "requested"}));
    let push = alice.wait(|message| message["push"]["type"] == "join_request").await;
    assert_eq!(push["push"], json!({"type": "join_request", "conversation": "c", "user": "dave"}));
    assert!(bob.drain().iter().all(|message| message["push"]["type"] != "join_request"));
}
