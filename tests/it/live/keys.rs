//! Keys: the end of a signing key closes what it signed for, by revocation and by time; a server key takes its tokens only
//! when it is revoked.

use super::{SOON, assert_open, ended, ended_stream, refused, stream};
use crate::support::page::Console;
use crate::support::template::Founded;
use crate::support::token::{now_ms, now_s, sign};
use crate::support::wait::within_at_most;
use crate::support::{Client, Rest, TestServer, until};
use serde_json::{Value, json};
use std::time::Duration;
use tokenim_protocol::time;

/// Seconds that a key lives or works on in these tests, and that one which was planned to end does: long enough to connect.
const GRACE_S: i64 = 3;
const PLANNED_S: i64 = 8;

/// A new signing key of the org's app, as it was answered.
async fn signing_key(manager: &Rest, of: &Founded, expires_at: Option<String>) -> Value {
    let new = json!({"app": of.app, "name": "second", "algorithm": "HS256", "expires_at": expires_at});
    manager.post("/v1/manage/signing-keys", &new).await.ok()
}

/// A token that such a key signed.
fn signed(of: &Founded, key: &Value, user: &str) -> String {
    let kid = key["id"].as_str().unwrap();
    let claims = json!({"iss": kid, "aud": of.app, "sub": user, "iat": now_s(), "exp": now_s() + 3_600});
    sign(kid, &claims, key["secret"].as_str().unwrap())
}

/// A new server key, its secret and a token that it asked for.
async fn minted(server: &TestServer, manager: &Rest, user: &str) -> (Value, Rest, String) {
    let new = json!({"app": server.founded.app, "name": "backend", "scopes": ["*"]});
    let key = manager.post("/v1/manage/keys", &new).await.ok();
    let rest = server.rest_as(key["secret"].as_str().unwrap());
    let token = rest.post("/v1/tokens", &json!({"user": user})).await.ok()["token"].as_str().unwrap().to_owned();
    (key, rest, token)
}

#[tokio::test]
async fn a_revoked_signing_key_closes_what_it_signed_for_and_nothing_else() {
    let server = TestServer::spawn().await;
    let manager = server.rest_as(&server.manager(&server.founded).await.secret);
    let mut console = Console::sign_in(&server, &server.founded).await;
    let mut alice = server.connect("alice").await;
    for by_console in [false, true] {
        let key = signing_key(&manager, &server.founded, None).await;
        let token = signed(&server.founded, &key, "bob");
        let mut bob = Client::connect(&server, &token).await;
        let session = bob.session().to_owned();
        let mut resumed = Client::connect_with(&server, json!({"session": session})).await;
        // Somebody who was given a token of another key before goes on.
        let mut refreshed = Client::connect(&server, &token).await;
        refreshed.ok("refresh", json!({"token": server.token("bob")})).await;
        let without_a_socket = stream(&server, &token).await;
        let id = key["id"].as_str().unwrap();
        if by_console {
            let path = format!("/console/apps/{}/signing-keys/{id}/revoke", server.founded.app);
            assert_eq!(console.send(&path, &[]).await.status, 303);
        } else {
            manager.post(&format!("/v1/manage/signing-keys/{id}/revoke"), &json!({})).await.ok();
        }
        // All of them at once: one that waited for the others would be given more time.
        let ends = tokio::join!(ended(&mut bob), ended(&mut resumed), ended_stream(without_a_socket));
        let closed = (4102, "token_revoked".to_owned());
        assert_eq!(ends, (closed.clone(), closed, json!({"close": 4102, "code": "token_revoked"})));
        for credential in [json!({"token": token}), json!({"session": session})] {
            assert_eq!(refused(Client::open(&server).await, credential).await.1, 4102);
        }
        assert_open(&mut refreshed).await;
        assert_open(&mut alice).await;
    }
}

