//! A log that fails: what is told, and that a repeat is safe.

use super::World;
use super::client::Client;
use crate::model::Fault;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn an_unknown_outcome_is_never_told_as_failed_and_the_repeat_stores_once() {
    for fault in [Fault::AnswerLost, Fault::CommitLost] {
        let world = World::new();
        let node = world.node();
        world.group(&node, "c", &["alice", "bob"]).await;
        let mut alice = world.connect(&node, "alice", json!({})).await;
        let bob = world.connect(&node, "bob", json!({})).await;
        world.log.fail_next(fault);
        alice.send("c", "m1");
        let error = alice.reply().await["error"].take();
        assert_eq!((error["code"].as_str(), error["retryable"].as_bool()), (Some("outcome_unknown"), Some(true)));
        let resync = bob.wait(|message| message["push"]["type"] == "resync").await;
        assert_eq!(resync["push"], json!({"type": "resync", "conversation": "c", "reason": "outcome_unknown"}));
        alice.send("c", "m1");
        let ack = alice.reply().await["ok"].take();
        assert_eq!((ack["seq"].as_i64(), ack["duplicate"].as_bool()), (Some(2), Some(fault == Fault::AnswerLost)));
        assert_eq!(world.log.events(world.key.app, "c").len(), 2);
    }
}

/// While members can't be read nothing is delivered, but whoever waits for an answer has it.
#[tokio::test(start_paused = true)]
async fn without_the_members_of_a_conversation_everybody_is_answered_all_the_same() {
    for fault in [Fault::AnswerLost, Fault::CommitLost] {
        let world = World::new();
        let node = world.node();
        world.group(&node, "c", &["alice", "bob"]).await;
        world.group(&node, "d", &["alice", "bob"]).await;
        let mut alice = world.connect(&node, "alice", json!({})).await;
        let bob = world.connect(&node, "bob", json!({})).await;
        world.log.fail_lists(usize::MAX);
        world.log.fail_next(fault);
        alice.send("c", "m1");
        assert_eq!(alice.reply().await["error"]["code"], "outcome_unknown");
        for at in 0..100 {
            world.log.fail_next(Fault::Failed);
            alice.send("d", &format!("refused{at}"));
            assert_eq!(alice.reply().await["error"]["code"], "unavailable");
        }
        alice.send("d", "n1");
        assert_eq!(alice.reply().await["ok"]["seq"], 2);
        assert_eq!(node.counters().untold, 2, "the batch of unknown outcome and the last");
        world.log.fail_lists(0);
        tokio::time::sleep(Duration::from_secs(3)).await;
        bob.wait(|message| message["push"]["type"] == "resync").await;
        assert_eq!(bob.message().await["client_msg_id"], "n1");
        assert_eq!(node.counters().untold, 0);
    }
}

#[tokio::test]
async fn a_failed_batch_is_refused_and_delivers_nothing() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let bob = world.connect(&node, "bob", json!({})).await;
    world.log.fail_next(Fault::Failed);
    alice.send("c", "m1");
    assert_eq!(alice.reply().await["error"]["code"], "unavailable");
    alice.send("c", "m2");
    assert_eq!(alice.reply().await["ok"]["seq"], 2);
    assert_eq!(bob.message().await["client_msg_id"], "m2");
    assert!(bob.drain().is_empty());
}

#[tokio::test]
async fn a_pipelined_message_is_not_stored_before_its_refused_predecessor() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let body = json!({"text": "x"});
    alice.command("send", json!({"conversation": "c", "client_msg_id": "a", "kind": "video", "body": body}));
    alice
        .command("send", json!({"conversation": "c", "client_msg_id": "b", "prev": "a", "kind": "text", "body": body}));
    let codes =
        [alice.reply().await, alice.reply().await].map(|reply| reply["error"]["code"].as_str().unwrap().to_owned());
    assert_eq!(codes, ["invalid_field", "previous_refused"]);
    alice.command("send", json!({"conversation": "c", "client_msg_id": "a", "kind": "text", "body": body}));
    alice
        .command("send", json!({"conversation": "c", "client_msg_id": "b", "prev": "a", "kind": "text", "body": body}));
    let seqs = [alice.reply().await, alice.reply().await].map(|reply| reply["ok"]["seq"].as_i64());
    assert_eq!(seqs, [Some(2), Some(3)]);
}

