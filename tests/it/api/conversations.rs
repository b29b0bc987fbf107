//! Conversations and their members over REST.

use crate::support::TestServer;
use serde_json::{Value, json};

#[tokio::test]
async fn a_conversation_is_made_shown_and_found_again() {
    let server = TestServer::spawn().await;
    let rest = server.rest();
    let made = rest
        .post("/v1/conversations", &json!({"kind": "group", "id": "c1", "name": "Küche", "members": ["alice", "bob"]}))
        .await
        .ok();
    for (key, expected) in [
        ("id", json!("c1")),
        ("kind", json!("group")),
        ("name", json!("Küche")),
        ("epoch", json!(1)),
        ("last_seq", json!(1)),
        ("as_of", json!({"epoch": 1, "seq": 1})),
        ("existed", json!(false)),
    ] {
        assert_eq!(made[key], expected, "{key}");
    }
    let again = rest.post("/v1/conversations", &json!({"kind": "group", "id": "c1", "members": ["alice"]})).await.ok();
    assert_eq!((&again["existed"], &again["created_at"]), (&json!(true), &made["created_at"]));
    rest.send("c1", "bob", "m1", "x").await;
    let shown = rest.get("/v1/conversations/c1").await.ok();
    assert_eq!(
        (&shown["last_seq"], &shown["messages"], &shown["name"], &shown["kind"]),
        (&json!(2), &json!(1), &json!("Küche"), &json!("group"))
    );
    assert_eq!(rest.get("/v1/conversations/nowhere").await.refusal(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_direct_conversation_is_one_per_pair() {
    let server = TestServer::spawn().await;
    let rest = server.rest();
    let direct = async |members: [&str; 2]| {
        rest.post("/v1/conversations", &json!({"kind": "direct", "members": members})).await.ok()["id"].clone()
    };
    let first = direct(["alice", "bob"]).await;
    assert_eq!(direct(["bob", "alice"]).await, first);
    assert_ne!(direct(["alice", "carol"]).await, first);
    let path = format!("/v1/conversations/{}", first.as_str().unwrap());
    assert_eq!(rest.get(&path).await.ok()["kind"], "direct");
    let add = rest.post(&format!("{path}/members"), &json!({"members": ["carol"]})).await;
    assert_eq!(add.refusal(), (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_a_conversation_is_refused() {
    let server = TestServer::spawn().await;
    server.group("taken", &["alice"]).await;
    for (body, refusal) in [
        (json!({"kind": "room", "members": ["a"]}), (422, "invalid_field")),
        (json!({"kind": "group"}), (422, "invalid_field")),
        (json!({"kind": "direct", "members": ["a"]}), (422, "invalid_field")),
        (json!({"kind": "group", "members": ["a b"]}), (422, "invalid_field")),
        (json!({"kind": "group", "members": ["a"], "id": "a b"}), (422, "invalid_field")),
        (json!({"kind": "group", "members": ["a"], "name": "\u{7}"}), (422, "invalid_field")),
        (json!({"kind": "group", "members": "a"}), (400, "invalid_request")),
        (json!({"kind": "group", "members": ["a"], "org_id": "x"}), (400, "invalid_request")),
        (json!({"kind": "group", "members": ["bob"], "id": "taken"}), (409, "conflict")),
    ] {
        let (status, code) = server.rest().post("/v1/conversations", &body).await.refusal();
        assert_eq!((status, code.as_str()), refusal, "{body}");
    }
}

#[tokio::test]
async fn members_are_added_listed_and_removed() {
    let server = TestServer::spawn().await;
    let rest = server.rest();
    server.group("c1", &["alice", "bob"]).await;
    let added = rest.post("/v1/conversations/c1/members", &json!({"members": ["carol", "bob", "dave"]})).await.ok();
    assert_eq!(added, json!({"changed": true, "seq": 2, "epoch": 1}));
    let unchanged = json!({"changed": false, "seq": null, "epoch": null});
    assert_eq!(rest.post("/v1/conversations/c1/members", &json!({"members": ["carol"]})).await.ok(), unchanged);
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = rest.get(&format!("/v1/conversations/c1/members?limit=3{cursor}")).await.ok();
        assert_eq!(page["as_of"], json!({"epoch": 1, "seq": 2}));
        names.extend(page["items"].as_array().unwrap().iter().map(|one| one["user"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(names, ["alice", "bob", "carol", "dave"]);
    assert_eq!(rest.delete("/v1/conversations/c1/members/bob").await.ok()["seq"], 3);
    assert_eq!(rest.delete("/v1/conversations/c1/members/bob").await.ok(), unchanged);
    let page = rest.get("/v1/conversations/c1/members").await.ok();
    assert_eq!(page["items"][0], json!({"user": "alice", "role": "owner", "joined": 1, "read": 1, "received": 1}));
    for path in ["/v1/conversations/nowhere/members", "/v1/conversations/nowhere/members?limit=1"] {
        assert_eq!(rest.get(path).await.refusal().0, 404);
    }
}

#[tokio::test]
async fn a_member_event_made_by_rest_reaches_the_sockets() {
    let server = TestServer::spawn().await;
    let mut bob = server.connect("bob").await;
    server.group("c1", &["alice", "bob"]).await;
    let push = bob.push().await;
    assert_eq!((&push["change"], push.get("actor")), (&json!("created"), None::<&Value>), "the app's server did it");
    server.rest().delete("/v1/conversations/c1/members/bob").await.ok();
    let push = bob.push().await;
    assert_eq!((&push["change"], push.get("actor")), (&json!("removed"), None::<&Value>));
}

#[tokio::test]
async fn a_user_token_does_what_its_user_may() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (alice, bob, eve) = (
        server.rest_as(&server.token("alice")),
        server.rest_as(&server.token("bob")),
        server.rest_as(&server.token("eve")),
    );
    assert_eq!(bob.get("/v1/conversations/c1").await.ok()["id"], "c1");
    for path in ["/v1/conversations/c1", "/v1/conversations/c1/messages", "/v1/conversations/c1/members"] {
        assert_eq!(eve.get(path).await.refusal(), (404, "not_found".to_owned()), "{path}");
    }
    assert_eq!(bob.post("/v1/conversations/c1/members", &json!({"members": ["eve"]})).await.refusal().0, 403);
    assert_eq!(alice.post("/v1/conversations/c1/members", &json!({"members": ["eve"]})).await.ok()["seq"], 2);
    assert_eq!(bob.delete("/v1/conversations/c1/members/eve").await.refusal().0, 403);
    assert_eq!(eve.delete("/v1/conversations/c1/members/eve").await.ok()["seq"], 3);
    let mine = bob.post("/v1/conversations", &json!({"kind": "group", "members": ["alice"]})).await.ok();
    let members = bob.get(&format!("/v1/conversations/{}/members", mine["id"].as_str().unwrap())).await.ok();
    assert_eq!(
        members["items"].as_array().unwrap().iter().map(|one| one["role"].clone()).collect::<Vec<_>>(),
        ["member", "owner"],
        "whoever asks owns it"
    );
    let session = server.connect("bob").await.session().to_owned();
    assert_eq!(server.rest_as(&session).get("/v1/conversations/c1").await.ok()["id"], "c1", "with a session token too");
}
