//! What ends open connections: suspensions, and the plan's change through the provisioning API that does not.

use super::support::store;
use crate::support::client::Client;
use crate::support::page::Console;
use crate::support::rest::{Answer, Rest, answer};
use crate::support::server::TestServer;
use crate::support::token::user_token;
use crate::support::wait::{until, within_at_most};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokenim_domain::actor::{Actor, Who};
use tokenim_domain::id::OrgId;

/// The promise is 2 s; the machine may be busy.
const SOON: Duration = Duration::from_secs(5);

async fn put(rest: &Rest, plan: &str) -> Answer {
    let request = rest.request(Method::PUT, "/v1/manage/subscription").json(&json!({"plan": plan}));
    answer(request).await
}

#[tokio::test]
async fn a_suspended_org_is_closed_and_refused_everywhere_and_the_others_go_on() {
    let server = TestServer::spawn().await;
    server.group("c", &["alice"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let mut theirs = Client::connect(&server, &user_token(&server.other, "carol")).await;
    let store = store(&server).await;
    let who = Who::Operator(server.founded.account.parse().unwrap());
    let actor = Actor { who, reason: Some("does not pay".into()), ..Actor::machine() };
    let org: OrgId = server.founded.org.parse().unwrap();
    store.org(org).suspend(&actor, true).await.unwrap();
    for client in [&mut alice, &mut bob] {
        let closed = within_at_most(SOON, client.closed()).await;
        assert_eq!((closed.code, closed.why()), (4410, "org_suspended".to_owned()));
    }
    let mut late = Client::open(&server).await;
    let error = late.refused("connect", json!({"token": server.token("alice")})).await;
    assert_eq!((&error["code"], &error["reason"]), (&json!("org_suspended"), &json!("does not pay")));
    assert_eq!(late.closed().await.code, 4410);
    for credential in [&server.founded.key, &server.token("alice")] {
        let answer = server.rest_as(credential).get("/v1/conversations/c").await;
        assert_eq!(answer.refusal(), (403, "org_suspended".to_owned()));
        assert_eq!(answer.json()["error"]["reason"], "does not pay");
    }
    theirs.ok("ping", json!({})).await;
    let page = Console::sign_in(&server, &server.founded).await.get("/console/overview").await;
    assert!(page.text.contains("suspended, because: does not pay"), "the people are told: {}", page.text);
    let page = Console::sign_in(&server, &server.other).await.get("/console/overview").await;
    assert!(!page.text.contains("suspended"), "{}", page.text);
    store.org(org).suspend(&actor, false).await.unwrap();
    until(async || {
        let mut client = Client::open(&server).await;
        let id = client.start("connect", json!({"token": server.token("alice")})).await;
        client.reply(id).await.get("ok").map(drop)
    })
    .await;
}

#[tokio::test]
async fn the_plan_is_changed_by_the_provisioning_api() {
    let server = TestServer::spawn().await;
    server.group("c", &["alice"]).await;
    server.rest().send("c", "alice", "m1", "x").await;
    let rest = server.rest_as(&server.manager(&server.founded).await.secret);
    let plans = rest.get("/v1/manage/plans").await.ok();
    let codes: Vec<_> = plans["items"].as_array().unwrap().iter().map(|plan| plan["code"].clone()).collect();
    assert_eq!(codes, ["basic", "pro", "enterprise"], "an org does not see plans it may not choose");
    assert_eq!(rest.get("/v1/manage/subscription").await.ok()["plan"]["code"], "operator");
    let changed = put(&rest, "basic").await.ok();
    assert_eq!(changed["plan"]["entitlements"][2], json!({"feature": "msg_sent", "limit": 100_000, "mode": "hard"}));
    for (plan, code) in [("operator", "invalid_field"), ("gold", "invalid_field")] {
        assert_eq!(put(&rest, plan).await.refusal(), (422, code.to_owned()), "{plan}");
    }
    assert_eq!(rest.get("/v1/manage/subscription").await.ok(), changed);

    let usage = rest.get("/v1/manage/usage?group=day").await.ok();
    let quota = &usage["quotas"][0];
    assert_eq!((&quota["used"], &quota["limit"], &quota["app"]), (&json!(1), &json!(100_000), &Value::Null));
    assert!(quota["resets_at"].is_string() && usage["items"][0]["quantity"] == 1, "{usage}");
    let own = server.rest().get("/v1/usage?group=day").await.ok();
    assert_eq!(usage["items"], own["items"], "the same rows");
    let foreign = rest.get(&format!("/v1/manage/usage?app={}", server.other.app)).await;
    assert_eq!(foreign.refusal().0, 404);
    assert_eq!(rest.get("/v1/manage/invoices").await.ok(), json!({"items": [], "next_cursor": null}));
    let audit = rest.get("/v1/manage/audit?action=subscription.changed").await.ok();
    assert_eq!(audit["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn pages_of_other_origins_may_call_with_user_tokens_and_hear_nothing_with_secret_keys() {
    let server = TestServer::spawn().await;
    server.group("c", &["alice"]).await;
    let token = server.token("alice");
    let call = async |method: Method, headers: &[(&str, &str)], credential: Option<&str>| {
        let rest = server.rest_as(credential.unwrap_or("none"));
        let mut request = rest.request(method, "/v1/conversations/c");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request).await
    };
    let page = ("origin", "https://chat.example");
    let ok = call(Method::GET, &[page], Some(&token)).await;
    assert_eq!((ok.status, ok.header("access-control-allow-origin")), (200, "https://chat.example"));
    assert!(ok.headers.get("access-control-allow-credentials").is_none());
    let secret = call(Method::GET, &[page], Some(&server.founded.key)).await;
    assert_eq!(secret.refusal(), (403, "secret_key_in_browser".to_owned()));
    assert!(secret.headers.get("access-control-allow-origin").is_none());
    let preflight = call(Method::OPTIONS, &[page, ("access-control-request-method", "GET")], None).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, "https://chat.example"));
    assert_eq!(preflight.header("access-control-allow-headers"), "authorization, content-type, idempotency-key");
    let other = call(Method::OPTIONS, &[page, ("access-control-request-method", "DELETE")], None).await;
    assert_eq!(other.status, 405, "a method the path does not have");
}