#[tokio::test]
async fn a_signing_key_that_reaches_its_end_closes_what_it_signed_for() {
    let server = TestServer::spawn().await;
    let manager = server.rest_as(&server.manager(&server.founded).await.secret);
    let mut alice = server.connect("alice").await;
    let planned = time::rfc3339(now_ms() + PLANNED_S * 1_000);
    let planned = signing_key(&manager, &server.founded, Some(planned)).await;
    let rotated = signing_key(&manager, &server.founded, None).await;
    let mut clients = Vec::new();
    for key in [&rotated, &planned] {
        clients.push(Client::connect(&server, &signed(&server.founded, key, "bob")).await);
    }
    let rotate = format!("/v1/manage/signing-keys/{}/rotate", rotated["id"].as_str().unwrap());
    let successor = manager.post(&rotate, &json!({"grace_s": GRACE_S})).await.ok();
    let mut carol = Client::connect(&server, &signed(&server.founded, &successor, "carol")).await;
    // Whoever fetched a token of the successor in time stays.
    let mut moved = Client::connect(&server, &signed(&server.founded, &successor, "bob")).await;
    let listed = manager.get(&format!("/v1/manage/signing-keys?app={}", server.founded.app)).await.ok();
    for (client, key) in clients.iter_mut().zip([&rotated, &planned]) {
        let mut shown = listed["items"].as_array().unwrap().iter();
        let shown = shown.find(|shown| shown["id"] == key["id"]).unwrap();
        let ends_ms = time::parse(shown["expires_at"].as_str().unwrap()).unwrap();
        let closed = within_at_most(Duration::from_secs(PLANNED_S as u64) + SOON, client.closed()).await;
        assert_eq!((closed.code, closed.why()), (4102, "token_revoked".to_owned()));
        assert!((ends_ms..=ends_ms + SOON.as_millis() as i64).contains(&now_ms()), "at its end, and soon after");
        let again = refused(Client::open(&server).await, json!({"token": signed(&server.founded, key, "bob")})).await;
        assert_eq!((&again.0["code"], again.1), (&json!("token_revoked"), 4102));
    }
    for client in [&mut alice, &mut carol, &mut moved] {
        assert_open(client).await;
    }
}

#[tokio::test]
async fn a_server_key_takes_its_tokens_when_it_is_revoked_and_leaves_them_when_it_is_replaced() {
    let server = TestServer::spawn().await;
    let manager = server.rest_as(&server.manager(&server.founded).await.secret);
    let mut alice = server.connect("alice").await;
    let (replaced, old, token) = minted(&server, &manager, "bob").await;
    let mut bob = Client::connect(&server, &token).await;
    let rotate = format!("/v1/manage/keys/{}/rotate", replaced["id"].as_str().unwrap());
    let successor = manager.post(&rotate, &json!({"grace_s": 1})).await.ok();
    let refusal = until(async || Some(old.get("/v1/stats").await).filter(|answer| answer.status != 200)).await;
    assert_eq!(refusal.refusal(), (401, "key_rotated".to_owned()));
    assert_eq!(server.rest_as(successor["secret"].as_str().unwrap()).get("/v1/stats").await.status, 200);
    assert_open(&mut bob).await;
    let mut again = Client::connect(&server, &token).await;

    let (leaked, _, token) = minted(&server, &manager, "carol").await;
    let (at_once, _, other) = minted(&server, &manager, "dave").await;
    let (mut carol, mut dave) = (Client::connect(&server, &token).await, Client::connect(&server, &other).await);
    let (session, without_a_socket) = (carol.session().to_owned(), stream(&server, &token).await);
    manager.post(&format!("/v1/manage/keys/{}/revoke", leaked["id"].as_str().unwrap()), &json!({})).await.ok();
    let (closed, last) = tokio::join!(ended(&mut carol), ended_stream(without_a_socket));
    assert_eq!((closed.0, closed.1.as_str()), (4102, "token_revoked"));
    assert_eq!(last, json!({"close": 4102, "code": "token_revoked"}));
    for credential in [json!({"token": token}), json!({"session": session})] {
        assert_eq!(refused(Client::open(&server).await, credential).await.1, 4102);
    }
    assert_open(&mut dave).await;
    let rotate = format!("/v1/manage/keys/{}/rotate", at_once["id"].as_str().unwrap());
    manager.post(&rotate, &json!({"grace_s": 0})).await.ok();
    assert_eq!(ended(&mut dave).await, (4102, "token_revoked".to_owned()));
    for client in [&mut alice, &mut bob, &mut again] {
        assert_open(client).await;
    }
}

#[tokio::test]
async fn a_server_key_is_refused_from_the_end_it_was_made_with() {
    let server = TestServer::spawn().await;
    let manager = server.rest_as(&server.manager(&server.founded).await.secret);
    let ends_ms = now_ms() + GRACE_S * 1_000;
    let new = json!({
        "app": server.founded.app, "name": "short", "scopes": ["*"], "expires_at": time::rfc3339(ends_ms),
    });
    let key = manager.post("/v1/manage/keys", &new).await.ok();
    let rest = server.rest_as(key["secret"].as_str().unwrap());
    // Asked all the time, so what is known of it is remembered: its end holds all the same.
    let refusal = until(async || {
        let asked_ms = now_ms();
        let answer = rest.get("/v1/stats").await;
        assert!(answer.status != 200 || asked_ms < ends_ms, "used past its end");
        assert!(answer.status == 200 || now_ms() >= ends_ms, "refused before its end");
        Some(answer).filter(|answer| answer.status != 200)
    })
    .await;
    assert_eq!(refusal.refusal(), (401, "key_expired".to_owned()));
}
