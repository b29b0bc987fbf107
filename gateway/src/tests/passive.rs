//! Connections that do not want every event: heads, large conversations, and the switch back without a gap.

use super::World;
use super::client::Client;
use serde_json::{Value, json};
use std::time::Duration;

fn kinds(messages: &[Value]) -> Vec<(String, i64)> {
    let of = |message: &Value| {
        let push = &message["push"];
        Some((push["type"].as_str()?.to_owned(), push["seq"].as_i64()?))
    };
    messages.iter().filter_map(of).collect()
}

/// Lets two seconds pass, in which heads are told.
async fn seconds() {
    tokio::time::sleep(Duration::from_secs(2)).await;
}

async fn switch(client: &mut Client, command: &str, conversation: &str) -> i64 {
    client.command(command, json!({"conversation": conversation}));
    let reply = client.reply().await;
    reply["ok"]["head"].as_i64().unwrap_or_else(|| panic!("{reply}"))
}

#[tokio::test(start_paused = true)]
async fn a_passive_connection_has_one_head_a_second_and_an_open_one_every_event() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let (mut bob, tablet) =
        (world.connect(&node, "bob", json!({})).await, world.connect(&node, "bob", json!({})).await);
    seconds().await;
    bob.drain();
    assert_eq!(switch(&mut bob, "passive", "c").await, 1);
    for at in 0..50 {
        alice.send("c", &format!("m{at}"));
        alice.reply().await;
    }
    seconds().await;
    let told = kinds(&bob.drain());
    assert!(told.iter().all(|(kind, _)| kind == "head") && told.len() <= 2, "{told:?}");
    assert_eq!(told.last().unwrap().1, 51);
    assert_eq!(tablet.drain().len(), 50, "it is a matter of the connection");
    alice.command("typing", json!({"conversation": "c"}));
    alice.reply().await;
    assert!(bob.drain().is_empty());
    assert_eq!(tablet.drain().len(), 1);
    // Back again: what is above the head of the reply comes whole.
    alice.send("c", "between");
    let head = switch(&mut bob, "open", "c").await;
    for at in 0..5 {
        alice.send("c", &format!("after{at}"));
        alice.reply().await;
    }
    seconds().await;
    let told: Vec<_> = kinds(&bob.drain()).into_iter().filter(|(_, seq)| *seq > head).collect();
    let expected: Vec<_> = (head + 1..=57).map(|seq| ("message".to_owned(), seq)).collect();
    assert_eq!(told, expected);
    bob.command("passive", json!({"conversation": "nowhere"}));
    assert_eq!(bob.reply().await["error"]["code"], "not_found");
}

#[tokio::test(start_paused = true)]
async fn a_member_event_reaches_whom_it_is_about_and_a_ping_knows_the_head() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let mut bob = world.connect(&node, "bob", json!({})).await;
    switch(&mut bob, "passive", "c").await;
    alice.send("c", "m1");
    alice.reply().await;
    seconds().await;
    bob.drain();
    bob.connection.tick(node.now_seconds() + 30, super::client::START_MS);
    let ping = bob.wait(|message| message["push"]["type"] == "ping").await;
    assert_eq!(ping["push"]["heads"], json!({"c": [1, 2]}));
    alice.command("conversation.remove", json!({"conversation": "c", "members": ["bob"]}));
    alice.reply().await;
    seconds().await;
    assert_eq!(kinds(&bob.drain()), [("member".to_owned(), 3)]);
}

