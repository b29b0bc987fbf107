//! `send`: the ack, the pushes, repeats, order and refusals.

use crate::support::client::{seqs, text_message};
use crate::support::{Client, TestServer};
use serde_json::{Value, json};

#[tokio::test]
async fn a_message_is_acknowledged_and_pushed_to_every_member_and_other_device() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut phone, mut laptop) = (server.connect("alice").await, server.connect("alice").await);
    let (mut bob, mut carol) = (server.connect("bob").await, server.connect("carol").await);
    let ack = phone.send("c1", "m1", "hello").await;
    assert_eq!(
        (&ack["seq"], &ack["epoch"], &ack["duplicate"], &ack["billed"]),
        (&json!(2), &json!(1), &json!(false), &json!(1))
    );
    let expected = json!({
        "type": "message", "conversation": "c1", "epoch": 1, "seq": 2, "msg_no": 1, "at": ack["at"], "id": ack["id"],
        "sender": "alice", "client_msg_id": "m1", "kind": "text", "body": {"text": "hello"},
    });
    assert_eq!(bob.push().await, expected);
    assert_eq!(laptop.push().await, expected, "the sender's other device, with its client_msg_id");
    assert_eq!(server.rest().log("c1").await[1], expected, "history and pushes carry the same object");
    assert!(phone.pushes_so_far().await.is_empty(), "the sending connection has the ack instead");
    assert!(carol.pushes_so_far().await.is_empty(), "who is no member");
}

#[tokio::test]
async fn a_body_arrives_to_the_byte() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let body = "{ \"b\" : 1.50, \"a\":[ \"\\u00e9\u{1F44D}\" ,null] }";
    alice
        .say(&format!(r#"{{"id":50,"send":{{"conversation":"c1","client_msg_id":"m1","kind":"json","body":{body}}}}}"#))
        .await;
    alice.ok_of(50).await;
    bob.push().await;
    assert!(bob.heard.last().unwrap().contains(body), "{:?}", bob.heard.last());
}

#[tokio::test]
async fn a_repeat_answers_the_first_result_and_is_not_pushed_again() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let first = alice.send("c1", "m1", "once").await;
    let again = alice.send("c1", "m1", "once").await;
    assert_eq!(
        (&again["id"], &again["seq"], &again["at"], &again["duplicate"]),
        (&first["id"], &first["seq"], &first["at"], &json!(true))
    );
    assert_eq!(alice.refused("send", text_message("c1", "m1", "twice")).await["code"], "conflict");
    alice.close().await;
    let mut alice = server.connect("alice").await;
    assert_eq!(alice.send("c1", "m1", "once").await["duplicate"], true, "over a reconnect");
    assert_eq!(alice.send("c1", "m2", "next").await["seq"], 3);
    assert_eq!([bob.push().await, bob.push().await].map(|push| push["client_msg_id"].clone()), ["m1", "m2"]);
    assert_eq!(server.rest().units().await, 2);
}

#[tokio::test]
async fn pipelined_sends_with_prev_commit_in_order() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let mut ids = Vec::new();
    for at in 0..200 {
        let mut fields = text_message("c1", &format!("m{at}"), "x");
        if at > 0 {
            fields["prev"] = json!(format!("m{}", at - 1));
        }
        ids.push(alice.start("send", fields).await);
    }
    for (at, id) in (2..).zip(ids) {
        assert_eq!(alice.ok_of(id).await["seq"], at);
    }
    for at in 2..202 {
        assert_eq!(bob.push().await["seq"], at);
    }
}

#[tokio::test]
async fn a_refused_message_refuses_those_behind_it() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    let with_prev = |id: &str, prev: &str, text: Value| json!({"conversation": "c1", "client_msg_id": id, "kind": "text", "body": {"text": text}, "prev": prev});
    let bad = alice
        .start("send", json!({"conversation": "c1", "client_msg_id": "m1", "kind": "text", "body": {"text": 5}}))
        .await;
    let second = alice.start("send", with_prev("m2", "m1", json!("b"))).await;
    let third = alice.start("send", with_prev("m3", "m2", json!("c"))).await;
    assert_eq!(alice.error_of(bad).await["code"], "invalid_field");
    for id in [second, third] {
        let error = alice.error_of(id).await;
        assert_eq!((&error["code"], &error["retryable"]), (&json!("previous_refused"), &json!(true)));
    }
    assert_eq!(alice.send("c1", "m1", "a").await["seq"], 2);
    assert_eq!(alice.ok("send", with_prev("m2", "m1", json!("b"))).await["seq"], 3);
}

