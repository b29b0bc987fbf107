//! `edit`, `delete`, `react`, `pin`, replies and mentions: what each does, whom it tells, and who may.

use crate::support::client::{seqs, text_message};
use crate::support::{Client, TestServer, token};
use serde_json::{Value, json};

/// A group of alice, who owns it, and bob; alice has said "hello", seq 2.
async fn group() -> (TestServer, Client, Client) {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    alice.send("c1", "m1", "hello").await;
    bob.push_of("message").await;
    (server, alice, bob)
}

fn edit(target: i64, text: &str) -> Value {
    json!({"conversation": "c1", "target": target, "kind": "text", "body": {"text": text}})
}

fn react(target: i64, emoji: &str, remove: bool) -> Value {
    json!({"conversation": "c1", "target": target, "emoji": emoji, "remove": remove})
}

/// The message of a seq as a member reads it.
async fn message(client: &mut Client, seq: i64) -> Value {
    let page = client.ok("history", json!({"conversation": "c1", "after": seq - 1, "limit": 1})).await;
    page["items"][0].clone()
}

#[tokio::test]
async fn an_edit_is_an_event_and_the_message_reads_as_edited_from_then_on() {
    let (server, mut alice, mut bob) = group().await;
    let mut phone = server.connect("alice").await;
    let ok = alice.ok("edit", edit(2, "hello, all")).await;
    assert_eq!(ok, json!({"changed": true, "seq": 3, "duplicate": false, "billed": 1}));
    let push = bob.push_of("edited").await;
    let expected = json!({"type": "edited", "conversation": "c1", "epoch": 1, "seq": 3, "msg_no": 1, "at": push["at"],
        "target": 2, "actor": "alice", "kind": "text", "body": {"text": "hello, all"}});
    assert_eq!(push, expected);
    assert_eq!(phone.push_of("edited").await, expected, "the other device");
    assert!(alice.pushes_so_far().await.is_empty(), "who edited has the reply");
    let now = message(&mut bob, 2).await;
    assert_eq!((&now["body"]["text"], &now["edited"]), (&json!("hello, all"), &json!({"seq": 3, "at": push["at"]})));
    assert_eq!(server.rest().log("c1").await[2], expected, "history and pushes carry the same object");
    assert_eq!(server.rest().units().await, 2, "an edit counts as a message does");

    // The same again changes nothing and costs nothing, but another text does.
    assert_eq!(
        alice.ok("edit", edit(2, "hello, all")).await,
        json!({"changed": false, "seq": 3, "duplicate": false, "billed": 0})
    );
    let mut third = edit(2, "bye");
    third["client_msg_id"] = json!("e1");
    assert_eq!(alice.ok("edit", third.clone()).await["seq"], 4);
    alice.ok("edit", edit(2, "bye bye")).await;
    assert_eq!(
        alice.ok("edit", third.clone()).await,
        json!({"changed": false, "seq": 4, "duplicate": true, "billed": 1})
    );
    third["target"] = json!(1);
    assert_eq!(alice.refused("edit", third).await["code"], "conflict", "the id was used");
    assert_eq!(message(&mut bob, 2).await["body"]["text"], "bye bye");
    assert_eq!(server.rest().units().await, 4);
    // The first send may be repeated all the same, and with the text it had.
    assert_eq!(alice.send("c1", "m1", "hello").await["duplicate"], true);
}

