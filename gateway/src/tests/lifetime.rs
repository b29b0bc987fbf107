//! Deadlines, silence, expiry, slow readers and the drain, on a clock the test moves.

use super::World;
use super::client::Client;
use serde_json::json;
use std::time::Duration;

impl Client {
    async fn closed(&self) -> u64 {
        self.wait(|message| message["close"].is_u64()).await["close"].as_u64().unwrap()
    }

    fn tick(&self, world: &World) {
        use tokenim_domain::clock::Clock;
        self.connection.tick(self.node.now_seconds(), world.clock.now_ms());
    }
}

#[tokio::test]
async fn a_socket_that_does_not_authenticate_in_time_is_closed() {
    let world = World::new();
    let node = world.node();
    world.clock.advance(Duration::from_secs(1));
    let client = Client::open(&node);
    client.connection.tick(0, 0);
    world.clock.advance(Duration::from_millis(5_900));
    client.tick(&world);
    assert!(client.drain().is_empty());
    world.clock.advance(Duration::from_millis(100));
    client.tick(&world);
    assert_eq!(client.closed().await, 4401);
}

#[tokio::test]
async fn commands_before_connect_and_bad_tokens_close_4401() {
    let world = World::new();
    let node = world.node();
    let mut early = Client::open(&node);
    early.send("c", "m1");
    assert_eq!(early.reply().await["error"]["code"], "unauthenticated");
    assert_eq!(early.closed().await, 4401);
    let mut forged = Client::open(&node);
    forged.command("connect", json!({"token": world.token("alice", 60) + "x"}));
    assert_eq!(forged.reply().await["error"]["code"], "token_invalid");
    assert_eq!(forged.closed().await, 4401);
}

#[tokio::test]
async fn whatever_is_pipelined_behind_a_connect_that_failed_is_answered_once() {
    let world = World::new();
    for failures in 0..4 {
        let node = world.node();
        let mut client = Client::open(&node);
        world.log.fail_users(failures);
        let mut ids = Vec::new();
        for _ in 0..=failures {
            ids.push(client.command("connect", json!({"token": world.token("alice", 3_600)})));
            ids.push(client.command("connect", json!({"token": 1})));
        }
        ids.push(client.command("sync", json!({})));
        ids.push(client.command("connect", json!({"token": world.token("alice", 3_600)})));
        ids.push(client.command("ping", json!({})));
        let mut replies = Vec::new();
        while replies.len() < ids.len() {
            let reply = client.reply().await;
            replies.push((reply["id"].as_u64().unwrap(), reply["error"]["code"].as_str().map(str::to_owned)));
        }
        replies.sort();
        let failed = std::iter::repeat_n([Some("unavailable"), Some("invalid_request")], failures).flatten();
        let done = [None, Some("invalid_request"), None, Some("invalid_request"), None];
        let expected: Vec<_> = ids.into_iter().zip(failed.chain(done).map(|code| code.map(str::to_owned))).collect();
        assert_eq!(replies, expected);
        assert!(client.drain().is_empty(), "each is answered once");
    }
}

#[tokio::test]
async fn silence_closes_and_any_byte_counts() {
    let world = World::new();
    let node = world.node();
    let client = world.connect(&node, "alice", json!({})).await;
    world.clock.advance(Duration::from_secs(30));
    client.connection.hear(node.now_seconds());
    world.clock.advance(Duration::from_secs(30));
    client.tick(&world);
    assert!(client.drain().iter().all(|message| message["push"]["type"] == "ping"));
    world.clock.advance(Duration::from_secs(6));
    client.tick(&world);
    assert_eq!(client.closed().await, 4002);
}

#[tokio::test]
async fn the_ping_carries_the_heads_that_changed_since_the_last_one() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let bob = world.connect(&node, "bob", json!({})).await;
    alice.send("c", "m1");
    alice.reply().await;
    bob.message().await;
    let mut pings = Vec::new();
    for _ in 0..2 {
        world.clock.advance(Duration::from_secs(25));
        bob.connection.hear(node.now_seconds());
        bob.tick(&world);
        pings.push(bob.wait(|message| message["push"]["type"] == "ping").await["push"].take());
    }
    assert_eq!(pings, [json!({"type": "ping", "heads": {"c": [1, 2]}}), json!({"type": "ping"})]);
}

