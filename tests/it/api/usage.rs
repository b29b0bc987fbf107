//! `GET /v1/usage`: the same number as the log.

use crate::quota::support::{Ago, app, store_at};
use crate::support::token::now_s;
use crate::support::{TestServer, until};
use serde_json::json;
use std::sync::Arc;
use tokenim_domain::limits::CHUNK_BYTES_MAX;
use tokenim_domain::log::{Digest, FileName, MediaType, MessageLog, NewUpload, Purpose, UploadRef};
use tokenim_domain::meter::HOUR_MS;
use tokenim_domain::name::{ClientMsgId, User};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn usage_is_by_hour_or_day_and_of_this_app() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let rest = server.rest();
    for at in 0..3 {
        rest.send("c1", "alice", &format!("m{at}"), "x").await;
    }
    rest.send("c1", "alice", "m0", "x").await;
    for group in ["hour", "day"] {
        let usage = rest.get(&format!("/v1/usage?group={group}")).await.ok();
        // A minute may end while this runs, and then its calls are told too.
        let items = usage["items"].as_array().unwrap().iter().filter(|item| item["meter"] != "api_call");
        let items: Vec<_> = items.collect();
        assert_eq!(
            items.iter().map(|item| item["quantity"].as_i64().unwrap()).sum::<i64>(),
            3,
            "a repeat is not billed"
        );
        assert!(
            items
                .iter()
                .all(|item| item["app"] == server.founded.app && item["meter"] == "msg_sent" && item["at"].is_string())
        );
        assert!(usage["complete_to"].is_string());
    }
    assert_eq!(server.rest_as(&server.other.key).get("/v1/usage").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_range_is_cut_to_whole_hours_and_bounded() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let rest = server.rest();
    rest.send("c1", "alice", "m1", "x").await;
    let time = |seconds: i64| tokenim_protocol::time::rfc3339((now_s() as i64 + seconds) * 1000);
    let total = async |from: &str, to: &str| {
        let usage = rest.get(&format!("/v1/usage?from={from}&to={to}")).await.ok();
        let sent = usage["items"].as_array().unwrap().iter().filter(|item| item["meter"] == "msg_sent");
        sent.map(|item| item["quantity"].as_i64().unwrap()).sum::<i64>()
    };
    assert_eq!(total(&time(-60), &time(60)).await, 1);
    assert_eq!(total(&time(7_200), &time(10_800)).await, 0);
    assert_eq!(total("2020-01-01", "2020-01-02").await, 0);
    for (query, refusal) in [
        ("from=yesterday", (422, "invalid_field")),
        ("from=2026-01-02&to=2026-01-01", (422, "invalid_field")),
        ("from=2020-01-01&to=2026-01-01", (422, "invalid_field")),
        ("group=week", (422, "invalid_field")),
        ("app=app_x", (400, "invalid_request")),
    ] {
        let (status, code) = rest.get(&format!("/v1/usage?{query}")).await.refusal();
        assert_eq!((status, code.as_str()), refusal, "{query}");
    }
    assert_eq!(server.rest_as(&server.token("alice")).get("/v1/usage").await.refusal().0, 403);
}

#[tokio::test]
async fn calls_are_told_once_with_their_minute_or_the_end_of_the_server() {
    let mut server = TestServer::spawn().await;
    let rest = server.rest();
    rest.create_group("c1", &["alice"]).await;
    for at in 0..3 {
        rest.send("c1", "alice", &format!("m{at}"), "x").await;
    }
    assert_eq!(rest.get("/v1/conversations/nowhere").await.refusal().0, 404);
    assert_eq!(server.rest_as("x").get("/v1/stats").await.refusal().0, 401);
    server.rest_as(&server.token("alice")).get("/v1/conversations/c1/messages").await.ok();
    for _ in 0..2 {
        server.terminate();
        assert!(server.ended().await.success());
        server.start().await;
    }
    assert_eq!(server.rest().used("api_call").await, 6, "a refused key is nobody's call");
    assert_eq!(server.rest_as(&server.other.key).used("api_call").await, 0);
}

/// The end of the client comes with its request: nothing was looked up by then.
#[tokio::test]
async fn a_call_whose_client_left_is_done_and_counted() {
    let mut server = TestServer::spawn().await;
    server.rest().create_group("c1", &["alice", "bob"]).await;
    let mut alice = server.connect("alice").await;
    let body = json!({"sender": "bob", "client_msg_id": "m1", "kind": "text", "body": {"text": "x"}}).to_string();
    let request = format!(
        "POST /v1/conversations/c1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        server.founded.key,
        body.len()
    );
    let mut left = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    left.write_all(request.as_bytes()).await.unwrap();
    left.shutdown().await.unwrap();
    assert_eq!(alice.push_of("message").await["client_msg_id"], "m1");
    server.terminate();
    assert!(server.ended().await.success());
    server.start().await;
    assert_eq!(server.rest().used("api_call").await, 2, "it, and the group");
}

#[tokio::test]
async fn what_is_answered_while_the_server_drains_is_counted() {
    let mut server = TestServer::spawn().await;
    server.kill();
    server.drain_ms = 5_000;
    server.start().await;
    // The connection that stays makes the drain last its whole window.
    let _stays = server.connect("alice").await;
    server.terminate();
    until(async || (server.sample("tokenim_draining").await == 1.0).then_some(())).await;
    server.rest().create_group("c1", &["alice"]).await;
    assert!(server.ended().await.success());
    server.start().await;
    assert_eq!(server.rest().used("api_call").await, 1);
}

#[tokio::test]
async fn what_is_kept_at_the_full_hour_is_in_the_usage() {
    let mut server = TestServer::spawn().await;
    server.kill();
    // Kept since an hour ago: the server that starts now samples what was there at the full hour.
    let store = store_at(&server, Arc::new(Ago(HOUR_MS))).await;
    let content = [7; 8_000];
    let new = NewUpload {
        app: app(&server),
        sender: User::trusted("alice"),
        client_msg_id: ClientMsgId::trusted("f1"),
        purpose: Purpose::Attachment {
            name: FileName::trusted("a.png"),
            content_type: MediaType::trusted("image/png"),
        },
        bytes: content.len() as i64,
        sha256: Digest::of(&content),
        chunk_bytes: CHUNK_BYTES_MAX,
    };
    let upload = store.begin_upload(new).await.unwrap();
    let at = UploadRef { app: app(&server), id: upload.id, user: Some(User::trusted("alice")) };
    store.put_chunk(at.clone(), 0, content.to_vec()).await.unwrap();
    store.seal_upload(at).await.unwrap();
    store.close().await;
    server.start().await;
    let stored = until(async || Some(server.rest().used("stored").await).filter(|bytes| *bytes > 0)).await;
    // A second sample where an hour ended meanwhile.
    assert_eq!(stored % content.len() as i64, 0, "{stored}");
    assert_eq!(server.rest_as(&server.other.key).used("stored").await, 0);
}
