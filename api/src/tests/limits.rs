//! Refusals at limits over REST: code, status, wait and figures, on a clock in hand.

use super::house::{Answer, House};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokenim_domain::log::{Draft, Outcome, Write};
use tokenim_domain::name::{ClientMsgId, Conversation, User};
use tokenim_domain::plan::quota::{Allowance, Period};
use tokenim_domain::role::ContentKind;
use tokenim_store::FoundedOrg;

/// Messages per second of a test app.
const RATE: usize = 50;
const HOUR_MS: i64 = 3_600_000;

/// A group of a test app.
async fn group(house: &House, of: &FoundedOrg) {
    let new = json!({"kind": "group", "id": "c", "members": ["alice", "bob"]});
    assert_eq!(house.post(of.key.expose(), "/v1/conversations", new).await.status, 200);
}

async fn send(house: &House, of: &FoundedOrg, id: &str, headers: &[(&str, &str)]) -> Answer {
    let body = json!({"sender": "alice", "client_msg_id": id, "kind": "text", "body": {"text": "x"}});
    let bearer = format!("Bearer {}", of.key.expose());
    let headers = [&[("authorization", bearer.as_str())], headers].concat();
    let (method, path) = (actix_web::http::Method::POST, "/v1/conversations/c/messages");
    house.raw(method, path, &headers, body.to_string().into_bytes()).await
}

/// Stores that many units as sockets do, a second for each 50 messages.
async fn fill(house: &House, of: &FoundedOrg, mut units: usize) {
    let key = house.api.store.find_api_key(tokenim_domain::key::parse(of.key.expose()).unwrap().1).await.unwrap();
    let mut number = 0;
    while units > 0 {
        let mut writes = Vec::new();
        for _ in 0..RATE.min(units.div_ceil(12)) {
            let own = units.min(12);
            (units, number) = (units - own, number + 1);
            writes.push(house.api.gateway.write(Write::Send(Draft {
                app: of.app,
                conversation: Conversation::trusted("c"),
                sender: User::trusted("alice"),
                client_msg_id: ClientMsgId::parse(&format!("fill{number}")).unwrap(),
                kind: ContentKind::Json,
                about: tokenim_domain::log::About::default(),
                body: format!("\"{}\"", "x".repeat(own * 5_120 - 2)).into(),
                prev: None,
                may_send: true,
                credential: tokenim_domain::log::Credential { key: key.as_ref().unwrap().id, label: None },
                allowance: Allowance::default(),
            })));
        }
        for outcome in join_all(writes).await {
            assert!(matches!(outcome.unwrap(), Outcome::Sent(_)));
        }
        house.pass(1_000);
    }
}

fn error(answer: &Answer) -> &Value {
    &answer.json["error"]
}

#[actix_web::test]
async fn a_message_too_fast_is_told_the_wait_and_the_rate() {
    let house = House::new().await;
    let of = house.founded_test("fast", true).await;
    group(&house, &of).await;
    for at in 0..RATE {
        assert_eq!(send(&house, &of, &format!("m{at}"), &[]).await.status, 200);
    }
    let once = [("idempotency-key", "k")];
    let refused = send(&house, &of, "late", &once).await;
    assert_eq!((refused.status, refused.code(), refused.header("retry-after")), (429, "rate_limited", Some("1")));
    let told = error(&refused);
    assert_eq!(
        (&told["feature"], &told["limit"], &told["retryable"]),
        (&json!("message_rate"), &json!(RATE), &json!(true))
    );
    let wait_ms = told["retry_after_ms"].as_i64().unwrap();
    assert!((1..=1_000).contains(&wait_ms) && told.get("resets_at").is_none(), "{told}");
    house.pass(wait_ms);
    assert_eq!(send(&house, &of, "late", &once).await.status, 200, "whoever waits as told is served");
}

#[actix_web::test]
async fn at_the_months_quota_the_figures_say_when_it_begins_anew() {
    let house = House::new().await;
    let of = house.founded_test("month", true).await;
    group(&house, &of).await;
    fill(&house, &of, 10_000).await;
    let once = [("idempotency-key", "k")];
    let refused = send(&house, &of, "late", &once).await;
    assert_eq!((refused.status, refused.code(), refused.header("retry-after")), (402, "quota_exceeded", None));
    let resets_at_ms = Period::month(house.now_ms()).resets_at_ms().unwrap();
    let mut told = error(&refused).clone();
    for own in ["message", "request_id", "doc"] {
        assert!(told.as_object_mut().unwrap().remove(own).is_some());
    }
    let resets_at = tokenim_protocol::time::rfc3339(resets_at_ms);
    assert_eq!(
        told,
        json!({
            "code": "quota_exceeded", "retryable": false, "meter": "msg_sent", "limit": 10_000, "used": 10_000,
            "resets_at": resets_at,
        })
    );
    let history = house.get(of.key.expose(), "/v1/conversations/c/messages").await;
    assert_eq!(history.status, 200, "reading goes on");
    house.pass(resets_at_ms - house.now_ms());
    assert_eq!(send(&house, &of, "late", &once).await.status, 200, "at that very millisecond");
}

#[actix_web::test]
async fn a_trial_ends_with_its_units_or_its_hours_and_says_what_to_do() {
    let house = House::new().await;
    for (name, units, hours, said) in [("units", 100, 0, "all that an app may send"), ("hours", 3, 24, "24 hours")] {
        let of = house.founded_test(name, false).await;
        group(&house, &of).await;
        fill(&house, &of, units).await;
        house.pass(hours * HOUR_MS);
        let refused = send(&house, &of, "late", &[]).await;
        assert_eq!((refused.status, refused.code(), refused.header("retry-after")), (402, "quota_exceeded", None));
        let told = error(&refused);
        assert_eq!((&told["limit"], &told["used"], &told["meter"]), (&json!(100), &json!(units), &json!("msg_sent")));
        let message = told["message"].as_str().unwrap();
        assert!(message.contains(said) && message.contains("verify it"), "{message}");
        assert!(told.get("resets_at").is_none() && told.get("retry_after_ms").is_none(), "it never resets: {told}");
    }
}
