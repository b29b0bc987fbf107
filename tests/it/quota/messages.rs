//! Messages: the month's quota, exact through a crash, and the rate, which a larger plan raises on the open connection.

use super::support::{found_test, put, store};
use crate::support::client::{Client, text_message};
use crate::support::server::TestServer;
use crate::support::token::user_token;
use crate::support::wait::{until, within, within_at_most};
use serde_json::{Value, json};
use std::time::Duration;

/// What an app may send before an owner of its org has verified an address.
const TRIAL: i64 = 100;
const CONVERSATIONS: usize = 64;
const MESSAGES: usize = 512;
/// The promise: a changed plan holds on open connections within this time.
const SOON: Duration = Duration::from_secs(2);

/// Sends all, at most 200 unanswered at a time, and again what came too fast; returns the replies that stand.
async fn send_all(client: &mut Client, start: usize) -> Vec<Value> {
    let (mut open, mut replies): (Vec<usize>, Vec<Value>) = ((start..start + MESSAGES).collect(), Vec::new());
    while !open.is_empty() {
        let now: Vec<_> = open.drain(..open.len().min(200)).collect();
        let mut ids = Vec::new();
        for at in now {
            let fields = text_message(&format!("c{}", at % CONVERSATIONS), &format!("m{at}"), "x");
            ids.push((at, client.start("send", fields).await));
        }
        let mut wait_ms = 0;
        for (at, id) in ids {
            let reply = client.reply(id).await;
            match reply["error"]["retry_after_ms"].as_u64() {
                Some(ms) => {
                    assert_eq!(reply["error"]["code"], "rate_limited");
                    wait_ms = wait_ms.max(ms);
                    open.push(at);
                }
                None => replies.push(reply),
            }
        }
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
    replies
}

/// Sends one, again where it came too fast.
async fn send_in_time(client: &mut Client, fields: Value) -> Value {
    within(async {
        loop {
            let id = client.start("send", fields.clone()).await;
            let reply = client.reply(id).await;
            match reply["error"]["retry_after_ms"].as_u64() {
                Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                None => return reply,
            }
        }
    })
    .await
}

fn count_exceeded(replies: &[Value]) -> usize {
    let errors: Vec<_> =
        replies.iter().filter(|reply| reply.get("ok").is_none()).map(|reply| &reply["error"]).collect();
    for error in &errors {
        assert_eq!((&error["code"], &error["meter"]), (&json!("quota_exceeded"), &json!("msg_sent")));
        assert_eq!(
            (&error["limit"], &error["used"], &error["retryable"]),
            (&json!(TRIAL), &json!(TRIAL), &json!(false))
        );
    }
    errors.len()
}

#[tokio::test]
async fn exactly_the_quota_is_stored_with_512_sends_in_flight_and_after_a_crash() {
    let mut server = TestServer::spawn().await;
    let trial = found_test(&store(&server).await, "trial", false).await;
    let rest = server.rest_as(&trial.key);
    for at in 0..CONVERSATIONS {
        rest.create_group(&format!("c{at}"), &["alice", "bob"]).await;
    }
    let mut alice = Client::connect(&server, &user_token(&trial, "alice")).await;
    let replies = send_all(&mut alice, 0).await;
    assert_eq!(count_exceeded(&replies), MESSAGES - TRIAL as usize);
    let stored = replies.iter().find(|reply| reply["ok"]["seq"].is_i64()).unwrap()["ok"].clone();
    assert_eq!(rest.units().await, TRIAL, "the usage page says the same");

    server.kill();
    server.start().await;
    let rest = server.rest_as(&trial.key);
    assert_eq!(rest.units().await, TRIAL);
    let mut alice = Client::connect(&server, &user_token(&trial, "alice")).await;
    assert_eq!(count_exceeded(&send_all(&mut alice, MESSAGES).await), MESSAGES);
    let body = json!({"sender": "alice", "client_msg_id": "late", "kind": "text", "body": {"text": "x"}});
    // The sends before have used the rate up; it fills again by itself.
    let refused = until(async || {
        Some(rest.post("/v1/conversations/c1/messages", &body).await).filter(|refused| refused.status != 429)
    })
    .await;
    let error = &refused.json()["error"];
    assert_eq!((refused.refusal(), &error["limit"]), ((402, "quota_exceeded".to_owned()), &json!(TRIAL)));
    assert_eq!((&error["used"], &error["meter"]), (&json!(TRIAL), &json!("msg_sent")));

    // Reading, membership and repeats go on; so does everybody else.
    let events = rest.log("c1").await;
    assert!(!events.is_empty() && rest.units().await == TRIAL);
    rest.create_group("more", &["alice", "bob"]).await;
    let first = (0..MESSAGES).find(|at| events.iter().any(|event| event["client_msg_id"] == format!("m{at}")));
    if let Some(at) = first {
        let repeat = send_in_time(&mut alice, text_message("c1", &format!("m{at}"), "x")).await;
        assert_eq!(repeat["ok"]["duplicate"], true, "{stored}");
    }
    server.group("theirs", &["carol"]).await;
    let mut carol = server.connect("carol").await;
    assert_eq!(carol.send("theirs", "m1", "x").await["duplicate"], false);
}

#[tokio::test]
async fn a_smaller_plan_lowers_the_rate_of_an_open_connection_and_a_larger_one_raises_it() {
    let server = TestServer::spawn().await;
    let manager = server.rest_as(&server.manager(&server.founded).await.secret);
    server.group("c", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    put(&manager, "basic").await.ok();
    // Basic allows 50 messages in a second: of 200 at once most come too fast, once the node has learned of it.
    let mut sent = 0;
    let mut burst = async |alice: &mut Client| {
        let mut ids = Vec::new();
        for _ in 0..200 {
            sent += 1;
            ids.push(alice.start("send", text_message("c", &format!("m{sent}"), "x")).await);
        }
        let mut refused = Vec::new();
        for id in ids {
            let reply = alice.reply(id).await;
            refused.extend(reply.get("error").cloned());
        }
        refused
    };
    let refused = within_at_most(SOON, async {
        loop {
            let refused = burst(&mut alice).await;
            if !refused.is_empty() {
                return refused;
            }
        }
    })
    .await;
    for error in &refused {
        assert_eq!(
            (&error["code"], &error["feature"], &error["limit"]),
            (&json!("rate_limited"), &json!("message_rate"), &json!(50))
        );
        assert!((1..=1_000).contains(&error["retry_after_ms"].as_u64().unwrap()) && error["retryable"] == true);
    }
    let rest = server.rest();
    let body = json!({"sender": "alice", "client_msg_id": "by-rest", "kind": "text", "body": {"text": "x"}});
    let answer = until(async || {
        burst(&mut alice).await;
        let answer = rest.post("/v1/conversations/c/messages", &body).await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    assert_eq!((answer.refusal(), answer.header("retry-after")), ((429, "rate_limited".to_owned()), "1"));

    put(&manager, "pro").await.ok();
    within_at_most(SOON, async { while !burst(&mut alice).await.is_empty() {} }).await;
}
