//! `Idempotency-Key` on every POST.

use crate::support::TestServer;
use crate::support::rest::answer;
use serde_json::json;
use tokenim_api::{Verb, Who, routes};
use tokenim_domain::log::Digest;

/// Whether a route takes an app's credential; api/src/tests/manage.rs repeats those of /v1/manage.
fn is_of_an_app(who: Who) -> bool {
    matches!(who, Who::ServerKey(_) | Who::KeyOrUser(_))
}

/// The path of a file that a message carries.
async fn carried(server: &TestServer) -> String {
    server.group("c2", &["alice"]).await;
    let rest = server.rest();
    let file = json!({"purpose": "attachment", "sender": "alice", "client_msg_id": "file", "name": "a.txt",
        "content_type": "text/plain", "bytes": 2, "sha256": Digest::of(b"{}").to_string()});
    let upload = rest.post("/v1/uploads", &file).await.ok()["upload"].as_str().unwrap().to_owned();
    let chunk = rest.request(reqwest::Method::PUT, &format!("/v1/uploads/{upload}/chunks/0"));
    answer(chunk.json(&json!({"data": "e30="}))).await.ok();
    let id = rest.post(&format!("/v1/uploads/{upload}/commit"), &json!({})).await.ok()["attachment"]["id"].take();
    let message = json!({"sender": "alice", "client_msg_id": "m", "kind": "file", "body": {}, "attachments": [id]});
    let seq = rest.post("/v1/conversations/c2/messages", &message).await.ok()["seq"].take();
    format!("/v1/conversations/c2/messages/{seq}/attachments/{}", id.as_str().unwrap())
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_does_nothing_again() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let rest = server.rest();
    let message = |id: &str| json!({"sender": "alice", "client_msg_id": id, "kind": "text", "body": {"text": "x"}});
    let group = |member: &str| json!({"kind": "group", "members": [member]});
    let begin = |id: &str| json!({"sender": "alice", "client_msg_id": id});
    let react = |emoji: &str| json!({"user": "alice", "emoji": emoji});
    let large = json!({"conversation": "c1", "sender": "alice", "client_msg_id": "large", "kind": "json", "bytes": 2,
        "sha256": Digest::of(b"{}").to_string()});
    let upload = rest.post("/v1/uploads", &large).await.ok()["upload"].as_str().unwrap().to_owned();
    let chunk = rest.request(reqwest::Method::PUT, &format!("/v1/uploads/{upload}/chunks/0"));
    answer(chunk.json(&json!({"data": "e30="}))).await.ok();
    let commit = format!("/v1/uploads/{upload}/commit");
    assert_eq!(rest.post(&commit, &json!({})).await.ok()["seq"], 2);
    let link = format!("{}/link", carried(&server).await);
    let mut another = large.clone();
    another["client_msg_id"] = json!("another");
    // Each with another body that could be done as well.
    let posts = [
        ("/v1/tokens", json!({"user": "alice"}), json!({"user": "bob"})),
        ("/v1/conversations", group("alice"), group("bob")),
        ("/v1/conversations/c1/messages", message("m1"), message("m2")),
        ("/v1/conversations/c1/members", json!({"members": ["bob"]}), json!({"members": ["carol"]})),
        ("/v1/conversations/c1/join", json!({"user": "bob"}), json!({"user": "alice"})),
        ("/v1/conversations/c1/leave", json!({"user": "bob"}), json!({"user": "bob "})),
        ("/v1/conversations/c1/messages/2/reactions", react("+1"), react("-1")),
        ("/v1/conversations/c1/messages/2/pin", json!({}), json!({"remove": true})),
        ("/v1/conversations/c1/streams", begin("s1"), begin("s2")),
        ("/v1/conversations/c1/streams/8/append", json!({"offset": 0, "text": "x"}), json!({"offset": 1, "text": "x"})),
        ("/v1/conversations/c1/streams/8/end", json!({}), json!({"text": "y"})),
        ("/v1/conversations/c1/ephemeral", message("e1"), message("e2")),
        ("/v1/conversations/c1/typing", json!({"sender": "alice"}), json!({"sender": "alice", "active": false})),
        ("/v1/uploads", large, another),
        (&commit, json!({}), json!({"silent": true})),
        ("/v1/conversations/c1/messages/2/body/link", json!({}), json!({"for_s": 60})),
        (&link, json!({}), json!({"for_s": 60})),
    ];
    assert_eq!(
        posts.len(),
        routes().filter(|route| route.verb == Verb::Post && is_of_an_app(route.who)).count(),
        "every POST route of an app"
    );
    for (path, body, other) in posts {
        let first = rest.post_once(path, path, &body).await;
        assert!(first.headers.get("idempotent-replayed").is_none());
        let again = rest.post_once(path, path, &body).await;
        assert_eq!((again.ok(), again.header("idempotent-replayed")), (first.ok(), "true"), "{path}");
        assert_ne!(first.header("x-request-id"), again.header("x-request-id"));
        let anew = rest.post_once(path, &format!("{path}-2"), &body).await.status;
        assert_eq!(
            anew,
            if path.ends_with("/leave") { 404 } else { 200 },
            "{path}: done again, but nobody leaves twice"
        );
        let refused = rest.post_once(path, path, &other).await.refusal();
        assert_eq!(refused, (409, "idempotency_mismatch".to_owned()), "{path}");
    }
    assert_eq!(server.rest().log("c1").await.len(), 9);
}

