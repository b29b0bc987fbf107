//! Keys through the front door: on their pages and over the provisioning API, with a real server's clock.

use crate::support::page::{Console, nonce, token};
use crate::support::rest::Answer;
use crate::support::wait::within_at_most;
use crate::support::{Client, Rest, TestServer, until};
use serde_json::json;
use std::time::Duration;

/// What is promised of a revoked key: every door is closed to it, and to the tokens it asked for.
const REVOKED_S_MAX: Duration = Duration::from_secs(5);

/// Text between two marks of a page.
fn between<'a>(page: &'a Answer, start: &str, end: &str) -> &'a str {
    let (_, rest) = page.text.split_once(start).unwrap_or_else(|| panic!("no {start} in {}", page.text));
    rest.split(end).next().unwrap()
}

#[tokio::test]
async fn a_key_is_made_on_its_page_shown_once_used_and_revoked() {
    let server = TestServer::spawn().await;
    let mut console = Console::sign_in(&server, &server.founded).await;
    let path = format!("/console/apps/{}/keys", server.founded.app);
    let form = console.get(&path).await;
    assert!(form.text.contains("tim_live_sk_…") && !form.text.contains(&server.founded.key), "hints only");
    let fields = [
        ("csrf", token(&form)),
        ("nonce", nonce(&form)),
        ("name", "backend <1>"),
        ("conversations:read", "on"),
        ("stats:read", "on"),
    ];
    let made = console.post(&path, &fields).await;
    assert_eq!((made.status, made.header("cache-control")), (200, "no-store"));
    let secret = between(&made, "id=\"secret\">", "<").to_owned();
    assert!(secret.starts_with("tim_live_sk_") && secret.len() == 48, "{secret}");
    let again = console.post(&path, &fields).await;
    assert_eq!(again.status, 409);
    assert!(!again.text.contains(&secret), "a reload does not show it again");

    let rest = server.rest_as(&secret);
    assert_eq!(rest.get("/v1/stats").await.status, 200);
    assert_eq!(rest.get("/v1/usage").await.refusal(), (403, "scope_missing".to_owned()));
    let listed = console.get(&path).await;
    assert!(listed.text.contains("backend &#60;1&#62;") && !listed.text.contains(&secret));
    let (_, row) = listed.text.split_once("backend &#60;1&#62;").unwrap();
    let action = row.split("action=\"").find(|part| part.contains("/revoke\"")).unwrap().split('"').next().unwrap();
    let done = console.post(action, &[("csrf", token(&listed)), ("nonce", nonce(&listed))]).await;
    assert_eq!((done.status, done.header("location")), (303, path.as_str()));
    until(async || (rest.get("/v1/stats").await.status == 401).then_some(())).await;
    assert_eq!(rest.get("/v1/stats").await.refusal(), (401, "key_revoked".to_owned()));
}

#[tokio::test]
async fn forms_of_keys_keep_what_was_entered_and_say_what_is_wrong() {
    let server = TestServer::spawn().await;
    let mut console = Console::sign_in(&server, &server.founded).await;
    let app = format!("/console/apps/{}", server.founded.app);
    for (path, fields, status, field) in [
        ("keys", vec![("name", "n-1")], 422, "scopes"),
        ("keys", vec![("name", ""), ("*", "on")], 422, "name"),
        ("keys", vec![("name", "n-1"), ("*", "on"), ("days", "0")], 422, "days"),
        ("signing-keys", vec![("name", "n-1"), ("algorithm", "EdDSA"), ("public_key", "pem")], 422, "public_key"),
        ("origins", vec![("origin", "shop-1/path")], 422, "origin"),
        ("rename", vec![("name", "")], 422, "name"),
        ("delete", vec![("typed_name", "wrong")], 422, "typed_name"),
    ] {
        let holder = if matches!(path, "rename" | "delete") { app.clone() } else { format!("{app}/{path}") };
        let page = console.get(&holder).await;
        let mut form = vec![("csrf", token(&page)), ("nonce", nonce(&page))];
        form.extend(fields.iter().copied());
        let answer = console.post(&format!("{app}/{path}"), &form).await;
        assert_eq!(answer.status, status, "{path} {fields:?}");
        assert!(answer.text.contains(&format!("href=\"#{field}\"")), "{path} {fields:?}");
        for (_, entered) in fields.iter().filter(|(_, entered)| entered.contains("-1")) {
            assert!(answer.text.contains(entered), "{path} keeps {entered}");
        }
    }
    let page = console.get(&format!("{app}/keys")).await;
    let unknown = [("csrf", token(&page)), ("nonce", nonce(&page)), ("name", "x"), ("billing:write", "on")];
    assert_eq!(console.post(&format!("{app}/keys"), &unknown).await.status, 400);
}

