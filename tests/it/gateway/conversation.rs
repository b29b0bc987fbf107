//! `conversation.create`, `.add`, `.remove` and `.members`, and the member events they push.

use crate::support::TestServer;
use crate::support::client::text_message;
use serde_json::json;

#[tokio::test]
async fn the_creator_owns_a_new_group_and_all_members_are_told() {
    let server = TestServer::spawn().await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let made = alice
        .ok(
            "conversation.create",
            json!({"kind": "group", "id": "c1", "name": "Küche", "members": ["bob", "alice", "bob"]}),
        )
        .await;
    assert_eq!(
        (&made["id"], &made["kind"], &made["name"], &made["epoch"], &made["last_seq"]),
        (&json!("c1"), &json!("group"), &json!("Küche"), &json!(1), &json!(1))
    );
    let push = bob.push().await;
    let users = json!([{"user": "alice", "role": "owner"}, {"user": "bob", "role": "member"}]);
    assert_eq!(
        (&push["type"], &push["change"], &push["actor"], &push["users"], &push["seq"], &push["msg_no"]),
        (&json!("member"), &json!("created"), &json!("alice"), &users, &json!(1), &json!(0))
    );
    assert_eq!(bob.send("c1", "m1", "hi").await["seq"], 2);
}

#[tokio::test]
async fn an_id_is_made_where_none_is_given() {
    let server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    let made = [
        alice.ok("conversation.create", json!({"kind": "group"})).await,
        alice.ok("conversation.create", json!({"kind": "group"})).await,
    ];
    assert!(made.iter().all(|one| one["id"].as_str().unwrap().starts_with("conv_")));
    assert_ne!(made[0]["id"], made[1]["id"]);
}

#[tokio::test]
async fn creating_again_returns_it_and_another_kind_or_creator_conflicts() {
    let server = TestServer::spawn().await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    alice.ok("conversation.create", json!({"kind": "group", "id": "c1", "members": ["bob"]})).await;
    assert_eq!(alice.ok("conversation.create", json!({"kind": "group", "id": "c1"})).await["last_seq"], 1);
    assert_eq!(bob.refused("conversation.create", json!({"kind": "group", "id": "c1"})).await["code"], "conflict");
    assert_eq!(
        alice.refused("conversation.create", json!({"kind": "direct", "id": "c1", "members": ["bob"]})).await["code"],
        "conflict"
    );
    let direct = alice.ok("conversation.create", json!({"kind": "direct", "members": ["bob"]})).await;
    assert_eq!(
        bob.ok("conversation.create", json!({"kind": "direct", "members": ["alice"]})).await["id"],
        direct["id"],
        "unique per pair"
    );
}

#[tokio::test]
async fn a_conversation_that_cannot_be_is_refused() {
    let server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    for (fields, code) in [
        (json!({"kind": "room"}), "invalid_field"),
        (json!({"kind": "direct", "members": []}), "invalid_field"),
        (json!({"kind": "direct", "members": ["alice"]}), "invalid_field"),
        (json!({"kind": "direct", "members": ["bob", "carol"]}), "invalid_field"),
        (json!({"kind": "group", "members": ["b ob"]}), "invalid_field"),
        (json!({"kind": "group", "id": "a/b"}), "invalid_field"),
        (json!({"kind": "group", "name": ""}), "invalid_field"),
        (
            json!({"kind": "group", "members": (0..1_001).map(|at| format!("u{at}")).collect::<Vec<_>>()}),
            "limit_reached",
        ),
        (json!({"members": ["bob"]}), "invalid_request"),
    ] {
        assert_eq!(alice.refused("conversation.create", fields.clone()).await["code"], code, "{fields}");
    }
}

#[tokio::test]
async fn a_new_member_hears_from_its_joining_on_and_a_removed_one_nothing_more() {
    let server = TestServer::spawn().await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    alice.ok("conversation.create", json!({"kind": "group", "id": "c1"})).await;
    alice.send("c1", "m1", "before").await;
    assert_eq!(
        alice.ok("conversation.add", json!({"conversation": "c1", "members": ["bob"]})).await,
        json!({"changed": true, "seq": 3})
    );
    alice.send("c1", "m2", "during").await;
    let (joined, message) = (bob.push().await, bob.push().await);
    assert_eq!((&joined["change"], &joined["seq"], &message["seq"]), (&json!("added"), &json!(3), &json!(4)));
    let page = bob.ok("history", json!({"conversation": "c1", "after": 0})).await;
    assert_eq!(
        (crate::support::client::seqs(page["items"].as_array().unwrap()), &page["first"]),
        (vec![3, 4], &json!(3))
    );
    assert_eq!(alice.ok("conversation.remove", json!({"conversation": "c1", "members": ["bob"]})).await["seq"], 5);
    assert_eq!(bob.push().await["change"], "removed", "it is told of its own removal");
    alice.send("c1", "m3", "after").await;
    assert!(bob.pushes_so_far().await.is_empty());
    assert_eq!(bob.refused("send", text_message("c1", "m9", "x")).await["code"], "not_found");
    assert_eq!(bob.refused("history", json!({"conversation": "c1"})).await["code"], "not_found");
}

#[tokio::test]
async fn only_the_owner_changes_members_and_anyone_else_may_leave() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob, mut eve) =
        (server.connect("alice").await, server.connect("bob").await, server.connect("eve").await);
    let of = |member: &str| json!({"conversation": "c1", "members": [member]});
    assert_eq!(bob.refused("conversation.add", of("carol")).await["code"], "forbidden");
    assert_eq!(bob.refused("conversation.remove", of("alice")).await["code"], "forbidden");
    assert_eq!(eve.refused("conversation.add", of("eve")).await["code"], "not_found");
    assert_eq!(alice.refused("conversation.remove", of("alice")).await["code"], "forbidden");
    assert_eq!(alice.ok("conversation.add", of("bob")).await, json!({"changed": false}));
    assert_eq!(bob.ok("conversation.remove", of("bob")).await, json!({"changed": true, "seq": 2}));
    assert_eq!(alice.push().await["users"], json!([{"user": "bob", "role": "member"}]));
    assert_eq!(
        alice.refused("conversation.add", json!({"conversation": "c1", "members": []})).await["code"],
        "invalid_field"
    );
}

#[tokio::test]
async fn members_are_listed_in_pages() {
    let server = TestServer::spawn().await;
    server.group("c1", &["u4", "u1", "u3", "u2", "u0"]).await;
    let mut client = server.connect("u2").await;
    client.ok("read", json!({"conversation": "c1", "seq": 1})).await;
    let (mut listed, mut page) = (Vec::new(), json!(null));
    loop {
        let mut fields = json!({"conversation": "c1", "limit": 2});
        if page.is_string() {
            fields["page"] = page.take();
        }
        let mut got = client.ok("conversation.members", fields).await;
        listed.append(got["items"].as_array_mut().unwrap());
        page = got["next"].take();
        if page.is_null() {
            break;
        }
    }
    assert_eq!(
        listed.iter().map(|one| one["user"].as_str().unwrap()).collect::<Vec<_>>(),
        ["u0", "u1", "u2", "u3", "u4"]
    );
    assert_eq!(listed[4], json!({"user": "u4", "role": "owner", "joined": 1, "read": 1, "received": 1}));
    for limit in [0, 201] {
        assert_eq!(
            client.refused("conversation.members", json!({"conversation": "c1", "limit": limit})).await["code"],
            "invalid_field"
        );
    }
}
