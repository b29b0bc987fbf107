//! `stream.begin`, `.append`, `.end` and `.get`: a message that is read while it is written, resumed on both sides, counted once.

use crate::support::client::seqs;
use crate::support::{Client, TestServer, token};
use serde_json::{Value, json};

/// A group of alice and bob; alice has begun a live message, seq 2, which bob has heard of.
async fn live() -> (TestServer, Client, Client) {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    assert_eq!(begin(&mut alice, "s1", "").await["seq"], 2);
    bob.push_of("message").await;
    (server, alice, bob)
}

async fn begin(writer: &mut Client, id: &str, text: &str) -> Value {
    writer.ok("stream.begin", json!({"conversation": "c1", "client_msg_id": id, "text": text})).await
}

fn piece(offset: usize, text: &str) -> Value {
    json!({"conversation": "c1", "target": 2, "offset": offset, "text": text})
}

fn target(seq: i64) -> Value {
    json!({"conversation": "c1", "target": seq})
}

/// Applies deltas to what a reader holds, until it holds `whole`; a gap or a repeat fails.
async fn follow(reader: &mut Client, held: &mut String, whole: &str) {
    while held != whole {
        let push = reader.push_of("stream").await;
        assert_eq!((&push["conversation"], &push["epoch"], &push["target"]), (&json!("c1"), &json!(1), &json!(2)));
        assert_eq!(push["offset"], held.len(), "{push}");
        held.push_str(push["text"].as_str().unwrap());
        assert!(whole.starts_with(&**held), "{held}");
    }
}

#[tokio::test]
async fn a_message_is_read_while_it_is_written_and_counts_when_it_ends() {
    let (server, mut alice, mut bob) = live().await;
    let mut phone = server.connect("alice").await;
    let (mut held, mut whole) = (String::new(), String::new());
    for text in ["Hel", "lo, ", "\"wörld\"\n", "👋"] {
        let ok = alice.ok("stream.append", piece(whole.len(), text)).await;
        whole.push_str(text);
        assert_eq!(ok, json!({"offset": whole.len()}));
    }
    follow(&mut bob, &mut held, &whole).await;
    follow(&mut phone, &mut String::new(), &whole).await;
    assert_eq!(server.rest().units().await, 0, "what grows counts nothing yet");
    let log = server.rest().log("c1").await;
    assert_eq!((seqs(&log), &log[1]["live"], &log[1]["body"]["text"]), (vec![1, 2], &json!(true), &json!("")));

    let end = json!({"conversation": "c1", "target": 2, "offset": whole.len(), "text": " Bye.", "client_msg_id": "e1"});
    let ok = alice.ok("stream.end", end.clone()).await;
    assert_eq!(ok, json!({"changed": true, "seq": 3, "duplicate": false, "billed": 1}));
    whole.push_str(" Bye.");
    let push = bob.push_of("ended").await;
    let expected = json!({"type": "ended", "conversation": "c1", "epoch": 1, "seq": 3, "msg_no": 1, "at": push["at"],
        "target": 2, "actor": "alice", "client_msg_id": "e1", "kind": "text", "body": {"text": whole}});
    assert_eq!(push, expected);
    assert_eq!(phone.push_of("ended").await, expected);
    assert!(alice.pushes_so_far().await.is_empty(), "who wrote it has the replies");
    let log = server.rest().log("c1").await;
    assert_eq!(log[2], expected, "history and pushes carry the same object");
    let now = server.rest().get("/v1/conversations/c1/messages/2").await.ok();
    assert_eq!((&now["body"]["text"], &now["ended"]), (&json!(whole), &json!({"seq": 3, "at": push["at"]})));
    assert!(now.get("live").is_none() && now.get("edited").is_none(), "{now}");
    assert_eq!(server.rest().units().await, 1);

    // A repeat is the first result; another end, or more text, comes too late.
    let again = json!({"changed": false, "seq": 3, "duplicate": true, "billed": 1});
    assert_eq!(alice.ok("stream.end", end).await, again);
    assert_eq!(alice.ok("stream.end", target(2)).await["seq"], 3);
    let late = json!({"conversation": "c1", "target": 2, "text": "late"});
    assert_eq!(alice.refused("stream.end", late).await["code"], "not_live");
    assert_eq!(alice.refused("stream.append", piece(whole.len(), "x")).await["code"], "not_live");
    assert_eq!(begin(&mut alice, "s1", "").await["duplicate"], true, "the begin may be repeated all the same");
    let edit = json!({"conversation": "c1", "target": 2, "kind": "text", "body": {"text": "short"}});
    assert_eq!(alice.ok("edit", edit).await["seq"], 4);
    assert_eq!(server.rest().units().await, 2);
    assert_eq!(bob.ok("stream.get", target(2)).await["text"], json!(whole), "what was written live");
}