#[tokio::test]
async fn a_deleted_message_is_gone_for_everybody_and_for_good() {
    let (server, mut alice, mut bob) = group().await;
    bob.ok("react", react(2, "👍", false)).await;
    alice.ok("edit", edit(2, "a secret")).await;
    alice.ok("pin", json!({"conversation": "c1", "target": 2})).await;
    let ok = alice.ok("delete", json!({"conversation": "c1", "target": 2})).await;
    assert_eq!(ok, json!({"changed": true, "seq": 6, "duplicate": false, "billed": 0}));
    let push = bob.push_of("deleted").await;
    assert_eq!((&push["seq"], &push["target"], &push["actor"]), (&json!(6), &json!(2), &json!("alice")));
    let log = server.rest().log("c1").await;
    assert_eq!(seqs(&log), [1, 2, 3, 4, 5, 6], "every seq stays");
    let text = Value::from(log.clone()).to_string();
    assert!(!text.contains("hello") && !text.contains("secret"), "{text}");
    let gone = &log[1];
    assert_eq!(gone["deleted"], json!({"seq": 6, "at": push["at"]}));
    for field in ["body", "edited", "pinned", "reactions"] {
        assert!(gone.get(field).is_none(), "{field}: {gone}");
    }
    assert_eq!(gone["client_msg_id"], "m1");
    assert_eq!(bob.ok("pins", json!({"conversation": "c1"})).await["items"], json!([]));
    assert_eq!(alice.ok("delete", json!({"conversation": "c1", "target": 2})).await["changed"], false);
    for (command, fields) in [
        ("edit", edit(2, "back")),
        ("react", react(2, "👍", false)),
        ("pin", json!({"conversation": "c1", "target": 2})),
    ] {
        let error = alice.refused(command, fields).await;
        assert_eq!((&error["code"], &error["param"]), (&json!("not_found"), &json!("target")), "{command}");
    }
    // A late repeat of the send is answered with its first place, not stored again.
    assert_eq!(alice.send("c1", "m1", "hello").await["seq"], 2);
    assert_eq!(bob.send("c1", "m1", "next").await["seq"], 7);
    // Two messages, an edit and a reaction: erasing takes no unit back.
    assert_eq!(server.rest().units().await, 4);
}

#[tokio::test]
async fn reactions_are_counted_and_each_knows_its_own() {
    let (server, mut alice, mut bob) = group().await;
    assert_eq!(bob.ok("react", react(2, "👍", false)).await["billed"], 1);
    let push = alice.push_of("reaction").await;
    assert_eq!(
        (&push["actor"], &push["emoji"], &push["change"], &push["count"], &push["target"]),
        (&json!("bob"), &json!("👍"), &json!("added"), &json!(1), &json!(2))
    );
    assert_eq!(
        bob.ok("react", react(2, "👍", false)).await,
        json!({"changed": false, "seq": 3, "duplicate": false, "billed": 0})
    );
    alice.ok("react", react(2, "👍", false)).await;
    alice.ok("react", react(2, "🎉", false)).await;
    assert_eq!(
        message(&mut bob, 2).await["reactions"],
        json!([{"emoji": "👍", "count": 2, "mine": true}, {"emoji": "🎉", "count": 1}])
    );
    let page = bob.ok("reactions", json!({"conversation": "c1", "target": 2, "limit": 2})).await;
    assert_eq!(
        page["items"],
        json!([{"user": "bob", "emoji": "👍", "seq": 3}, {"user": "alice", "emoji": "👍", "seq": 4}])
    );
    let next = json!({"conversation": "c1", "target": 2, "limit": 2, "page": page["next"]});
    assert_eq!(bob.ok("reactions", next).await, json!({"items": [{"user": "alice", "emoji": "🎉", "seq": 5}]}));
    let only = bob.ok("reactions", json!({"conversation": "c1", "target": 2, "emoji": "🎉"})).await;
    assert_eq!(only["items"].as_array().unwrap().len(), 1);
    assert_eq!(bob.ok("react", react(2, "👍", true)).await["billed"], 0);
    assert_eq!(bob.ok("react", react(2, "👍", true)).await, json!({"changed": false, "duplicate": false, "billed": 0}));
    assert_eq!(
        message(&mut bob, 2).await["reactions"],
        json!([{"emoji": "👍", "count": 1}, {"emoji": "🎉", "count": 1}])
    );
    assert_eq!(server.rest().units().await, 4, "one message and three reactions");

    for at in 0..30 {
        alice.ok("react", react(2, &format!("e{at}"), false)).await;
    }
    assert_eq!(alice.refused("react", react(2, "e30", false)).await["code"], "limit_reached");
    alice.ok("react", react(2, "e29", true)).await;
    alice.ok("react", react(2, "e30", false)).await;
    for emoji in ["", "a b", &"x".repeat(65), "\u{7}"] {
        let error = alice.refused("react", react(2, emoji, false)).await;
        assert_eq!((&error["code"], &error["param"]), (&json!("invalid_field"), &json!("emoji")), "{emoji:?}");
    }
}

