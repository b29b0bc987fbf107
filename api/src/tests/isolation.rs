//! What one app or user does not see of another.

use super::house::{Answer, House};
use crate::routes;
use serde_json::{Value, json};

/// A body that passes every check before the store.
fn body(path: &str) -> Value {
    match path {
        "/v1/conversations/{id}/typing" => json!({"sender": "alice"}),
        "/v1/conversations/{id}/messages" | "/v1/conversations/{id}/ephemeral" => {
            json!({"sender": "alice", "client_msg_id": "m", "kind": "json", "body": 1})
        }
        "/v1/conversations/{id}/members" => json!({"members": ["mallory"]}),
        "/v1/conversations/{id}/messages/{seq}" => json!({"kind": "json", "body": 1}),
        "/v1/conversations/{id}/messages/{seq}/reactions" => json!({"user": "alice", "emoji": "+1"}),
        "/v1/conversations/{id}/messages/{seq}/pin" => json!({}),
        "/v1/conversations/{id}/streams" => json!({"sender": "alice", "client_msg_id": "m"}),
        "/v1/conversations/{id}/streams/{seq}/append" => json!({"offset": 0, "text": "x"}),
        "/v1/conversations/{id}/streams/{seq}/end" => json!({}),
        "/v1/conversations/{id}" => json!({"name": "mine"}),
        "/v1/conversations/{id}/join" | "/v1/conversations/{id}/leave" => json!({"user": "mallory"}),
        "/v1/conversations/{id}/members/{user}/role" => json!({"role": "guest"}),
        "/v1/conversations/{id}/members/{user}/mute" => json!({"for_s": 60}),
        "/v1/conversations/{id}/bans/{user}" | "/v1/conversations/{id}/messages/{seq}/body/link" => json!({}),
        _ => Value::Null,
    }
}

#[actix_web::test]
async fn a_foreign_conversation_looks_like_one_that_does_not_exist() {
    let house = House::new().await;
    house.group("secret").await;
    house.send("secret", "m1", "canary").await;
    let beta = house.founded("beta").await;
    for spec in routes().filter(|spec| spec.path.contains("/conversations/{id}")) {
        let ask = async |id: &str| -> Answer {
            let path = spec.path.replace("{id}", id).replace("{user}", "alice").replace("{seq}", "2");
            let body = if spec.verb.has_body() { body(spec.path) } else { Value::Null };
            house.call(beta.key.expose(), spec.verb.method(), &path, body).await
        };
        let (foreign, random) = (ask("secret").await.faceless(), ask("nothing").await.faceless());
        assert_eq!(foreign.0, 404, "{}", spec.path);
        assert_eq!(foreign, random, "{}", spec.path);
    }
    assert_eq!(house.get(house.key(), "/v1/conversations/secret").await.json["last_seq"], 2, "nothing was changed");
}

#[actix_web::test]
async fn usage_and_stats_are_of_the_own_app_only() {
    let house = House::new().await;
    house.group("c1").await;
    house.send("c1", "m1", "x").await;
    let beta = house.founded("beta").await;
    assert_eq!(house.get(beta.key.expose(), "/v1/usage").await.json["items"], json!([]));
    assert_eq!(house.get(beta.key.expose(), "/v1/stats").await.json["msg_sent"], 0);
}

#[actix_web::test]
async fn a_user_sees_only_conversations_it_is_a_member_of_and_only_since_it_joined() {
    let house = House::new().await;
    house.group("c1").await;
    house.send("c1", "m1", "before").await;
    let carol = house.token("carol", json!({})).await;
    for path in ["/v1/conversations/c1", "/v1/conversations/c1/messages", "/v1/conversations/c1/members"] {
        let (there, nowhere) = (house.get(&carol, path).await, house.get(&carol, &path.replace("c1", "c9")).await);
        assert_eq!(there.faceless(), nowhere.faceless(), "{path}");
    }
    let sent = json!({"client_msg_id": "m", "kind": "json", "body": 1});
    assert_eq!(house.post(&carol, "/v1/conversations/c1/messages", sent).await.code(), "not_found");
    house.post(house.key(), "/v1/conversations/c1/members", json!({"members": ["carol"]})).await;
    let page = house.get(&carol, "/v1/conversations/c1/messages?after=0").await.json;
    assert_eq!(
        (page["items"].as_array().unwrap().len(), &page["items"][0]["seq"], &page["first"]),
        (1, &json!(3), &json!(3))
    );
}

#[actix_web::test]
async fn a_user_speaks_only_as_itself_and_within_its_caps() {
    let house = House::new().await;
    house.group("c1").await;
    let message = |sender: &str, id: &str| json!({"sender": sender, "client_msg_id": id, "kind": "json", "body": 1});
    let path = "/v1/conversations/c1/messages";
    let alice = house.token("alice", json!({})).await;
    assert_eq!(house.post(&alice, path, message("alice", "a")).await.status, 200);
    let as_bob = house.post(&alice, path, message("bob", "b")).await;
    assert_eq!((as_bob.code(), &as_bob.json["error"]["param"]), ("forbidden", &json!("sender")));

    let reader = house.token("alice", json!({"caps": {"c*": ["read"]}})).await;
    assert_eq!(house.get(&reader, path).await.status, 200);
    for (path, body) in [
        (path, message("alice", "c")),
        ("/v1/conversations", json!({"kind": "group", "id": "c7"})),
        ("/v1/conversations/c1/members", json!({"members": ["dave"]})),
        ("/v1/conversations/nothing/messages", message("alice", "c")),
    ] {
        assert_eq!(house.post(&reader, path, body).await.code(), "forbidden", "{path}");
    }
    let nothing = house.token("alice", json!({"caps": {}})).await;
    assert_eq!(house.get(&nothing, path).await.code(), "forbidden");
}
