//! A POST with an `Idempotency-Key` runs once.

use super::house::{Answer, House};
use super::sample::management_key;
use actix_web::http::Method;
use serde_json::{Value, json};
use tokenim_domain::actor::{Acting, Actor, Right};
use tokenim_domain::mail::{Mail, Matter};
use tokenim_domain::role::OrgRole;
use tokenim_domain::secret::sha256;
use tokenim_store::{Begun, LinkPurpose, NewLink};

async fn post(house: &House, credential: &str, key: &str, path: &str, body: &Value) -> Answer {
    let headers = [("authorization", &*format!("Bearer {credential}")), ("idempotency-key", key)];
    house.raw(Method::POST, path, &headers, body.to_string().into_bytes()).await
}

#[actix_web::test]
async fn a_repeat_gets_the_first_answer() {
    let house = House::new().await;
    for (path, body) in [
        ("/v1/tokens", json!({"user": "alice"})),
        ("/v1/conversations", json!({"kind": "group", "members": ["alice"]})),
    ] {
        let first = post(&house, house.key(), &format!("k{path}"), path, &body).await;
        house.pass(10_000);
        let second = post(&house, house.key(), &format!("k{path}"), path, &body).await;
        assert_eq!((first.status, first.header("idempotent-replayed")), (200, None));
        assert_eq!((second.status, second.header("idempotent-replayed")), (200, Some("true")));
        assert_eq!(first.json, second.json);
        let other = post(&house, house.key(), "another", path, &body).await;
        assert_ne!(other.json, first.json);
    }
}

#[actix_web::test]
async fn another_request_under_the_same_key_is_refused() {
    let house = House::new().await;
    house.group("c1").await;
    post(&house, house.key(), "k", "/v1/tokens", &json!({"user": "alice"})).await;
    let answer = post(&house, house.key(), "k", "/v1/tokens", &json!({"user": "bob"})).await;
    assert_eq!((answer.status, answer.code()), (409, "idempotency_mismatch"));
    let answer = post(&house, house.key(), "k", "/v1/conversations/c1/members", &json!({"members": ["x"]})).await;
    assert_eq!(answer.code(), "idempotency_mismatch");
}

#[actix_web::test]
async fn keys_of_users_and_servers_do_not_meet() {
    let house = House::new().await;
    house.group("c1").await;
    let (alice, bob) = (house.token("alice", json!({})).await, house.token("bob", json!({})).await);
    let body = json!({"client_msg_id": "m", "kind": "json", "body": 1});
    let path = "/v1/conversations/c1/messages";
    let first = post(&house, &alice, "k", path, &body).await;
    let second = post(&house, &bob, "k", path, &body).await;
    assert_eq!((&first.json["seq"], &second.json["seq"]), (&json!(2), &json!(3)));
    assert_eq!(post(&house, house.key(), "k", path, &body).await.code(), "invalid_request");
}

#[actix_web::test]
async fn what_waited_for_a_verified_address_is_done_under_the_same_key() {
    let house = House::new().await;
    let founded = house.founded_with("new", "pro", false).await;
    let acting = Acting { org: founded.app.org, right: Right::Role(OrgRole::Owner), actor: Actor::machine() };
    let (_, secret) = management_key(&house, &acting, OrgRole::Owner).await;
    let body = json!({"name": "Live", "mode": "live"});
    let refused = post(&house, &secret, "k", "/v1/manage/apps", &body).await;
    assert_eq!((refused.status, refused.code()), (403, "email_unverified"));
    let mail = Mail { to: "new@example.com".into(), language: "en".into(), matter: Matter::Test };
    let link = NewLink { hash: [1; 32], purpose: LinkPurpose::Verify, expires_ms: i64::MAX, mail };
    house.api.store.create_link(founded.account, &link).await.unwrap();
    house.api.store.verify_address([1; 32], |_| Actor::machine()).await.unwrap();
    let done = post(&house, &secret, "k", "/v1/manage/apps", &body).await;
    assert_eq!((done.status, done.header("idempotent-replayed")), (200, None), "{:?}", done.json);
}

#[actix_web::test]
async fn a_final_refusal_is_replayed_and_a_running_request_is_told() {
    let house = House::new().await;
    let (path, body) =
        ("/v1/conversations/c1/messages", json!({"sender": "alice", "client_msg_id": "m", "kind": "json", "body": 1}));
    let first = post(&house, house.key(), "k", path, &body).await;
    house.group("c1").await;
    let second = post(&house, house.key(), "k", path, &body).await;
    assert_eq!(
        (first.code(), second.code(), second.header("idempotent-replayed")),
        ("not_found", "not_found", Some("true"))
    );
    assert_eq!(first.json, second.json, "even the request id is the first one's");
    assert_ne!(second.header("x-request-id"), second.json["error"]["request_id"].as_str());

    let hash = sha256(format!("POST\n{path}\n{body}").as_bytes());
    assert_eq!(house.api.store.begin_idempotent(house.alpha.app, "server|slow", hash).await.unwrap(), Begun::Fresh);
    let running = post(&house, house.key(), "slow", path, &body).await;
    assert_eq!(
        (running.status, running.code(), running.header("retry-after")),
        (409, "idempotency_in_progress", Some("1"))
    );
    house.pass(61_000);
    assert_eq!(post(&house, house.key(), "slow", path, &body).await.status, 200, "its first run is taken for dead");
}

#[actix_web::test]
async fn a_run_whose_end_was_lost_makes_no_second_object() {
    let house = House::new().await;
    let body = json!({"kind": "group", "members": ["alice"]});
    let first = post(&house, house.key(), "k", "/v1/conversations", &body).await;
    // As after a crash between the commit and the remembered answer.
    house.pass(25 * 3_600_000);
    let second = post(&house, house.key(), "k", "/v1/conversations", &body).await;
    assert_eq!((&second.json["id"], &second.json["existed"]), (&first.json["id"], &json!(true)));
    house.api.drain().await;
}

#[actix_web::test]
async fn a_caller_who_hangs_up_finds_the_answer_later() {
    let house = House::new().await;
    // With the app known already, the first task is the request's own.
    house.api.gateway.place(house.alpha.app).await.unwrap();
    let body = json!({"kind": "group", "members": ["alice"]});
    let is_running = async {
        while house.api.tasks.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = is_running => {}
        answer = post(&house, house.key(), "k", "/v1/conversations", &body) => panic!("too fast to hang up: {answer:?}"),
    }
    house.api.drain().await;
    let later = post(&house, house.key(), "k", "/v1/conversations", &body).await;
    assert_eq!((later.header("idempotent-replayed"), &later.json["existed"]), (Some("true"), &json!(false)));
}

#[actix_web::test]
async fn a_key_that_is_no_key_is_refused() {
    let house = House::new().await;
    let answer = post(&house, house.key(), &"k".repeat(256), "/v1/tokens", &json!({"user": "a"})).await;
    assert_eq!((answer.status, &answer.json["error"]["param"]), (422, &json!("Idempotency-Key")));
}
