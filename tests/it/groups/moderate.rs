//! Mutes and bans: what they refuse, whom they tell, and that no send gets around one.

use crate::support::client::text_message;
use crate::support::{Client, TestServer};
use serde_json::{Value, json};

async fn group() -> (TestServer, [Client; 3]) {
    let server = TestServer::spawn().await;
    server.group("g", &["alice", "bob", "carol"]).await;
    let clients = [server.connect("alice").await, server.connect("bob").await, server.connect("carol").await];
    (server, clients)
}

#[tokio::test]
async fn the_muted_hear_until_when_and_read_on() {
    let (server, [mut alice, mut bob, mut carol]) = group().await;
    bob.send("g", "before", "x").await;
    let mute = |for_s: i64| json!({"conversation": "g", "user": "bob", "for_s": for_s});
    alice.ok("conversation.mute", mute(3_600)).await;
    let push = carol.push_of("member").await;
    assert_eq!((&push["change"], &push["actor"]), (&json!("muted"), &json!("alice")));
    assert_eq!(push["users"], json!([{"user": "bob", "role": "member"}]));
    let error = bob.refused("send", text_message("g", "m", "x")).await;
    assert_eq!(
        (&error["code"], &error["until"], &error["retryable"]),
        (&json!("muted"), &push["until"], &json!(false))
    );
    assert_eq!(bob.send("g", "before", "x").await["duplicate"], true, "a repeat is answered");
    let history = bob.ok("history", json!({"conversation": "g"})).await;
    assert_eq!(history["items"][2], push, "history is exact");
    let rest = server.rest_as(&server.token("bob"));
    let body = json!({"client_msg_id": "r", "kind": "text", "body": {"text": "x"}});
    let answer = rest.post("/v1/conversations/g/messages", &body).await;
    assert_eq!(answer.refusal(), (403, "muted".to_owned()));
    assert_eq!(answer.json()["error"]["until"], push["until"]);
    let member = alice.ok("conversation.members", json!({"conversation": "g"})).await["items"][1].take();
    assert_eq!(member["muted_until"], push["until"]);
    assert_eq!(alice.ok("conversation.mute", mute(0)).await["changed"], true);
    assert_eq!(alice.ok("conversation.mute", mute(0)).await, json!({"changed": false}));
    assert_eq!(carol.push_of("member").await["change"], "unmuted");
    bob.send("g", "m", "x").await;
    assert_eq!(server.rest().units().await, 2, "mutes cost nothing");
}

#[tokio::test]
async fn a_mute_ends_by_itself() {
    let (_server, [mut alice, mut bob, _carol]) = group().await;
    alice.ok("conversation.mute", json!({"conversation": "g", "user": "bob", "for_s": 1})).await;
    crate::support::wait::until(async || {
        let id = bob.start("send", text_message("g", "m", "x")).await;
        let reply = bob.reply(id).await;
        assert!(reply.get("ok").is_some() || reply["error"]["code"] == "muted", "{reply}");
        reply.get("ok").map(drop)
    })
    .await;
}

#[tokio::test]
async fn nothing_of_the_muted_commits_after_the_mute() {
    let (server, [mut alice, mut bob, _carol]) = group().await;
    for round in 0..6 {
        let (mut sends, mut mutes) = (Vec::new(), Vec::new());
        for at in 0..60 {
            sends.push(bob.start("send", text_message("g", &format!("m{round}-{at}"), "x")).await);
            if at == 20 + round {
                let mute = json!({"conversation": "g", "user": "bob", "for_s": 600});
                mutes.push(alice.start("conversation.mute", mute).await);
            }
        }
        let mut refused = 0;
        for id in sends {
            let reply = bob.reply(id).await;
            if reply.get("ok").is_none() {
                assert_eq!(reply["error"]["code"], "muted");
                refused += 1;
            }
        }
        for id in mutes {
            alice.ok_of(id).await;
        }
        let log = server.rest().log("g").await;
        let muted = log.iter().rposition(|event| event["change"] == "muted").unwrap();
        assert!(log[muted..].iter().all(|event| event["type"] != "message"), "a message after the mute");
        let sent = log
            .iter()
            .filter(|event| event["client_msg_id"].as_str().is_some_and(|id| id.starts_with(&format!("m{round}-"))));
        assert_eq!(sent.count() + refused, 60, "each is stored or refused");
        alice.ok("conversation.mute", json!({"conversation": "g", "user": "bob", "for_s": 0})).await;
    }
}