#[tokio::test]
async fn a_private_key_is_told_as_such_and_never_repeated() {
    let server = TestServer::spawn().await;
    let mut console = Console::sign_in(&server, &server.founded).await;
    let path = format!("/console/apps/{}/signing-keys", server.founded.app);
    let manager = server.rest_as(&server.manager(&server.founded).await.secret);
    let body = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
    let public = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let armoured = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    for (pem, says, keeps) in [
        (armoured("PRIVATE KEY", body), "is a private key", ""),
        (armoured("EC PRIVATE KEY", body), "is a private key", ""),
        (armoured("PUBLIC KEY", public) + &armoured("PRIVATE KEY", body), "is a private key", ""),
        (body.to_owned(), "not a public key", ""),
        (armoured("PUBLIC KEY", public), "64 characters", public),
    ] {
        // The name is wrong too: whatever is refused first, a private key is not shown again.
        let page = console.get(&path).await;
        let form = [("csrf", token(&page)), ("nonce", nonce(&page))];
        let name = if says == "not a public key" { "backend" } else { "" };
        let fields = [("name", name), ("algorithm", "EdDSA"), ("public_key", pem.as_str())];
        let answer = console.post(&path, &[&form[..], &fields[..]].concat()).await;
        assert_eq!(answer.status, 422, "{pem}");
        assert!(answer.text.contains(says) && !answer.text.contains(body), "{}", answer.text);
        assert!(answer.text.contains(keeps));
        let wanted = json!({"app": server.founded.app, "name": "n", "algorithm": "EdDSA", "public_key": pem});
        let answer = manager.post("/v1/manage/signing-keys", &wanted).await;
        assert!(!answer.text.contains(body), "{}", answer.text);
        if says == "is a private key" {
            assert_eq!((answer.status, answer.json()["error"]["param"].as_str()), (422, Some("public_key")));
            assert!(answer.text.contains("private key"), "{}", answer.text);
        }
    }
    assert!(!server.log().contains(body), "nor is it logged");
}

#[tokio::test]
async fn an_app_is_made_renamed_suspended_resumed_and_deleted_on_its_pages() {
    let server = TestServer::spawn().await;
    let mut console = Console::sign_in(&server, &server.founded).await;
    let form = console.get("/console/apps/new").await;
    let fields = [("csrf", token(&form)), ("nonce", nonce(&form)), ("name", "Second"), ("mode", "test")];
    let made = console.post("/console/apps", &fields).await;
    assert_eq!(made.status, 303);
    let app = made.header("location").strip_suffix("/quickstart").expect("leads to the app's quickstart").to_owned();
    let quickstart = console.get(made.header("location")).await.text;
    assert!(quickstart.contains("data-pane=\"alice\"") && quickstart.contains("const token = &#34;ey"), "{quickstart}");
    assert_eq!(console.post("/console/apps", &fields).await.status, 409, "sent twice, made once");
    for (path, field, shown) in
        [("rename", Some(("name", "Third")), "Third"), ("suspend", None, "suspended"), ("resume", None, "running")]
    {
        let page = console.get(&app).await;
        let mut fields = vec![("csrf", token(&page)), ("nonce", nonce(&page))];
        fields.extend(field);
        assert_eq!(console.post(&format!("{app}/{path}"), &fields).await.status, 303, "{path}");
        assert!(console.get(&app).await.text.contains(shown), "{path}");
    }
    let page = console.get(&app).await;
    let fields = [("csrf", token(&page)), ("nonce", nonce(&page)), ("typed_name", "Third")];
    assert_eq!(console.post(&format!("{app}/delete"), &fields).await.header("location"), "/console/apps");
    assert_eq!(console.get(&app).await.status, 404);
    assert!(!console.get("/console/apps").await.text.contains("Third"));
}

#[tokio::test]
async fn a_revoked_key_is_refused_within_five_seconds_everywhere() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let manager = server.rest_as(&server.manager(&server.founded).await.secret);
    let new = json!({"app": server.founded.app, "name": "leaky", "scopes": ["*"]});
    let first = manager.post_once("/v1/manage/keys", "k", &new).await.ok();
    let again = manager.post_once("/v1/manage/keys", "k", &new).await;
    assert_eq!((again.header("idempotent-replayed"), again.ok()), ("true", first.clone()));
    let key = server.rest_as(first["secret"].as_str().unwrap());
    let token = key.post("/v1/tokens", &json!({"user": "alice"})).await.ok()["token"].as_str().unwrap().to_owned();
    let alice = server.rest_as(&token);
    assert_eq!((key.get("/v1/stats").await.status, alice.get("/v1/conversations/c1").await.status), (200, 200));
    let mut client = Client::connect(&server, &token).await;
    let session = server.rest_as(client.session());
    assert_eq!(session.get("/v1/conversations/c1").await.status, 200);

    manager.post(&format!("/v1/manage/keys/{}/revoke", first["id"].as_str().unwrap()), &json!({})).await.ok();
    let refused = until(async || {
        let mut refused = true;
        for (rest, code) in [(&key, "key_revoked"), (&alice, "token_revoked"), (&session, "token_revoked")] {
            let answer = rest.get("/v1/conversations/c1").await;
            refused &= answer.status == 401 && answer.refusal().1 == code;
        }
        refused.then_some(())
    });
    let (closed, ()) = within_at_most(REVOKED_S_MAX, async { tokio::join!(client.closed(), refused) }).await;
    assert_eq!((closed.code, closed.why().as_str()), (4102, "token_revoked"));
    assert_eq!(server.rest().get("/v1/stats").await.status, 200, "other keys stand");
}

#[tokio::test]
async fn the_owners_of_a_key_that_leaked_are_told_by_mail() {
    let server = TestServer::spawn().await;
    let mut console = Console::new(&server);
    let owner = server.manager(&server.founded).await;
    for key in [&owner.secret, &server.founded.key] {
        let report = Rest::new(&server.url, "nobody").post("/v1/keys/report-leak", &json!({"key": key})).await;
        assert_eq!(report.ok(), json!({"received": true}));
        let hint = &key[key.len() - 4..];
        until(async || {
            let list = console.get("/dev/mail").await.text;
            for href in list.split("href=\"/dev/mail/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
                let mail = console.get(&format!("/dev/mail/{href}")).await.text;
                if mail.contains("ada") && mail.contains(hint) {
                    return Some(());
                }
            }
            None
        })
        .await;
    }
}
