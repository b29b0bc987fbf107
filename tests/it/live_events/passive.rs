//! `open` and `passive` over sockets, in small conversations and in a large one.

use crate::support::TestServer;
use serde_json::{Value, json};

#[tokio::test]
async fn a_passive_connection_pages_what_a_head_tells_and_opens_without_a_gap() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let passive = bob.ok("passive", json!({"conversation": "c1"})).await;
    assert_eq!(passive, json!({"epoch": 1, "head": 1, "msg_no": 0, "first": 1}));
    for at in 0..20 {
        alice.send("c1", &format!("m{at}"), "x").await;
    }
    let mut heads = Vec::new();
    while heads.last() != Some(&21) {
        let push = bob.push().await;
        assert_eq!((&push["type"], &push["epoch"]), (&json!("head"), &json!(1)), "no event: {push}");
        assert_eq!(push["msg_no"].as_i64().unwrap() + 1, push["seq"].as_i64().unwrap());
        heads.push(push["seq"].as_i64().unwrap());
    }
    assert!(heads.is_sorted() && heads.len() < 20, "coalesced: {heads:?}");
    let page = bob.ok("history", json!({"conversation": "c1", "after": 1})).await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["head"]), (20, &json!(21)));
    let open = bob.ok("open", json!({"conversation": "c1"})).await;
    assert_eq!(open["head"], 21);
    alice.send("c1", "m20", "x").await;
    let push = bob.push().await;
    assert_eq!((&push["type"], &push["seq"]), (&json!("message"), &json!(22)));
    // A new connection begins as every one does.
    let mut again = server.connect("bob").await;
    bob.ok("passive", json!({"conversation": "c1"})).await;
    alice.send("c1", "m21", "x").await;
    assert_eq!(again.push().await["type"], "message");
}

#[tokio::test]
async fn a_large_conversation_is_passive_until_it_is_opened() {
    let server = TestServer::spawn().await;
    let crowd: Vec<String> = (0..1_040).map(|at| format!("u{at:04}")).collect();
    let names: Vec<&str> = crowd.iter().map(String::as_str).collect();
    let mut owner = server.connect("u0000").await;
    let others = &names[1..1_000];
    owner.ok("conversation.create", json!({"kind": "group", "id": "large", "members": others})).await;
    owner.ok("conversation.add", json!({"conversation": "large", "members": &names[1_000..]})).await;
    let (mut reader, mut idler) = (server.connect("u0001").await, server.connect("u1039").await);
    assert_eq!(reader.ok("open", json!({"conversation": "large"})).await["head"], 2);
    owner.send("large", "m1", "x").await;
    let push = reader.push_of("message").await;
    assert_eq!(push["seq"], 3);
    // An answer does not wait for the fan-out, so it may first be told of what made the conversation.
    let told = idler.push_where(|push| push["type"] == "head" && push["seq"] == 3).await;
    assert_eq!(told, json!({"type": "head", "conversation": "large", "epoch": 1, "seq": 3, "msg_no": 1}));
    let page = idler.ok("history", json!({"conversation": "large", "after": 2})).await;
    assert_eq!(page["items"][0]["client_msg_id"], "m1");
    // What was pushed is delivered; what was paged is passed, until it is opened.
    idler.ok("received", json!({"conversation": "large", "seq": 3})).await;
    assert_eq!(server.rest().delivered().await, 0);
    reader.ok("received", json!({"conversation": "large", "seq": 3})).await;
    assert_eq!(server.rest().delivered().await, 1);
    assert_eq!(idler.ok("open", json!({"conversation": "large"})).await["head"], 3);
    owner.send("large", "m2", "x").await;
    assert_eq!(idler.push_of("message").await["seq"], 4);
    idler.ok("received", json!({"conversation": "large", "seq": 4})).await;
    assert_eq!(server.rest().delivered().await, 2);
    // Whom it concerns is told of a change of membership, open or not.
    owner.ok("conversation.remove", json!({"conversation": "large", "members": ["u1039"]})).await;
    assert_eq!(idler.push_of("member").await["users"][0]["user"], "u1039");
    assert_eq!(idler.refused("open", json!({"conversation": "large"})).await["code"], "not_found");
}

#[tokio::test]
async fn a_connection_switches_so_many_conversations_and_no_more() {
    let server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    let mut made: Vec<u64> = Vec::new();
    for at in 0..=500 {
        made.push(alice.start("conversation.create", json!({"kind": "group", "id": format!("c{at}")})).await);
        if made.len() == 100 || at == 500 {
            for id in made.drain(..) {
                alice.ok_of(id).await;
            }
        }
    }
    for at in 0..500 {
        alice.ok("passive", json!({"conversation": format!("c{at}")})).await;
    }
    assert_eq!(alice.refused("open", json!({"conversation": "c500"})).await["code"], "limit_reached");
    let open: Value = alice.ok("open", json!({"conversation": "c0"})).await;
    assert_eq!(open["head"], 1, "one that was switched before may be switched again");
}
