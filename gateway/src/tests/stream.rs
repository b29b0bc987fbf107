//! What live messages grow by on its way to readers, and the end of those that nobody goes on with.

use super::client::{Client, World};
use super::limits::a_look;
use serde_json::{Value, json};
use std::time::Duration;
use tokenim_domain::limits::LIVE_IDLE_SECONDS;

async fn begin(client: &mut Client) -> i64 {
    client.command("stream.begin", json!({"conversation": "c", "client_msg_id": "s1"}));
    client.reply().await["ok"]["seq"].as_i64().unwrap()
}

fn deltas(client: &Client) -> Vec<(u64, String)> {
    let pushes = client.drain().into_iter().map(|mut message| message["push"].take());
    let of = |push: Value| (push["offset"].as_u64().unwrap(), push["text"].as_str().unwrap().to_owned());
    pushes.filter(|push| push["type"] == "stream").map(of).collect()
}

#[tokio::test]
async fn pieces_of_one_batch_are_one_push_and_come_before_the_end() {
    let world = World::new();
    let (near, far) = (world.node(), world.node());
    world.group(&near, "c", &["alice", "bob", "carol"]).await;
    let mut alice = world.connect(&near, "alice", json!({})).await;
    let (bob, carol) = (world.connect(&near, "bob", json!({})).await, world.connect(&far, "carol", json!({})).await);
    let seq = begin(&mut alice).await;
    for at in 0..20 {
        let text = ["a", "é"][at % 2];
        let offset = at / 2 * 3 + at % 2;
        alice.command("stream.append", json!({"conversation": "c", "target": seq, "offset": offset, "text": text}));
    }
    alice.command("stream.end", json!({"conversation": "c", "target": seq, "offset": 30}));
    for reader in [&bob, &carol] {
        let (mut held, mut pushes) = (String::new(), 0);
        loop {
            let push = reader.wait(|message| message["push"].is_object()).await["push"].take();
            match push["type"].as_str() {
                Some("stream") => {
                    assert_eq!(push["offset"].as_u64(), Some(held.len() as u64));
                    held += push["text"].as_str().unwrap();
                    pushes += 1;
                }
                Some("ended") => break,
                _ => {}
            }
        }
        assert_eq!(held, "aé".repeat(10));
        assert!(pushes < 20, "{pushes} pushes of 20 pieces");
    }
}

#[tokio::test]
async fn nobody_is_told_where_the_same_batch_changes_the_members() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob", "carol"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let (bob, carol) = (world.connect(&node, "bob", json!({})).await, world.connect(&node, "carol", json!({})).await);
    let seq = begin(&mut alice).await;
    let piece = |offset: i64| json!({"conversation": "c", "target": seq, "offset": offset, "text": "x"});
    alice.command("conversation.remove", json!({"conversation": "c", "members": ["carol"]}));
    alice.command("stream.append", piece(0));
    alice.reply().await;
    alice.reply().await;
    alice.command("stream.append", piece(1));
    alice.reply().await;
    bob.wait(|message| message["push"]["offset"] == 1).await;
    assert_eq!(deltas(&carol), []);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_goes_on_with_is_ended_with_what_it_holds() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let seq = begin(&mut alice).await;
    alice.command("stream.append", json!({"conversation": "c", "target": seq, "offset": 0, "text": "half"}));
    alice.reply().await;
    world.clock.advance(Duration::from_secs(LIVE_IDLE_SECONDS.unsigned_abs()));
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let bob = world.connect(&node, "bob", json!({})).await;
    // Over its quota it stays, until there is room.
    world.book.change(|terms| (terms.limits.units, terms.used) = (Some(1), 1));
    a_look().await;
    node.sweep(&mut 0).await.unwrap();
    alice.command("stream.get", json!({"conversation": "c", "target": seq}));
    assert_eq!(alice.reply().await["ok"], json!({"text": "half", "offset": 4}));
    world.book.change(|terms| terms.used = 0);
    a_look().await;
    node.sweep(&mut 0).await.unwrap();
    let push = bob.wait(|message| message["push"]["type"] == "ended").await["push"].take();
    assert_eq!((&push["target"], &push["body"]["text"], push.get("actor")), (&json!(seq), &json!("half"), None));
    node.sweep(&mut 0).await.unwrap();
    assert_eq!(world.log.events(world.key.app, "c").len(), 3, "once");
}
