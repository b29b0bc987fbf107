//! What a client says it holds: committed beside everything else, and said until it is.

use super::World;
use super::client::Client;
use crate::appender::{Job, Origin};
use crate::gateway::Gateway;
use crate::model::{Fault, ModelLog};
use serde_json::json;
use std::time::Duration;
use tokenim_domain::log::{Reach, Since, Watermark, Write};
use tokenim_domain::name::{Conversation, User};
use tokio::sync::oneshot;

/// More than may wait before words are told, for as many batches as a connect takes.
const WAITING: usize = 16_000;

fn fill(world: &World, node: &Gateway<ModelLog>) {
    for _ in 0..WAITING {
        let (app, conversation, user) = (world.key.app, Conversation::trusted("c"), User::trusted("alice"));
        let write = Write::Move(Watermark { app, conversation, user, read: None, received: Some(1), held: None });
        let origin = Origin::Call(oneshot::channel().0);
        node.inner.appender.submit(Job { write, origin, place: None }).unwrap();
    }
}

async fn is_heard(client: &Client, received: i64) {
    let heard = client.wait(|message| message["push"]["type"] == "receipt").await;
    let receipt = json!({"type": "receipt", "conversation": "c", "user": "bob", "received": received});
    assert_eq!(heard["push"], receipt);
}

#[tokio::test(start_paused = true)]
async fn what_a_connect_names_is_committed_after_its_reply_and_once_more_after_a_batch_that_failed() {
    for faults in [vec![], vec![Fault::Failed, Fault::CommitLost], vec![Fault::AnswerLost]] {
        let is_answer_lost = faults.contains(&Fault::AnswerLost);
        let world = World::new();
        let node = world.node();
        world.group(&node, "c", &["alice", "bob"]).await;
        let mut alice = world.connect(&node, "alice", json!({})).await;
        alice.send("c", "m1");
        alice.reply().await;
        let is_faulty = !faults.is_empty();
        faults.into_iter().for_each(|fault| world.log.fail_next(fault));
        let bob = world.connect(&node, "bob", json!({"c": [1, 2]})).await;
        if is_faulty {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(bob.connection.owes(), "it was not told yet");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        // Told twice it moves nothing, which nobody is told of.
        if !is_answer_lost {
            is_heard(&alice, 2).await;
        }
        assert!(!bob.connection.owes());
        assert_eq!(bob.connection.reaches(&Conversation::trusted("c"), 2).0, None, "nor is it said again");
    }
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_at_a_connect_is_told_once_there_is_and_said_with_any_acknowledgement_before() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    for n in 0..301 {
        alice.send("c", &format!("m{n}"));
        alice.reply().await;
    }
    let c = Conversation::trusted("c");
    let reaches = |client: &Client, seq| client.connection.reaches(&c, seq);
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

    assert!(far.connection.owes());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!far.connection.owes(), "there was room");
}
