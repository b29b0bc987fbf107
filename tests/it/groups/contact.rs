//! Block lists, and the app's rule for strangers.

use crate::support::client::text_message;
use crate::support::page::Console;
use crate::support::{Client, TestServer};
use serde_json::{Value, json};

async fn pair() -> (TestServer, [Client; 2], Value) {
    let server = TestServer::spawn().await;
    let (mut alice, bob) = (server.connect("alice").await, server.connect("bob").await);
    let id = alice.ok("conversation.create", json!({"kind": "direct", "members": ["bob"]})).await["id"].clone();
    (server, [alice, bob], id)
}

#[tokio::test]
async fn who_is_blocked_sends_nothing_to_who_blocks() {
    let (_server, [mut alice, mut bob], id) = pair().await;
    let direct = id.as_str().unwrap();
    alice.send(direct, "before", "x").await;
    assert_eq!(bob.ok("block", json!({"user": "alice"})).await, json!({"changed": true}));
    assert_eq!(bob.ok("block", json!({"user": "alice"})).await, json!({"changed": false}));
    assert!(alice.pushes_so_far().await.iter().all(|push| push["type"] != "block"), "nobody tells");
    assert_eq!(alice.refused("send", text_message(direct, "m", "x")).await["code"], "blocked");
    assert_eq!(alice.send(direct, "before", "x").await["duplicate"], true, "a repeat is answered");
    alice.ok("history", json!({"conversation": direct})).await;
    bob.send(direct, "from-bob", "x").await;
    let blocks = bob.ok("blocks", json!({})).await;
    assert_eq!(blocks["items"][0]["user"], "alice");
    assert_eq!(alice.ok("blocks", json!({})).await["items"], json!([]), "a list is one's own");
    assert_eq!(bob.ok("unblock", json!({"user": "alice"})).await, json!({"changed": true}));
    assert_eq!(bob.ok("unblock", json!({"user": "alice"})).await, json!({"changed": false}));
    alice.send(direct, "m", "x").await;
    assert_eq!(bob.refused("block", json!({"user": "bob"})).await["code"], "invalid_field");
}

#[tokio::test]
async fn who_is_blocked_brings_who_blocks_nowhere() {
    let (server, [mut alice, mut bob], _) = pair().await;
    let mut carol = server.connect("carol").await;
    carol.ok("block", json!({"user": "alice"})).await;
    for fields in [
        json!({"kind": "direct", "members": ["carol"]}),
        json!({"kind": "group", "id": "g", "members": ["bob", "carol"]}),
    ] {
        assert_eq!(alice.refused("conversation.create", fields).await["code"], "blocked");
    }
    alice.ok("conversation.create", json!({"kind": "group", "id": "g", "members": ["bob"]})).await;
    let add = json!({"conversation": "g", "members": ["carol"]});
    assert_eq!(alice.refused("conversation.add", add.clone()).await["code"], "blocked");
    // In groups both may speak.
    alice.ok("conversation.update", json!({"conversation": "g", "add": "members", "join": "approval"})).await;
    bob.ok("conversation.add", add.clone()).await;
    carol.ok("conversation.leave", json!({"conversation": "g"})).await;
    // Who asks to be let in is let in by whom it blocks, too.
    carol.ok("conversation.join", json!({"conversation": "g"})).await;
    alice.ok("conversation.add", add).await;
    alice.send("g", "m", "x").await;
    // Who blocks may write to the other.
    carol.ok("conversation.create", json!({"kind": "direct", "id": "d", "members": ["alice"]})).await;
    carol.send("d", "m", "x").await;
    assert_eq!(alice.refused("send", text_message("d", "m", "x")).await["code"], "blocked");
}

#[tokio::test]
async fn a_block_meets_sends_in_flight_at_one_point_of_the_log() {
    let (server, [mut alice, mut bob], id) = pair().await;
    let direct = id.as_str().unwrap();
    let mut sends = Vec::new();
    for at in 0..60 {
        sends.push(alice.start("send", text_message(direct, &format!("m{at}"), "x")).await);
        if at == 20 {
            bob.start("block", json!({"user": "alice"})).await;
        }
    }
    let mut codes = Vec::new();
    for id in sends {
        codes.push(alice.reply(id).await["error"]["code"].take());
    }
    let stored = codes.iter().take_while(|code| code.is_null()).count();
    assert!(codes[stored..].iter().all(|code| code == "blocked"), "{codes:?}");
    assert_eq!(server.rest().log(direct).await.len(), stored + 1);
}

async fn set_rule(server: &TestServer, rule: &str) {
    let manager = server.manager(&server.founded).await;
    let rest = server.rest_as(&manager.secret);
    let path = format!("/v1/manage/apps/{}", server.founded.app);
    let request = rest.request(reqwest::Method::PATCH, &path).json(&json!({"strangers": rule}));
    assert_eq!(crate::support::rest::answer(request).await.ok()["strangers"], rule);
}

