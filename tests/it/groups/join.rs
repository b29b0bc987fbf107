//! Joining by each rule, requests and what becomes of them, and leaving.

use crate::support::{Client, TestServer};
use serde_json::{Value, json};

/// A group `g` of alice, admin bob and carol with this rule, and their connections.
async fn group(rule: &str) -> (TestServer, [Client; 3]) {
    let server = TestServer::spawn().await;
    server.group("g", &["alice", "bob", "carol"]).await;
    let mut alice = server.connect("alice").await;
    alice.ok("conversation.role", json!({"conversation": "g", "user": "bob", "role": "admin"})).await;
    if rule != "invite" {
        alice.ok("conversation.update", json!({"conversation": "g", "join": rule})).await;
    }
    let (bob, carol) = (server.connect("bob").await, server.connect("carol").await);
    (server, [alice, bob, carol])
}

async fn listed(client: &mut Client, command: &str) -> Vec<String> {
    let page = client.ok(command, json!({"conversation": "g"})).await;
    page["items"].as_array().unwrap().iter().map(|one| one["user"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_open_group_takes_whoever_joins() {
    let (server, [_, mut bob, _]) = group("open").await;
    let mut dave = server.connect("dave").await;
    let joined = dave.ok("conversation.join", json!({"conversation": "g"})).await;
    assert_eq!((&joined["state"], &joined["seq"]), (&json!("joined"), &json!(4)));
    let push = bob.push_of("member").await;
    assert_eq!(
        (&push["change"], &push["actor"], &push["users"]),
        (&json!("added"), &json!("dave"), &json!([{"user": "dave", "role": "member"}]))
    );
    assert_eq!(dave.send("g", "m", "hello").await["seq"], 5);
    assert_eq!(dave.ok("conversation.join", json!({"conversation": "g"})).await, json!({"state": "joined"}));
    let entry = dave.ok("sync", json!({})).await["conversations"][0].take();
    assert_eq!((&entry["role"], &entry["first"]), (&json!("member"), &json!(4)));
}

#[tokio::test]
async fn a_group_by_invitation_looks_like_nothing() {
    let (server, _clients) = group("invite").await;
    let mut dave = server.connect("dave").await;
    let mut answers = Vec::new();
    for id in ["g", "h"] {
        answers.push(dave.refused("conversation.join", json!({"conversation": id})).await);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0]["code"], "not_found");
}

#[tokio::test]
async fn moderators_hear_of_a_request_once_and_let_it_in() {
    let (server, [mut alice, mut bob, mut carol]) = group("approval").await;
    let mut dave = server.connect("dave").await;
    for _ in 0..2 {
        assert_eq!(dave.ok("conversation.join", json!({"conversation": "g"})).await, json!({"state": "requested"}));
    }
    assert_eq!(bob.push_of("join_request").await, json!({"type": "join_request", "conversation": "g", "user": "dave"}));
    alice.push_of("join_request").await;
    for client in [&mut alice, &mut bob, &mut carol] {
        let more = client.pushes_so_far().await;
        assert!(more.iter().all(|push| push["type"] != "join_request"), "once, and to moderators: {more:?}");
    }
    assert_eq!(dave.refused("history", json!({"conversation": "g"})).await["code"], "not_found");
    assert_eq!(listed(&mut bob, "conversation.requests").await, ["dave"]);
    assert_eq!(bob.ok("conversation.add", json!({"conversation": "g", "members": ["dave"]})).await["changed"], true);
    assert_eq!(dave.push_of("member").await["change"], "added");
    assert!(listed(&mut bob, "conversation.requests").await.is_empty());
}

#[tokio::test]
async fn a_declined_request_is_gone_and_may_come_again() {
    let (server, [mut alice, ..]) = group("approval").await;
    let mut dave = server.connect("dave").await;
    let (decline, join) = (json!({"conversation": "g", "members": ["dave"]}), json!({"conversation": "g"}));
    dave.ok("conversation.join", join.clone()).await;
    assert_eq!(alice.ok("conversation.decline", decline.clone()).await, json!({"changed": true}));
    assert_eq!(alice.ok("conversation.decline", decline).await, json!({"changed": false}));
    assert!(listed(&mut alice, "conversation.requests").await.is_empty());
    assert!(dave.pushes_so_far().await.is_empty(), "nobody tells");
    assert_eq!(dave.ok("conversation.join", join).await["state"], "requested");
    assert_eq!(listed(&mut alice, "conversation.requests").await, ["dave"]);
}

#[tokio::test]
async fn requests_are_paged_by_user() {
    let (server, [mut alice, ..]) = group("approval").await;
    for at in 0..5 {
        let body = json!({"user": format!("u{at}")});
        server.rest().post("/v1/conversations/g/join", &body).await.ok();
    }
    let (mut seen, mut page) = (Vec::new(), Value::Null);
    loop {
        let mut fields = json!({"conversation": "g", "limit": 2});
        if page.is_string() {
            fields["page"] = page;
        }
        let mut answer = alice.ok("conversation.requests", fields).await;
        let items = answer["items"].as_array().unwrap();
        assert!(items.len() <= 2 && items.iter().all(|one| one["at"].is_string()));
        seen.extend(items.iter().map(|one| one["user"].as_str().unwrap().to_owned()));
        page = answer["next"].take();
        if page.is_null() {
            break;
        }
    }
    assert_eq!(seen, ["u0", "u1", "u2", "u3", "u4"]);
}

#[tokio::test]
async fn members_leave_and_an_owner_after_handing_over() {
    let (server, [mut alice, mut bob, mut carol]) = group("invite").await;
    let leave = json!({"conversation": "g"});
    assert_eq!(carol.ok("conversation.leave", leave.clone()).await["changed"], true);
    assert_eq!(carol.push_of("member").await["users"], json!([{"user": "carol", "role": "member"}]));
    assert_eq!(alice.refused("conversation.leave", leave.clone()).await["code"], "forbidden");
    alice.ok("conversation.role", json!({"conversation": "g", "user": "bob", "role": "owner"})).await;
    loop {
        let push = bob.push_of("member").await;
        if push["change"] == "role" {
            let users = json!([{"user": "bob", "role": "owner"}, {"user": "alice", "role": "admin"}]);
            assert_eq!((&push["actor"], &push["users"]), (&json!("alice"), &users));
            break;
        }
    }
    assert_eq!(alice.ok("conversation.leave", leave.clone()).await["changed"], true);
    assert_eq!(bob.refused("conversation.leave", leave).await["code"], "forbidden");
    assert_eq!(server.rest().get("/v1/conversations/g").await.ok()["members"], 1);
}

#[tokio::test]
async fn whole_crowds_are_added_as_guests() {
    let (server, [mut alice, mut bob, _]) = group("invite").await;
    let add = |role: &str| json!({"conversation": "g", "members": ["dave"], "role": role});
    for role in ["admin", "owner", "king"] {
        let error = alice.refused("conversation.add", add(role)).await;
        assert_eq!((&error["code"], &error["param"]), (&json!("invalid_field"), &json!("role")), "{role}");
    }
    bob.ok("conversation.add", add("guest")).await;
    let body = json!({"members": ["erin"], "role": "guest"});
    server.rest().post("/v1/conversations/g/members", &body).await.ok();
    for user in ["dave", "erin"] {
        let mut guest = server.connect(user).await;
        let text = json!({"conversation": "g", "client_msg_id": user, "kind": "text", "body": {"text": "x"}});
        assert_eq!(guest.refused("send", text).await["code"], "forbidden");
        guest.ok("history", json!({"conversation": "g"})).await;
    }
}

#[tokio::test]
async fn leaving_and_joining_again_wins_nothing() {
    let (server, [mut alice, _, mut carol]) = group("open").await;
    let mut dave = server.connect("dave").await;
    let place = json!({"conversation": "g"});
    dave.ok("conversation.join", place.clone()).await;
    alice.ok("conversation.role", json!({"conversation": "g", "user": "dave", "role": "guest"})).await;
    alice.ok("conversation.mute", json!({"conversation": "g", "user": "carol", "for_s": 600})).await;
    for client in [&mut carol, &mut dave] {
        client.ok("conversation.leave", place.clone()).await;
        client.ok("conversation.join", place.clone()).await;
    }
    let text = |id: &str| json!({"conversation": "g", "client_msg_id": id, "kind": "text", "body": {"text": "x"}});
    assert_eq!(dave.refused("send", text("d")).await["code"], "forbidden", "a guest still");
    assert_eq!(carol.refused("send", text("c")).await["code"], "muted", "muted still");
    alice.ok("conversation.role", json!({"conversation": "g", "user": "dave", "role": "member"})).await;
    dave.ok("send", text("d")).await;
}