#[tokio::test]
async fn only_messages_one_may_see_are_amended_and_only_by_whom_it_is_for() {
    let (server, mut alice, mut bob) = group().await;
    bob.send("c1", "b1", "mine").await;
    assert_eq!(alice.refused("edit", edit(3, "hers now")).await["code"], "forbidden", "the owner edits nobody's words");
    assert_eq!(bob.refused("edit", edit(2, "his now")).await["code"], "forbidden");
    assert_eq!(bob.refused("delete", json!({"conversation": "c1", "target": 2})).await["code"], "forbidden");
    assert_eq!(bob.refused("pin", json!({"conversation": "c1", "target": 2})).await["code"], "forbidden");
    assert_eq!(
        alice.ok("delete", json!({"conversation": "c1", "target": 3})).await["changed"],
        true,
        "the owner moderates"
    );
    for target in [0, -1, 1, 4, 99, i64::MAX] {
        // 1 is a member event, 4 the deletion.
        assert_eq!(alice.refused("react", react(target, "👍", false)).await["code"], "not_found", "{target}");
        assert_eq!(
            alice.refused("reactions", json!({"conversation": "c1", "target": target})).await["code"],
            "not_found"
        );
    }
    alice.ok("conversation.add", json!({"conversation": "c1", "members": ["carol"]})).await;
    let mut carol = server.connect("carol").await;
    assert_eq!(carol.refused("react", react(2, "👍", false)).await["code"], "not_found", "said before she came");
    assert_eq!(carol.refused("reactions", json!({"conversation": "c1", "target": 2})).await["code"], "not_found");
    let mut mallory = server.connect("mallory").await;
    for (command, fields) in [
        ("edit", edit(2, "x")),
        ("react", react(2, "x", false)),
        ("delete", json!({"conversation": "c1", "target": 2})),
        ("pin", json!({"conversation": "c1", "target": 2})),
        ("pins", json!({"conversation": "c1"})),
    ] {
        assert_eq!(mallory.refused(command, fields).await["code"], "not_found", "{command}");
    }
    // A token that may read alone changes nothing; one without `moderate` leaves others' words alone.
    for (caps, command, fields) in [
        (json!({"*": ["read"]}), "react", react(2, "👍", false)),
        (json!({"*": ["read"]}), "edit", edit(2, "x")),
        (json!({"*": ["read", "send"]}), "pin", json!({"conversation": "c1", "target": 2})),
    ] {
        let mut limited =
            Client::connect(&server, &token::with_claims(&server.founded, "alice", json!({"caps": caps}))).await;
        assert_eq!(limited.refused(command, fields).await["code"], "forbidden", "{command}");
    }
    let mut limited = Client::connect(
        &server,
        &token::with_claims(&server.founded, "alice", json!({"caps": {"*": ["read", "send"]}})),
    )
    .await;
    limited.ok("edit", edit(2, "her own")).await;
    bob.send("c1", "b2", "his").await;
    let his = bob.ok("history", json!({"conversation": "c1"})).await["head"].clone();
    assert_eq!(limited.refused("delete", json!({"conversation": "c1", "target": his})).await["code"], "forbidden");
}

