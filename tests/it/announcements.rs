//! Announcements through the front door: operators write them by key, everybody reads them in the console.

use crate::support::page::Console;
use crate::support::rest::{Answer, Rest, answer};
use crate::support::server::TestServer;
use crate::support::token::now_s;
use reqwest::Method;
use serde_json::{Value, json};
use tokenim_protocol::time::rfc3339;

const PATH: &str = "/v1/manage/announcements";

fn new(severity: &str) -> Value {
    json!({
        "severity": severity, "title_en": format!("{severity} <b>in English</b>"), "title_zh": "中文标题",
        "text_en": "one\ntwo", "text_zh": "一\n二", "ends_at": "2099-01-01",
    })
}

/// One that ends in an hour.
fn hour(severity: &str) -> Value {
    let mut body = new(severity);
    body["ends_at"] = json!(in_seconds(3_600));
    body
}

/// One that begins in half an hour and ends in an hour.
fn planned(severity: &str) -> Value {
    let mut body = hour(severity);
    body["starts_at"] = json!(in_seconds(1_800));
    body
}

fn in_seconds(seconds: u64) -> String {
    rfc3339(i64::try_from(now_s() + seconds).unwrap() * 1_000)
}

async fn call(rest: &Rest, method: Method, path: &str, body: &Value) -> Answer {
    answer(rest.request(method, path).header("x-reason", "planned work").json(body)).await
}

#[tokio::test]
async fn every_org_reads_what_operators_announce_until_they_end_it() {
    let server = TestServer::spawn().await;
    let operator = server.operator();
    let info = call(&operator, Method::POST, PATH, &hour("info")).await.ok();
    let warning = call(&operator, Method::POST, PATH, &hour("warning")).await.ok();
    assert_eq!((&info["state"], &info["text_en"]), (&json!("shown"), &json!("one\ntwo")));
    for founded in [&server.founded, &server.other] {
        let mut console = Console::sign_in(&server, founded).await;
        let overview = console.get("/console/overview").await.text;
        assert!(
            overview.contains("info &#60;b&#62;in English&#60;/b&#62;") && overview.contains("one\ntwo"),
            "{overview}"
        );
        for path in ["/console/overview", "/console/usage", "/console/account"] {
            assert!(console.get(path).await.text.contains("warning &#60;b&#62;in English"), "{path}");
        }
        assert!(console.get("/console/usage?lang=zh-CN").await.text.contains("中文标题"));
    }
    let of = |made: &Value| format!("{PATH}/{}", made["id"].as_str().unwrap());
    let mut changed = hour("info");
    changed["title_en"] = json!("Other words");
    changed["starts_at"] = info["starts_at"].clone();
    assert_eq!(call(&operator, Method::PUT, &of(&info), &changed).await.ok()["title_en"], "Other words");
    let ended = call(&operator, Method::POST, &(of(&warning) + "/end"), &json!({})).await.ok();
    assert_eq!(ended["state"], "ended");
    let mut console = Console::sign_in(&server, &server.founded).await;
    let overview = console.get("/console/overview").await.text;
    assert!(overview.contains("Other words") && !overview.contains("warning &#60;b"), "{overview}");
    let first = operator.get(&format!("{PATH}?limit=1")).await.ok();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = operator.get(&format!("{PATH}?cursor={cursor}")).await.ok();
    assert_eq!(second["next_cursor"], Value::Null);
    // Both may be of one millisecond, and then their ids are in no order.
    let mut listed = [&first, &second].map(|page| page["items"][0]["id"].as_str().unwrap());
    let mut made = [&info, &warning].map(|made| made["id"].as_str().unwrap());
    listed.sort_unstable();
    made.sort_unstable();
    assert_eq!(listed, made);
}

#[tokio::test]
async fn writing_a_planned_one_anew_names_its_beginning() {
    let server = TestServer::spawn().await;
    let operator = server.operator();
    let made = call(&operator, Method::POST, PATH, &planned("info")).await.ok();
    let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
    let mut whole = planned("info");
    whole["title_en"] = json!("Without the typo");
    let mut half = whole.clone();
    half.as_object_mut().unwrap().remove("starts_at");
    let refused = call(&operator, Method::PUT, &path, &half).await;
    assert_eq!((refused.status, &refused.json()["error"]["param"]), (422, &json!("starts_at")));
    assert_eq!(operator.get(&path).await.ok(), made, "nothing changed");
    let changed = call(&operator, Method::PUT, &path, &whole).await.ok();
    assert_eq!((&changed["state"], &changed["title_en"]), (&json!("planned"), &json!("Without the typo")));
    whole["starts_at"] = json!("0001-01-01");
    let begun = call(&operator, Method::PUT, &path, &whole).await.ok();
    assert!(begun["state"] == "shown" && begun["starts_at"].as_str() >= made["created_at"].as_str(), "{begun}");
    assert_eq!(call(&operator, Method::PUT, &path, &whole).await.ok(), begun, "it keeps its start");
}

#[tokio::test]
async fn what_cannot_be_announced_changes_nothing() {
    let server = TestServer::spawn().await;
    let operator = server.operator();
    assert_eq!(operator.post(PATH, &hour("info")).await.json()["error"]["param"], "X-Reason");
    let mut wrong = vec![(new("info"), "ends_at"), (hour("panic"), "severity")];
    for (field, value) in [
        ("title_en", " "),
        ("title_zh", "a\nb"),
        ("title_zh", "\u{200b}"),
        ("title_en", "\u{202e}sdrawkcab"),
        ("text_en", ""),
        ("starts_at", "2099-01-01"),
        ("ends_at", "2020-01-01"),
    ] {
        let mut body = hour("info");
        body[field] = json!(value);
        wrong.push((body, field));
    }
    for (body, field) in wrong {
        let refused = call(&operator, Method::POST, PATH, &body).await;
        assert_eq!((refused.refusal().1.as_str(), &refused.json()["error"]["param"]), ("invalid_field", &json!(field)));
    }
    let made = call(&operator, Method::POST, PATH, &hour("info")).await.ok();
    let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
    call(&operator, Method::POST, &format!("{path}/end"), &json!({})).await.ok();
    for (method, path, body) in
        [(Method::POST, format!("{path}/end"), json!({})), (Method::PUT, path.clone(), planned("info"))]
    {
        assert_eq!(call(&operator, method, &path, &body).await.refusal(), (409, "conflict".to_owned()));
    }
    let nothing = format!("{PATH}/ann_00000000000000000000000001/end");
    assert_eq!(call(&operator, Method::POST, &nothing, &json!({})).await.refusal().0, 404);
    assert_eq!(operator.get(&format!("{PATH}/ann_00000000000000000000000001")).await.refusal().0, 404);
    assert_eq!(operator.get(&path).await.ok()["state"], "ended");
    let manager = server.rest_as(&server.manager(&server.founded).await.secret);
    for path in [PATH, path.as_str()] {
        assert_eq!(manager.get(path).await.refusal(), (403, "forbidden".to_owned()));
    }
    assert_eq!(call(&manager, Method::POST, PATH, &hour("info")).await.refusal().0, 403);
    assert_eq!(operator.get(PATH).await.ok()["items"].as_array().unwrap().len(), 1);
}
