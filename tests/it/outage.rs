//! The database goes away and comes back: nothing acknowledged is lost, sockets stay, and all goes on by itself.
//! Only PostgreSQL can go away, so these tests run where one is named (see support/database.rs).

use crate::support::client::{seqs, text_message};
use crate::support::page::Console;
use crate::support::proxy::{Proxy, Way};
use crate::support::rest::get;
use crate::support::wait::within_at_most;
use crate::support::{Client, TestServer, until};
use serde_json::json;
use std::time::Duration;

/// Longer than every wait the server sets itself for its database.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the way stays silent: longer than the server waits for an answer to a batch.
const SILENCE: Duration = Duration::from_secs(12);

async fn status(url: &str) -> u16 {
    get(url).await.status().as_u16()
}

async fn until_status(url: &str, expected: u16) {
    let reached = async {
        while status(url).await != expected {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within_at_most(PATIENCE, reached).await;
}

/// A server whose database is behind a proxy; `None` where the tests run on SQLite.
async fn behind_proxy() -> Option<(TestServer, Proxy)> {
    let mut server = TestServer::spawn().await;
    let database = server.database.as_ref()?;
    let proxy = Proxy::start(database.socket()).await;
    server.database_url = Some(database.url_over(proxy.port));
    server.may_log_errors = true;
    server.terminate();
    server.ended().await;
    server.start().await;
    Some((server, proxy))
}

/// What a client that retries does: the same message again until it is accepted; returns its seq and the refusals before.
async fn send_until_ok(client: &mut Client, id: &str) -> (i64, Vec<String>) {
    let mut refusals = Vec::new();
    let sending = async {
        loop {
            let number = client.start("send", text_message("c1", id, "x")).await;
            let reply = client.reply(number).await;
            match reply["ok"]["seq"].as_i64() {
                Some(seq) => return seq,
                None => refusals.push(reply["error"]["code"].as_str().unwrap().to_owned()),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let seq = within_at_most(PATIENCE, sending).await;
    (seq, refusals)
}

async fn outage(way: Way, lasts: Duration) {
    let Some((server, proxy)) = behind_proxy().await else { return };
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let mut console = Console::sign_in(&server, &server.founded).await;
    let ready = format!("{}/readyz", server.private_url);
    assert_eq!((alice.send("c1", "m0", "x").await["seq"].as_i64(), status(&ready).await), (Some(2), 200));
    assert_eq!(bob.push_of("message").await["seq"], 2);

    proxy.set(way);
    let back = async {
        tokio::time::sleep(lasts).await;
        until_status(&ready, 503).await;
        let page = console.get("/").await;
        assert_eq!(page.status, 503, "{}", page.text);
        assert_eq!(status(&format!("{}/healthz", server.private_url)).await, 200);
        proxy.set(Way::Open);
    };
    let ((seq, refusals), ()) = tokio::join!(send_until_ok(&mut alice, "m1"), back);
    assert!(!refusals.is_empty(), "the outage was never felt");
    for refusal in &refusals {
        assert!(["unavailable", "outcome_unknown", "overloaded"].contains(&refusal.as_str()), "{refusals:?}");
    }
    assert_eq!(seq, 3, "sent again with the same id: stored once");

    until_status(&ready, 200).await;
    until(async || (console.get("/").await.status < 400).then_some(())).await;
    assert_eq!(bob.push_of("message").await["seq"], 3, "the socket stayed");
    assert_eq!(alice.send("c1", "m2", "x").await["seq"], 4);
    let log = server.rest().log("c1").await;
    assert_eq!(seqs(&log), [1, 2, 3, 4]);
    assert_eq!(server.rest().units().await, 3);
}

#[tokio::test]
async fn a_database_that_refuses_connections_comes_back() {
    outage(Way::Cut, Duration::from_secs(3)).await;
}

#[tokio::test]
async fn a_database_that_falls_silent_comes_back() {
    outage(Way::Silent, SILENCE).await;
}

/// The node knows the user and its app; what was missed, only the database does.
#[tokio::test]
async fn a_connect_that_cannot_read_what_was_missed_is_sent_back_and_then_recovers() {
    let Some((server, proxy)) = behind_proxy().await else { return };
    server.group("c1", &["alice", "bob"]).await;
    server.rest().send("c1", "alice", "m1", "missed").await;
    server.settled().await;
    // What the node knows of keys it believes for 2 s.
    let _other_device = server.connect("bob").await;
    let fields = json!({"token": server.token("bob"), "heads": {"c1": [1, 1]}});
    proxy.set(Way::Cut);
    let mut bob = Client::open(&server).await;
    let error = bob.refused("connect", fields.clone()).await;
    assert_eq!((&error["code"], &error["retryable"]), (&json!("unavailable"), &json!(true)));
    let closed = bob.closed().await;
    assert_eq!((closed.code, closed.why().as_str()), (4010, "insufficient_state"));
    proxy.set(Way::Open);
    let mut back = until(async || {
        let mut bob = Client::open(&server).await;
        let id = bob.start("connect", fields.clone()).await;
        bob.welcome = bob.reply(id).await["ok"].take();
        bob.welcome.is_object().then_some(bob)
    })
    .await;
    assert_eq!(back.outcome("c1")["outcome"], "recovered");
    assert_eq!(back.push().await["seq"], 2);
}

/// The connection breaks between COMMIT and its answer: the caller is told so, and a repeat makes no second key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_commit_lost_its_answer_is_told_and_not_done_twice() {
    let Some((server, proxy)) = behind_proxy().await else { return };
    let rest = server.rest_as(&server.manager(&server.founded).await.secret);
    let body = json!({"app": server.founded.app, "name": "ci", "scopes": ["*"]});
    proxy.lose_commit_after("key.created");
    let first = rest.post_once("/v1/manage/keys", "k", &body).await;
    assert_eq!((first.refusal(), proxy.has_lost_it()), ((503, "outcome_unknown".to_owned()), true));
    let again = rest.post_once("/v1/manage/keys", "k", &body).await;
    assert_eq!(again.refusal(), (409, "idempotency_in_progress".to_owned()));
    let keys = rest.get("/v1/manage/keys").await.ok();
    let made = keys["items"].as_array().unwrap().iter().filter(|key| key["name"] == "ci").count();
    assert_eq!(made, 1, "it was committed, once");
    rest.post_once("/v1/manage/keys", "k2", &body).await.ok();
}
