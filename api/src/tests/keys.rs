//! Keys of apps: scopes, ends, replacement, leaks, and apps that are suspended or deleted.

use super::house::{Answer, House};
use super::sample::{app, sample, server_key};
use crate::{Who, routes};
use actix_web::http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokenim_domain::mail::Matter;
use tokenim_domain::scope::{Scope, Scopes};
use tokenim_domain::secret::Secret;

const KEYS: &str = "/v1/manage/keys";
const CONVERSATION: &str = "/v1/conversations/c1";

fn id(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["id"].as_str().unwrap()
}

fn secret(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["secret"].as_str().unwrap()
}

/// Waits for an answer that follows a change: the node learns of it by a clock that is not in hand.
async fn answers(house: &House, credential: &str, expected: (u16, &str)) {
    let asked = async {
        loop {
            let answer = house.get(credential, CONVERSATION).await;
            if (answer.status, answer.code()) == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.expect("the change arrives");
}

async fn new_key(house: &House, manager: &str, more: Value) -> Answer {
    let mut body = json!({"app": house.alpha.app.app.to_string(), "name": "ci", "scopes": ["*"]});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    house.post(manager, KEYS, body).await
}

#[actix_web::test]
async fn every_cell_of_scopes_and_routes() {
    let house = House::new().await;
    house.group("c1").await;
    for scope in Scope::ALL {
        let (_, key) = server_key(&house, Scopes::Only(vec![*scope])).await;
        for spec in routes() {
            let (Who::ServerKey(needed) | Who::KeyOrUser(needed)) = spec.who else { continue };
            let (path, mut body) = sample(&house, spec).await;
            let says = ["/messages", "/streams", "/ephemeral", "/typing"].iter().any(|end| path.ends_with(end));
            if says && !body.is_null() {
                body["sender"] = json!("alice");
            }
            if path.ends_with("/join") || path.ends_with("/leave") {
                body["user"] = json!("alice");
            }
            let path = if path == "/v1/stats/series" { path + "?metric=msg_sent" } else { path };
            let answer = house.call(&key, spec.verb.method(), &path, body).await;
            let expected = if needed == *scope { (200, "no error") } else { (403, "scope_missing") };
            assert_eq!((answer.status, answer.code()), expected, "{scope:?} {:?} {path}", spec.verb);
        }
    }
}

#[actix_web::test]
async fn a_key_ends_to_the_millisecond_although_it_is_remembered() {
    let house = House::new().await;
    house.group("c1").await;
    let manager = house.manager().await;
    let made = new_key(&house, &manager, json!({"expires_at": "2027-01-15T08:01:00.000Z"})).await;
    house.pass(59_000);
    assert_eq!(house.get(secret(&made), CONVERSATION).await.status, 200);
    house.pass(999);
    assert_eq!(house.get(secret(&made), CONVERSATION).await.status, 200, "a millisecond before");
    house.pass(1);
    let late = house.get(secret(&made), CONVERSATION).await;
    assert_eq!((late.status, late.code()), (401, "key_expired"));
}

#[actix_web::test]
async fn a_replaced_key_works_until_its_grace_is_over() {
    let house = House::new().await;
    house.group("c1").await;
    let manager = house.manager().await;
    let old = new_key(&house, &manager, json!({"scopes": ["conversations:read"]})).await;
    let path = format!("{KEYS}/{}/rotate", id(&old));
    let new = house.post(&manager, &path, json!({"grace_s": 60})).await;
    assert_eq!(new.json["scopes"], old.json["scopes"]);
    house.pass(59_999);
    for key in [&old, &new] {
        assert_eq!(house.get(secret(key), CONVERSATION).await.status, 200);
    }
    house.pass(1);
    let late = house.get(secret(&old), CONVERSATION).await;
    assert_eq!((late.status, late.code()), (401, "key_rotated"));
    assert_eq!(house.get(secret(&new), CONVERSATION).await.status, 200);
    let listed = house.get(&manager, KEYS).await.json;
    let shown = listed["items"].as_array().unwrap().iter().find(|item| item["id"] == old.json["id"]).unwrap();
    assert_eq!((&shown["successor"], &shown["secret"]), (&new.json["id"], &Value::Null));
    let again = house.post(&manager, &path, json!({})).await;
    assert_eq!((again.status, again.code()), (409, "conflict"));
    for bad in [-1, 2_592_001] {
        let path = format!("{KEYS}/{}/rotate", id(&new));
        assert_eq!(house.post(&manager, &path, json!({"grace_s": bad})).await.code(), "invalid_field");
    }
}

#[actix_web::test]
async fn a_revoked_key_takes_its_tokens_with_it() {
    let house = House::new().await;
    house.group("c1").await;
    let manager = house.manager().await;
    for (verb, body) in [("revoke", json!({})), ("rotate", json!({"grace_s": 0}))] {
        let key = new_key(&house, &manager, json!({})).await;
        let minted = house.post(secret(&key), "/v1/tokens", json!({"user": "alice"})).await;
        let token = minted.json["token"].as_str().unwrap();
        assert_eq!(house.get(token, CONVERSATION).await.status, 200);
        let other = house.token("alice", json!({})).await;
        house.post(&manager, &format!("{KEYS}/{}/{verb}", id(&key)), body).await;
        house.pass(2_000);
        let refused = house.get(secret(&key), CONVERSATION).await;
        assert_eq!(refused.code(), if verb == "revoke" { "key_revoked" } else { "key_rotated" });
        let refused = house.get(token, CONVERSATION).await;
        assert_eq!((refused.status, refused.code()), (401, "token_revoked"), "{verb}");
        assert_eq!(house.get(&other, CONVERSATION).await.status, 200, "another key's token");
    }
    let kept = new_key(&house, &manager, json!({})).await;
    let minted = house.post(secret(&kept), "/v1/tokens", json!({"user": "alice", "ttl_s": 86_400})).await;
    house.post(&manager, &format!("{KEYS}/{}/rotate", id(&kept)), json!({"grace_s": 1})).await;
    house.pass(3_000);
    let token = minted.json["token"].as_str().unwrap();
    assert_eq!(house.get(token, CONVERSATION).await.status, 200, "a planned replacement leaves tokens their life");
}

#[actix_web::test]
async fn a_leaked_key_is_revoked_by_whoever_finds_it() {
    let house = House::new().await;
    house.group("c1").await;
    let manager = house.manager().await;
    let key = new_key(&house, &manager, json!({})).await;
    let report = async |text: &str| {
        house.raw(Method::POST, "/v1/keys/report-leak", &[], json!({"key": text}).to_string().into_bytes()).await
    };
    let unknown = tokenim_domain::key::generate(
        tokenim_domain::key::Kind::Server(tokenim_domain::role::Mode::Live),
        &tokenim_domain::rng::SystemRng,
    );
    let (known, nothing) = (report(secret(&key)).await.faceless(), report(unknown.expose()).await.faceless());
    assert_eq!((known.0, &known), (200, &nothing));
    assert_eq!(report("nonsense").await.faceless(), nothing);
    assert_eq!(house.get(secret(&key), CONVERSATION).await.code(), "key_revoked");
    report(&manager).await;
    house.pass(2_000);
    assert_eq!(house.get(&manager, KEYS).await.code(), "key_revoked");
    let events = house.api.store.org(house.alpha.app.org).list_audit(None, 2).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.action.as_str(), event.reason.as_deref())).collect();
    let why = Some("reported as leaked");
    assert_eq!(told, [("management_key.revoked", why), ("key.revoked", why)]);
    let mails = house.mails().await;
    let hints = mails.iter().map(|mail| match &mail.matter {
        Matter::KeyLeaked { hint, org, .. } if org == "alpha" && mail.to == "alpha@example.com" => hint.clone(),
        other => panic!("{other:?}"),
    });
    let mut hints: Vec<_> = hints.collect();
    hints.sort();
    let hint = tokenim_domain::key::hint;
    assert_eq!(hints, [hint(&Secret::new(manager.clone())), hint(&Secret::new(secret(&key).to_owned()))]);
    report(secret(&key)).await;
    assert!(house.mails().await.is_empty(), "once");
    for _ in 0..5 {
        report("nonsense").await;
    }
    let many = report("nonsense").await;
    assert_eq!((many.status, many.code(), many.header("retry-after")), (429, "rate_limited", Some("58")));
}

