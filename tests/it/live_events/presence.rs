//! Presence: who is told what, when it ends, and what a crash leaves.

use crate::quota::support::{app, store};
use crate::support::token::with_claims;
use crate::support::wait::within_at_most;
use crate::support::{Client, TestServer, until};
use serde_json::{Value, json};
use std::time::Duration;
use tokenim_domain::log::{MessageLog, Seen};
use tokenim_domain::name::User;
use tokenim_protocol::time;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// The promise: within this whoever watches is told rightly again after a crash.
const SOON: Duration = Duration::from_secs(20);

/// A connection of a user on a device of that name.
async fn arrive(server: &TestServer, user: &str, device: &str) -> Client {
    Client::connect_with(server, json!({"token": server.token(user), "device": device})).await
}

async fn watch(client: &mut Client, users: &[&str]) -> Value {
    client.ok("presence.watch", json!({"users": users})).await["states"].take()
}

/// The next state of one user that is told and that `wanted` accepts; what comes must never be older than what came.
async fn told(client: &mut Client, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let push = client.push_of("presence").await;
        if let Some(state) = push["states"].as_array().unwrap().iter().find(|state| wanted(state)) {
            return state.clone();
        }
    }
}

/// What the store holds of a user.
async fn stored(server: &TestServer, user: &str) -> Option<Seen> {
    let rows = store(server).await.last_seen(app(server), vec![User::trusted(user)]).await.unwrap();
    rows.into_iter().next()
}

#[tokio::test]
async fn watchers_are_told_states_devices_and_text() {
    let server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    let states = watch(&mut alice, &["bob", "nobody", "alice", "bob"]).await;
    let names: Vec<_> = states.as_array().unwrap().iter().map(|state| state["user"].as_str().unwrap()).collect();
    assert_eq!(names, ["bob", "nobody", "alice"], "each once, in the order asked");
    assert_eq!((&states[0]["state"], &states[2]["state"]), (&json!("offline"), &json!("online")));
    assert!(states[0].get("last_seen").is_none());
    let mut phone = arrive(&server, "bob", "phone").await;
    let online = told(&mut alice, |state| state["user"] == "bob").await;
    assert_eq!(
        (&online["state"], &online["devices"]),
        (&json!("online"), &json!([{"device": "phone", "state": "online"}]))
    );
    assert!(online["version"].as_i64() > states[0]["version"].as_i64());
    let set = phone.ok("presence.set", json!({"state": "away", "text": "at lunch"})).await;
    let away = told(&mut alice, |state| state["state"] == "away").await;
    assert_eq!((&away, &away["text"]), (&set, &json!("at lunch")));
    let mut tablet = arrive(&server, "bob", "tablet").await;
    let best = told(&mut alice, |state| state["state"] == "online").await;
    let devices = json!([{"device": "tablet", "state": "online"}, {"device": "phone", "state": "away"}]);
    assert_eq!((&best["devices"], &best["text"]), (&devices, &json!("at lunch")));
    tablet.ok("presence.set", json!({"text": null})).await;
    assert!(told(&mut alice, |state| state.get("text").is_none()).await["version"].as_i64() > best["version"].as_i64());
    assert_eq!(tablet.ok("presence.get", json!({"users": ["bob"]})).await["states"][0]["state"], "online");
    // The list is replaced: bob is not told of any more.
    watch(&mut alice, &["carol"]).await;
    phone.ok("presence.set", json!({"state": "online"})).await;
    let carol = server.connect("carol").await;
    assert_eq!(told(&mut alice, |_| true).await["user"], "carol");
    drop(carol);
}