#[tokio::test]
async fn a_long_message_counts_the_units_of_its_whole_body_once() {
    let (server, mut alice, mut bob) = live().await;
    let text = "x".repeat(16 * 1024);
    for at in 0..3 {
        alice.ok("stream.append", piece(at * text.len(), &text)).await;
    }
    assert_eq!(
        alice.refused("stream.append", piece(3 * text.len(), &"x".repeat(16 * 1024 + 1))).await["code"],
        "payload_too_large"
    );
    let more = piece(3 * text.len(), &text);
    assert_eq!(alice.refused("stream.append", more).await["code"], "payload_too_large", "beyond a body of 64 KiB");
    // Escaped, it is longer in the body than as text: 6 bytes of JSON each.
    assert_eq!(
        alice.refused("stream.append", piece(3 * text.len(), &"\u{1}".repeat(2_800))).await["code"],
        "payload_too_large"
    );
    let ok = alice.ok("stream.end", target(2)).await;
    // 3 × 16 KiB and the 11 bytes around it: 49,163 of 5,120 each.
    assert_eq!(ok["billed"], 10);
    assert_eq!(bob.push_of("ended").await["body"]["text"], json!(text.repeat(3)));
    assert_eq!(server.rest().units().await, 10);
}

#[tokio::test]
async fn a_writer_that_lost_an_answer_learns_where_it_stands() {
    let (server, mut alice, mut bob) = live().await;
    alice.ok("stream.append", piece(0, "né")).await;
    // The same bytes at the same place, or any part of them, are a repeat: told to nobody.
    assert_eq!(alice.ok("stream.append", piece(0, "né")).await, json!({"offset": 3}));
    assert_eq!(alice.ok("stream.append", piece(1, "é")).await, json!({"offset": 3}));
    for (offset, text) in [(0, "no"), (0, "né!"), (2, "x"), (4, "x"), (99, "x")] {
        let error = alice.refused("stream.append", piece(offset, text)).await;
        assert_eq!((&error["code"], &error["offset"]), (&json!("stream_offset"), &json!(3)), "{offset} {text}");
    }
    let end = json!({"conversation": "c1", "target": 2, "offset": 2});
    assert_eq!(alice.refused("stream.end", end).await["offset"], 3, "an end that missed something");
    let mut other = server.connect("alice").await;
    assert_eq!(
        other.ok("stream.get", json!({"conversation": "c1", "target": 2, "offset": 3})).await,
        json!({"text": "", "offset": 3})
    );
    assert_eq!(other.ok("stream.append", piece(3, "e")).await, json!({"offset": 4}), "another device goes on");
    follow(&mut bob, &mut String::new(), "née").await;
    follow(&mut alice, &mut "né".to_owned(), "née").await;
    assert_eq!(bob.pushes_so_far().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_reader_that_comes_late_or_back_reads_on_where_it_is() {
    let (server, mut alice, mut bob) = live().await;
    alice.ok("stream.append", piece(0, "one ")).await;
    let mut held = String::new();
    follow(&mut bob, &mut held, "one ").await;
    drop(bob);
    alice.ok("stream.append", piece(4, "twö ")).await;
    // The one that was there before asks for the rest, the one that comes now for all of it.
    let mut bob = Client::connect_with(&server, json!({"token": server.token("bob"), "heads": {"c1": [1, 1]}})).await;
    assert_eq!(bob.push_of("message").await["live"], true, "the backlog says that it grows");
    let rest = bob.ok("stream.get", json!({"conversation": "c1", "target": 2, "offset": held.len()})).await;
    assert_eq!(rest, json!({"text": "twö ", "offset": 9}));
    held.push_str("twö ");
    alice.ok("stream.append", piece(9, "three")).await;
    follow(&mut bob, &mut held, "one twö three").await;
    let error = bob.refused("stream.get", json!({"conversation": "c1", "target": 2, "offset": 7})).await;
    assert_eq!((&error["code"], &error["param"]), (&json!("invalid_field"), &json!("offset")), "within ö");
    let error = bob.refused("stream.get", json!({"conversation": "c1", "target": 2, "offset": 15})).await;
    assert_eq!((&error["code"], &error["offset"]), (&json!("stream_offset"), &json!(14)));
    assert_eq!(bob.refused("stream.get", target(1)).await["code"], "not_found");
    alice.ok("stream.end", target(2)).await;
    let whole = json!({"text": "one twö three", "offset": 14, "ended": 3});
    assert_eq!(bob.ok("stream.get", target(2)).await, whole);
    // Who joins now sees nothing of it: it is before its time.
    alice.ok("conversation.add", json!({"conversation": "c1", "members": ["carol"]})).await;
    let mut carol = server.connect("carol").await;
    assert_eq!(carol.refused("stream.get", target(2)).await["code"], "not_found");
    begin(&mut alice, "s2", "four").await;
    assert_eq!(carol.ok("stream.get", target(5)).await, json!({"text": "four", "offset": 4}));
    alice.ok("conversation.add", json!({"conversation": "c1", "members": ["dave"]})).await;
    let mut dave = server.connect("dave").await;
    let more = json!({"conversation": "c1", "target": 5, "offset": 4, "text": " five"});
    alice.ok("stream.append", more).await;
    assert_eq!(carol.push_of("stream").await["text"], " five");
    assert_eq!(dave.pushes_so_far().await, Vec::<Value>::new(), "a message before its time");
}

#[tokio::test]
async fn what_was_answered_survives_kill_9_and_the_end_counts_once() {
    let (mut server, mut alice, mut bob) = live().await;
    alice.ok("stream.append", piece(0, "before ")).await;
    // Written and never answered, perhaps: its connection is cut.
    alice.start("stream.append", piece(7, "between ")).await;
    drop(alice);
    let mut alice = server.connect("alice").await;
    let at = alice.ok("stream.get", target(2)).await["offset"].as_u64().unwrap() as usize;
    assert!([7, 15].contains(&at), "{at}");
    alice.ok("stream.append", piece(7, "between ")).await;
    let mut held = String::new();
    follow(&mut bob, &mut held, "before between ").await;
    server.kill();
    server.start().await;
    let mut alice = server.connect("alice").await;
    let mut bob = Client::connect_with(&server, json!({"token": server.token("bob"), "heads": {"c1": [1, 2]}})).await;
    assert_eq!(alice.ok("stream.get", target(2)).await, json!({"text": "before between ", "offset": 15}));
    assert_eq!(alice.ok("stream.append", piece(15, "after")).await, json!({"offset": 20}));
    follow(&mut bob, &mut held, "before between after").await;
    assert_eq!(server.rest().units().await, 0);
    let end = json!({"conversation": "c1", "target": 2, "offset": 20, "client_msg_id": "e1"});
    alice.start("stream.end", end.clone()).await;
    bob.push_of("ended").await;
    server.kill();
    server.start().await;
    let mut alice = server.connect("alice").await;
    let again = json!({"changed": false, "seq": 3, "duplicate": true, "billed": 1});
    assert_eq!(alice.ok("stream.end", end).await, again, "the answer was lost, the end was not");
    let log = server.rest().log("c1").await;
    assert_eq!((seqs(&log), &log[2]["body"]["text"]), (vec![1, 2, 3], &json!("before between after")));
    assert_eq!(server.rest().units().await, 1);
}

#[tokio::test]
async fn a_live_message_that_is_deleted_is_gone_with_its_pieces() {
    let (server, mut alice, mut bob) = live().await;
    alice.ok("stream.append", piece(0, "a secret")).await;
    let edit = json!({"conversation": "c1", "target": 2, "kind": "text", "body": {"text": "x"}});
    assert_eq!(alice.refused("edit", edit).await["code"], "conflict", "it grows still");
    bob.ok("react", json!({"conversation": "c1", "target": 2, "emoji": "👍"})).await;
    assert_eq!(alice.ok("delete", target(2)).await["billed"], 0);
    let log = server.rest().log("c1").await;
    assert!(log[1].get("live").is_none() && log[1]["deleted"]["seq"] == 4, "{}", log[1]);
    for (command, fields) in [("stream.append", piece(8, "x")), ("stream.end", target(2)), ("stream.get", target(2))] {
        assert_eq!(alice.refused(command, fields).await["code"], "not_found", "{command}");
    }
    // One that has ended loses the text of its end.
    assert_eq!(begin(&mut alice, "s2", "another secret").await["seq"], 5);
    alice.ok("stream.end", target(5)).await;
    alice.ok("delete", target(5)).await;
    assert!(!Value::from(server.rest().log("c1").await).to_string().contains("secret"));
    assert_eq!(server.rest().units().await, 2, "a reaction, and what had ended: erasing takes no unit back");
}

#[tokio::test]
async fn only_its_author_writes_it_and_a_conversation_has_sixteen() {
    let (_server, mut alice, mut bob) = live().await;
    for (command, fields) in [("stream.append", piece(0, "x")), ("stream.end", target(2))] {
        assert_eq!(bob.refused(command, fields).await["code"], "forbidden", "{command}");
    }
    assert_eq!(
        bob.refused("stream.append", json!({"conversation": "c1", "target": 1, "offset": 0, "text": "x"})).await["code"],
        "not_found"
    );
    bob.send("c1", "m1", "plain").await;
    let plain = json!({"conversation": "c1", "target": 3, "offset": 5, "text": "x"});
    assert_eq!(bob.refused("stream.append", plain).await["code"], "not_live");
    assert_eq!(bob.refused("stream.end", target(3)).await["code"], "not_live");
    assert_eq!(bob.refused("stream.get", target(3)).await["code"], "not_live");
    // An id is of one message: neither a send nor a begin takes the other's.
    let same = json!({"conversation": "c1", "client_msg_id": "m1", "text": "plain"});
    assert_eq!(bob.refused("stream.begin", same).await["code"], "conflict");
    for (offset, text, code, param) in [(0, "", "invalid_field", "text"), (-1, "x", "invalid_field", "offset")] {
        let error = alice
            .refused("stream.append", json!({"conversation": "c1", "target": 2, "offset": offset, "text": text}))
            .await;
        assert_eq!((&error["code"], &error["param"]), (&json!(code), &json!(param)));
    }
    for at in 1..16 {
        begin(&mut bob, &format!("s{at}"), "").await;
    }
    let one_more = json!({"conversation": "c1", "client_msg_id": "s16"});
    assert_eq!(bob.refused("stream.begin", one_more.clone()).await["code"], "limit_reached");
    assert_eq!(begin(&mut alice, "s1", "").await["duplicate"], true, "a repeat begins nothing");
    alice.ok("stream.end", target(2)).await;
    bob.ok("stream.begin", one_more).await;
    // Who may not send may not write on either.
    let mute = json!({"conversation": "c1", "user": "bob", "for_s": 60});
    alice.ok("conversation.mute", mute).await;
    let more = json!({"conversation": "c1", "target": 4, "offset": 0, "text": "x"});
    assert_eq!(bob.refused("stream.append", more.clone()).await["code"], "muted");
    assert_eq!(bob.refused("stream.end", target(4)).await["code"], "muted");
    alice.ok("conversation.remove", json!({"conversation": "c1", "members": ["bob"]})).await;
    assert_eq!(bob.refused("stream.append", more).await["code"], "not_found");
}

#[tokio::test]
async fn rest_writes_and_reads_it_too() {
    let (server, mut alice, mut bob) = live().await;
    let rest = server.rest();
    let begun = rest
        .post("/v1/conversations/c1/streams", &json!({"sender": "bob", "client_msg_id": "r1", "text": "On"}))
        .await
        .ok();
    assert_eq!((&begun["seq"], &begun["billed"]), (&json!(3), &json!(0)));
    let path = |what: &str| format!("/v1/conversations/c1/streams/3{what}");
    let ok = rest.post(&path("/append"), &json!({"user": "bob", "offset": 2, "text": "ce"})).await.ok();
    assert_eq!(ok, json!({"offset": 4}));
    let push = alice.push_of("stream").await;
    assert_eq!((&push["target"], &push["offset"], &push["text"]), (&json!(3), &json!(2), &json!("ce")));
    let wrong = rest.post(&path("/append"), &json!({"offset": 9, "text": "x"})).await;
    assert_eq!((wrong.status, &wrong.json()["error"]["offset"]), (409, &json!(4)));
    assert_eq!(rest.post(&path("/append"), &json!({"user": "alice", "offset": 4, "text": "x"})).await.refusal().0, 403);
    assert_eq!(rest.get(&path("?offset=2")).await.ok(), json!({"text": "ce", "offset": 4}));
    let as_bob = server.rest_as(&server.token("bob"));
    assert_eq!(as_bob.post(&path("/append"), &json!({"offset": 4, "text": "."})).await.ok(), json!({"offset": 5}));
    let narrow = server.rest_as(&token::with_claims(&server.founded, "bob", json!({"caps": {"c1": ["read"]}})));
    assert_eq!(narrow.post(&path("/end"), &json!({})).await.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(narrow.get(&path("")).await.ok()["text"], "Once.");
    let ended = as_bob.post(&path("/end"), &json!({"offset": 5, "client_msg_id": "e1"})).await.ok();
    assert_eq!(ended, json!({"changed": true, "seq": 4, "duplicate": false, "billed": 1}));
    assert_eq!(bob.push_of("ended").await["body"]["text"], "Once.");
    // The app itself may go on with anybody's, and ends it.
    rest.post("/v1/conversations/c1/streams/2/append", &json!({"offset": 0, "text": "So"})).await.ok();
    assert_eq!(rest.post("/v1/conversations/c1/streams/2/end", &json!({})).await.ok()["billed"], 1);
    let push = alice.push_of("ended").await;
    assert!(push["target"] == 3 || push.get("actor").is_none());
    assert_eq!(rest.units().await, 2);
}

#[tokio::test]
async fn what_no_library_would_say_is_refused_and_harms_nobody() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let mut alice = server.connect("alice").await;
    let begun = alice.ok("stream.begin", json!({"conversation": "c1", "client_msg_id": "s1", "text": "one"})).await;
    let target = begun["seq"].clone();
    for offset in [i64::MAX, i64::MAX - 1, 65_537, 4] {
        let append = json!({"conversation": "c1", "target": target, "offset": offset, "text": "x"});
        let error = alice.refused("stream.append", append).await;
        assert_eq!((&error["code"], &error["offset"]), (&json!("stream_offset"), &json!(3)), "{offset}");
    }
    // An id that was used for something without a text.
    alice.ok("send", json!({"conversation": "c1", "client_msg_id": "j1", "kind": "json", "body": []})).await;
    alice.ok("react", json!({"conversation": "c1", "target": target, "emoji": "+1", "client_msg_id": "r1"})).await;
    for used in ["j1", "r1"] {
        let end = json!({"conversation": "c1", "target": target, "client_msg_id": used});
        assert_eq!(alice.refused("stream.end", end).await["code"], "conflict", "{used}");
    }
    let append = json!({"conversation": "c1", "target": target, "offset": 3, "text": " two"});
    assert_eq!(alice.ok("stream.append", append).await["offset"], 7);
    for (offset, text, is_stored) in [(0, "one two", true), (2, "e t", true), (2, "e x", false), (5, "wo and", false)] {
        let again = json!({"conversation": "c1", "target": target, "offset": offset, "text": text});
        let id = alice.start("stream.append", again).await;
        assert_eq!(alice.reply(id).await.get("ok").is_some(), is_stored, "{offset} {text}");
    }
    assert_eq!(alice.ok("stream.end", json!({"conversation": "c1", "target": target})).await["billed"], 1);
}
