//! `X-Forwarded-For`: whom the server takes for the client, in limits, the audit log and the last use of keys.

use crate::support::page::{Console, token};
use crate::support::rest::{Answer, Rest, answer};
use crate::support::{TestServer, until};
use reqwest::Method;
use serde_json::{Value, json};

/// Reports of leaked keys that an address may make in a minute.
const REPORTS: usize = 10;
/// And guesses of a password.
const GUESSES: usize = 20;

/// A server that believes these networks.
async fn behind(networks: &str) -> TestServer {
    let mut server = TestServer::spawn().await;
    server.kill();
    server.env.push(("TOKENIM_SERVER__TRUSTED_PROXIES", networks.to_owned()));
    server.start().await;
    server
}

async fn call(rest: &Rest, method: Method, path: &str, body: &Value, forwarded: &[&str]) -> Answer {
    let mut request = rest.request(method, path).json(body);
    for line in forwarded {
        request = request.header("x-forwarded-for", *line);
    }
    answer(request).await
}

/// A report that changes nothing, counted under the client's address.
async fn report(server: &TestServer, forwarded: &str) -> u16 {
    let body = json!({"key": "none of ours"});
    call(&server.rest(), Method::POST, "/v1/keys/report-leak", &body, &[forwarded]).await.status
}

/// The address that the audit log has for a write with these header lines.
async fn audited(manager: &Rest, forwarded: &[&str]) -> Value {
    let new = json!({"name": "Another", "mode": "test"});
    let made = call(manager, Method::POST, "/v1/manage/apps", &new, forwarded).await.ok();
    let id = made["id"].as_str().unwrap();
    let named = format!("/v1/manage/apps/{id}?name=Another");
    call(manager, Method::DELETE, &named, &Value::Null, forwarded).await;
    let audit = manager.get("/v1/manage/audit?action=app.created&limit=200").await.ok();
    let rows = audit["items"].as_array().unwrap();
    rows.iter().find(|row| row["object"] == id).unwrap_or_else(|| panic!("{audit}"))["address"].clone()
}

#[tokio::test]
async fn whoever_is_not_trusted_is_taken_for_themselves() {
    for networks in [None, Some("10.0.0.0/8,2001:db8::/32")] {
        let server = match networks {
            Some(networks) => behind(networks).await,
            None => TestServer::spawn().await,
        };
        let manager = server.rest_as(&server.manager(&server.founded).await.secret);
        for forwarded in [&["203.0.113.9"][..], &["10.0.0.1"], &["203.0.113.9, 10.0.0.1", "127.0.0.1"], &["::1"]] {
            assert_eq!(audited(&manager, forwarded).await, "127.0.0.1", "{networks:?} {forwarded:?}");
        }
        for at in 0..REPORTS {
            assert_eq!(report(&server, &format!("203.0.113.{at}")).await, 200);
        }
        assert_eq!(report(&server, "198.51.100.1").await, 429, "another name for the same address");
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_its_own() {
    let server = behind("127.0.0.0/8, 10.0.0.0/8,2001:db8:1::/48").await;
    let manager = server.rest_as(&server.manager(&server.founded).await.secret);
    for (forwarded, expected) in [
        (&["203.0.113.9"][..], "203.0.113.9"),
        (&["1.1.1.1, 203.0.113.9, 10.0.0.1"], "203.0.113.9"),
        (&["1.1.1.1", "2001:db8:2::7", "2001:db8:1::1"], "2001:db8:2::7"),
        (&["::ffff:203.0.113.9"], "203.0.113.9"),
        (&["garbage"], "127.0.0.1"),
        (&["203.0.113.9, garbage"], "127.0.0.1"),
        (&[""], "127.0.0.1"),
        (&[], "127.0.0.1"),
    ] {
        assert_eq!(audited(&manager, forwarded).await, expected, "{forwarded:?}");
    }
    // What a client writes itself stands left of what its proxy adds, and changes nothing.
    for at in 0..REPORTS {
        assert_eq!(report(&server, &format!("192.0.2.{at}, 203.0.113.9")).await, 200);
    }
    assert_eq!(report(&server, "192.0.2.99, 203.0.113.9").await, 429);
    assert_eq!(report(&server, "203.0.113.10").await, 200, "its neighbour is not concerned");

    let new = json!({"app": server.founded.app, "name": "used", "scopes": ["*"]});
    let key = manager.post("/v1/manage/keys", &new).await.ok();
    let rest = server.rest_as(key["secret"].as_str().unwrap());
    assert_eq!(call(&rest, Method::GET, "/v1/stats", &Value::Null, &["203.0.113.9"]).await.status, 200);
    let from = until(async || {
        let keys = manager.get("/v1/manage/keys").await.ok();
        let shown = keys["items"].as_array().unwrap().iter().find(|shown| shown["id"] == key["id"]).unwrap().clone();
        shown["last_used_from"].as_str().map(str::to_owned)
    })
    .await;
    assert_eq!(from, "203.0.113.9");
}

#[tokio::test]
async fn guesses_are_counted_by_the_address_of_the_client() {
    let server = behind("127.0.0.1").await;
    let mut console = Console::new(&server);
    let mut guess = async |from: &str, at: usize| {
        console.forwarded_for = Some(from.to_owned());
        let form = console.get("/sign-in").await;
        let email = format!("nobody{at}@example.com");
        let fields = [("csrf", token(&form)), ("email", email.as_str()), ("password", "a guess of many letters")];
        console.post("/sign-in", &fields).await.status
    };
    for at in 0..GUESSES {
        assert_eq!(guess(&format!("192.0.2.{at}, 203.0.113.9"), at).await, 401);
    }
    assert_eq!(guess("203.0.113.9", GUESSES).await, 429);
    assert_eq!(guess("203.0.113.10", GUESSES).await, 401, "its neighbour is not concerned");
}

#[tokio::test]
async fn ten_thousand_hops_are_answered_and_not_followed() {
    let server = behind("127.0.0.0/8, 10.0.0.0/8").await;
    let manager = server.rest_as(&server.manager(&server.founded).await.secret);
    let hops: Vec<_> = (0..10_000).map(|at| format!("10.0.{}.{}", at / 256, at % 256)).collect();
    let line = format!("203.0.113.9,{}", hops.join(","));
    let address = audited(&manager, &[&line]).await;
    assert!(address.as_str().unwrap().starts_with("10.0."), "{address}: none that is far is believed");
    assert_eq!(audited(&manager, &["203.0.113.9"]).await, "203.0.113.9");
}