#[tokio::test]
async fn the_banned_are_told_removed_and_kept_out() {
    let (server, [mut alice, mut bob, mut carol]) = group().await;
    alice.ok("conversation.update", json!({"conversation": "g", "join": "open", "add": "members"})).await;
    let ban = json!({"conversation": "g", "user": "bob"});
    assert_eq!(alice.ok("conversation.ban", ban.clone()).await["changed"], true);
    assert_eq!(alice.ok("conversation.ban", ban.clone()).await, json!({"changed": false}));
    for client in [&mut bob, &mut carol] {
        let push = client.push_of("member").await;
        assert_eq!((&push["change"], &push["users"]), (&json!("banned"), &json!([{"user": "bob", "role": "member"}])));
    }
    carol.send("g", "m", "x").await;
    assert!(bob.pushes_so_far().await.is_empty(), "it hears nothing more");
    for (command, fields) in [
        ("send", text_message("g", "b", "x")),
        ("history", json!({"conversation": "g"})),
        ("read", json!({"conversation": "g", "seq": 1})),
    ] {
        assert_eq!(bob.refused(command, fields).await["code"], "not_found", "{command}");
    }
    assert_eq!(bob.refused("conversation.join", json!({"conversation": "g"})).await["code"], "forbidden");
    let add = json!({"conversation": "g", "members": ["dave", "bob"]});
    for client in [&mut carol, &mut alice] {
        assert_eq!(client.refused("conversation.add", add.clone()).await["code"], "forbidden", "unban first");
    }
    let bans = alice.ok("conversation.bans", json!({"conversation": "g"})).await;
    assert_eq!((&bans["items"][0]["user"], &bans["items"][0]["actor"]), (&json!("bob"), &json!("alice")));
    assert_eq!(alice.ok("conversation.unban", ban.clone()).await["changed"], true);
    assert_eq!(alice.ok("conversation.unban", ban).await, json!({"changed": false}));
    let push = carol.push_of("member").await;
    assert_eq!((&push["change"], &push["users"]), (&json!("unbanned"), &json!([{"user": "bob"}])));
    assert!(bob.pushes_so_far().await.is_empty(), "it is no member");
    assert_eq!(bob.ok("conversation.join", json!({"conversation": "g"})).await["state"], "joined");
    assert_eq!(server.rest().units().await, 1);
}

#[tokio::test]
async fn somebody_outside_is_banned_without_a_word_to_it() {
    let (server, [mut alice, mut bob, _carol]) = group().await;
    let mut dave = server.connect("dave").await;
    alice.ok("conversation.ban", json!({"conversation": "g", "user": "dave"})).await;
    assert_eq!(bob.push_of("member").await["users"], json!([{"user": "dave"}]));
    assert!(dave.pushes_so_far().await.is_empty());
    assert_eq!(server.rest().get("/v1/conversations/g").await.ok()["members"], 3);
    // The app's server decides over it.
    server.rest().post("/v1/conversations/g/members", &json!({"members": ["dave"]})).await.ok();
    assert_eq!(alice.ok("conversation.bans", json!({"conversation": "g"})).await["items"], json!([]));
}

#[tokio::test]
async fn a_ban_while_sends_and_joins_are_in_flight_holds() {
    let (server, [mut alice, mut bob, _carol]) = group().await;
    alice.ok("conversation.update", json!({"conversation": "g", "join": "open"})).await;
    let mut commands = Vec::new();
    for at in 0..40 {
        commands.push(bob.start("send", text_message("g", &format!("m{at}"), "x")).await);
        commands.push(bob.start("conversation.join", json!({"conversation": "g"})).await);
        if at == 15 {
            alice.start("conversation.ban", json!({"conversation": "g", "user": "bob"})).await;
        }
    }
    let mut codes: Vec<Value> = Vec::new();
    for id in commands {
        codes.push(bob.reply(id).await["error"]["code"].take());
    }
    let expected = [Value::Null, json!("not_found"), json!("forbidden")];
    assert!(codes.iter().all(|code| expected.contains(code)), "{codes:?}");
    crate::support::wait::until(async || {
        let log = server.rest().log("g").await;
        let banned = log.iter().position(|event| event["change"] == "banned")?;
        assert_eq!(banned + 1, log.len(), "nothing of the banned follows");
        Some(())
    })
    .await;
}
