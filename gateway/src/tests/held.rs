//! What a client says it holds, on a node that has no room for its cursors.

use super::World;
use crate::appender::{Job, Origin};
use crate::gateway::Gateway;
use crate::model::ModelLog;
use serde_json::json;
use tokenim_domain::log::{Reach, Since, Watermark, Write};
use tokenim_domain::name::{Conversation, User};
use tokio::sync::oneshot;

/// More than may wait before a connect leaves its cursors out, for as many batches as a connect takes.
const WAITING: usize = 16_000;

fn fill(world: &World, node: &Gateway<ModelLog>) {
    for _ in 0..WAITING {
        let (app, conversation, user) = (world.key.app, Conversation::trusted("c"), User::trusted("alice"));
        let write = Write::Move(Watermark { app, conversation, user, read: None, received: Some(1), held: None });
        let origin = Origin::Call(oneshot::channel().0);
        node.inner.appender.submit(Job { write, origin, place: None }).unwrap();
    }
}

#[tokio::test]
async fn what_finds_no_room_at_a_connect_is_said_with_the_next_acknowledgement() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    for n in 0..301 {
        alice.send("c", &format!("m{n}"));
        alice.reply().await;
    }
    let c = Conversation::trusted("c");
    let calm = world.connect(&node, "bob", json!({"c": [1, 302]})).await;
    let reaches = |client: &super::client::Client, seq| client.connection.reaches(&c, seq);
    assert!(matches!(reaches(&calm, 9), (None, said) if said.len() == 1), "it is queued already");

    fill(&world, &node);
    let mut near = world.connect(&node, "bob", json!({"c": [1, 302]})).await;
    let (received, said) = reaches(&near, 9);
    assert_eq!(
        (received, said[0]),
        (Some(302), Reach { seq: 302, since: Since::Above(302) }),
        "whatever it acknowledges"
    );
    assert_eq!(said.iter().map(|reach| reach.seq).collect::<Vec<_>>(), [302, 9]);
    fill(&world, &node);
    let far = world.connect(&node, "bob", json!({"c": [1, 1]})).await;
    let (received, said) = reaches(&far, 300);
    assert_eq!(received, Some(1));
    assert_eq!(said.iter().map(|reach| reach.seq).collect::<Vec<_>>(), [1, 302, 300], "in their order");

    near.command("received", json!({"conversation": "c", "seq": 9}));
    assert!(near.reply().await["ok"].is_object());
    assert!(matches!(reaches(&near, 9), (None, said) if said.len() == 1), "it is committed");
}
