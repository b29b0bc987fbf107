//! The same over REST: the app's server may do all, a user what it may on a socket.

use crate::support::rest::{Answer, answer};
use crate::support::{Rest, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

async fn put(rest: &Rest, path: &str, body: Value) -> Answer {
    answer(rest.request(Method::PUT, path).json(&body)).await
}

async fn patch(rest: &Rest, path: &str, body: Value) -> Answer {
    answer(rest.request(Method::PATCH, path).json(&body)).await
}

#[tokio::test]
async fn the_server_governs_a_group() {
    let server = TestServer::spawn().await;
    server.group("g", &["alice", "bob"]).await;
    let rest = server.rest();
    let changed = patch(&rest, "/v1/conversations/g", json!({"name": "Team", "join": "approval"})).await.ok();
    assert_eq!((&changed["changed"], &changed["seq"]), (&json!(true), &json!(2)));
    let joined = rest.post("/v1/conversations/g/join", &json!({"user": "carol"})).await.ok();
    assert_eq!(joined, json!({"state": "requested", "seq": null}));
    let waiting = rest.get("/v1/conversations/g/requests").await.ok();
    assert_eq!((&waiting["items"][0]["user"], &waiting["next_cursor"]), (&json!("carol"), &Value::Null));
    assert_eq!(rest.delete("/v1/conversations/g/requests/carol").await.ok()["changed"], true);
    assert_eq!(rest.delete("/v1/conversations/g/requests/carol").await.ok()["changed"], false);
    let role = put(&rest, "/v1/conversations/g/members/bob/role", json!({"role": "owner"})).await.ok();
    assert_eq!(role["seq"], 3);
    let members = rest.get("/v1/conversations/g/members").await.ok();
    assert_eq!((&members["items"][0]["role"], &members["items"][1]["role"]), (&json!("admin"), &json!("owner")));
    put(&rest, "/v1/conversations/g/members/bob/mute", json!({"for_s": 60})).await.ok();
    let sent = json!({"sender": "bob", "client_msg_id": "m", "kind": "text", "body": {"text": "x"}});
    let refused = rest.post("/v1/conversations/g/messages", &sent).await;
    assert_eq!(refused.refusal(), (403, "muted".to_owned()), "a server speaks in a user's name, within its rights");
    put(&rest, "/v1/conversations/g/bans/bob", json!({})).await.ok();
    let bans = rest.get("/v1/conversations/g/bans").await.ok();
    assert_eq!((&bans["items"][0]["user"], bans["items"][0].get("actor")), (&json!("bob"), None));
    assert_eq!(rest.delete("/v1/conversations/g/bans/bob").await.ok()["changed"], true);
    let left = rest.post("/v1/conversations/g/leave", &json!({"user": "alice"})).await.ok();
    assert_eq!(left["changed"], true);
    let shown = rest.get("/v1/conversations/g").await.ok();
    assert_eq!((&shown["members"], &shown["name"], &shown["join"]), (&json!(0), &json!("Team"), &json!("approval")));
    let kinds: Vec<_> = rest
        .log("g")
        .await
        .iter()
        .map(|event| event["change"].as_str().or(event["type"].as_str()).unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["created", "conversation", "role", "muted", "banned", "unbanned", "removed"]);
}

#[tokio::test]
async fn a_user_has_its_own_rights() {
    let server = TestServer::spawn().await;
    server.group("g", &["alice", "bob"]).await;
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|user| server.rest_as(&server.token(user)));
    let forbidden = (403, "forbidden".to_owned());
    assert_eq!(patch(&bob, "/v1/conversations/g", json!({"join": "open"})).await.refusal(), forbidden);
    patch(&alice, "/v1/conversations/g", json!({"join": "open"})).await.ok();
    assert_eq!(carol.post("/v1/conversations/g/join", &json!({})).await.ok()["state"], "joined");
    assert_eq!(carol.post("/v1/conversations/g/leave", &json!({"user": "bob"})).await.refusal(), forbidden);
    assert_eq!(bob.get("/v1/conversations/g/bans").await.refusal(), forbidden);
    assert_eq!(put(&bob, "/v1/conversations/g/bans/carol", json!({})).await.refusal(), forbidden);
    put(&alice, "/v1/conversations/g/bans/carol", json!({})).await.ok();
    assert_eq!(carol.post("/v1/conversations/g/join", &json!({})).await.refusal(), forbidden);
    assert_eq!(server.rest().post("/v1/conversations/g/join", &json!({})).await.refusal().1, "invalid_request");
}

#[tokio::test]
async fn a_block_list_is_its_users_own() {
    let server = TestServer::spawn().await;
    let [alice, bob] = ["alice", "bob"].map(|user| server.rest_as(&server.token(user)));
    assert_eq!(put(&alice, "/v1/users/alice/blocks/bob", json!({})).await.ok()["changed"], true);
    assert_eq!(alice.get("/v1/users/alice/blocks").await.ok()["items"][0]["user"], "bob");
    for path in ["/v1/users/alice/blocks", "/v1/users/nobody/blocks"] {
        assert_eq!(bob.get(path).await.refusal(), (404, "not_found".to_owned()));
    }
    assert_eq!(bob.delete("/v1/users/alice/blocks/bob").await.refusal(), (404, "not_found".to_owned()));
    let made = bob.post("/v1/conversations", &json!({"kind": "direct", "members": ["alice"]})).await;
    assert_eq!(made.refusal(), (403, "blocked".to_owned()));
    let server_made = json!({"kind": "direct", "id": "d", "members": ["bob", "alice"]});
    server.rest().post("/v1/conversations", &server_made).await.ok();
    let body = json!({"client_msg_id": "m", "kind": "text", "body": {"text": "x"}});
    assert_eq!(bob.post("/v1/conversations/d/messages", &body).await.refusal(), (403, "blocked".to_owned()));
    assert_eq!(server.rest().delete("/v1/users/alice/blocks/bob").await.ok()["changed"], true);
    bob.post("/v1/conversations/d/messages", &body).await.ok();
}

#[tokio::test]
async fn whom_the_apps_server_adds_again_comes_without_a_past() {
    let server = TestServer::spawn().await;
    server.group("g", &["alice", "bob"]).await;
    let rest = server.rest();
    put(&rest, "/v1/conversations/g/members/bob/mute", json!({"for_s": 600})).await.ok();
    rest.delete("/v1/conversations/g/members/bob").await.ok();
    rest.post("/v1/conversations/g/members", &json!({"members": ["bob"]})).await.ok();
    rest.send("g", "bob", "m1", "free to speak").await;
}
