//! How many connections a user has at a time, as the app decides.

use super::{assert_open, ended};
use crate::support::page::Console;
use crate::support::rest::answer;
use crate::support::{Client, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

/// A server whose app has that rule from the start.
async fn with_rule(rule: &str) -> TestServer {
    let mut server = TestServer::spawn().await;
    let manager = server.manager(&server.founded).await;
    let path = format!("/v1/manage/apps/{}", server.founded.app);
    let request = server.rest_as(&manager.secret).request(Method::PATCH, &path).json(&json!({"logins": rule}));
    assert_eq!(answer(request).await.ok()["logins"], rule);
    // A process that runs learns of it within two seconds, one that starts at once.
    server.kill();
    server.start().await;
    server
}

async fn on(server: &TestServer, user: &str, mut fields: Value) -> Client {
    fields["token"] = server.token(user).into();
    Client::connect_with(server, fields).await
}

fn replaced() -> (u16, String) {
    (4409, "replaced".to_owned())
}

#[tokio::test]
async fn a_newer_login_ends_those_of_its_platform_and_no_other() {
    let server = with_rule("platforms").await;
    server.group("c1", &["alice", "bob"]).await;
    let mut phone = on(&server, "bob", json!({"device": "d1", "platform": "ios"})).await;
    let mut desk = on(&server, "bob", json!({"device": "d2", "platform": "web"})).await;
    let mut nameless = on(&server, "bob", json!({"device": "d3"})).await;
    let mut alice = on(&server, "alice", json!({"device": "d1", "platform": "ios"})).await;
    let mut newer = on(&server, "bob", json!({"device": "d4", "platform": "ios"})).await;
    assert_eq!(ended(&mut phone).await, replaced());
    let mut other = on(&server, "bob", json!({"device": "d5"})).await;
    assert_eq!(ended(&mut nameless).await, replaced());
    alice.send("c1", "m1", "x").await;
    for client in [&mut desk, &mut newer, &mut other] {
        assert_eq!(client.push_of("message").await["seq"], 2);
    }
    // A session that resumes is a login as well: it names its platform like any other.
    let session = desk.session().to_owned();
    let _again = Client::connect_with(&server, json!({"session": session, "platform": "web"})).await;
    assert_eq!(ended(&mut desk).await, replaced());
}

#[tokio::test]
async fn one_login_at_a_time_over_sockets_and_streams_whatever_the_race() {
    let server = with_rule("one").await;
    let mut first = on(&server, "bob", json!({"device": "d1", "platform": "ios"})).await;
    let stream = server.rest_as(&server.token("bob")).request(Method::GET, "/v1/stream?device=d2&platform=web");
    let mut stream = stream.send().await.unwrap();
    assert_eq!(stream.status(), 200);
    assert_eq!(ended(&mut first).await, replaced());
    let _third = on(&server, "bob", json!({"device": "d3"})).await;
    let mut told = String::new();
    while let Some(bytes) = stream.chunk().await.unwrap() {
        told.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    assert!(told.contains("event: close") && told.contains(r#""close":4409"#), "{told}");
    // Many at once: one is left.
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(Client::open(&server).await);
    }
    for client in &mut clients {
        client.start("connect", json!({"token": server.token("bob")})).await;
    }
    let rest = server.rest();
    crate::support::until(async || (rest.get("/v1/stats").await.ok()["connections"] == 1).then_some(())).await;
}

#[tokio::test]
async fn without_a_rule_a_user_has_all_its_devices() {
    let server = TestServer::spawn().await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(on(&server, "bob", json!({"device": "same", "platform": "ios"})).await);
    }
    for client in &mut clients {
        assert_open(client).await;
    }
    let wrong = Client::open(&server).await.refused("connect", json!({"token": "x", "platform": "not an id"})).await;
    assert_eq!((&wrong["code"], &wrong["param"]), (&json!("invalid_field"), &json!("platform")));
}

#[tokio::test]
async fn the_console_shows_and_sets_the_rule() {
    let server = TestServer::spawn().await;
    let mut console = Console::sign_in(&server, &server.founded).await;
    let page = format!("/console/apps/{}", server.founded.app);
    let checked = async |console: &mut Console| {
        let text = console.get(&page).await.text;
        let tag = text.split('<').find(|tag| tag.contains("name=\"logins\"") && tag.contains(" checked")).unwrap();
        tag.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    assert_eq!(checked(&mut console).await, "devices");
    assert_eq!(console.send(&format!("{page}/logins"), &[("logins", "platforms")]).await.status, 303);
    assert_eq!(checked(&mut console).await, "platforms");
    assert!(console.send(&format!("{page}/logins"), &[("logins", "two")]).await.status >= 400);
    assert_eq!(checked(&mut console).await, "platforms");
    assert!(console.get("/console/audit").await.text.contains("platforms"), "the audit log has it");
    let manager = server.manager(&server.founded).await;
    let request =
        server.rest_as(&manager.secret).request(Method::PATCH, &format!("/v1/manage/apps/{}", server.founded.app));
    let refusal = answer(request.json(&json!({"logins": "two"}))).await;
    assert_eq!(refusal.refusal(), (422, "invalid_field".to_owned()));
}