#[tokio::test]
async fn an_expired_token_closes_4101_unless_it_was_refreshed() {
    let world = World::new();
    let node = world.node();
    let mut client = Client::open(&node);
    client.command("connect", json!({"token": world.token("alice", 60)}));
    client.reply().await;
    world.clock.advance(Duration::from_secs(50));
    client.connection.hear(node.now_seconds());
    client.command("refresh", json!({"token": world.token("alice", 600)}));
    assert_eq!(client.reply().await["ok"]["expires_in_s"], 600);
    client.command("refresh", json!({"token": world.token("bob", 600)}));
    assert_eq!(client.reply().await["error"]["code"], "token_invalid");
    for (seconds, closed) in [(100, false), (600, true)] {
        world.clock.advance(Duration::from_secs(seconds));
        client.connection.hear(node.now_seconds());
        client.tick(&world);
        assert_eq!(client.connection.is_closing(), closed);
    }
    assert_eq!(client.closed().await, 4101);
}

#[tokio::test]
async fn a_slow_reader_is_told_to_resync_then_closed_and_its_neighbour_is_unmoved() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "slow", "quick"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let (slow, quick) = (world.connect(&node, "slow", json!({})).await, world.connect(&node, "quick", json!({})).await);
    let body = json!({"text": "x".repeat(60_000)});
    let mut seqs = Vec::new();
    for n in 0..20 {
        alice.command(
            "send",
            json!({"conversation": "c", "client_msg_id": format!("m{n}"), "kind": "text", "body": body}),
        );
        assert!(alice.reply().await["ok"].is_object());
        seqs.push(quick.message().await["seq"].as_i64().unwrap());
    }
    assert_eq!(seqs, (2..=21).collect::<Vec<_>>());
    assert_eq!(slow.closed().await, 4008);
    let resync = slow.wait(|message| message["push"]["type"] == "resync").await;
    assert_eq!(resync["push"], json!({"type": "resync", "conversation": "c", "reason": "slow_consumer"}));
}

/// What may be dropped is, before any event; how things are is told again once there is room.
#[tokio::test(start_paused = true)]
async fn a_state_that_was_dropped_for_a_slow_reader_is_told_again() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "carol"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let mut carol = world.connect(&node, "carol", json!({})).await;
    let names: Vec<_> = (0..300).map(|at| format!("u{at:03}")).collect();
    let mut watched = Vec::new();
    for name in &names {
        watched.push(world.connect(&node, name, json!({})).await);
    }
    carol.command("presence.watch", json!({"users": names}));
    assert_eq!(carol.reply().await["ok"]["states"][0]["state"], "online");
    carol.drain();
    watched.iter().for_each(|client| node.remove(&client.connection));
    for _ in 0..10 {
        world.clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // With what is queued of the states it is a little too much, without it not.
    let body = json!({"text": "x".repeat(63_000)});
    for n in 0..8 {
        let id = format!("m{n}");
        alice.command("send", json!({"conversation": "c", "client_msg_id": id, "kind": "text", "body": body}));
        assert!(alice.reply().await["ok"].is_object());
    }
    let mut pushed = Vec::new();
    for _ in 0..8 {
        pushed.extend(carol.drain());
    }
    let of = |kind: &str| pushed.iter().filter(|message| message["push"]["type"] == kind).count();
    assert_eq!((of("message"), of("presence"), of("resync")), (8, 0, 0), "the states gave way");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let told = carol.wait(|message| message["push"]["type"] == "presence").await;
    assert_eq!(told["push"]["states"][0]["state"], "offline");
}