#[actix_web::test]
async fn a_suspended_app_refuses_until_it_is_resumed_and_a_deleted_one_for_good() {
    let house = House::new().await;
    house.group("c1").await;
    let manager = house.manager().await;
    let token = house.token("alice", json!({})).await;
    let path = format!("/v1/manage/apps/{}", house.alpha.app.app);
    for (suspended, expected) in [(true, (403, "app_suspended")), (false, (200, "no error"))] {
        let answer = house.call(&manager, Method::PATCH, &path, json!({"suspended": suspended})).await;
        assert_eq!((answer.status, answer.json["suspended_at"].is_string()), (200, suspended));
        house.pass(2_000);
        for credential in [house.key(), &token] {
            answers(&house, credential, expected).await;
        }
    }
    let renamed = house.call(&manager, Method::PATCH, &path, json!({"name": "Shop"})).await;
    assert_eq!(renamed.json["name"], "Shop");
    let wrong = house.call(&manager, Method::DELETE, &format!("{path}?name=alpha"), Value::Null).await;
    assert_eq!((wrong.status, &wrong.json["error"]["param"]), (422, &json!("name")));
    assert_eq!(house.call(&manager, Method::DELETE, &format!("{path}?name=Shop"), Value::Null).await.status, 200);
    house.pass(2_000);
    assert_eq!(house.get(house.key(), CONVERSATION).await.code(), "key_revoked");
    assert_eq!(house.get(&token, CONVERSATION).await.code(), "token_revoked");
    for gone in [path.clone(), format!("{path}/origins")] {
        assert_eq!(house.get(&manager, &gone).await.code(), "not_found");
    }
    assert_eq!(house.get(&manager, "/v1/manage/apps").await.json["items"], json!([]));
    assert_eq!(house.get(&manager, KEYS).await.json["items"], json!([]));
    assert_eq!(new_key(&house, &manager, json!({})).await.code(), "not_found");
}