#[tokio::test]
async fn under_the_rule_shared_only_acquaintances_are_brought_in() {
    let server = TestServer::spawn().await;
    server.group("shared", &["alice", "bob"]).await;
    server.group("other", &["carol"]).await;
    set_rule(&server, "shared").await;
    let mut alice = server.connect("alice").await;
    alice.ok("conversation.create", json!({"kind": "direct", "members": ["bob"]})).await;
    alice.ok("conversation.create", json!({"kind": "group", "id": "g", "members": ["bob"]})).await;
    alice.ok("conversation.create", json!({"kind": "group", "id": "alone"})).await;
    for (command, fields) in [
        ("conversation.create", json!({"kind": "direct", "members": ["carol"]})),
        ("conversation.create", json!({"kind": "direct", "members": ["nobody"]})),
        ("conversation.create", json!({"kind": "group", "members": ["bob", "carol"]})),
        ("conversation.add", json!({"conversation": "g", "members": ["carol"]})),
    ] {
        let error = alice.refused(command, fields.clone()).await;
        assert_eq!((&error["code"], &error["param"]), (&json!("forbidden"), &json!("members")), "{command} {fields}");
    }
    // Who asks to be let in is no stranger.
    alice.ok("conversation.update", json!({"conversation": "g", "join": "approval"})).await;
    let mut carol = server.connect("carol").await;
    carol.ok("conversation.join", json!({"conversation": "g"})).await;
    alice.ok("conversation.add", json!({"conversation": "g", "members": ["carol"]})).await;
    alice.ok("conversation.create", json!({"kind": "direct", "members": ["carol"]})).await;
}

#[tokio::test]
async fn under_the_rule_server_only_the_server_creates_and_adds() {
    let server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    let made = alice.ok("conversation.create", json!({"kind": "direct", "members": ["bob"]})).await;
    set_rule(&server, "server").await;
    for (command, fields) in [
        ("conversation.create", json!({"kind": "direct", "members": ["carol"]})),
        ("conversation.create", json!({"kind": "group"})),
    ] {
        assert_eq!(alice.refused(command, fields).await["code"], "forbidden");
    }
    let again = alice.ok("conversation.create", json!({"kind": "direct", "members": ["bob"]})).await;
    assert_eq!((&again["id"], &again["existed"]), (&made["id"], &json!(true)), "what exists is returned");
    server.group("g", &["alice"]).await;
    let add = json!({"conversation": "g", "members": ["bob"]});
    assert_eq!(alice.refused("conversation.add", add.clone()).await["code"], "forbidden");
    let rest = server.rest_as(&server.token("alice"));
    let refused = rest.post("/v1/conversations", &json!({"kind": "group"})).await.refusal();
    assert_eq!(refused, (403, "forbidden".to_owned()));
    set_rule(&server, "anyone").await;
    alice.ok("conversation.add", add).await;
}

#[tokio::test]
async fn a_rule_that_is_none_is_refused() {
    let server = TestServer::spawn().await;
    let manager = server.manager(&server.founded).await;
    let path = format!("/v1/manage/apps/{}", server.founded.app);
    let request = server.rest_as(&manager.secret).request(reqwest::Method::PATCH, &path);
    let answer = crate::support::rest::answer(request.json(&json!({"strangers": "friends"}))).await;
    assert_eq!(answer.refusal(), (422, "invalid_field".to_owned()));
}

#[tokio::test]
async fn the_console_shows_and_sets_the_rule() {
    let server = TestServer::spawn().await;
    let mut console = Console::sign_in(&server, &server.founded).await;
    let page = format!("/console/apps/{}", server.founded.app);
    let checked = async |console: &mut Console| {
        let text = console.get(&page).await.text;
        let tag = text.split('<').find(|tag| tag.contains("name=\"strangers\"") && tag.contains(" checked")).unwrap();
        tag.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    assert_eq!(checked(&mut console).await, "anyone");
    assert_eq!(console.send(&format!("{page}/strangers"), &[("strangers", "server")]).await.status, 303);
    assert_eq!(checked(&mut console).await, "server");
    let mut alice = server.connect("alice").await;
    assert_eq!(alice.refused("conversation.create", json!({"kind": "group"})).await["code"], "forbidden");
    let wrong = console.send(&format!("{page}/strangers"), &[("strangers", "friends")]).await;
    assert!(wrong.status >= 400, "{}", wrong.status);
    assert_eq!(checked(&mut console).await, "server");
    let audit = console.get("/console/audit").await.text;
    assert!(audit.contains("strangers"), "the audit log has it");
}
