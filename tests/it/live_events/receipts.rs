//! `receipts`: how many have read or received a message, and who.

use crate::support::TestServer;
use serde_json::{Value, json};

fn users(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|item| item["user"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn counts_and_pages_are_those_of_the_members_of_then() {
    let server = TestServer::spawn().await;
    let crowd: Vec<String> = (0..20).map(|at| format!("u{at:02}")).collect();
    let names: Vec<&str> = crowd.iter().map(String::as_str).collect();
    server.group("c1", &names).await;
    let mut owner = server.connect("u00").await;
    assert_eq!(owner.send("c1", "m1", "x").await["seq"], 2);
    for (at, name) in names.iter().enumerate().skip(1) {
        let mut member = server.connect(name).await;
        match at {
            1..=5 => drop(member.ok("read", json!({"conversation": "c1", "seq": 2})).await),
            6..=9 => drop(member.ok("received", json!({"conversation": "c1", "seq": 2})).await),
            _ => {}
        }
    }
    // Who joins later was no member then; who leaves is not asked any more.
    owner.ok("conversation.add", json!({"conversation": "c1", "members": ["late"]})).await;
    owner.ok("conversation.remove", json!({"conversation": "c1", "members": ["u19", "u05"]})).await;
    let ask = |more: Value| {
        let mut fields = json!({"conversation": "c1", "seq": 2});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    assert_eq!(owner.ok("receipts", ask(json!({}))).await, json!({"members": 18, "read": 4, "received": 8}));
    let read = owner.ok("receipts", ask(json!({"who": "has"}))).await;
    assert_eq!(users(&read), ["u01", "u02", "u03", "u04"]);
    assert_eq!(read["items"][0], json!({"user": "u01", "read": 2, "received": 2}));
    let received = owner.ok("receipts", ask(json!({"who": "has", "state": "received"}))).await;
    assert_eq!(users(&received), ["u01", "u02", "u03", "u04", "u06", "u07", "u08", "u09"]);
    // Those who have not, page by page.
    let (mut seen, mut page) = (Vec::new(), Value::Null);
    loop {
        let answer = owner.ok("receipts", ask(json!({"who": "has_not", "limit": 3, "page": page}))).await;
        assert_eq!((&answer["members"], &answer["read"]), (&json!(18), &json!(4)));
        seen.extend(users(&answer).into_iter().map(str::to_owned));
        match answer.get("next") {
            Some(next) => page = next.clone(),
            None => break,
        }
    }
    let missing: Vec<_> =
        names.iter().filter(|name| !["u01", "u02", "u03", "u04", "u05", "u19"].contains(name)).collect();
    assert_eq!(seen.iter().collect::<Vec<_>>(), missing);
    let path = "/v1/conversations/c1/messages/2/receipts";
    let rest = server.rest().get(&format!("{path}?who=has&limit=2")).await.ok();
    assert_eq!((users(&rest), &rest["members"]), (vec!["u01", "u02"], &json!(18)));
    let cursor = rest["next_cursor"].as_str().unwrap();
    let rest = server.rest().get(&format!("{path}?who=has&cursor={cursor}")).await.ok();
    assert_eq!((users(&rest), &rest["next_cursor"]), (vec!["u03", "u04"], &Value::Null));
    assert_eq!(server.rest().get(path).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn what_the_asker_may_not_see_is_refused() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut late) = (server.connect("alice").await, server.connect("late").await);
    alice.send("c1", "m1", "x").await;
    let ask = |seq: i64, more: (&str, Value)| {
        let mut fields = json!({"conversation": "c1", "seq": seq});
        fields[more.0] = more.1;
        fields
    };
    assert_eq!(late.refused("receipts", ask(1, ("who", json!("has")))).await["code"], "not_found");
    alice.ok("conversation.add", json!({"conversation": "c1", "members": ["late"]})).await;
    for (fields, param) in [
        (ask(0, ("who", json!("has"))), "seq"),
        (ask(2, ("who", json!("has"))), "seq"),
        (ask(4, ("who", json!("has"))), "seq"),
        (ask(3, ("who", json!("all"))), "who"),
        (ask(3, ("state", json!("seen"))), "state"),
        (ask(3, ("limit", json!(201))), "limit"),
        (ask(3, ("page", json!("a b"))), "page"),
    ] {
        let error = late.refused("receipts", fields.clone()).await;
        assert_eq!((&error["code"], &error["param"]), (&json!("invalid_field"), &json!(param)), "{fields}");
    }
    assert_eq!(late.ok("receipts", ask(3, ("who", json!("has_not")))).await["members"], 3);
    let refusal = server.rest().get("/v1/conversations/c1/messages/x/receipts").await.refusal();
    assert_eq!(refusal, (404, "not_found".to_owned()));
}

/// A group of 5,001, which is counted from its tally and looked through in portions.
#[tokio::test]
async fn a_large_group_is_counted_at_once_and_listed_in_portions() {
    let server = TestServer::spawn().await;
    let mut owner = server.connect("owner").await;
    owner.ok("conversation.create", json!({"kind": "group", "id": "g"})).await;
    let names: Vec<String> = (0..5_000).map(|at| format!("u{at:04}")).collect();
    for part in names.chunks(1_000) {
        owner.ok("conversation.add", json!({"conversation": "g", "members": part})).await;
        owner.heard.clear();
    }
    let seq = owner.send("g", "m1", "x").await["seq"].clone();
    for name in ["u0003", "u4999"] {
        let mut member = server.connect(name).await;
        member.ok("read", json!({"conversation": "g", "seq": seq})).await;
    }
    let ask = |more: Value| {
        let mut fields = json!({"conversation": "g", "seq": seq});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    let counts = owner.ok("receipts", ask(json!({}))).await;
    assert_eq!(counts, json!({"members": 5_001, "read": 2, "received": 2}));
    let first = owner.ok("receipts", ask(json!({"who": "has"}))).await;
    assert_eq!((users(&first), &first["next"]), (vec!["u0003"], &json!("u4094")), "4,096 with the owner");
    let second = owner.ok("receipts", ask(json!({"who": "has", "page": "u4094"}))).await;
    assert_eq!((users(&second), second.get("next")), (vec!["u4999"], None));
    let none = owner.ok("receipts", ask(json!({"who": "has", "page": "u0003"}))).await;
    assert_eq!((users(&none), &none["next"]), (Vec::new(), &json!("u4099")), "an empty page before the last one");
    // Of the first event, who joined later is nobody's reader; of those who were there nobody is missing.
    let missing = owner.ok("receipts", json!({"conversation": "g", "seq": 1, "who": "has_not"})).await;
    assert_eq!(missing, json!({"members": 1, "read": 1, "received": 1, "items": []}));
    let path = format!("/v1/conversations/g/messages/{seq}/receipts");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.rest().get(&format!("{path}?who=has&limit=200{cursor}")).await.ok();
        assert_eq!((&page["members"], &page["read"]), (&json!(5_001), &json!(2)));
        seen.extend(users(&page).into_iter().map(str::to_owned));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["u0003", "u4999"]);
    // Who leaves is counted no more, who comes back was no member then.
    owner.ok("conversation.remove", json!({"conversation": "g", "members": names[3..1_003]})).await;
    owner.ok("conversation.add", json!({"conversation": "g", "members": ["u0003"]})).await;
    let counts = owner.ok("receipts", ask(json!({}))).await;
    assert_eq!(counts, json!({"members": 4_001, "read": 1, "received": 1}));
    let mut stranger = server.connect("u0500").await;
    assert_eq!(stranger.refused("receipts", ask(json!({}))).await["code"], "not_found");
}
