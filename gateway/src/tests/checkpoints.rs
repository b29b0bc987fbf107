//! The first steps of an app that somebody watches.

use super::client::{Client, World};
use serde_json::json;
use std::time::Duration;
use tokenim_domain::Code;

async fn connect(world: &World, client: &mut Client, user: &str, sdk: &str) {
    client.command("connect", json!({"token": world.token(user, 7_200), "sdk": sdk}));
    assert!(client.reply().await["ok"]["session"].is_string());
}

#[tokio::test]
async fn a_watched_app_shows_who_connected_sent_and_received() {
    let world = World::new();
    let node = world.node();
    let app = world.key.app.app;
    world.group(&node, "lobby", &["alice", "bob"]).await;
    assert_eq!(node.checkpoints().watch(app).libraries, []);
    let (mut alice, mut bob) = (Client::open(&node), Client::open(&node));
    connect(&world, &mut alice, "alice", "python/1").await;
    connect(&world, &mut bob, "bob", &"x".repeat(200)).await;
    alice.command(
        "send",
        json!({"conversation": "lobby", "client_msg_id": "m1", "kind": "text", "body": {"text": "hi"}}),
    );
    assert!(alice.reply().await["ok"]["seq"].is_number());
    assert_eq!(bob.message().await["seq"], 2);
    let steps = node.checkpoints().watch(app);
    let names: Vec<_> = steps.libraries.iter().map(|library| library.library.to_string()).collect();
    assert_eq!(names, ["python/1".to_owned(), "x".repeat(64)]);
    let seen: Vec<_> =
        steps.libraries.iter().map(|library| (library.sent_ms.is_some(), library.received_ms.is_some())).collect();
    assert_eq!(seen, [(true, false), (false, true)]);
    assert_eq!(steps.refused, None);
}

#[tokio::test]
async fn a_refusal_is_told_to_who_watches_and_an_app_nobody_watches_is_not_recorded() {
    let world = World::new();
    let node = world.node();
    let app = world.key.app.app;
    let mut early = Client::open(&node);
    connect(&world, &mut early, "alice", "early").await;
    assert_eq!(node.checkpoints().watch(app).libraries, [], "nobody watched then");
    let expired = world.token("alice", 10);
    world.clock.advance(Duration::from_secs(100));
    let mut late = Client::open(&node);
    late.command("connect", json!({"token": expired, "sdk": "js/2"}));
    assert_eq!(late.reply().await["error"]["code"], "token_expired");
    let refused = node.checkpoints().watch(app).refused.unwrap();
    assert_eq!((refused.code, &*refused.library), (Code::TokenExpired, "js/2"));
    world.clock.advance(Duration::from_secs(4_000));
    let mut unseen = Client::open(&node);
    connect(&world, &mut unseen, "bob", "late").await;
    assert_eq!(node.checkpoints().watch(app).libraries, [], "the hour is over");
}