#[tokio::test]
async fn open_commands_are_bounded_and_each_is_answered_once() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let held = world.log.reads.acquire_many(1_000).await.unwrap();
    for _ in 0..257 {
        alice.command("history", json!({"conversation": "c", "after": 0}));
    }
    assert_eq!(alice.reply().await["error"]["code"], "too_many_open_commands");
    drop(held);
    for _ in 0..256 {
        assert!(alice.reply().await["ok"].is_object());
    }
    assert!(alice.drain().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_drain_tells_closes_and_commits_what_is_queued() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    alice.send("c", "m1");
    let mut drain = tokio::task::JoinSet::new();
    let draining = node.clone();
    drain.spawn(async move { draining.drain(Duration::from_secs(2)).await });
    let push = alice.wait(|message| message["push"]["type"] == "drain").await;
    assert!(push["push"]["retry_after_ms"].as_u64().unwrap() < 2_000);
    assert_eq!(alice.reply().await["ok"]["seq"], 2);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(alice.closed().await, 4001);
    node.remove(&alice.connection);
    drain.join_next().await.unwrap().unwrap();
    assert!(node.write(draft_of(&world)).await.is_err(), "nothing is accepted any more");
    node.inner.registry.check();
}

/// Clients that were told one time would all come back at once.
#[tokio::test(start_paused = true)]
async fn whoever_is_sent_away_is_told_a_time_of_its_own_within_the_window() {
    const WINDOW_MS: u64 = 2_000;
    let world = World::new();
    let node = world.node();
    let mut clients = Vec::new();
    for at in 0..20 {
        clients.push(world.connect(&node, &format!("u{at}"), json!({})).await);
    }
    let mut drain = tokio::task::JoinSet::new();
    let draining = node.clone();
    drain.spawn(async move { draining.drain(Duration::from_millis(WINDOW_MS)).await });
    let mut told = Vec::new();
    for client in &clients {
        let push = client.wait(|message| message["push"]["type"] == "drain").await;
        told.push(push["push"]["retry_after_ms"].as_u64().unwrap());
        node.remove(&client.connection);
    }
    drain.join_next().await.unwrap().unwrap();
    assert!(told.iter().all(|ms| *ms < WINDOW_MS), "{told:?}");
    // That twenty draws leave out a half of the window happens twice in a million runs.
    let early = told.iter().filter(|ms| **ms < WINDOW_MS / 2).count();
    assert!((1..told.len()).contains(&early), "over the whole window: {told:?}");
    told.sort_unstable();
    told.dedup();
    assert!(told.len() > clients.len() / 2, "{told:?}");
}

fn draft_of(world: &World) -> tokenim_domain::log::Write {
    use tokenim_domain::log::{Watermark, Write};
    use tokenim_domain::name::{Conversation, User};
    Write::Move(Watermark {
        app: world.key.app,
        conversation: Conversation::trusted("c"),
        user: User::trusted("alice"),
        read: Some(1),
        received: None,
        held: None,
    })
}

#[tokio::test]
async fn commands_behind_connect_are_handled_after_it_in_order() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice"]).await;
    let mut alice = Client::open(&node);
    let token = world.token("alice", 600);
    alice.command("connect", json!({"token": token}));
    let ids: Vec<_> = (0..5).map(|n| alice.send("c", &format!("m{n}"))).collect();
    assert!(alice.reply().await["ok"]["session"].is_string());
    for (at, id) in ids.into_iter().enumerate() {
        let reply = alice.reply().await;
        assert_eq!((reply["id"].as_u64(), reply["ok"]["seq"].as_i64()), (Some(id), Some(at as i64 + 2)));
    }
    let mut forged = Client::open(&node);
    forged.command("connect", json!({"token": "x"}));
    forged.send("c", "m9");
    assert_eq!(forged.reply().await["error"]["code"], "token_invalid");
    assert_eq!(forged.closed().await, 4401);
    assert_eq!(world.log.events(world.key.app, "c").len(), 6);
}

