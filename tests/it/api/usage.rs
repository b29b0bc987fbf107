//! `GET /v1/usage`: the same number as the log.

use crate::support::TestServer;
use crate::support::token::now_s;
use serde_json::json;

#[tokio::test]
async fn usage_is_by_hour_or_day_and_of_this_app() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let rest = server.rest();
    for at in 0..3 {
        rest.send("c1", "alice", &format!("m{at}"), "x").await;
    }
    rest.send("c1", "alice", "m0", "x").await;
    for group in ["hour", "day"] {
        let usage = rest.get(&format!("/v1/usage?group={group}")).await.ok();
        let items = usage["items"].as_array().unwrap();
        assert_eq!(
            items.iter().map(|item| item["quantity"].as_i64().unwrap()).sum::<i64>(),
            3,
            "a repeat is not billed"
        );
        assert!(
            items
                .iter()
                .all(|item| item["app"] == server.founded.app && item["meter"] == "msg_sent" && item["at"].is_string())
        );
        assert!(usage["complete_to"].is_string());
    }
    assert_eq!(server.rest_as(&server.other.key).get("/v1/usage").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_range_is_cut_to_whole_hours_and_bounded() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let rest = server.rest();
    rest.send("c1", "alice", "m1", "x").await;
    let time = |seconds: i64| tokenim_protocol::time::rfc3339((now_s() as i64 + seconds) * 1000);
    let total = async |from: &str, to: &str| {
        let usage = rest.get(&format!("/v1/usage?from={from}&to={to}")).await.ok();
        usage["items"].as_array().unwrap().iter().map(|item| item["quantity"].as_i64().unwrap()).sum::<i64>()
    };
    assert_eq!(total(&time(-60), &time(60)).await, 1);
    assert_eq!(total(&time(7_200), &time(10_800)).await, 0);
    assert_eq!(total("2020-01-01", "2020-01-02").await, 0);
    for (query, refusal) in [
        ("from=yesterday", (422, "invalid_field")),
        ("from=2026-01-02&to=2026-01-01", (422, "invalid_field")),
        ("from=2020-01-01&to=2026-01-01", (422, "invalid_field")),
        ("group=week", (422, "invalid_field")),
        ("app=app_x", (400, "invalid_request")),
    ] {
        let (status, code) = rest.get(&format!("/v1/usage?{query}")).await.refusal();
        assert_eq!((status, code.as_str()), refusal, "{query}");
    }
    assert_eq!(server.rest_as(&server.token("alice")).get("/v1/usage").await.refusal().0, 403);
}
