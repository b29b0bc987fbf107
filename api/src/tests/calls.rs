//! What the calls do when nothing is wrong.

use super::house::House;
use actix_web::http::Method;
use serde_json::{Value, json};

#[actix_web::test]
async fn a_conversation_is_created_found_and_created_again() {
    let house = House::new().await;
    house.group("c1").await;
    let again =
        house.post(house.key(), "/v1/conversations", json!({"kind": "group", "members": ["alice"], "id": "c1"})).await;
    assert_eq!((again.status, again.json["existed"].as_bool()), (200, Some(true)));
    let other =
        house.post(house.key(), "/v1/conversations", json!({"kind": "group", "members": ["bob"], "id": "c1"})).await;
    assert_eq!((other.status, other.code()), (409, "conflict"));

    let shown = house.get(house.key(), "/v1/conversations/c1").await;
    assert_eq!((shown.status, &shown.json["as_of"]), (200, &json!({"epoch": 1, "seq": 1})));
    assert_eq!(shown.json["created_at"], "2027-01-15T08:00:00.000Z");
    let alice = house.token("alice", json!({})).await;
    assert_eq!(house.get(&alice, "/v1/conversations/c1").await.json, shown.json);

    let direct = json!({"kind": "direct", "members": ["bob"]});
    let first = house.post(&alice, "/v1/conversations", direct.clone()).await;
    house.pass(1);
    assert!(first.json["id"].as_str().unwrap().starts_with("conv_"));
    assert_eq!(house.post(&alice, "/v1/conversations", direct).await.json["id"], first.json["id"]);
}

#[actix_web::test]
async fn a_group_without_members_is_still_shown_to_the_server() {
    let house = House::new().await;
    house.group("c1").await;
    for user in ["alice", "bob"] {
        let gone =
            house.call(house.key(), Method::DELETE, &format!("/v1/conversations/c1/members/{user}"), Value::Null).await;
        assert_eq!((gone.status, gone.json["changed"].as_bool()), (200, Some(true)));
    }
    let shown = house.get(house.key(), "/v1/conversations/c1").await;
    assert_eq!(
        (&shown.json["kind"], &shown.json["last_seq"], &shown.json["messages"]),
        (&json!("group"), &json!(3), &json!(0))
    );
}

#[actix_web::test]
async fn a_repeated_send_is_a_duplicate_and_another_body_a_conflict() {
    let house = House::new().await;
    house.group("c1").await;
    let first = house.send("c1", "m1", "hello").await;
    assert_eq!(
        (first.status, &first.json["seq"], &first.json["duplicate"], &first.json["billed"]),
        (200, &json!(2), &json!(false), &json!(1))
    );
    let second = house.send("c1", "m1", "hello").await;
    assert_eq!((&second.json["duplicate"], &second.json["id"]), (&json!(true), &first.json["id"]));
    assert_eq!(house.send("c1", "m1", "other").await.code(), "conflict");

    let bob = house.token("bob", json!({"label": "team-7"})).await;
    let sent = house
        .post(&bob, "/v1/conversations/c1/messages", json!({"client_msg_id": "m1", "kind": "json", "body": [1]}))
        .await;
    assert_eq!((sent.status, &sent.json["seq"]), (200, &json!(3)));
    let items = house.get(&bob, "/v1/conversations/c1/messages").await.json["items"].take();
    let kinds: Vec<_> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["type"].as_str().unwrap(), event["seq"].as_i64().unwrap()))
        .collect();
    assert_eq!(kinds, [("member", 1), ("message", 2), ("message", 3)]);
    assert_eq!(
        (&items[1]["body"], &items[1]["sender"], &items[2]["msg_no"]),
        (&json!({"text": "hello"}), &json!("alice"), &json!(2))
    );
}