#[tokio::test]
async fn pins_are_listed_last_first_and_bounded() {
    let (server, mut alice, mut bob) = group().await;
    alice.send("c1", "m2", "second").await;
    alice.ok("pin", json!({"conversation": "c1", "target": 2})).await;
    let push = bob.push_of("pinned").await;
    assert_eq!((&push["target"], &push["change"], &push["actor"]), (&json!(2), &json!("added"), &json!("alice")));
    alice.ok("pin", json!({"conversation": "c1", "target": 3})).await;
    let pins = bob.ok("pins", json!({"conversation": "c1"})).await;
    assert_eq!(seqs(pins["items"].as_array().unwrap()), [3, 2]);
    assert_eq!(pins["items"][0]["pinned"], 5);
    assert_eq!(
        alice.ok("pin", json!({"conversation": "c1", "target": 3})).await,
        json!({"changed": false, "seq": 5, "duplicate": false, "billed": 0})
    );
    alice.ok("pin", json!({"conversation": "c1", "target": 3, "remove": true})).await;
    assert_eq!(seqs(bob.ok("pins", json!({"conversation": "c1"})).await["items"].as_array().unwrap()), [2]);
    for at in 0..100 {
        let seq = alice.send("c1", &format!("p{at}"), "x").await["seq"].clone();
        let pin = json!({"conversation": "c1", "target": seq});
        if at < 99 {
            alice.ok("pin", pin).await;
        } else {
            assert_eq!(alice.refused("pin", pin).await["code"], "limit_reached");
        }
    }
    assert_eq!(server.rest().units().await, 102, "pins count nothing");
}

