//! Limits, quotas and revocations, on a clock the test moves and terms it sets.

use super::World;
use super::client::{Client, START_MS};
use crate::model::Fault;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::id::{AppId, KeyId, OrgId};
use tokenim_domain::log::AppRef;
use tokenim_domain::plan::quota::Period;
use tokenim_domain::rng::SystemRng;
use tokenim_domain::standing::Standing;
use tokenim_domain::terms::Block;

/// Lets the node look for changes; on a paused runtime this takes no time.
pub(super) async fn a_look() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

async fn refusal(client: &Client) -> Value {
    let mut reply = client.reply().await;
    assert!(reply["error"].is_object(), "{reply}");
    reply["error"].take()
}

/// A client whose device is named, and the reply to its `connect`.
async fn arrive(world: &World, node: &crate::Gateway<crate::model::ModelLog>, device: &str) -> (Client, Value) {
    let mut client = Client::open(node);
    client.command("connect", json!({"token": world.token("alice", 3_600), "device": device}));
    let reply = client.reply().await;
    (client, reply)
}

async fn close_code(client: &Client) -> u64 {
    client.wait(|message| message["close"].is_u64()).await["close"].as_u64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn with_512_sends_in_flight_exactly_the_limit_is_stored() {
    let world = World::new();
    world.book.change(|terms| (terms.limits.units, terms.used) = (Some(200), 50));
    let node = world.node();
    let mut alice = world.connect(&node, "alice", json!({})).await;
    for at in 0..64 {
        world.group(&node, &format!("c{at}"), &["alice"]).await;
    }
    let mut ids = Vec::new();
    for at in 0..512 {
        // No more than 256 may be unanswered.
        if at % 256 == 0 {
            ids.push(Vec::new());
        }
        let id = alice.send(&format!("c{}", at % 64), &format!("m{at}"));
        ids.last_mut().unwrap().push(id);
        if at % 256 == 255 {
            let of_half = ids.last_mut().unwrap();
            let mut stored = 0;
            for _ in 0..of_half.len() {
                let reply = alice.reply().await;
                match reply["ok"].is_object() {
                    true => stored += 1,
                    false => {
                        let error = &reply["error"];
                        assert_eq!(
                            (error["code"].as_str(), error["retryable"].as_bool()),
                            (Some("quota_exceeded"), Some(false))
                        );
                        assert_eq!((error["meter"].as_str(), error["limit"].as_i64()), (Some("msg_sent"), Some(200)));
                        assert!(error["used"].as_i64() == Some(200) && error["resets_at"].is_string(), "{error}");
                    }
                }
            }
            assert_eq!(stored, if at < 256 { 150 } else { 0 });
        }
    }
    let events: usize = (0..64).map(|at| world.log.events(world.key.app, &format!("c{at}")).len() - 1).sum();
    assert_eq!(events, 150);
    alice.send("c0", "m0");
    let repeat = alice.reply().await;
    assert_eq!(
        (&repeat["ok"]["duplicate"], &repeat["ok"]["seq"]),
        (&json!(true), &json!(2)),
        "a repeat is answered all the same"
    );
    world.group(&node, "free", &["alice", "bob"]).await;
    alice.command("history", json!({"conversation": "c0", "after": 0}));
    assert!(alice.reply().await["ok"].is_object(), "reading goes on");
}

#[tokio::test(start_paused = true)]
async fn a_quota_begins_anew_with_the_month_and_its_changes_work_on_the_open_connection() {
    let world = World::new();
    let Period::Month { to_ms, .. } = Period::month(START_MS) else { unreachable!() };
    world.clock.advance(Duration::from_millis((to_ms - START_MS) as u64 - 2));
    world.book.change(|terms| terms.limits.units = Some(2));
    let node = world.node();
    world.group(&node, "c", &["alice"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let mut send = async |id: &str| {
        alice.send("c", id);
        let reply = alice.reply().await;
        reply["error"]["code"].as_str().map(str::to_owned)
    };
    assert_eq!((send("m1").await, send("m2").await), (None, None));
    assert_eq!(send("m3").await.as_deref(), Some("quota_exceeded"));
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(send("m3").await.as_deref(), Some("quota_exceeded"));
    world.clock.advance(Duration::from_millis(1));
    assert_eq!((send("m3").await, send("m4").await), (None, None));
    assert_eq!(send("m5").await.as_deref(), Some("quota_exceeded"));
    world.book.change(|terms| {
        (terms.limits.units, terms.limits.period, terms.used) = (Some(3), Period::month(to_ms), 2);
    });
    a_look().await;
    assert_eq!((send("m5").await, send("m6").await.as_deref()), (None, Some("quota_exceeded")));
    world.book.change(|terms| terms.limits.units = None);
    a_look().await;
    assert_eq!(send("m6").await, None, "a soft limit is counted on");
    world.book.change(|terms| (terms.limits.units, terms.used) = (Some(1), 4));
    a_look().await;
    assert_eq!(send("m7").await.as_deref(), Some("quota_exceeded"), "a limit below what was used");
}

#[tokio::test(start_paused = true)]
async fn messages_come_no_faster_than_the_plan_says() {
    let world = World::new();
    world.book.change(|terms| terms.limits.message_rate = Some(10));
    let node = world.node();
    world.group(&node, "c", &["alice"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    for at in 0..10 {
        alice.send("c", &format!("m{at}"));
        assert!(alice.reply().await["ok"].is_object());
    }
    alice.send("c", "m10");
    let error = refusal(&alice).await;
    assert_eq!((&error["code"], &error["retryable"]), (&json!("rate_limited"), &json!(true)));
    assert_eq!((&error["feature"], &error["limit"]), (&json!("message_rate"), &json!(10)));
    let wait_ms = error["retry_after_ms"].as_u64().unwrap();
    world.clock.advance(Duration::from_millis(wait_ms));
    alice.send("c", "m10");
    assert!(alice.reply().await["ok"].is_object(), "whoever waits as told is served");
    alice.send("c", "m11");
    assert_eq!(refusal(&alice).await["code"], "rate_limited");
    world.book.change(|terms| terms.limits.message_rate = Some(1_000));
    a_look().await;
    alice.send("c", "m11");
    assert!(alice.reply().await["ok"].is_object(), "a raise works at once");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_send_takes_no_turn_of_those_who_may() {
    let world = World::new();
    world.book.change(|terms| terms.limits.message_rate = Some(10));
    let node = world.node();
    world.group(&node, "c", &["alice", "bob"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let mut bob = Client::open(&node);
    bob.command("connect", json!({"token": world.token_with("bob", r#"{"c":["read"]}"#)}));
    assert!(bob.reply().await["ok"].is_object());
    for at in 0..30 {
        bob.send("c", &format!("m{at}"));
        assert_eq!(refusal(&bob).await["code"], "forbidden");
    }
    for at in 0..10 {
        alice.send("c", &format!("m{at}"));
        assert!(alice.reply().await["ok"].is_object(), "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_too_many_is_told_the_limit_and_closed_and_a_lowered_one_cuts_nobody() {
    let world = World::new();
    world.book.change(|terms| terms.limits.connections = Some(2));
    let node = world.node();
    let (first, second) = (arrive(&world, &node, "d1").await.0, arrive(&world, &node, "d2").await.0);
    let (third, reply) = arrive(&world, &node, "d3").await;
    let error = &reply["error"];
    assert_eq!((&error["code"], &error["limit"], &error["used"]), (&json!("connection_limit"), &json!(2), &json!(2)));
    assert!(error["retry_after_ms"].is_u64());
    assert_eq!(close_code(&third).await, 4009);
    node.remove(&third.connection);
    node.remove(&second.connection);
    let (again, reply) = arrive(&world, &node, "d3").await;
    assert!(reply["ok"].is_object(), "a place that was given back is another's");
    world.book.change(|terms| terms.limits.connections = Some(1));
    a_look().await;
    assert!(!first.connection.is_closing() && !again.connection.is_closing());
    assert_eq!(arrive(&world, &node, "d4").await.1["error"]["limit"], 1);
    assert_eq!(node.stats(world.key.app.app).connections, 2);
    node.inner.registry.check();
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_a_device_that_comes_back_takes_its_own_place() {
    let world = World::new();
    world.book.change(|terms| terms.limits.connections = Some(1));
    let node = world.node();
    let (old, _) = arrive(&world, &node, "d1").await;
    let (new, reply) = arrive(&world, &node, "d1").await;
    assert!(reply["ok"].is_object());
    assert_eq!(close_code(&old).await, 4409);
    node.remove(&old.connection);
    assert_eq!(node.stats(world.key.app.app).connections, 1);
    assert_eq!(arrive(&world, &node, "d2").await.1["error"]["code"], "connection_limit");
    node.remove(&new.connection);
    assert!(arrive(&world, &node, "d2").await.1["ok"].is_object());
    node.inner.registry.check();
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_ends_its_sessions_and_refuses_new_ones() {
    let world = World::new();
    let node = world.node();
    let (alice, _) = arrive(&world, &node, "d1").await;
    world.book.set_key(Standing { is_revoked: true, ..Standing::default() });
    world.book.change(|_| ());
    a_look().await;
    assert_eq!(close_code(&alice).await, 4102);
    let (late, reply) = arrive(&world, &node, "d1").await;
    assert_eq!(reply["error"]["code"], "token_revoked");
    assert_eq!(close_code(&late).await, 4102);
}

#[tokio::test(start_paused = true)]
async fn an_app_that_ends_between_two_looks_is_told_as_ended_and_not_its_key() {
    let world = World::new();
    let node = world.node();
    let (alice, _) = arrive(&world, &node, "d1").await;
    // The app was read before it ended, its key after: keys go with their app.
    *world.book.before.lock().unwrap() = Some(world.book.terms.lock().unwrap().clone());
    world.book.set_key(Standing { is_revoked: true, ..Standing::default() });
    world.book.change(|terms| terms.access.block = Some(Block::App));
    a_look().await;
    assert_eq!(close_code(&alice).await, 4410);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_given_an_end_closes_its_sessions_there_unless_they_have_a_token_of_another() {
    let world = World::new();
    let node = world.node();
    let (leaving, _) = arrive(&world, &node, "d1").await;
    let (mut staying, _) = arrive(&world, &node, "d2").await;
    let end_ms = world.clock.now_ms() + 60_000;
    let ending = Standing { is_rotated: true, expires_ms: Some(end_ms), ..Standing::default() };
    world.book.set_key(ending);
    world.book.change(|_| ());
    a_look().await;
    let (late, reply) = arrive(&world, &node, "d3").await;
    assert!(reply["ok"].is_object(), "the key stands until its end");
    let tick = |client: &Client, at_ms| client.connection.tick(node.now_seconds(), at_ms);
    // The next token is of the successor, whose part the same key plays once it is looked up anew, and has a shorter life.
    world.book.set_key(Standing::default());
    world.clock.advance(Duration::from_secs(3));
    staying.command("refresh", json!({"token": world.token("alice", 600)}));
    assert!(staying.reply().await["ok"].is_object());
    world.book.set_key(ending);
    for client in [&leaving, &late] {
        tick(client, end_ms - 1);
        assert!(!client.connection.is_closing());
        tick(client, end_ms);
        assert_eq!(close_code(client).await, 4102);
    }
    tick(&staying, end_ms);
    assert!(!staying.connection.is_closing());
    world.clock.advance(Duration::from_millis(60_000));
    let (refused, reply) = arrive(&world, &node, "d4").await;
    assert_eq!(reply["error"]["code"], "token_revoked");
    assert_eq!(close_code(&refused).await, 4102);
}

#[tokio::test(start_paused = true)]
async fn a_suspension_closes_what_is_open_and_is_told_to_who_comes() {
    let world = World::new();
    let node = world.node();
    let (alice, _) = arrive(&world, &node, "d1").await;
    world.book.change(|terms| terms.access.block = Some(Block::Org { reason: Some("spam".into()) }));
    a_look().await;
    assert_eq!(close_code(&alice).await, 4410);
    let (late, reply) = arrive(&world, &node, "d1").await;
    assert_eq!((&reply["error"]["code"], &reply["error"]["reason"]), (&json!("org_suspended"), &json!("spam")));
    assert_eq!(close_code(&late).await, 4410);
    world.book.change(|terms| terms.access.block = Some(Block::App));
    a_look().await;
    assert_eq!(arrive(&world, &node, "d1").await.1["error"]["code"], "app_suspended");
    world.book.change(|terms| terms.access.block = None);
    a_look().await;
    assert!(arrive(&world, &node, "d1").await.1["ok"].is_object());
}

#[tokio::test(start_paused = true)]
async fn a_page_connects_from_an_origin_on_the_list_only() {
    let world = World::new();
    world.book.change(|terms| terms.access.origins = vec!["https://chat.example".into()]);
    let node = world.node();
    for (origin, code) in
        [(Some("https://chat.example"), None), (None, None), (Some("https://evil.example"), Some(4403))]
    {
        let mut client = Client::open(&node);
        if let Some(origin) = origin {
            client.connection.set_origin(origin.into());
        }
        client.command("connect", json!({"token": world.token("alice", 3_600)}));
        let reply = client.reply().await;
        assert_eq!(reply["error"]["code"].as_str(), code.map(|_| "origin_not_allowed"), "{origin:?}");
        if let Some(code) = code {
            assert_eq!(close_code(&client).await, code);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_store_what_was_known_stands_and_nothing_that_changed_is_lost() {
    let world = World::new();
    world.book.change(|terms| terms.limits.connections = Some(1));
    let node = world.node();
    let (alice, _) = arrive(&world, &node, "d1").await;
    world.book.is_reachable.store(false, Ordering::SeqCst);
    world.book.change(|terms| terms.limits.connections = Some(2));
    world.book.set_key(Standing { is_revoked: true, ..Standing::default() });
    a_look().await;
    assert!(!alice.connection.is_closing());
    world.book.is_reachable.store(true, Ordering::SeqCst);
    a_look().await;
    assert_eq!(close_code(&alice).await, 4102);
    world.book.set_key(Standing::default());
    world.book.change(|_| ());
    a_look().await;
    assert!(arrive(&world, &node, "d2").await.1["ok"].is_object());
}

#[tokio::test(start_paused = true)]
async fn a_lost_commit_counts_until_the_store_has_told() {
    let world = World::new();
    world.book.change(|terms| terms.limits.units = Some(1));
    let node = world.node();
    world.group(&node, "c", &["alice"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    world.log.fail_next(Fault::CommitLost);
    alice.send("c", "m1");
    assert_eq!(refusal(&alice).await["code"], "outcome_unknown");
    alice.send("c", "m1");
    assert_eq!(refusal(&alice).await["code"], "quota_exceeded");
    a_look().await;
    alice.send("c", "m1");
    assert!(alice.reply().await["ok"].is_object(), "nothing was stored before");
    alice.send("c", "m2");
    assert_eq!(refusal(&alice).await["code"], "quota_exceeded");
}

#[tokio::test(start_paused = true)]
async fn an_app_of_another_org_has_limits_of_its_own_and_an_unknown_one_waits_for_no_place() {
    let world = World::new();
    world.book.change(|terms| terms.limits.connections = Some(1));
    let node = world.node();
    let other = AppRef { org: OrgId::new(&*world.clock, &SystemRng), app: AppId::new(&*world.clock, &SystemRng) };
    let (mine, theirs) = (node.place(world.key.app).await.unwrap(), node.place(other).await.unwrap());
    assert!(mine.pool.enter().is_ok() && mine.pool.enter().is_err());
    assert!(theirs.pool.enter().is_ok(), "one org at its limit never affects another");
    let sibling = AppRef { app: AppId(KeyId::new(&*world.clock, &SystemRng).0), ..world.key.app };
    assert!(node.place(sibling).await.unwrap().pool.enter().is_err(), "live apps of one org share");
}