#[tokio::test]
async fn who_is_killed_is_offline_soon_and_who_reconnects_never_was() {
    let server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    let (bob, carol) = (arrive(&server, "bob", "phone").await, arrive(&server, "carol", "phone").await);
    watch(&mut alice, &["bob", "carol"]).await;
    // Neither says goodbye: their sockets are just gone, as after kill -9.
    drop(bob);
    drop(carol);
    let _carol = arrive(&server, "carol", "phone").await;
    let offline = told(&mut alice, |state| state["state"] == "offline").await;
    assert_eq!((&offline["user"], &offline["devices"]), (&json!("bob"), &json!([])));
    let seen = offline["last_seen"].as_str().unwrap().to_owned();
    // Whoever left twice the grace ago and was not told of is there still.
    let states = alice.ok("presence.get", json!({"users": ["bob", "carol"]})).await;
    assert_eq!((&states["states"][0]["last_seen"], &states["states"][1]["state"]), (&json!(seen), &json!("online")));
    assert!(alice.heard.iter().all(|text| !text.contains(r#""user":"carol","state":"offline""#)));
    // Saved once the flush has run, it survives a crash of the server to the millisecond.
    let row = until(async || stored(&server, "bob").await.filter(|row| !row.is_open)).await;
    let mut server = server;
    server.kill();
    server.start().await;
    let after = server.rest().get("/v1/presence?users=bob").await.ok()["items"][0].take();
    assert_eq!((&after["state"], &after["last_seen"]), (&json!("offline"), &json!(seen)));
    assert_eq!(time::rfc3339(row.seen_ms), seen);
    assert!(after["version"].as_i64() > offline["version"].as_i64(), "what was told before the crash is outdated");
}

/// No write tells the server: the next ping may be 25 s away.
#[tokio::test]
async fn who_closes_a_stream_of_events_is_offline_as_soon() {
    let server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    watch(&mut alice, &["bob"]).await;
    let mut bob = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    let head = format!("GET /v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", server.token("bob"));
    bob.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(told(&mut alice, |state| state["state"] == "online").await["user"], "bob");
    bob.shutdown().await.unwrap();
    let offline = told(&mut alice, |state| state["state"] == "offline");
    assert_eq!(within_at_most(Duration::from_secs(10), offline).await["user"], "bob");
}

#[tokio::test]
async fn who_was_there_at_a_crash_of_the_server_was_seen_then() {
    let mut server = TestServer::spawn().await;
    let bob = arrive(&server, "bob", "phone").await;
    let open = until(async || stored(&server, "bob").await.filter(|row| row.is_open)).await;
    server.kill();
    drop(bob);
    server.start().await;
    let row = until(async || stored(&server, "bob").await.filter(|row| !row.is_open)).await;
    let state = server.rest().get("/v1/presence?users=bob,nobody").await.ok()["items"].take();
    assert_eq!(state[0]["last_seen"], time::rfc3339(row.seen_ms));
    assert!(row.seen_ms >= open.seen_ms);
    assert!(state[1].get("last_seen").is_none());
}

#[tokio::test]
async fn who_watches_through_a_crash_of_the_server_is_told_who_came_back_and_who_did_not() {
    let mut server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    let users = ["bob", "carol", "dave"];
    let mut there = Vec::new();
    for user in users {
        there.push(arrive(&server, user, "phone").await);
    }
    let before = watch(&mut alice, &users).await;
    assert!(before.as_array().unwrap().iter().all(|state| state["state"] == "online"), "{before}");
    for user in users {
        until(async || stored(&server, user).await.filter(|row| row.is_open)).await;
    }
    server.kill();
    drop(there);
    server.start().await;
    let told_rightly = async {
        // One is back before who watches, one comes after, and one stays away.
        let _carol = arrive(&server, "carol", "phone").await;
        let mut alice = server.connect("alice").await;
        let states = watch(&mut alice, &users).await;
        let of = |name: &str| [0, 1, 2].map(|at| states[at][name].clone());
        assert_eq!(of("state"), ["offline", "online", "offline"]);
        assert!(states[0]["last_seen"].is_string() && states[2]["last_seen"].is_string(), "{states}");
        for at in 0..3 {
            let is_newer = states[at]["version"].as_i64() > before[at]["version"].as_i64();
            assert!(is_newer, "what was told before the crash is outdated: {before} {states}");
        }
        let _dave = arrive(&server, "dave", "phone").await;
        assert_eq!(told(&mut alice, |state| state["state"] == "online").await["user"], "dave");
        let bob = alice.ok("presence.get", json!({"users": ["bob"]})).await["states"][0].take();
        assert_eq!(bob, states[0], "nobody has come");
        assert!(alice.heard.iter().all(|text| !text.contains(r#""user":"bob","state":"online""#)));
    };
    within_at_most(SOON, told_rightly).await;
}

#[tokio::test]
async fn who_is_invisible_is_offline_to_others() {
    let server = TestServer::spawn().await;
    let (mut alice, mut bob) = (server.connect("alice").await, arrive(&server, "bob", "phone").await);
    watch(&mut alice, &["bob"]).await;
    let set = bob.ok("presence.set", json!({"state": "invisible", "text": "nobody sees this"})).await;
    let hidden = told(&mut alice, |state| state["state"] == "offline").await;
    assert_eq!(hidden, set);
    assert!(hidden["last_seen"].is_string() && hidden.get("text").is_none());
    bob.ok("presence.set", json!({"state": "online"})).await;
    assert_eq!(told(&mut alice, |state| state["state"] == "online").await["text"], "nobody sees this");
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_caps_hold() {
    let server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    let many: Vec<_> = (0..501).map(|at| format!("u{at}")).collect();
    for (command, fields, code, param) in [
        ("presence.set", json!({"state": "busy"}), "invalid_field", json!("state")),
        ("presence.set", json!({"text": "x".repeat(101)}), "invalid_field", json!("text")),
        ("presence.set", json!({"text": "a\u{7}b"}), "invalid_field", json!("text")),
        ("presence.set", json!({"text": 5}), "invalid_request", json!("text")),
        ("presence.watch", json!({"users": many}), "limit_reached", json!("users")),
        ("presence.get", json!({"users": ["bob", "bob", "a b"]}), "invalid_field", json!("users[2]")),
        ("presence.get", json!({}), "invalid_request", json!("users")),
    ] {
        let error = alice.refused(command, fields).await;
        assert_eq!((&error["code"], &error["param"]), (&json!(code), &param), "{command}");
    }
    assert_eq!(watch(&mut alice, &[]).await, json!([]));
    let of = |caps: Value| with_claims(&server.founded, "bob", json!({"caps": caps}));
    let mut reader = Client::connect(&server, &of(json!({"*": ["read", "send"]}))).await;
    for (command, fields) in [
        ("presence.set", json!({"state": "away"})),
        ("presence.watch", json!({"users": ["alice"]})),
        ("presence.get", json!({"users": ["alice"]})),
    ] {
        assert_eq!(reader.refused(command, fields).await["code"], "forbidden", "{command}");
    }
    let token = of(json!({"support:*": ["presence"]}));
    assert_eq!(server.rest_as(&token).get("/v1/presence?users=alice").await.ok()["items"][0]["state"], "online");
    for (path, refusal) in [
        ("/v1/presence", (400, "invalid_request")),
        ("/v1/presence?users=", (422, "invalid_field")),
        ("/v1/presence?users=a,,b", (422, "invalid_field")),
    ] {
        let (status, code) = server.rest().get(path).await.refusal();
        assert_eq!((status, code.as_str()), refusal, "{path}");
    }
}

#[tokio::test]
async fn apps_do_not_see_each_others_users() {
    let server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    watch(&mut alice, &["bob"]).await;
    let of_other = Client::connect(&server, &crate::support::token::user_token(&server.other, "bob")).await;
    let mut carol = server.connect("carol").await;
    watch(&mut carol, &["dora"]).await;
    let _dora = server.connect("dora").await;
    // What is told of dora was told after what would have been told of the other app's bob.
    assert_eq!(told(&mut carol, |_| true).await["user"], "dora");
    assert!(alice.pushes_so_far().await.is_empty());
    assert_eq!(alice.ok("presence.get", json!({"users": ["bob"]})).await["states"][0]["state"], "offline");
    drop(of_other);
}
