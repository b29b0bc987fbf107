//! What is refused, with which code, and always in the one shape.

use super::house::House;
use super::sample::{is_managed, sample};
use crate::{Verb, Who, routes};
use actix_web::http::Method;
use serde_json::{Value, json};
use tokenim_domain::key;
use tokenim_domain::rng::SystemRng;
use tokenim_domain::role::Mode;

#[actix_web::test]
async fn every_route_asks_for_the_credential_its_table_says() {
    let house = House::new().await;
    house.group("c1").await;
    let alice = house.token("alice", json!({})).await;
    for spec in routes() {
        let (path, body) = sample(&house, spec).await;
        let bytes = body.to_string().into_bytes();
        let nobody = house.raw(spec.verb.method(), &path, &[], bytes).await;
        let user = house.call(&alice, spec.verb.method(), &path, body).await;
        match spec.who {
            Who::Public => assert_eq!(nobody.status, 200, "{path}"),
            Who::ServerKey(_) | Who::ManagementKey(_) | Who::OperatorKey => {
                assert_eq!((nobody.code(), user.code()), ("unauthenticated", "forbidden"), "{path}");
            }
            Who::User | Who::KeyOrUser(_) => {
                assert_eq!((nobody.code(), user.status), ("unauthenticated", 200), "{path} {user:?}")
            }
        }
        if spec.who != Who::Public {
            assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("Bearer")));
        }
    }
}

#[actix_web::test]
async fn every_answer_has_its_request_id_and_may_not_be_kept() {
    let house = House::new().await;
    for path in ["/v1/stats", "/v1/nothing", "/v1/openapi.json?x=1"] {
        let answer = house.get(house.key(), path).await;
        let id = answer.header("x-request-id").unwrap();
        assert!(id.starts_with("req_") && id.len() == 30, "{id}");
        assert!(answer.status == 200 || answer.json["error"]["request_id"] == id);
        assert_eq!(
            (answer.header("cache-control"), answer.header("content-type")),
            (Some("no-store"), Some("application/json"))
        );
    }
}

#[actix_web::test]
async fn credentials_are_judged_one_by_one() {
    let house = House::new().await;
    let unknown = key::generate(key::Kind::Server(Mode::Live), &SystemRng);
    let (body, last) = house.key().split_at(house.key().len() - 1);
    let typo = format!("{body}{}", if last == "x" { "y" } else { "x" });
    let other = house.founded("beta").await;
    let token = house.token("alice", json!({})).await;
    let (head, tail) = token.split_at(token.len() - 10);
    let forged = format!("{head}{}{}", if tail.starts_with('A') { 'B' } else { 'A' }, &tail[1..]);
    for (credential, status, code) in [
        (typo.as_str(), 401, "key_malformed"),
        (unknown.expose(), 401, "key_unknown"),
        ("nonsense", 401, "token_invalid"),
        (&forged, 401, "token_invalid"),
        ("tims_x.y", 401, "session_invalid"),
        (other.signing.secret.expose(), 401, "token_invalid"),
    ] {
        let answer = house.get(credential, "/v1/conversations/c1").await;
        assert_eq!((answer.status, answer.code()), (status, code), "{credential}");
    }
    let browser = [("authorization", &*format!("Bearer {}", house.key())), ("origin", "https://shop.example")];
    let answer = house.raw(Method::GET, "/v1/stats", &browser, Vec::new()).await;
    assert_eq!((answer.status, answer.code()), (403, "secret_key_in_browser"));
    for query in ["token=x", "key=x", "access_token=x", &format!("q={}", house.key())] {
        assert_eq!(house.get(house.key(), &format!("/v1/stats?{query}")).await.code(), "token_in_url", "{query}");
    }
}

#[actix_web::test]
async fn unknown_paths_methods_and_parameters_are_told_apart() {
    let house = House::new().await;
    for (method, path, status, code) in [
        (Method::GET, "/v1/nothing", 404, "not_found"),
        (Method::GET, "/v1/conversations/c1/", 404, "not_found"),
        (Method::PUT, "/v1/conversations/c1", 405, "method_not_allowed"),
        (Method::GET, "/v1/tokens", 405, "method_not_allowed"),
        (Method::GET, "/v1/stats?x=1", 400, "invalid_request"),
        (Method::GET, "/v1/conversations/c1/messages?after=x", 400, "invalid_request"),
        (Method::GET, "/v1/conversations/c1/messages?after=1&before=2", 400, "invalid_request"),
        (Method::GET, "/v1/conversations/c1/messages?after=-1", 422, "invalid_field"),
        (Method::GET, "/v1/conversations/c1/messages?limit=201", 422, "invalid_field"),
        (Method::GET, "/v1/conversations/c1/messages?cursor=7", 422, "invalid_field"),
        (Method::GET, "/v1/conversations/a%20b", 422, "invalid_field"),
        (Method::GET, "/v1/usage?from=2027-01-02&to=2027-01-01", 422, "invalid_field"),
        (Method::GET, "/v1/stats/series?metric=msg_sent&step=minute", 422, "not_supported"),
    ] {
        let answer = house.call(house.key(), method.clone(), path, Value::Null).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{method} {path}");
    }
    assert_eq!(house.get(house.key(), "/v1/conversations/c1/messages/x").await.status, 404);
    let wrong = house.call(house.key(), Method::PUT, "/v1/conversations/c1/members", Value::Null).await;
    assert_eq!(wrong.header("allow"), Some("GET, POST"));
    let long = house.get(house.key(), &format!("/v1/usage?from={}", "x".repeat(2_048))).await;
    assert_eq!((long.status, long.code()), (414, "url_too_long"));
}

