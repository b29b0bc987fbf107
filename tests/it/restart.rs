//! Power cuts: what was acknowledged is there afterwards, once, and counted; sessions resume.

use crate::support::client::{seqs, text_message};
use crate::support::{Client, TestServer};
use serde_json::json;

#[tokio::test]
async fn acknowledged_messages_and_usage_survive_kill_9() {
    let mut server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut acked, mut sent) = (Vec::new(), 0);
    for _ in 0..3 {
        let mut alice = server.connect("alice").await;
        for at in sent..sent + 40 {
            alice.start("send", text_message("c1", &format!("m{at:04}"), "x")).await;
        }
        // Some are answered, some are under way when the power goes.
        for at in 0..20 {
            let ok = alice.ok_of(2 + at).await;
            acked.push((format!("m{:04}", sent + at as usize), ok["seq"].as_i64().unwrap()));
        }
        sent += 40;
        let units = server.rest().units().await;
        server.kill();
        server.start().await;
        assert!(server.rest().units().await >= units);
    }
    let log = server.rest().log("c1").await;
    assert_eq!(seqs(&log), (1..=log.len() as i64).collect::<Vec<_>>());
    for (id, seq) in &acked {
        assert_eq!(log[*seq as usize - 1]["client_msg_id"], **id);
    }
    let mut ids: Vec<_> = log.iter().filter_map(|event| event["client_msg_id"].as_str()).collect();
    assert_eq!(server.rest().units().await, ids.len() as i64);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), log.len() - 1, "each once");
}

#[tokio::test]
async fn a_retry_after_a_crash_is_stored_once() {
    let mut server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    for at in 0..30 {
        alice.start("send", text_message("c1", &format!("m{at}"), "x")).await;
    }
    alice.ok_of(2).await;
    server.kill();
    server.start().await;
    let mut alice = server.connect("alice").await;
    for at in 0..30 {
        let ok = alice.send("c1", &format!("m{at}"), "x").await;
        assert_eq!(ok["seq"], at + 2);
    }
    assert_eq!(server.rest().log("c1").await.len(), 31);
    assert_eq!(server.rest().units().await, 30);
}

#[tokio::test]
async fn a_session_resumes_on_the_restarted_server_with_what_it_missed() {
    let mut server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let bob = server.connect("bob").await;
    let session = bob.session().to_owned();
    server.rest().send("c1", "alice", "m1", "missed").await;
    server.kill();
    server.start().await;
    let mut again = Client::connect_with(&server, json!({"session": session, "heads": {"c1": [1, 1]}})).await;
    assert_eq!((&again.welcome["resumed"], &again.welcome["device"]), (&json!(true), &bob.welcome["device"]));
    assert_eq!(again.outcome("c1")["outcome"], "recovered");
    let push = again.push().await;
    assert_eq!((&push["seq"], &push["body"]["text"]), (&json!(2), &json!("missed")));
}

#[tokio::test]
async fn idempotency_keys_and_keys_survive_a_restart() {
    let mut server = TestServer::spawn().await;
    let body = json!({"kind": "group", "members": ["alice"]});
    let first = server.rest().post_once("/v1/conversations", "k1", &body).await.ok();
    server.kill();
    server.start().await;
    let again = server.rest().post_once("/v1/conversations", "k1", &body).await;
    assert_eq!((again.ok(), again.header("idempotent-replayed")), (first, "true"));
}