#[tokio::test(start_paused = true)]
async fn in_a_large_conversation_only_those_who_opened_it_have_the_events() {
    let world = World::new();
    let node = world.node();
    let crowd: Vec<String> = (0..1_100).map(|at| format!("u{at}")).collect();
    let names: Vec<&str> = crowd.iter().map(String::as_str).collect();
    world.group(&node, "large", &names).await;
    let mut sender = world.connect(&node, "u0", json!({})).await;
    let (mut reader, idler) =
        (world.connect(&node, "u1", json!({})).await, world.connect(&node, "u2", json!({})).await);
    assert_eq!(switch(&mut reader, "open", "large").await, 1);
    sender.send("large", "m1");
    sender.reply().await;
    seconds().await;
    assert_eq!(kinds(&reader.drain()), [("message".to_owned(), 2)]);
    assert_eq!(kinds(&idler.drain()), [("head".to_owned(), 2)]);
    // Members that are read anew, on another node: who has it open is found among them.
    let other = world.node();
    let mut there = world.connect(&other, "u3", json!({})).await;
    switch(&mut there, "open", "large").await;
    sender.send("large", "m2");
    sender.reply().await;
    there.wait(|message| message["push"]["seq"] == 3).await;
    // Who is removed is told, and has nothing afterwards; a large one that shrinks is pushed to everybody again.
    let gone: Vec<_> = crowd[90..].to_vec();
    let mut leaver = world.connect(&node, "u95", json!({})).await;
    switch(&mut leaver, "passive", "large").await;
    sender.command("conversation.remove", json!({"conversation": "large", "members": &gone[..1_000]}));
    assert_eq!(sender.reply().await["ok"]["changed"], true);
    sender.send("large", "m3");
    sender.reply().await;
    seconds().await;
    assert_eq!(kinds(&leaver.drain()).last().unwrap(), &("member".to_owned(), 4));
    let (read, idle) = (kinds(&reader.drain()), kinds(&idler.drain()));
    assert_eq!(read.last(), Some(&("message".to_owned(), 5)));
    // The removal was withheld while it was large: its head is told even so.
    assert!(idle.contains(&("message".to_owned(), 5)) && idle.contains(&("head".to_owned(), 4)), "{idle:?}");
}

#[tokio::test(start_paused = true)]
async fn switches_in_the_midst_of_traffic_leave_no_gap() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let mut bob = world.connect(&node, "bob", json!({})).await;
    for round in 0..30 {
        switch(&mut bob, "passive", "c").await;
        for at in 0..round % 4 {
            alice.send("c", &format!("p{round}-{at}"));
        }
        tokio::time::sleep(Duration::from_millis(u64::from(round as u8) * 40)).await;
        for at in 0..round % 3 {
            alice.send("c", &format!("q{round}-{at}"));
        }
        let head = switch(&mut bob, "open", "c").await;
        for at in 0..5 {
            alice.send("c", &format!("o{round}-{at}"));
        }
        for _ in 0..(round % 4 + round % 3 + 5) {
            alice.reply().await;
        }
        let last = world.log.events(world.key.app, "c").len() as i64;
        bob.wait(|message| message["push"]["seq"] == last && message["push"]["type"] == "message").await;
        let mut seqs: Vec<_> =
            kinds(&bob.drain()).into_iter().filter(|(kind, _)| kind == "message").map(|(_, seq)| seq).collect();
        seqs.push(last);
        assert!((head + 1..=last).all(|seq| seqs.contains(&seq)), "{round}: above {head}: {seqs:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_withheld_in_a_large_conversation_is_told_although_it_shrinks_before() {
    let world = World::new();
    let node = world.node();
    let crowd: Vec<String> = (0..1_025).map(|at| format!("u{at}")).collect();
    let names: Vec<&str> = crowd.iter().map(String::as_str).collect();
    world.group(&node, "large", &names).await;
    let mut sender = world.connect(&node, "u0", json!({})).await;
    let idler = world.connect(&node, "u2", json!({})).await;
    seconds().await;
    idler.drain();
    sender.send("large", "m1");
    sender.reply().await;
    sender.command("conversation.remove", json!({"conversation": "large", "members": ["u1024"]}));
    assert_eq!(sender.reply().await["ok"]["changed"], true);
    seconds().await;
    let told = kinds(&idler.drain());
    assert_eq!(told.last(), Some(&("head".to_owned(), 3)), "{told:?}");
}