#[actix_web::test]
async fn the_plan_limits_the_apps() {
    let house = House::new().await;
    let basic = house.founded_with("basic", "basic", true).await;
    let acting = tokenim_domain::actor::Acting { org: basic.app.org, ..house.acting() };
    let (_, manager) = super::sample::management_key(&house, &acting, tokenim_domain::role::OrgRole::Owner).await;
    let apps = "/v1/manage/apps";
    for _ in 1..5 {
        house.pass(1);
        assert_eq!(house.post(&manager, apps, json!({"name": "shop", "mode": "test"})).await.status, 200);
    }
    let sixth = house.post(&manager, apps, json!({"name": "shop", "mode": "test"})).await;
    assert_eq!((sixth.status, sixth.code(), sixth.header("retry-after")), (403, "plan_limit", None));
    let told = &sixth.json["error"];
    assert_eq!((&told["feature"], &told["limit"], &told["used"]), (&json!("apps"), &json!(5), &json!(5)));
    let listed = house.get(&manager, apps).await.json;
    let last = listed["items"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    house.call(&manager, Method::DELETE, &format!("{apps}/{last}?name=shop"), Value::Null).await;
    assert_eq!(house.post(&manager, apps, json!({"name": "shop", "mode": "test"})).await.status, 200);
    for body in [json!({"name": "", "mode": "test"}), json!({"name": "x", "mode": "staging"})] {
        assert_eq!(house.post(&manager, apps, body).await.code(), "invalid_field");
    }
}

#[actix_web::test]
async fn signing_keys_are_secrets_or_public_keys_and_never_shown_again() {
    let house = House::new().await;
    let manager = house.manager().await;
    let path = "/v1/manage/signing-keys";
    let new = |more: Value| {
        let mut body = json!({"app": house.alpha.app.app.to_string(), "name": "backend"});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        body
    };
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----";
    let secret_key = house.post(&manager, path, new(json!({"algorithm": "HS256"}))).await;
    assert_eq!(secret(&secret_key).len(), 43);
    let public = house.post(&manager, path, new(json!({"algorithm": "EdDSA", "public_key": pem}))).await;
    assert_eq!((&public.json["public_key"], public.json.get("secret")), (&json!(pem), None), "{public:?}");
    for (body, param) in [
        (json!({"algorithm": "RS256"}), "algorithm"),
        (json!({"algorithm": "none"}), "algorithm"),
        (json!({"algorithm": "EdDSA"}), "public_key"),
        (json!({"algorithm": "ES256", "public_key": pem}), "public_key"),
        (json!({"algorithm": "EdDSA", "public_key": "x"}), "public_key"),
        (json!({"algorithm": "HS256", "public_key": pem}), "public_key"),
    ] {
        let answer = house.post(&manager, path, new(body)).await;
        assert_eq!((answer.status, &answer.json["error"]["param"]), (422, &json!(param)));
    }
    let rotated = house.post(&manager, &format!("{path}/{}/rotate", id(&secret_key)), json!({"grace_s": 60})).await;
    assert_ne!(secret(&rotated), secret(&secret_key));
    let listed = house.get(&manager, &format!("{path}?app={}", house.alpha.app.app)).await.json;
    let items = listed["items"].as_array().unwrap();
    assert_eq!((items.len(), items.iter().any(|item| item.get("secret").is_some())), (4, false));
    let replaced = items.iter().find(|item| item["id"] == secret_key.json["id"]).unwrap();
    assert_eq!(replaced["successor"], rotated.json["id"]);

    // Revoking every secret leaves nothing to mint with; the public key signs elsewhere.
    for item in items {
        house.post(&manager, &format!("{path}/{}/revoke", item["id"].as_str().unwrap()), json!({})).await;
    }
    house.pass(2_000);
    let answer = house.post(house.key(), "/v1/tokens", json!({"user": "alice"})).await;
    assert_eq!((answer.status, answer.code()), (404, "not_found"));
}

#[actix_web::test]
async fn origins_are_exact_and_a_hundred() {
    let house = House::new().await;
    let (manager, app) = (house.manager().await, app(&house, &house.acting()).await);
    let path = format!("/v1/manage/apps/{app}/origins");
    for (origin, items) in [
        ("https://Shop.example:443", json!(["https://shop.example"])),
        ("https://shop.example", json!(["https://shop.example"])),
        ("http://localhost:3000", json!(["http://localhost:3000", "https://shop.example"])),
    ] {
        assert_eq!(house.post(&manager, &path, json!({"origin": origin})).await.json["items"], items);
    }
    assert_eq!(house.post(&manager, &path, json!({"origin": "https://a/b"})).await.code(), "invalid_field");
    let gone = |origin: &str| format!("{path}?origin={origin}");
    let left = house.call(&manager, Method::DELETE, &gone("https://SHOP.example"), Value::Null).await;
    assert_eq!(left.json["items"], json!(["http://localhost:3000"]));
    assert_eq!(
        house.call(&manager, Method::DELETE, &gone("https://shop.example"), Value::Null).await.code(),
        "not_found"
    );
    for at in 1..100 {
        let body = json!({"origin": format!("https://a{at}.example")});
        assert_eq!(house.post(&manager, &path, body).await.status, 200, "{at}");
    }
    let more = house.post(&manager, &path, json!({"origin": "https://b.example"})).await;
    assert_eq!((more.status, more.code()), (422, "limit_reached"));
}