#[tokio::test(start_paused = true)]
async fn a_member_list_that_cannot_be_read_delays_the_push_and_loses_none() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let bob = world.connect(&node, "bob", json!({})).await;
    // Two nodes share nothing but the log, so this one has not read the members yet.
    let other = world.node();
    let mut carol = world.connect(&other, "alice", json!({})).await;
    world.log.fail_lists(3);
    carol.send("c", "m1");
    assert_eq!(carol.reply().await["ok"]["seq"], 2);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(bob.message().await["client_msg_id"], "m1");
    assert_eq!(alice.message().await["client_msg_id"], "m1");
    alice.send("c", "m2");
    assert_eq!(carol.message().await["client_msg_id"], "m2");
}

#[tokio::test]
async fn a_removal_whose_answer_was_lost_still_ends_the_pushes() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob", "carol"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let (bob, carol) = (world.connect(&node, "bob", json!({})).await, world.connect(&node, "carol", json!({})).await);
    alice.send("c", "m1");
    alice.reply().await;
    bob.message().await;
    world.log.fail_next(Fault::AnswerLost);
    alice.command("conversation.remove", json!({"conversation": "c", "members": ["bob"]}));
    assert_eq!(alice.reply().await["error"]["code"], "outcome_unknown");
    alice.send("c", "secret");
    assert!(alice.reply().await["ok"].is_object());
    carol.wait(|message| message["push"]["client_msg_id"] == "secret").await;
    assert!(bob.drain().is_empty());
}

/// What is looked for after a lost answer is what nobody was told of: the sweep repeats no message that was delivered before.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_makes_no_delivered_message_come_again() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let bob = world.connect(&node, "bob", json!({})).await;
    alice.send("c", "m1");
    alice.reply().await;
    bob.message().await;
    for _ in 0..2 {
        world.log.fail_next(Fault::CommitLost);
        alice.send("c", "m2");
        assert_eq!(alice.reply().await["error"]["code"], "outcome_unknown");
    }
    world.clock.advance(Duration::from_secs(10));
    tokio::time::sleep(Duration::from_secs(90)).await;
    let pushed: Vec<_> = bob.drain().into_iter().map(|frame| frame["push"]["type"].clone()).collect();
    assert!(pushed.iter().all(|kind| kind == "resync" || kind == "ping"), "{pushed:?}");
}

/// The sender has given up, and so have those who looked when they were told: what lands minutes later is delivered all the same.
#[tokio::test(start_paused = true)]
async fn a_commit_that_lands_minutes_after_its_answer_was_lost_is_delivered() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let bob = world.connect(&node, "bob", json!({})).await;
    world.log.fail_next(Fault::LandsLate(Duration::from_secs(240)));
    alice.send("c", "m1");
    assert_eq!(alice.reply().await["error"]["code"], "outcome_unknown");
    for _ in 0..300 {
        world.clock.advance(Duration::from_secs(1));
        [&alice, &bob].into_iter().for_each(|client| client.connection.hear(node.now_seconds()));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let pushed: Vec<_> = bob.drain().into_iter().filter(|frame| frame["push"]["type"] == "message").collect();
    assert_eq!(pushed.len(), 1, "{pushed:?}");
    assert_eq!(pushed[0]["push"]["client_msg_id"], "m1");
}

/// Who is just connecting reads the log before such a commit, and is told to look after it: the word waits at the gate.
#[tokio::test(start_paused = true)]
async fn whoever_attaches_while_an_answer_is_lost_is_told_to_look() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    // Bob reads what he missed, and is stopped there.
    let stopped = world.log.reads.acquire_many(1_000).await.unwrap();
    alice.send("c", "m1");
    alice.reply().await;
    let mut bob = Client::open(&node);
    bob.command("connect", json!({"token": world.token("bob", 600), "heads": {"c": [1, 1]}}));
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.log.fail_next(Fault::AnswerLost);
    alice.send("c", "m2");
    assert_eq!(alice.reply().await["error"]["code"], "outcome_unknown");
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(stopped);
    assert_eq!(bob.reply().await["ok"]["sync"][0]["head"], 2);
    bob.wait(|message| message["push"]["type"] == "resync").await;
}

#[tokio::test]
async fn a_task_that_panics_is_noticed_and_nothing_is_acknowledged_afterwards() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    world.log.fail_next(Fault::Panic);
    alice.send("c", "m1");
    tokio::time::timeout(Duration::from_secs(5), node.died()).await.expect("the process can end");
    alice.send("c", "m2");
    assert_eq!(alice.reply().await["error"]["retryable"], true);
    assert_eq!(world.log.events(world.key.app, "c").len(), 1);
}
