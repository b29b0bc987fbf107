//! The plan's change through the provisioning API, and what it tells of quotas.

use super::support::put;
use crate::support::server::TestServer;
use serde_json::{Value, json};

#[tokio::test]
async fn the_plan_is_changed_by_the_provisioning_api() {
    let server = TestServer::spawn().await;
    server.group("c", &["alice"]).await;
    server.rest().send("c", "alice", "m1", "x").await;
    let rest = server.rest_as(&server.manager(&server.founded).await.secret);
    let plans = rest.get("/v1/manage/plans").await.ok();
    let codes: Vec<_> = plans["items"].as_array().unwrap().iter().map(|plan| plan["code"].clone()).collect();
    assert_eq!(codes, ["basic", "pro"], "an org does not see plans it may not choose");
    assert_eq!(rest.get("/v1/manage/subscription").await.ok()["plan"]["code"], "operator");
    let changed = put(&rest, "basic").await.ok();
    assert_eq!(changed["plan"]["entitlements"][2], json!({"feature": "msg_sent", "limit": 100_000, "mode": "hard"}));
    for plan in ["enterprise", "operator", "gold"] {
        assert_eq!(put(&rest, plan).await.refusal(), (422, "invalid_field".to_owned()), "{plan}");
    }
    assert_eq!(rest.get("/v1/manage/subscription").await.ok(), changed);

    // The minute may end between the two readings, and its calls be told.
    let sent = |usage: &Value| {
        let items = usage["items"].as_array().unwrap().iter();
        items.filter(|item| item["meter"] == "msg_sent").cloned().collect::<Vec<_>>()
    };
    let usage = rest.get("/v1/manage/usage?group=day").await.ok();
    let quota = &usage["quotas"][0];
    assert_eq!((&quota["used"], &quota["limit"], &quota["app"]), (&json!(1), &json!(100_000), &Value::Null));
    assert!(quota["resets_at"].is_string() && sent(&usage)[0]["quantity"] == 1, "{usage}");
    let own = server.rest().get("/v1/usage?group=day").await.ok();
    assert_eq!(sent(&usage), sent(&own), "the same rows");
    let foreign = rest.get(&format!("/v1/manage/usage?app={}", server.other.app)).await;
    assert_eq!(foreign.refusal().0, 404);
    assert_eq!(rest.get("/v1/manage/invoices").await.ok(), json!({"items": [], "next_cursor": null}));
    let audit = rest.get("/v1/manage/audit?action=subscription.changed").await.ok();
    assert_eq!(audit["items"].as_array().unwrap().len(), 1);
}
