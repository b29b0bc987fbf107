//! Messages that are told and never stored.

use crate::support::client::text_message;
use crate::support::{Client, TestServer};
use serde_json::{Value, json};

fn ephemeral(conversation: &str, id: &str) -> Value {
    let mut fields = text_message(conversation, id, "hi");
    fields["ephemeral"] = json!(true);
    fields
}

#[tokio::test]
async fn members_online_get_it_and_nothing_is_stored_or_billed() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut tablet) = (server.connect("alice").await, server.connect("alice").await);
    let (mut bob, mut carol) = (server.connect("bob").await, server.connect("carol").await);
    let ack = alice.ok("send", ephemeral("c1", "e1")).await;
    assert_eq!((&ack["billed"], ack["seq"].is_null(), ack["at"].is_string()), (&json!(0), true, true));
    for client in [&mut bob, &mut tablet] {
        let push = client.push_of("ephemeral").await;
        let expected = json!({"type": "ephemeral", "conversation": "c1", "sender": "alice", "client_msg_id": "e1",
            "kind": "text", "body": {"text": "hi"}, "at": ack["at"]});
        assert_eq!(push, expected);
    }
    assert!(alice.pushes_so_far().await.is_empty() && carol.pushes_so_far().await.is_empty());
    // A stored message may have the same id: the ephemeral one left no trace.
    let stored = alice.send("c1", "e1", "kept").await;
    assert_eq!((&stored["seq"], &stored["duplicate"]), (&json!(2), &json!(false)));
    assert_eq!(bob.ok("history", json!({"conversation": "c1"})).await["head"], 2);
    let mut late = Client::connect_with(&server, json!({"token": server.token("bob"), "heads": {"c1": [1, 1]}})).await;
    assert_eq!(late.push().await["client_msg_id"], "e1");
    assert!(late.pushes_so_far().await.is_empty());
}

#[tokio::test]
async fn it_is_refused_as_a_stored_one_is() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let mut alice = server.connect("alice").await;
    let with = |field: &str, value: Value| {
        let mut fields = ephemeral("c1", "e1");
        fields[field] = value;
        fields
    };
    for (fields, code) in [
        (with("kind", json!("video")), "invalid_field"),
        (with("body", json!({"no": "text"})), "invalid_field"),
        (with("client_msg_id", json!("a b")), "invalid_field"),
        (with("prev", json!("m1")), "invalid_field"),
        (with("conversation", json!("nowhere")), "not_found"),
        (with("ephemeral", json!("yes")), "invalid_request"),
    ] {
        assert_eq!(alice.refused("send", fields.clone()).await["code"], code, "{fields}");
    }
    let mut stranger = server.connect("mallory").await;
    assert_eq!(stranger.refused("send", ephemeral("c1", "e1")).await["code"], "not_found");
}

#[tokio::test]
async fn a_server_says_it_for_a_member_and_a_user_for_itself() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let mut bob = server.connect("bob").await;
    let (rest, alice) = (server.rest(), server.rest_as(&server.token("alice")));
    let path = |what: &str| format!("/v1/conversations/c1/{what}");
    let message = json!({"client_msg_id": "e1", "kind": "text", "body": {"text": "hi"}});
    let mut of_alice = message.clone();
    of_alice["sender"] = json!("alice");
    let answer = rest.post(&path("ephemeral"), &of_alice).await.ok();
    let push = bob.push_of("ephemeral").await;
    assert_eq!((&push["sender"], &push["at"]), (&json!("alice"), &answer["at"]));
    alice.post(&path("ephemeral"), &message).await.ok();
    assert_eq!(bob.push_of("ephemeral").await["sender"], "alice");
    alice.post(&path("typing"), &json!({})).await.ok();
    assert_eq!(bob.push_of("typing").await["user"], "alice");
    for (who, fields, refusal) in [
        (&rest, json!({}), (400, "invalid_request")),
        (&rest, json!({"sender": "mallory"}), (403, "forbidden")),
        (&alice, json!({"sender": "bob"}), (403, "forbidden")),
    ] {
        let (status, code) = who.post(&path("typing"), &fields).await.refusal();
        assert_eq!((status, code.as_str()), refusal, "{fields}");
    }
    assert_eq!(bob.ok("history", json!({"conversation": "c1"})).await["head"], 1);
}

#[tokio::test]
async fn who_may_not_speak_is_not_heard_live_either() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob", "carol"]).await;
    let (mut alice, mut bob, mut carol) =
        (server.connect("alice").await, server.connect("bob").await, server.connect("carol").await);
    let said = alice.send("c1", "m1", "hello").await["seq"].clone();
    alice.ok("conversation.mute", json!({"conversation": "c1", "user": "bob", "for_s": 600})).await;
    alice.ok("conversation.role", json!({"conversation": "c1", "user": "carol", "role": "guest"})).await;
    let react = json!({"conversation": "c1", "target": said, "emoji": "+1"});
    for (client, code) in [(&mut bob, "muted"), (&mut carol, "forbidden")] {
        assert_eq!(client.refused("send", ephemeral("c1", "e1")).await["code"], code);
        assert_eq!(client.refused("typing", json!({"conversation": "c1"})).await["code"], code);
        assert_eq!(client.refused("react", react.clone()).await["code"], code);
    }
    let direct = alice.ok("conversation.create", json!({"kind": "direct", "members": ["dora"]})).await["id"].clone();
    let direct = direct.as_str().unwrap();
    let said = alice.send(direct, "m1", "hello").await["seq"].clone();
    server.connect("dora").await.ok("block", json!({"user": "alice"})).await;
    assert_eq!(alice.refused("send", ephemeral(direct, "e1")).await["code"], "blocked");
    assert_eq!(alice.refused("typing", json!({"conversation": direct})).await["code"], "blocked");
    let pin = json!({"conversation": direct, "target": said});
    assert_eq!(alice.refused("pin", pin).await["code"], "blocked");
    let edit = json!({"conversation": direct, "target": said, "kind": "text", "body": {"text": "psst"}});
    assert_eq!(alice.refused("edit", edit).await["code"], "blocked");
    assert_eq!(alice.ok("delete", json!({"conversation": direct, "target": said})).await["changed"], true);
}
