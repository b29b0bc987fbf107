//! Sending and reading messages over REST.

use crate::support::TestServer;
use crate::support::client::seqs;
use serde_json::{Value, json};

#[tokio::test]
async fn a_message_sent_by_rest_arrives_on_sockets_and_is_stored_once() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let mut bob = server.connect("bob").await;
    let first = server.rest().send("c1", "alice", "m1", "hello").await;
    assert_eq!(
        (&first["seq"], &first["epoch"], &first["duplicate"], &first["billed"]),
        (&json!(2), &json!(1), &json!(false), &json!(1))
    );
    let push = bob.push().await;
    assert_eq!((&push["id"], &push["sender"], &push["body"]["text"]), (&first["id"], &json!("alice"), &json!("hello")));
    let again = server.rest().send("c1", "alice", "m1", "hello").await;
    assert_eq!((&again["id"], &again["duplicate"]), (&first["id"], &json!(true)));
    let mut alice = server.connect("alice").await;
    assert_eq!(alice.send("c1", "m1", "hello").await["duplicate"], true, "the same id over a socket");
}

/// A server key sees all conversations, so it is told whether the conversation, the sender or what the message names is missing.
#[tokio::test]
async fn a_server_is_told_what_was_not_found() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let rest = server.rest();
    let message = |more: Value| {
        let mut message = json!({"sender": "alice", "client_msg_id": "m1", "kind": "text", "body": {"text": "x"}});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message
    };
    let file = "att_00000000000000000000000000";
    for (place, more, status, code, param) in [
        ("c1", json!({"reply_to": 9}), 404, "not_found", json!("reply_to")),
        ("c1", json!({"attachments": [file]}), 404, "not_found", json!("attachments")),
        ("c1", json!({"sender": "bob"}), 403, "forbidden", json!("sender")),
        ("nowhere", json!({}), 404, "not_found", Value::Null),
    ] {
        let answer = rest.post(&format!("/v1/conversations/{place}/messages"), &message(more.clone())).await;
        let error = answer.json()["error"].take();
        assert_eq!((answer.status, &error["code"], &error["param"]), (status, &json!(code), &param), "{more}");
    }
    let live = json!({"sender": "alice", "client_msg_id": "m1", "reply_to": 9});
    assert_eq!(rest.post("/v1/conversations/c1/streams", &live).await.refusal(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn the_log_is_read_in_every_direction_and_by_cursor() {
    let server = TestServer::spawn().await;
    let rest = server.rest();
    server.group("c1", &["alice"]).await;
    for at in 0..11 {
        rest.send("c1", "alice", &format!("m{at}"), "x").await;
    }
    for (query, expected) in [
        ("after=0&limit=2", vec![1, 2]),
        ("before=4&limit=2", vec![2, 3]),
        ("around=6&limit=4", vec![5, 6, 7, 8]),
        ("limit=2", vec![11, 12]),
        ("after=12", vec![]),
    ] {
        let page = rest.get(&format!("/v1/conversations/c1/messages?{query}")).await.ok();
        assert_eq!(seqs(page["items"].as_array().unwrap()), expected, "{query}");
        assert_eq!((&page["head"], &page["epoch"]), (&json!(12), &json!(1)));
    }
    for (start, expected) in
        [("after=0", (1..=12).collect::<Vec<i64>>()), ("before=13", vec![8, 9, 10, 11, 12, 3, 4, 5, 6, 7, 1, 2])]
    {
        let (mut seen, mut query) = (Vec::new(), start.to_owned());
        loop {
            let page = rest.get(&format!("/v1/conversations/c1/messages?limit=5&{query}")).await.ok();
            seen.extend(seqs(page["items"].as_array().unwrap()));
            match page["next_cursor"].as_str() {
                Some(next) => query = format!("cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, expected, "{start}");
    }
}

#[tokio::test]
async fn events_have_the_documented_fields() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let sent = server.rest().send("c1", "alice", "m1", "x").await;
    let log = server.rest().log("c1").await;
    assert_eq!(
        log[1],
        json!({
            "type": "message", "conversation": "c1", "epoch": 1, "seq": 2, "msg_no": 1, "at": sent["at"], "id": sent["id"],
            "sender": "alice", "client_msg_id": "m1", "kind": "text", "body": {"text": "x"},
        })
    );
    assert_eq!(
        (&log[0]["type"], &log[0]["change"], &log[0]["msg_no"]),
        (&json!("member"), &json!("created"), &json!(0))
    );
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let good = json!({"sender": "alice", "client_msg_id": "m1", "kind": "text", "body": {"text": "x"}});
    server.rest().post("/v1/conversations/c1/messages", &good).await.ok();
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (path, body, refusal) in [
        ("c1", with("sender", json!("eve")), (403, "forbidden")),
        ("c1", with("sender", json!(null)), (400, "invalid_request")),
        ("c1", with("body", json!({"text": "other"})), (409, "conflict")),
        ("c1", with("body", json!("x")), (422, "invalid_field")),
        ("c1", with("kind", json!("video")), (422, "invalid_field")),
        ("c1", with("client_msg_id", json!("a b")), (422, "invalid_field")),
        ("c1", with("seq", json!(7)), (400, "invalid_request")),
        ("c1", with("body", json!({"text": "x".repeat(66_000)})), (413, "payload_too_large")),
        ("c1", with("body", json!({"text": "x".repeat(300_000)})), (413, "payload_too_large")),
        ("nowhere", good.clone(), (404, "not_found")),
        ("no%20id", good.clone(), (422, "invalid_field")),
    ] {
        let (status, code) = server.rest().post(&format!("/v1/conversations/{path}/messages"), &body).await.refusal();
        assert_eq!(
            (status, code.as_str()),
            refusal,
            "{path} {}",
            body.to_string().chars().take(120).collect::<String>()
        );
    }
    let bob = server.rest_as(&server.token("bob"));
    assert_eq!(
        bob.post("/v1/conversations/c1/messages", &with("client_msg_id", json!("m2"))).await.refusal(),
        (403, "forbidden".to_owned()),
        "a user speaks for itself only"
    );
    assert_eq!(server.rest().log("c1").await.len(), 2);
}

#[tokio::test]
async fn a_bad_page_is_refused() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    for (query, refusal) in [
        ("limit=0", (422, "invalid_field")),
        ("limit=201", (422, "invalid_field")),
        ("limit=x", (400, "invalid_request")),
        ("after=-1", (422, "invalid_field")),
        ("after=1&before=2", (400, "invalid_request")),
        ("after=1&after=2", (400, "invalid_request")),
        ("cursor=cur_x", (422, "invalid_field")),
        ("page=2", (400, "invalid_request")),
    ] {
        let (status, code) = server.rest().get(&format!("/v1/conversations/c1/messages?{query}")).await.refusal();
        assert_eq!((status, code.as_str()), refusal, "{query}");
    }
}