#[tokio::test]
async fn a_key_is_of_one_request_and_of_one_caller() {
    let server = TestServer::spawn().await;
    let group = json!({"kind": "group", "members": ["alice"]});
    let first = server.rest().post_once("/v1/conversations", "k", &group).await.ok();
    let other = json!({"kind": "group", "members": ["bob"]});
    assert_eq!(
        server.rest().post_once("/v1/conversations", "k", &other).await.refusal(),
        (409, "idempotency_mismatch".to_owned())
    );
    for user in ["alice", "bob"] {
        let own = server.rest_as(&server.token(user)).post_once("/v1/conversations", "k", &group).await.ok();
        assert_ne!(own["id"], first["id"], "{user}'s key is its own");
    }
}

#[tokio::test]
async fn a_refusal_is_remembered_too() {
    let server = TestServer::spawn().await;
    let rest = server.rest();
    let message = json!({"sender": "alice", "client_msg_id": "m1", "kind": "text", "body": {"text": "x"}});
    assert_eq!(rest.post_once("/v1/conversations/c1/messages", "k", &message).await.refusal().0, 404);
    server.group("c1", &["alice"]).await;
    let again = rest.post_once("/v1/conversations/c1/messages", "k", &message).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (404, "true"));
    rest.post_once("/v1/conversations/c1/messages", "k2", &message).await.ok();
}

#[tokio::test]
async fn of_many_at_once_one_runs() {
    let server = TestServer::spawn().await;
    let rest = server.rest();
    let body = json!({"kind": "group", "members": ["alice"]});
    let ask = || rest.post_once("/v1/conversations", "k", &body);
    let answers = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask());
    let mut ids = Vec::new();
    for answer in <[_; 6]>::from(answers) {
        match answer.status {
            200 => ids.push(answer.ok()["id"].as_str().unwrap().to_owned()),
            _ => assert_eq!(answer.refusal(), (409, "idempotency_in_progress".to_owned())),
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let server = TestServer::spawn().await;
    let rest = server.rest();
    for key in ["".to_owned(), "a b".to_owned(), "k".repeat(256)] {
        let request = rest
            .request(reqwest::Method::POST, "/v1/tokens")
            .header("idempotency-key", &key)
            .json(&json!({"user": "a"}));
        assert_eq!(answer(request).await.refusal(), (422, "invalid_field".to_owned()), "{key:?}");
    }
}
