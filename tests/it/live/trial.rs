//! The trial: what an app may send before its owner has verified an address, and that it goes on when they have.

use super::SOON;
use crate::account::{fill, link};
use crate::mail::mail_to;
use crate::quickstart;
use crate::support::client::text_message;
use crate::support::page::Console;
use crate::support::wait::within_at_most;
use crate::support::{Client, TestServer};
use serde_json::{Value, json};

const EMAIL: &str = "grace@example.com";
/// A text whose body counts as ten units: ten fill the trial, and no limit on the rate is near.
const TEXT_CHARS: usize = 10 * 5_120 - "{\"text\":\"\"}".len();

/// A refusal by the trial says how much, that nothing resets it, and what to do.
fn assert_trial(error: &Value) {
    assert_eq!((&error["code"], &error["meter"]), (&json!("quota_exceeded"), &json!("msg_sent")), "{error}");
    assert_eq!((&error["limit"], &error["used"]), (&json!(100), &json!(100)), "{error}");
    assert_eq!((&error["retryable"], error.get("retry_after_ms")), (&json!(false), None), "{error}");
    assert!(error.get("resets_at").is_none() && error["message"].as_str().unwrap().contains("verify it"), "{error}");
}

#[tokio::test]
async fn a_trial_that_is_used_up_goes_on_when_the_address_is_verified_without_a_reconnect() {
    let server = TestServer::spawn().await;
    let mut person = Console::new(&server);
    let fields = [("email", EMAIL), ("new_password", "correct horse battery staple")];
    let page = fill(&mut person, "/sign-up", &fields).await.header("location").to_owned();
    let page = person.get(&page).await;
    let token = quickstart::token(&page.text);
    let mut alice = Client::connect(&server, &token).await;
    alice.ok("conversation.create", json!({"id": "c", "kind": "group", "members": ["bob"]})).await;
    for at in 0..10 {
        let sent = alice.send("c", &format!("m{at}"), &"x".repeat(TEXT_CHARS)).await;
        assert_eq!(sent["billed"], 10);
    }
    let late = text_message("c", "late", "x");
    assert_trial(&alice.refused("send", late.clone()).await);
    let body = json!({"sender": "alice", "client_msg_id": "late", "kind": "text", "body": {"text": "x"}});
    let answer = server.rest_as(&token).post("/v1/conversations/c/messages", &body).await;
    assert_eq!((answer.refusal().0, answer.headers.get("retry-after")), (402, None));
    assert_trial(&answer.json()["error"]);
    alice.ok("history", json!({"conversation": "c"})).await;

    let mail = mail_to(&mut person, EMAIL).await;
    let (page, token) = link(&mail, "/verify");
    assert_eq!(fill(&mut person, page, &[("token", token)]).await.status, 200);
    within_at_most(SOON, async {
        loop {
            let id = alice.start("send", late.clone()).await;
            if alice.reply(id).await.get("ok").is_some() {
                return;
            }
        }
    })
    .await;
    let usage = person.get("/console/usage").await;
    assert!(usage.text.contains("101 / 10,000"), "{}", usage.text);
}
