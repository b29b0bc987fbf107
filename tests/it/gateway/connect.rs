//! `connect`, `refresh` and session tokens.

use crate::support::client::text_message;
use crate::support::token::{altered, now_s, with_claims};
use crate::support::{Client, TestServer};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn connect_answers_session_device_limits_and_lifetimes() {
    let server = TestServer::spawn().await;
    let client = Client::connect_with(
        &server,
        json!({"token": server.token("alice"), "device": "phone", "sdk": "it/1", "features": ["x"]}),
    )
    .await;
    let welcome = &client.welcome;
    assert_eq!(
        (&welcome["user"], &welcome["device"], &welcome["resumed"]),
        (&json!("alice"), &json!("phone"), &json!(false))
    );
    assert!(client.session().len() > 40);
    assert_eq!(
        welcome["limits"],
        json!({"frame_bytes": 65_536, "open_commands": 256, "history_page": 200, "heads": 200, "backlog_events": 300})
    );
    assert_eq!(welcome["reconnect"], json!({"first_ms": 2_000, "base_ms": 500, "cap_ms": 30_000, "stable_ms": 10_000}));
    assert_eq!(
        (&welcome["features"], &welcome["sync"], &welcome["ping_interval_ms"]),
        (&json!([]), &json!([]), &json!(25_000))
    );
    let left = welcome["expires_in_s"].as_i64().unwrap();
    assert!((3_590..=3_600).contains(&left), "the token's life: {left}");
    assert!(welcome["server_time"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn a_device_is_named_where_the_client_names_none() {
    let server = TestServer::spawn().await;
    let (one, two) = (server.connect("alice").await, server.connect("alice").await);
    assert!(one.welcome["device"].as_str().unwrap().starts_with("dev_"));
    assert_ne!(one.welcome["device"], two.welcome["device"]);
}

#[tokio::test]
async fn a_session_resumes_the_same_user_and_device() {
    let server = TestServer::spawn().await;
    let first = server.connect("alice").await;
    let again = Client::connect_with(&server, json!({"session": first.session()})).await;
    assert_eq!(
        (&again.welcome["user"], &again.welcome["device"], &again.welcome["resumed"]),
        (&json!("alice"), &first.welcome["device"], &json!(true))
    );
}

#[tokio::test]
async fn a_token_bound_to_a_device_is_of_that_device_only() {
    let server = TestServer::spawn().await;
    let token = with_claims(&server.founded, "alice", json!({"device": "phone"}));
    assert_eq!(Client::connect(&server, &token).await.welcome["device"], "phone");
    let mut other = Client::open(&server).await;
    assert_eq!(other.refused("connect", json!({"token": token, "device": "laptop"})).await["code"], "token_invalid");
    assert_eq!(other.closed().await.code, 4401);
}

#[tokio::test]
async fn a_bad_credential_is_answered_and_closes_with_its_code() {
    let server = TestServer::spawn().await;
    let founded = &server.founded;
    let expired = with_claims(founded, "alice", json!({"iat": now_s() - 500, "exp": now_s() - 100}));
    let session = server.connect("alice").await.session().to_owned();
    for (fields, code, close) in [
        (json!({"token": "nonsense"}), "token_invalid", 4401),
        (json!({"token": with_claims(founded, "alice", json!({"aud": server.other.app}))}), "token_invalid", 4401),
        (json!({"token": with_claims(founded, "a b", json!({}))}), "token_invalid", 4401),
        (json!({"token": founded.key}), "token_invalid", 4401),
        (json!({"token": expired}), "token_expired", 4101),
        (json!({"session": "tims_x.y"}), "session_invalid", 4401),
        (json!({"session": altered(&session)}), "session_invalid", 4401),
        (json!({"session": server.token("alice")}), "session_invalid", 4401),
        (json!({"token": session}), "token_invalid", 4401),
    ] {
        let mut client = Client::open(&server).await;
        assert_eq!(client.refused("connect", fields.clone()).await["code"], code, "{fields}");
        let closed = client.closed().await;
        assert_eq!((closed.code, closed.why().as_str()), (close, code), "{fields}");
    }
}

fn many_heads(count: usize) -> Value {
    (0..count).map(|at| (format!("c{at}"), json!([1, 1]))).collect::<serde_json::Map<_, _>>().into()
}

#[tokio::test]
async fn as_many_heads_as_announced_are_read() {
    let server = TestServer::spawn().await;
    server.group("c7", &["alice"]).await;
    let fields = json!({"token": server.token("alice"), "heads": many_heads(200)});
    let client = Client::connect_with(&server, fields).await;
    assert_eq!(client.welcome["sync"].as_array().unwrap().len(), 200);
    assert_eq!(
        (client.outcome("c7")["outcome"].as_str(), client.outcome("c8")["outcome"].as_str()),
        (Some("recovered"), Some("not_member"))
    );
}

#[tokio::test]
async fn commands_pipelined_behind_connect_wait_for_it() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let mut client = Client::open(&server).await;
    let connect = client.start("connect", json!({"token": server.token("alice")})).await;
    let mut ids = Vec::new();
    for at in 0..20 {
        ids.push(client.start("send", text_message("c1", &format!("m{at}"), "x")).await);
    }
    client.ok_of(connect).await;
    for (seq, id) in (2..).zip(ids) {
        assert_eq!(client.ok_of(id).await["seq"], seq);
    }
    let mut refused = Client::open(&server).await;
    let connect = refused.start("connect", json!({"token": "nonsense"})).await;
    let send = refused.start("send", text_message("c1", "late", "x")).await;
    assert_eq!(refused.error_of(connect).await["code"], "token_invalid");
    assert_eq!(refused.closed().await.code, 4401);
    assert!(!refused.heard.iter().any(|text| text.contains(&format!("\"id\":{send},\"ok\""))));
    assert_eq!(server.rest().log("c1").await.len(), 21);
}

#[tokio::test]
async fn a_malformed_connect_is_answered_and_may_be_repeated() {
    let server = TestServer::spawn().await;
    let mut client = Client::open(&server).await;
    let token = server.token("alice");
    for (fields, code) in [
        (json!({}), "invalid_request"),
        (json!({"token": token, "session": "x"}), "invalid_request"),
        (json!({"token": 7}), "invalid_request"),
        (json!({"token": token, "device": "a b"}), "invalid_field"),
        (json!({"token": token, "heads": {"c 1": [1, 1]}}), "invalid_field"),
        (json!({"token": token, "heads": {"c1": [1]}}), "invalid_request"),
        (json!({"token": token, "heads": many_heads(201)}), "limit_reached"),
    ] {
        assert_eq!(client.refused("connect", fields.clone()).await["code"], code, "{fields}");
    }
    client.ok("connect", json!({"token": token})).await;
    assert_eq!(
        client.refused("connect", json!({"token": token})).await["code"],
        "invalid_request",
        "connected already"
    );
    client.ok("ping", json!({})).await;
}

#[tokio::test]
async fn whoever_does_not_authenticate_within_5_seconds_is_closed() {
    let server = TestServer::spawn().await;
    let mut silent = Client::open(&server).await;
    let mut alice = server.connect("alice").await;
    let closed = crate::support::wait::within_at_most(Duration::from_secs(10), silent.closed()).await;
    assert_eq!((closed.code, closed.why().as_str()), (4401, "unauthenticated"));
    alice.ok("ping", json!({})).await;
}

#[tokio::test]
async fn a_command_before_connect_is_refused_and_closes() {
    let server = TestServer::spawn().await;
    let mut client = Client::open(&server).await;
    assert_eq!(client.refused("ping", json!({})).await["code"], "unauthenticated");
    assert_eq!(client.closed().await.code, 4401);
}

#[tokio::test]
async fn refresh_prolongs_the_session_without_a_break() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let short = with_claims(&server.founded, "alice", json!({"exp": now_s() + 60}));
    let mut alice = Client::connect(&server, &short).await;
    let left = |value: &Value| value["expires_in_s"].as_i64().unwrap();
    assert!(left(&alice.welcome) <= 60);
    let renewed = alice.ok("refresh", json!({"token": server.token("alice")})).await;
    assert!(left(&renewed) >= 3_590);
    assert_eq!(alice.send("c1", "m1", "still here").await["seq"], 2);
    let again = Client::connect_with(&server, json!({"session": renewed["session"]})).await;
    assert_eq!((&again.welcome["device"], left(&again.welcome) >= 3_590), (&alice.welcome["device"], true));
}

#[tokio::test]
async fn refresh_refuses_another_user_app_or_device_and_keeps_the_session() {
    let server = TestServer::spawn().await;
    let mut alice = Client::connect_with(&server, json!({"token": server.token("alice"), "device": "phone"})).await;
    for token in [
        server.token("bob"),
        crate::support::token::user_token(&server.other, "alice"),
        with_claims(&server.founded, "alice", json!({"device": "laptop"})),
        "nonsense".to_owned(),
        alice.session().to_owned(),
    ] {
        assert_eq!(alice.refused("refresh", json!({"token": token})).await["code"], "token_invalid");
    }
    alice.ok("ping", json!({})).await;
}

#[tokio::test]
async fn a_token_that_expires_closes_its_connection_4101() {
    let server = TestServer::spawn().await;
    // 60 s of leeway are added to `exp`, so this one has a moment left.
    let dying = with_claims(&server.founded, "alice", json!({"iat": now_s() - 100, "exp": now_s() - 57}));
    let mut alice = Client::connect(&server, &dying).await;
    let closed = alice.closed().await;
    assert_eq!((closed.code, closed.why().as_str()), (4101, "token_expired"));
}

#[tokio::test]
async fn caps_of_a_token_bound_what_its_connection_may_do() {
    let server = TestServer::spawn().await;
    for id in ["news", "support:1", "secret"] {
        server.group(id, &["alice", "bob"]).await;
    }
    let caps = json!({"caps": {"news": ["read"], "support:*": ["read", "send"]}});
    let heads = json!({"news": [1, 1], "support:1": [1, 1], "secret": [1, 1]});
    let mut alice =
        Client::connect_with(&server, json!({"token": with_claims(&server.founded, "alice", caps), "heads": heads}))
            .await;
    assert_eq!(
        ["news", "support:1", "secret"].map(|id| alice.outcome(id)["outcome"].clone()),
        ["recovered", "recovered", "not_member"]
    );
    assert_eq!(alice.send("support:1", "m1", "x").await["seq"], 2);
    for id in ["news", "secret"] {
        assert_eq!(alice.refused("send", text_message(id, "m1", "x")).await["code"], "forbidden");
    }
    let unread = alice.refused("history", json!({"conversation": "secret"})).await;
    assert_eq!(
        (&unread["code"], &unread["message"]),
        (&json!("forbidden"), &json!("the token's `caps` do not allow this: it takes `read`"))
    );
    assert_eq!(alice.refused("conversation.create", json!({"kind": "group", "id": "new"})).await["code"], "forbidden");
    let listed = alice.ok("sync", json!({})).await;
    let listed: Vec<_> =
        listed["conversations"].as_array().unwrap().iter().map(|one| one["conversation"].as_str().unwrap()).collect();
    assert!(listed.len() == 2 && !listed.contains(&"secret"), "{listed:?}");
    let rest = server.rest();
    rest.send("secret", "bob", "b1", "for the others").await;
    rest.send("news", "bob", "b1", "for all").await;
    assert_eq!(alice.push().await["conversation"], "news", "and nothing of what it may not read before it");
}

#[tokio::test]
async fn a_repeat_is_answered_under_a_token_that_may_send_no_more() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let begin = |id: &str| json!({"conversation": "c1", "client_msg_id": id, "text": "li"});
    let mut wide = Client::connect_with(&server, json!({"token": server.token("alice")})).await;
    let first = wide.send("c1", "m1", "x").await;
    let live = wide.ok("stream.begin", begin("m2")).await;

    let narrow = with_claims(&server.founded, "alice", json!({"caps": {"c1": ["read"]}}));
    let mut narrowed = Client::connect_with(&server, json!({"token": narrow})).await;
    let again = narrowed.send("c1", "m1", "x").await;
    assert_eq!((&again["seq"], &again["id"], &again["duplicate"]), (&first["seq"], &first["id"], &json!(true)));
    assert_eq!(narrowed.ok("stream.begin", begin("m2")).await["seq"], live["seq"]);
    let rest = server.rest_as(&narrow);
    let body = |id: &str| json!({"client_msg_id": id, "kind": "text", "body": {"text": "x"}});
    assert_eq!(rest.post("/v1/conversations/c1/messages", &body("m1")).await.ok()["seq"], first["seq"]);

    assert_eq!(narrowed.refused("send", text_message("c1", "m3", "x")).await["code"], "forbidden");
    assert_eq!(narrowed.refused("stream.begin", begin("m3")).await["code"], "forbidden");
    assert_eq!(rest.post("/v1/conversations/c1/messages", &body("m3")).await.refusal().1, "forbidden");
    assert_eq!(server.rest().log("c1").await.len(), 3, "the creation and the two messages");
}