#[tokio::test]
async fn two_senders_at_once_see_one_order() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob", "carol"]).await;
    let (mut alice, mut bob, mut carol) =
        (server.connect("alice").await, server.connect("bob").await, server.connect("carol").await);
    // Message by message in turn, so that one commit holds those of both.
    let mut ids = (Vec::new(), Vec::new());
    for at in 0..100 {
        ids.0.push(alice.start("send", text_message("c1", &format!("m{at}"), "x")).await);
        ids.1.push(bob.start("send", text_message("c1", &format!("m{at}"), "x")).await);
    }
    let acks = async |client: &mut Client, ids: Vec<u64>| {
        let mut seqs = Vec::new();
        for id in ids {
            seqs.push(client.ok_of(id).await["seq"].as_i64().unwrap());
        }
        seqs
    };
    let (of_alice, of_bob) = (acks(&mut alice, ids.0).await, acks(&mut bob, ids.1).await);
    assert!(of_alice.is_sorted() && of_bob.is_sorted());
    let mut seen = Vec::new();
    for _ in 0..200 {
        seen.push(carol.push().await);
    }
    assert_eq!(seqs(&seen), (2..202).collect::<Vec<_>>());
    for (client, own, others) in [(&mut alice, &of_alice, &of_bob), (&mut bob, &of_bob, &of_alice)] {
        let mut pushed = Vec::new();
        for _ in 0..100 {
            pushed.push(client.push().await);
        }
        assert_eq!(&seqs(&pushed), others, "each sees the other's");
        assert!(own.iter().all(|seq| !seqs(&pushed).contains(seq)));
    }
}

#[tokio::test]
async fn what_is_no_message_is_refused_with_its_code() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    let with = |field: &str, value: Value| {
        let mut fields = text_message("c1", "m1", "x");
        fields[field] = value;
        fields
    };
    for (fields, code, param) in [
        (with("conversation", json!("nowhere")), "not_found", json!(null)),
        (with("conversation", json!("no id")), "invalid_field", json!("conversation")),
        (with("client_msg_id", json!("")), "invalid_field", json!("client_msg_id")),
        (with("kind", json!("video")), "invalid_field", json!("kind")),
        (with("body", json!("text")), "invalid_field", json!("body")),
        (with("body", json!({"txt": "x"})), "invalid_field", json!("body")),
        (with("prev", json!("é")), "invalid_field", json!("prev")),
        (with("reply_to", json!(3)), "not_found", json!("reply_to")),
        (with("mentions", json!(["b b"])), "invalid_field", json!("mentions")),
        (with("silent", json!("yes")), "invalid_request", json!("silent")),
        (json!({"conversation": "c1"}), "invalid_request", json!("client_msg_id")),
    ] {
        let error = alice.refused("send", fields.clone()).await;
        assert_eq!(
            (&error["code"], error.get("param").cloned().unwrap_or_default()),
            (&json!(code), param),
            "{fields}"
        );
    }
    assert_eq!(alice.ok("send", with("future_field", json!(1))).await["seq"], 2, "unknown fields are ignored");
}

#[tokio::test]
async fn every_content_kind_is_carried() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    for (at, (kind, body)) in
        [("text", json!({"text": ""})), ("json", json!(null)), ("json", json!([1, "a"])), ("file", json!({"url": "x"}))]
            .into_iter()
            .enumerate()
    {
        alice
            .ok("send", json!({"conversation": "c1", "client_msg_id": format!("m{at}"), "kind": kind, "body": body}))
            .await;
        let push = bob.push().await;
        assert_eq!((&push["kind"], &push["body"]), (&json!(kind), &body));
    }
}

#[tokio::test]
async fn more_than_256_open_commands_are_refused_and_the_rest_answered() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    let mut ids = Vec::new();
    for at in 0..2_000 {
        ids.push(alice.start("send", text_message("c1", &format!("m{at}"), "x")).await);
    }
    let (mut stored, mut refused) = (0, 0);
    for id in ids {
        let reply = alice.reply(id).await;
        match reply["error"]["code"].as_str() {
            None => stored += 1,
            Some(code) => {
                assert_eq!((code, &reply["error"]["retryable"]), ("too_many_open_commands", &json!(true)));
                refused += 1;
            }
        }
    }
    assert_eq!(stored + refused, 2_000);
    assert!(stored >= 256, "{stored}");
    assert_eq!(server.rest().log("c1").await.len(), stored + 1);
    alice.ok("ping", json!({})).await;
}

#[tokio::test]
async fn units_are_billed_by_the_size_of_the_body() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    let overhead = r#"{"text":""}"#.len();
    for (at, bytes, billed) in [(0, 5_120, 1), (1, 5_121, 2), (2, 60_000, 12)] {
        assert_eq!(alice.send("c1", &format!("m{at}"), &"x".repeat(bytes - overhead)).await["billed"], billed);
    }
    assert_eq!(server.rest().units().await, 15);
}
