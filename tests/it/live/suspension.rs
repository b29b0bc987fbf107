//! Suspensions, of an org by the service's operator and of an app by its owner: who is connected is closed, every call is
//! refused, the provisioning API goes on, and all of it comes back; and what is deleted, which does not.

use super::{assert_open, ended, refused};
use crate::support::page::Console;
use crate::support::rest::{Answer, Rest, answer};
use crate::support::token::user_token;
use crate::support::{Client, TestServer, until};
use reqwest::Method;
use serde_json::{Value, json};

const WHY: &str = "does not pay";

async fn set_org(operator: &Rest, org: &str, word: &str) -> Answer {
    let path = format!("/v1/manage/orgs/{org}/{word}");
    answer(operator.request(Method::POST, &path).header("x-reason", WHY).json(&json!({}))).await
}

async fn set_app(manager: &Rest, app: &str, is_suspended: bool) -> Answer {
    let path = format!("/v1/manage/apps/{app}");
    answer(manager.request(Method::PATCH, &path).json(&json!({"suspended": is_suspended}))).await
}

/// Two connections of the first org, with what they are closed and refused with; another org's goes on.
async fn assert_shut(server: &TestServer, clients: &mut [Client], code: &str, reason: Value) {
    for client in clients {
        assert_eq!(ended(client).await, (4410, code.to_owned()));
    }
    let (error, closed) = refused(Client::open(server).await, json!({"token": server.token("alice")})).await;
    assert_eq!((&error["code"], &error["reason"], closed), (&json!(code), &reason, 4410));
    for credential in [&server.founded.key, &server.token("alice")] {
        for path in ["/v1/conversations/c", "/v1/conversations/c/messages"] {
            let rest = server.rest_as(credential);
            // Who is connected may be closed by the look before the one that has REST calls refused.
            let refused = async || Some(rest.get(path).await).filter(|answer| answer.status != 200);
            let answer = until(refused).await;
            assert_eq!((answer.refusal(), &answer.json()["error"]["reason"]), ((403, code.to_owned()), &reason));
        }
    }
}

/// Waits until connecting and calling work again.
async fn assert_reopened(server: &TestServer) {
    until(async || {
        let mut client = Client::open(server).await;
        let id = client.start("connect", json!({"token": server.token("alice")})).await;
        client.reply(id).await.get("ok").map(drop)
    })
    .await;
    until(async || (server.rest().get("/v1/conversations/c").await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn a_suspended_org_is_shut_and_a_resumed_one_opens() {
    let server = TestServer::spawn().await;
    server.group("c", &["alice"]).await;
    let mut clients = [server.connect("alice").await, server.connect("bob").await];
    let mut theirs = Client::connect(&server, &user_token(&server.other, "carol")).await;
    let (operator, manager) = (server.operator(), server.rest_as(&server.manager(&server.founded).await.secret));
    set_org(&operator, &server.founded.org, "suspend").await.ok();
    assert_shut(&server, &mut clients, "org_suspended", json!(WHY)).await;
    assert_eq!(manager.get("/v1/manage/usage").await.status, 200, "the provisioning API goes on");
    assert_open(&mut theirs).await;
    let page = Console::sign_in(&server, &server.founded).await.get("/console/overview").await;
    assert!(page.text.contains("suspended, because: does not pay"), "the people are told: {}", page.text);
    let page = Console::sign_in(&server, &server.other).await.get("/console/overview").await;
    assert!(!page.text.contains("is suspended"), "{}", page.text);
    set_org(&operator, &server.founded.org, "resume").await.ok();
    assert_reopened(&server).await;
}

#[tokio::test]
async fn a_suspended_app_is_shut_and_a_resumed_one_opens() {
    let server = TestServer::spawn().await;
    server.group("c", &["alice"]).await;
    let mut clients = [server.connect("alice").await, server.connect("bob").await];
    let mut theirs = Client::connect(&server, &user_token(&server.other, "carol")).await;
    let manager = server.rest_as(&server.manager(&server.founded).await.secret);
    set_app(&manager, &server.founded.app, true).await.ok();
    assert_shut(&server, &mut clients, "app_suspended", Value::Null).await;
    assert_open(&mut theirs).await;
    set_app(&manager, &server.founded.app, false).await.ok();
    assert_reopened(&server).await;
}

#[tokio::test]
async fn a_deleted_app_is_shut_for_good() {
    let server = TestServer::spawn().await;
    server.group("c", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    let session = alice.session().to_owned();
    let mut theirs = Client::connect(&server, &user_token(&server.other, "carol")).await;
    let manager = server.rest_as(&server.manager(&server.founded).await.secret);
    manager.delete(&format!("/v1/manage/apps/{}?name=Ada%20App", server.founded.app)).await.ok();
    assert_eq!(ended(&mut alice).await, (4410, "app_suspended".to_owned()));
    for credential in [json!({"token": server.token("alice")}), json!({"session": session})] {
        let (error, closed) = refused(Client::open(&server).await, credential).await;
        assert_eq!((&error["code"], closed), (&json!("token_revoked"), 4102));
    }
    until(async || {
        let answer = server.rest().get("/v1/conversations/c").await;
        assert!(matches!(answer.status, 401 | 403), "{answer:?}");
        (answer.refusal().1 == "key_revoked").then_some(())
    })
    .await;
    assert_open(&mut theirs).await;
}
