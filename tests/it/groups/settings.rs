//! `conversation.update`: what becomes of name and rules, and who is told.

use crate::support::TestServer;
use serde_json::{Value, json};

#[tokio::test]
async fn an_update_is_one_event_of_what_changed() {
    let server = TestServer::spawn().await;
    server.group("g", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let fields = json!({"conversation": "g", "name": "Küche \"1\"", "join": "open", "add": "admins"});
    assert_eq!(alice.ok("conversation.update", fields.clone()).await, json!({"changed": true, "seq": 2}));
    let push = bob.push_of("conversation").await;
    let expected = json!({"type": "conversation", "conversation": "g", "epoch": push["epoch"], "seq": 2, "msg_no": 0,
        "at": push["at"], "actor": "alice", "name": "Küche \"1\"", "join": "open"});
    assert_eq!(push, expected, "`add` was so already");
    assert_eq!(bob.ok("history", json!({"conversation": "g"})).await["items"][1], expected);
    assert_eq!(alice.ok("conversation.update", fields).await, json!({"changed": false}));
    assert_eq!(alice.ok("conversation.update", json!({"conversation": "g"})).await, json!({"changed": false}));
    alice.ok("conversation.update", json!({"conversation": "g", "name": null})).await;
    let push = bob.push_of("conversation").await;
    assert!(push["name"].is_null() && push.as_object().unwrap().contains_key("name"));
    let shown = server.rest().get("/v1/conversations/g").await.ok();
    assert_eq!((&shown["name"], &shown["join"], &shown["add"]), (&Value::Null, &json!("open"), &json!("admins")));
    assert_eq!((&shown["members"], &shown["messages"]), (&json!(2), &json!(0)));
    assert_eq!(server.rest().units().await, 0, "an update costs nothing");
}

#[tokio::test]
async fn values_that_are_none_are_refused_and_change_nothing() {
    let server = TestServer::spawn().await;
    server.group("g", &["alice", "bob"]).await;
    let mut alice = server.connect("alice").await;
    for (fields, code, param) in [
        (json!({"name": ""}), "invalid_field", Some("name")),
        (json!({"name": "x".repeat(65)}), "invalid_field", Some("name")),
        (json!({"name": "a\u{7}b"}), "invalid_field", Some("name")),
        (json!({"join": "closed"}), "invalid_field", Some("join")),
        (json!({"add": "guests"}), "invalid_field", Some("add")),
        (json!({"name": 7}), "invalid_request", Some("name")),
        (json!({"join": ["open"]}), "invalid_request", Some("join")),
    ] {
        let mut whole = fields.clone();
        whole["conversation"] = json!("g");
        let error = alice.refused("conversation.update", whole).await;
        assert_eq!((error["code"].as_str(), error["param"].as_str()), (Some(code), param), "{fields}");
    }
    for (command, fields) in [
        ("conversation.role", json!({"user": "bob", "role": "king"})),
        ("conversation.mute", json!({"user": "bob", "for_s": -1})),
        ("conversation.mute", json!({"user": "bob", "for_s": 31_622_401})),
        ("conversation.ban", json!({"user": "b o b"})),
        ("conversation.decline", json!({"members": []})),
        ("conversation.bans", json!({"limit": 201})),
        ("conversation.requests", json!({"limit": 0})),
    ] {
        let mut whole = fields.clone();
        whole["conversation"] = json!("g");
        assert_eq!(alice.refused(command, whole).await["code"], "invalid_field", "{command} {fields}");
    }
    assert_eq!(server.rest().get("/v1/conversations/g").await.ok()["last_seq"], 1);
}

#[tokio::test]
async fn fields_that_are_missing_or_of_another_type_are_refused() {
    let server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    for command in [
        "conversation.update",
        "conversation.join",
        "conversation.leave",
        "conversation.requests",
        "conversation.decline",
        "conversation.role",
        "conversation.mute",
        "conversation.ban",
        "conversation.unban",
        "conversation.bans",
        "block",
        "unblock",
    ] {
        for fields in [json!({}), json!({"conversation": 7, "user": 7}), json!([]), json!(null), json!("g")] {
            let error = alice.refused(command, fields.clone()).await;
            assert_eq!(error["code"], "invalid_request", "{command} {fields}");
        }
    }
    let many: Vec<_> = (0..1_001).map(|at| format!("u{at}")).collect();
    let error = alice.refused("conversation.decline", json!({"conversation": "g", "members": many})).await;
    assert_eq!(error["code"], "limit_reached");
    assert_eq!(alice.refused("blocks", json!({"limit": 0})).await["code"], "invalid_field");
    assert_eq!(alice.refused("blocks", json!({"page": "a b"})).await["code"], "invalid_field");
    // Fields nobody knows are ignored, as those of a newer client.
    assert_eq!(alice.ok("block", json!({"user": "bob", "x": {"y": 1}})).await["changed"], true);
}

#[tokio::test]
async fn a_direct_conversation_has_nothing_to_govern() {
    let server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    let id = alice.ok("conversation.create", json!({"kind": "direct", "members": ["bob"]})).await["id"].clone();
    for (command, more) in [
        ("conversation.update", json!({"join": "open"})),
        ("conversation.role", json!({"user": "bob", "role": "guest"})),
        ("conversation.mute", json!({"user": "bob", "for_s": 60})),
        ("conversation.ban", json!({"user": "bob"})),
        ("conversation.unban", json!({"user": "bob"})),
        ("conversation.leave", json!({})),
    ] {
        let mut fields = more;
        fields["conversation"] = id.clone();
        assert_eq!(alice.refused(command, fields).await["code"], "forbidden", "{command}");
    }
    let mut carol = server.connect("carol").await;
    assert_eq!(carol.refused("conversation.join", json!({"conversation": id})).await["code"], "not_found");
    let members = alice.ok("conversation.members", json!({"conversation": id})).await;
    let roles: Vec<_> = members["items"].as_array().unwrap().iter().map(|member| &member["role"]).collect();
    assert_eq!(roles, ["member", "member"], "nobody stands above the other");
}