#[tokio::test]
async fn replies_make_a_thread_and_mentions_travel_with_the_message() {
    let (server, mut alice, mut bob) = group().await;
    let say = |id: &str, more: Value| {
        let mut fields = text_message("c1", id, id);
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    bob.ok("send", say("r1", json!({"reply_to": 2, "mentions": ["alice", "zoe", "alice"], "silent": true}))).await;
    let push = alice.push_of("message").await;
    assert_eq!(
        (&push["reply_to"], &push["mentions"], &push["silent"]),
        (&json!(2), &json!(["alice", "zoe"]), &json!(true))
    );
    bob.send("c1", "b1", "beside it").await;
    alice.ok("send", say("r2", json!({"reply_to": 2, "mentions": "*"}))).await;
    alice.ok("edit", edit(5, "edited in the thread")).await;
    let thread = bob.ok("history", json!({"conversation": "c1", "thread": 2, "after": 0})).await;
    assert_eq!(seqs(thread["items"].as_array().unwrap()), [3, 5]);
    assert_eq!(thread["items"][1]["body"]["text"], "edited in the thread");
    assert_eq!(thread["items"][1]["mentions"], "*");
    let newest = bob.ok("history", json!({"conversation": "c1", "thread": 2, "limit": 1})).await;
    assert_eq!(seqs(newest["items"].as_array().unwrap()), [5]);
    assert_eq!(message(&mut bob, 2).await["replies"], 2);
    assert_eq!(alice.ok("send", say("r2", json!({"reply_to": 2}))).await["duplicate"], true);
    assert_eq!(message(&mut bob, 2).await["replies"], 2, "a repeat is no reply");
    for target in [0, 1, 6, 99] {
        let error = alice.refused("send", say("bad", json!({"reply_to": target}))).await;
        assert_eq!((&error["code"], &error["param"]), (&json!("not_found"), &json!("reply_to")), "{target}");
    }
    let many: Vec<_> = (0..51).map(|at| format!("u{at}")).collect();
    assert_eq!(alice.refused("send", say("bad", json!({"mentions": many}))).await["code"], "limit_reached");
    for mentions in [json!("everyone"), json!([1]), json!({}), json!(["a b"])] {
        let code = alice.refused("send", say("bad", json!({"mentions": mentions}))).await["code"].clone();
        assert!(code == "invalid_request" || code == "invalid_field", "{mentions}: {code}");
    }
    assert_eq!(alice.ok("send", say("ok", json!({"mentions": []}))).await["seq"], 7, "nobody is nobody");
    assert_eq!(server.rest().log("c1").await.len(), 7);
}

#[tokio::test]
async fn what_was_missed_comes_with_its_amendments() {
    let (server, mut alice, bob) = group().await;
    bob.close().await;
    alice.send("c1", "m2", "first").await;
    alice.ok("edit", edit(3, "better")).await;
    alice.ok("delete", json!({"conversation": "c1", "target": 2})).await;
    let mut bob = Client::connect_with(&server, json!({"token": server.token("bob"), "heads": {"c1": [1, 2]}})).await;
    assert_eq!(bob.outcome("c1")["outcome"], "recovered");
    let missed = [bob.push().await, bob.push().await, bob.push().await];
    assert_eq!(seqs(&missed), [3, 4, 5]);
    assert_eq!(missed[0]["body"]["text"], "better", "as it reads now");
    assert_eq!(missed.map(|event| event["type"].clone()), ["message", "edited", "deleted"]);
    let entry = bob.ok("sync", json!({})).await["conversations"][0].clone();
    assert_eq!((&entry["head"], &entry["msg_no"], &entry["unread"]), (&json!(5), &json!(2), &json!(2)));
    assert_eq!(entry["last"]["type"], "deleted");
}

#[tokio::test]
async fn the_apps_server_does_all_of_it_over_rest() {
    let (server, mut alice, mut bob) = group().await;
    let rest = server.rest();
    let at = "/v1/conversations/c1/messages/2";
    let patch = |body: Value| {
        let request = rest.request(reqwest::Method::PATCH, at).json(&body);
        async move { crate::support::rest::answer(request).await }
    };
    let edited = patch(json!({"kind": "text", "body": {"text": "by the app"}})).await.ok();
    assert_eq!(edited, json!({"changed": true, "seq": 3, "duplicate": false, "billed": 1}));
    let push = bob.push_of("edited").await;
    assert!(push.get("actor").is_none(), "{push}");
    assert_eq!(
        patch(json!({"user": "bob", "kind": "text", "body": {"text": "x"}})).await.refusal(),
        (403, "forbidden".into())
    );
    assert_eq!(patch(json!({"user": "alice", "kind": "text", "body": {"text": "hers"}})).await.ok()["seq"], 4);
    let reacted = rest.post(&format!("{at}/reactions"), &json!({"user": "bob", "emoji": "👍"})).await.ok();
    assert_eq!(reacted["seq"], 5);
    let unnamed = rest.post(&format!("{at}/reactions"), &json!({"emoji": "👍"})).await;
    assert_eq!(unnamed.refusal(), (400, "invalid_request".into()));
    let listed = rest.get(&format!("{at}/reactions?limit=1")).await.ok();
    assert_eq!(listed, json!({"items": [{"user": "bob", "emoji": "👍", "seq": 5}], "next_cursor": null}));
    assert_eq!(rest.post(&format!("{at}/pin"), &json!({})).await.ok()["seq"], 6);
    let shown = rest.get(at).await.ok();
    assert_eq!((&shown["body"]["text"], &shown["pinned"]), (&json!("hers"), &json!(6)));
    assert_eq!(shown["reactions"], json!([{"emoji": "👍", "count": 1}]));
    assert_eq!(rest.get("/v1/conversations/c1/pins").await.ok()["items"], json!([shown]));
    // A user's own token does what the user may.
    let hers = server.rest_as(&server.token("alice"));
    assert_eq!(hers.get(at).await.ok()["seq"], 2);
    assert_eq!(
        hers.post(&format!("{at}/reactions"), &json!({"user": "bob", "emoji": "x"})).await.refusal().1,
        "forbidden"
    );
    let deleted = rest.delete(&format!("{at}?user=bob")).await;
    assert_eq!(deleted.refusal(), (403, "forbidden".into()));
    assert_eq!(rest.delete(at).await.ok(), json!({"changed": true, "seq": 7, "duplicate": false, "billed": 0}));
    assert!(alice.push_of("deleted").await.get("actor").is_none());
    for path in
        ["/v1/conversations/c1/messages/1", "/v1/conversations/c1/messages/99", "/v1/conversations/c1/messages/x"]
    {
        assert_eq!(rest.get(path).await.refusal(), (404, "not_found".into()), "{path}");
    }
    let say = json!({"sender": "bob", "client_msg_id": "r", "kind": "text", "body": {"text": "re"}, "reply_to": 2, "mentions": "*", "silent": true});
    let seq = rest.post("/v1/conversations/c1/messages", &say).await.ok()["seq"].clone();
    let thread = rest.get("/v1/conversations/c1/messages?thread=2&after=0").await.ok();
    assert_eq!(thread["items"][0]["seq"], seq);
}

#[tokio::test]
async fn a_page_of_much_amended_messages_fits_a_frame() {
    let (_server, mut alice, mut bob) = group().await;
    let mentions: Vec<_> = (0..50).map(|at| format!("{at}{}", "m".repeat(62))).collect();
    for at in 0..40 {
        let mut fields = text_message("c1", &format!("p{at}"), &"x".repeat(3_000));
        fields["mentions"] = json!(mentions);
        alice.ok("send", fields).await;
    }
    for at in 0..32 {
        alice.ok("react", react(3, &format!("{at:02}{}", "\u{1f44d}".repeat(15)), false)).await;
    }
    let (mut after, mut read) = (0, Vec::new());
    loop {
        let page = bob.ok("history", json!({"conversation": "c1", "after": after, "limit": 200})).await;
        assert!(bob.heard.last().unwrap().len() <= 256 * 1024, "{}", bob.heard.last().unwrap().len());
        read.extend(seqs(page["items"].as_array().unwrap()));
        after = *read.last().unwrap();
        if page["head"] == after {
            break;
        }
    }
    assert_eq!(read, (1..=after).collect::<Vec<_>>());
}

#[tokio::test]
async fn pins_that_do_not_fit_a_frame_come_in_pages() {
    let (server, mut alice, mut bob) = group().await;
    for at in 0..6 {
        let seq = alice.send("c1", &format!("p{at}"), &"x".repeat(60_000)).await["seq"].clone();
        alice.ok("pin", json!({"conversation": "c1", "target": seq})).await;
    }
    let (mut pinned, mut page) = (Vec::new(), json!({"conversation": "c1"}));
    loop {
        let answer = bob.ok("pins", page.clone()).await;
        assert!(bob.heard.last().unwrap().len() <= 256 * 1024);
        pinned.extend(seqs(answer["items"].as_array().unwrap()));
        match answer.get("next") {
            Some(next) => page["page"] = next.clone(),
            None => break,
        }
    }
    assert_eq!(pinned, [13, 11, 9, 7, 5, 3]);
    let (rest, mut cursor, mut read) = (server.rest(), String::new(), Vec::new());
    loop {
        let answer = rest.get(&format!("/v1/conversations/c1/pins{cursor}")).await.ok();
        read.extend(seqs(answer["items"].as_array().unwrap()));
        let Some(next) = answer["next_cursor"].as_str() else { break };
        cursor = format!("?cursor={next}");
    }
    assert_eq!(read, pinned);
}

#[tokio::test]
async fn an_id_of_an_amendment_is_of_that_one_alone_and_a_users() {
    let (server, mut alice, mut bob) = group().await;
    let react = |emoji: &str| json!({"conversation": "c1", "target": 2, "emoji": emoji, "client_msg_id": "r1"});
    assert_eq!(bob.ok("react", react("lol")).await["changed"], true);
    assert_eq!(bob.ok("react", react("lol")).await["duplicate"], true);
    for other in ["count", "emoji", "lo"] {
        assert_eq!(bob.refused("react", react(other)).await["code"], "conflict", "{other}");
    }
    alice.ok("delete", json!({"conversation": "c1", "target": 2})).await;
    let log = Value::from(server.rest().log("c1").await).to_string();
    // No id holds an `l`.
    assert!(!log.contains("lol"), "a reaction is words too: {log}");
    assert_eq!(bob.ok("react", react("lol")).await["duplicate"], true, "a late repeat");
    let body = json!({"kind": "text", "body": {"text": "x"}, "client_msg_id": "e1"});
    let rest = server.rest();
    let patched = rest.request(reqwest::Method::PATCH, "/v1/conversations/c1/messages/2").json(&body);
    assert_eq!(crate::support::rest::answer(patched).await.refusal(), (422, "invalid_field".into()));
}