/// Alice says something large again and again.
async fn say_much(alice: &mut Client, times: usize) {
    let body = json!({"text": "x".repeat(60_000)});
    for n in 0..times {
        let id = format!("much{n}");
        alice.command("send", json!({"conversation": "c", "client_msg_id": id, "kind": "text", "body": body}));
        assert!(alice.reply().await["ok"].is_object());
    }
}

#[tokio::test]
async fn a_ping_names_so_many_heads_and_says_where_there_are_more() {
    let world = World::new();
    let node = world.node();
    for at in 0..40 {
        world.group(&node, &format!("c{at}"), &["alice", "bob"]).await;
    }
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let bob = world.connect(&node, "bob", json!({})).await;
    for (said, more) in [(40, json!(true)), (32, json!(null))] {
        for at in 0..said {
            alice.send(&format!("c{at}"), &format!("{said}.{at}"));
            alice.reply().await;
            bob.message().await;
        }
        world.clock.advance(Duration::from_secs(30));
        bob.connection.hear(node.now_seconds());
        bob.tick(&world);
        let ping = bob.wait(|message| message["push"]["type"] == "ping").await;
        assert_eq!((ping["push"]["heads"].as_object().unwrap().len(), &ping["push"]["more"]), (32, &more));
    }
}

#[tokio::test]
async fn an_attach_during_which_too_much_happens_or_that_takes_too_long_starts_over() {
    for is_long in [false, true] {
        let world = World::new();
        let node = world.node();
        world.group(&node, "c", &["alice", "bob"]).await;
        let mut alice = world.connect(&node, "alice", json!({})).await;
        alice.send("c", "missed");
        alice.reply().await;
        let held = world.log.reads.acquire_many(1_000).await.unwrap();
        let mut bob = Client::open(&node);
        bob.command("connect", json!({"token": world.token("bob", 600), "heads": {"c": [1, 1]}}));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        if is_long {
            world.clock.advance(Duration::from_secs(16));
            bob.connection.hear(node.now_seconds());
            bob.tick(&world);
        } else {
            say_much(&mut alice, 18).await;
        }
        drop(held);
        assert_eq!(bob.closed().await, 4010, "{is_long}");
        let mut again = world.connect(&node, "bob", json!({"c": [1, 1]})).await;
        again.command("ping", json!({}));
        assert!(again.reply().await["ok"].is_object());
    }
}

/// What was said before its turn waits, within a bound: a large message does, an endless stream of them does not.
#[test]
fn what_waits_behind_a_connect_is_bounded() {
    let connection = crate::connection::Connection::new(1, crate::encoded::Form::Json, 0);
    assert!(connection.begin_attach().is_some());
    let text = "x".repeat(60_000);
    for held in 1..=18 {
        assert!(connection.hold(crate::incoming::Message::Json(&text)));
        assert_eq!(connection.is_closing(), held * text.len() > 1024 * 1024, "{held}");
    }
}

#[tokio::test]
async fn whoever_comes_back_after_a_year_goes_on_with_a_new_token() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let mut bob = Client::open(&node);
    bob.command("connect", json!({"token": world.token("bob", 3_600)}));
    let session = bob.reply().await["ok"]["session"].take();
    node.remove(&bob.connection);
    alice.send("c", "meanwhile");
    alice.reply().await;
    world.clock.advance(Duration::from_secs(365 * 24 * 3_600));
    let mut stale = Client::open(&node);
    stale.command("connect", json!({"session": session, "heads": {"c": [1, 1]}}));
    assert_eq!(stale.reply().await["error"]["code"], "token_expired");
    assert_eq!(stale.closed().await, 4101);
    let mut back = Client::open(&node);
    back.command("connect", json!({"token": world.token("bob", 3_600), "heads": {"c": [1, 1]}}));
    let outcome = back.reply().await["ok"]["sync"][0].take();
    assert_eq!((&outcome["outcome"], &outcome["head"]), (&json!("recovered"), &json!(2)));
    assert_eq!(back.message().await["client_msg_id"], "meanwhile");
}