#[actix_web::test]
async fn the_log_is_read_page_by_page_in_both_directions() {
    let house = House::new().await;
    house.group("c1").await;
    for number in 0..6 {
        house.send("c1", &format!("m{number}"), "x").await;
    }
    assert_eq!(walk(&house, "after=0&limit=3").await, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
    assert_eq!(walk(&house, "limit=3").await, [vec![5, 6, 7], vec![2, 3, 4], vec![1]]);
    assert_eq!(walk(&house, "before=4&limit=200").await, [vec![1, 2, 3]]);
    assert_eq!(walk(&house, "around=3&limit=4").await, [vec![2, 3, 4, 5], vec![6, 7]]);
    assert_eq!(walk(&house, "after=7").await, [Vec::<i64>::new()]);
    assert_eq!(walk(&house, "after=99").await, [Vec::<i64>::new()]);
}

/// The seqs of every page from a query on.
async fn walk(house: &House, query: &str) -> Vec<Vec<i64>> {
    let limit = query.split('&').find(|pair| pair.starts_with("limit=")).unwrap_or("limit=50");
    let (mut pages, mut query) = (Vec::new(), query.to_owned());
    loop {
        let page = house.get(house.key(), &format!("/v1/conversations/c1/messages?{query}")).await;
        assert_eq!((page.status, &page.json["head"], &page.json["epoch"]), (200, &json!(7), &json!(1)), "{page:?}");
        pages.push(page.json["items"].as_array().unwrap().iter().map(|event| event["seq"].as_i64().unwrap()).collect());
        let Some(cursor) = page.json["next_cursor"].as_str() else { return pages };
        query = format!("cursor={cursor}&{limit}");
        assert!(pages.len() < 10, "the pages do not end");
    }
}

#[actix_web::test]
async fn members_are_added_listed_and_removed() {
    let house = House::new().await;
    house.group("c1").await;
    let path = "/v1/conversations/c1/members";
    let added = house.post(house.key(), path, json!({"members": ["carol", "alice", "carol"]})).await;
    assert_eq!(added.json, json!({"changed": true, "seq": 2, "epoch": 1}));
    assert_eq!(
        house.post(house.key(), path, json!({"members": ["carol"]})).await.json,
        json!({"changed": false, "seq": null, "epoch": null})
    );

    let first = house.get(house.key(), &format!("{path}?limit=2")).await.json;
    assert_eq!(
        (&first["items"][0]["user"], &first["items"][0]["role"], &first["as_of"]["seq"]),
        (&json!("alice"), &json!("owner"), &json!(2))
    );
    let last =
        house.get(house.key(), &format!("{path}?limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await.json;
    assert_eq!(
        (&last["items"][0]["user"], &last["items"][0]["joined"], &last["next_cursor"]),
        (&json!("carol"), &json!(2), &Value::Null)
    );

    let carol = house.token("carol", json!({})).await;
    let leave = house.call(&carol, Method::DELETE, &format!("{path}/carol"), Value::Null).await;
    assert_eq!(leave.json["seq"], 3);
    assert_eq!(house.get(&carol, path).await.code(), "not_found");
    let bob = house.token("bob", json!({})).await;
    assert_eq!(house.call(&bob, Method::DELETE, &format!("{path}/alice"), Value::Null).await.code(), "forbidden");
}

#[actix_web::test]
async fn usage_and_stats_tell_the_units_that_the_acks_told() {
    let house = House::new().await;
    house.group("c1").await;
    let mut billed = 0;
    for (id, text) in [("m1", "short".to_owned()), ("m2", "x".repeat(6_000))] {
        billed += house.send("c1", id, &text).await.json["billed"].as_i64().unwrap();
    }
    house.send("c1", "m1", "short").await;
    assert_eq!(billed, 3);
    let item = json!({"at": "2027-01-15T08:00:00.000Z", "app": house.alpha.app.app.to_string(), "meter": "msg_sent", "quantity": 3});
    for query in ["", "?group=hour&from=2027-01-15T08:00:00Z", "?from=2027-01-15&to=2027-01-16"] {
        assert_eq!(house.get(house.key(), &format!("/v1/usage{query}")).await.json["items"], json!([item]), "{query}");
    }
    let day = house.get(house.key(), "/v1/usage?group=day").await.json;
    assert_eq!((&day["items"][0]["at"], &day["items"][0]["quantity"]), (&json!("2027-01-15T00:00:00.000Z"), &json!(3)));
    assert_eq!(
        house.get(house.key(), "/v1/usage?from=2027-01-14&to=2027-01-15T08:00:00Z").await.json["items"],
        json!([])
    );

    let stats = house.get(house.key(), "/v1/stats").await.json;
    assert_eq!(
        (&stats["msg_sent"], &stats["connections"], &stats["hour"]),
        (&json!(3), &json!(0), &json!("2027-01-15T08:00:00.000Z"))
    );
    let series = house.get(house.key(), "/v1/stats/series?metric=msg_sent&step=hour").await.json;
    let points = series["points"].as_array().unwrap();
    assert_eq!((points.len(), &points[23]["value"], &points[22]["value"]), (24, &json!(3), &json!(0)));
    assert!(house.get(house.key(), "/v1/stats/series?metric=connections&step=minute").await.json["points"].is_array());
}

#[actix_web::test]
async fn a_minted_token_ends_when_it_says() {
    let house = House::new().await;
    house.group("c1").await;
    let answer = house.post(house.key(), "/v1/tokens", json!({"user": "alice", "ttl_s": 60})).await;
    assert_eq!(answer.json["expires_at"], "2027-01-15T08:01:00.000Z");
    let token = answer.json["token"].as_str().unwrap();
    assert_eq!(house.get(token, "/v1/conversations/c1").await.status, 200);
    house.pass(121_000);
    let late = house.get(token, "/v1/conversations/c1").await;
    assert_eq!((late.status, late.code()), (401, "token_expired"));
}

#[actix_web::test]
async fn the_document_is_served_to_anybody() {
    let house = House::new().await;
    let answer = house.raw(Method::GET, "/v1/openapi.json", &[], Vec::new()).await;
    assert_eq!((answer.status, &answer.json["openapi"]), (200, &json!("3.1.0")));
}