#[actix_web::test]
async fn bodies_are_judged_before_anything_happens() {
    let house = House::new().await;
    house.group("c1").await;
    let bearer = format!("Bearer {}", house.key());
    let large = format!("{{\"user\":\"{}\"}}", "x".repeat(256 * 1024));
    let twice = r#"{"user":"a","user":"b"}"#;
    for (path, body, status, code, param) in [
        ("/v1/tokens", "", 400, "invalid_request", Some("user")),
        ("/v1/tokens", "{", 400, "invalid_request", None),
        ("/v1/tokens", r#"["alice"]"#, 400, "invalid_request", None),
        ("/v1/tokens", twice, 400, "invalid_request", None),
        ("/v1/tokens", r#"{"user":1}"#, 400, "invalid_request", Some("user")),
        ("/v1/tokens", r#"{"user":"a","org_id":"x"}"#, 400, "invalid_request", Some("org_id")),
        ("/v1/tokens", r#"{"user":"a","caps":{"a*b":["read"]}}"#, 400, "invalid_request", Some("caps")),
        ("/v1/tokens", r#"{"user":"a b"}"#, 422, "invalid_field", Some("user")),
        ("/v1/tokens", r#"{"user":"a","ttl_s":86401}"#, 422, "invalid_field", Some("ttl_s")),
        ("/v1/tokens", &large, 413, "payload_too_large", None),
        ("/v1/conversations", r#"{"kind":"room","members":["a"]}"#, 422, "invalid_field", Some("kind")),
        ("/v1/conversations", r#"{"kind":"group","members":[]}"#, 422, "invalid_field", Some("members")),
        ("/v1/conversations", r#"{"kind":"group","members":["a","b c"]}"#, 422, "invalid_field", Some("members[1]")),
        ("/v1/conversations", r#"{"kind":"direct","members":["a","a"]}"#, 422, "invalid_field", Some("members")),
        ("/v1/conversations", r#"{"kind":"group","members":["a"],"id":"/"}"#, 422, "invalid_field", Some("id")),
        (
            "/v1/conversations/c1/messages",
            r#"{"client_msg_id":"m","kind":"json","body":1}"#,
            400,
            "invalid_request",
            Some("sender"),
        ),
        (
            "/v1/conversations/c1/messages",
            r#"{"sender":"alice","client_msg_id":"m","kind":"text","body":1}"#,
            422,
            "invalid_field",
            Some("body"),
        ),
        (
            "/v1/conversations/c1/messages",
            r#"{"sender":"alice","client_msg_id":"m","kind":"encrypted","body":{}}"#,
            422,
            "invalid_field",
            Some("kind"),
        ),
        (
            "/v1/conversations/c1/messages",
            r#"{"sender":"alice","client_msg_id":"m","kind":"json"}"#,
            400,
            "invalid_request",
            Some("body"),
        ),
        (
            "/v1/conversations/c1/messages",
            r#"{"sender":"dave","client_msg_id":"m","kind":"json","body":1}"#,
            403,
            "forbidden",
            Some("sender"),
        ),
        (
            "/v1/conversations/c2/messages",
            r#"{"sender":"alice","client_msg_id":"m","kind":"json","body":1}"#,
            404,
            "not_found",
            None,
        ),
        ("/v1/conversations/c1/members", r#"{"members":[]}"#, 422, "invalid_field", Some("members")),
    ] {
        let answer = house.raw(Method::POST, path, &[("authorization", &bearer)], body.as_bytes().to_vec()).await;
        let short = &body[..body.len().min(80)];
        assert_eq!(
            (answer.status, answer.code(), answer.json["error"]["param"].as_str()),
            (status, code, param),
            "{short}"
        );
    }
    let head = house.get(house.key(), "/v1/conversations/c1").await;
    assert_eq!(head.json["last_seq"], 1, "nothing was stored");
}

#[actix_web::test]
async fn documented_query_parameters_are_the_ones_that_are_known() {
    let house = House::new().await;
    house.group("c1").await;
    let (manager, operator) = (house.manager().await, house.operator().await);
    let document: Value = serde_json::from_str(&crate::document("").to_json().unwrap()).unwrap();
    for spec in routes().filter(|spec| spec.verb == Verb::Get) {
        let parameters = document["paths"][spec.path]["get"]["parameters"].as_array().cloned().unwrap_or_default();
        for name in parameters.iter().filter(|one| one["in"] == "query").map(|one| one["name"].as_str().unwrap()) {
            let credential = match spec.who {
                Who::OperatorKey => &operator,
                _ if is_managed(spec) => &manager,
                _ => house.key(),
            };
            let answer = house.get(credential, &format!("{}?{name}=1", sample(&house, spec).await.0)).await;
            let message = answer.json["error"]["message"].as_str().unwrap_or_default();
            assert!(!message.starts_with("unknown parameter"), "{name} of {}: {message}", spec.path);
        }
    }
}
