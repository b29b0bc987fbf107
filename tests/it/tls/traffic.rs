//! REST, the console and WebSockets over TLS; the hand-over of a connection loses nothing.

use crate::support::client::text_message;
use crate::support::tls::Bytes;
use crate::support::wire::{Wire, opening, text};
use crate::support::{Client, TestServer, until, within};
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends a request whose answer ends the connection; returns the whole answer.
async fn ask(stream: &mut Bytes, head: &str, body: &str) -> String {
    let length = body.len();
    let request = format!("{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    within(stream.write_all(request.as_bytes())).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn post(server: &TestServer, path: &str) -> String {
    let (port, key) = (server.port(), &server.founded.key);
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json"
    )
}

/// Creates a group over the socket, because REST of the tests speaks no TLS.
async fn group(client: &mut Client, id: &str, members: &[&str]) {
    client.ok("conversation.create", json!({"kind": "group", "id": id, "members": members})).await;
}

#[tokio::test]
async fn rest_answers_over_both_versions() {
    let server = TestServer::spawn_tls().await;
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    for (version, id) in [(&TLS12, "c12"), (&TLS13, "c13")] {
        let tcp = within(TcpStream::connect(("127.0.0.1", server.port()))).await.unwrap();
        let tls = server.tls.as_ref().unwrap().connect_as(tcp, &[version], &[]).await.unwrap();
        assert_eq!(tls.get_ref().1.protocol_version(), Some(version.version));
        let body = json!({"kind": "group", "id": id, "members": ["alice"]}).to_string();
        let answer = ask(&mut (Box::new(tls) as Bytes), &post(&server, "/v1/conversations"), &body).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(&format!("\"id\":\"{id}\"")), "{answer}");
    }
}

#[tokio::test]
async fn a_body_and_an_answer_longer_than_any_buffer_arrive_whole() {
    let server = TestServer::spawn_tls().await;
    let mut alice = server.connect("alice").await;
    group(&mut alice, "c1", &[]).await;
    let long = "x".repeat(60_000);
    for at in 0..5 {
        let message =
            json!({"sender": "alice", "client_msg_id": format!("m{at}"), "kind": "text", "body": {"text": long}});
        let head = post(&server, "/v1/conversations/c1/messages");
        let answer = ask(&mut server.dial().await, &head, &message.to_string()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let head = post(&server, "/v1/conversations/c1/messages").replacen("POST", "GET", 1);
    let answer = ask(&mut server.dial().await, &head, "").await;
    let page: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let items = page["items"].as_array().unwrap();
    assert!(items.len() > 1 && items.iter().all(|item| item["body"]["text"] == long), "{} items", items.len());
}

#[tokio::test]
async fn messages_go_and_come_and_sessions_resume() {
    let server = TestServer::spawn_tls().await;
    let mut alice = server.connect("alice").await;
    group(&mut alice, "c1", &["bob"]).await;
    let bob = Client::connect_with(&server, json!({"token": server.token("bob"), "heads": {"c1": [1, 1]}})).await;
    let session = bob.session().to_owned();
    bob.close().await;
    let long = "y".repeat(50_000);
    for (at, text) in ["missed", &long].into_iter().enumerate() {
        alice.send("c1", &format!("m{at}"), text).await;
    }
    let mut bob = Client::connect_with(&server, json!({"session": session, "heads": {"c1": [1, 1]}})).await;
    assert_eq!((&bob.welcome["resumed"], &bob.outcome("c1")["outcome"]), (&json!(true), &json!("recovered")));
    for text in ["missed", &long] {
        assert_eq!(bob.push().await["body"]["text"], *text);
    }
    alice.send("c1", "m9", "live").await;
    assert_eq!(bob.push().await["body"]["text"], "live");
    assert_eq!(bob.close().await.code, 1000);
}

#[tokio::test]
async fn what_a_client_sends_before_the_upgrade_is_answered_is_not_lost() {
    let server = TestServer::spawn_tls().await;
    let connect = text(&json!({"id": 1, "connect": {"token": server.token("alice")}}).to_string());
    let create = json!({"id": 2, "conversation.create": {"kind": "group", "id": "c1", "members": []}}).to_string();
    // 20 KB, so that it spans records and the buffers of either side.
    let send = json!({"id": 3, "send": text_message("c1", "m1", &"z".repeat(20_000))}).to_string();
    let head = opening(&server, "/v1/connect", "Sec-WebSocket-Protocol: tokenim.v1.json\r\n");
    let all = [head.as_bytes(), &connect, &text(&create), &text(&send)].concat();
    // In one write, and cut at every place where a buffer could be left behind.
    for cut in [all.len(), head.len() - 1, head.len() + 1, head.len() + connect.len() / 2, all.len() - 1] {
        let mut wire = Wire::dial(&server).await;
        wire.send(&all[..cut]).await;
        wire.send(&all[cut..]).await;
        wire.read_head().await;
        assert!(wire.head.starts_with("HTTP/1.1 101 "), "{}", wire.head);
        let mut answered = Vec::new();
        while answered.len() < 3 {
            let reply = wire.reply().await;
            assert!(reply.get("ok").is_some(), "cut at {cut}: {reply}");
            answered.push(reply["id"].as_i64().unwrap());
        }
        answered.sort_unstable();
        assert_eq!(answered, [1, 2, 3]);
    }
}

#[tokio::test]
async fn a_reader_that_stops_for_a_while_gets_everything_in_order() {
    let server = TestServer::spawn_tls().await;
    let mut alice = server.connect("alice").await;
    group(&mut alice, "c1", &["bob"]).await;
    let mut bob = Client::open_narrow(&server).await;
    bob.welcome = bob.ok("connect", json!({"token": server.token("bob"), "heads": {"c1": [1, 1]}})).await;
    // More than the kernel takes for bob, less than his queue: some of it waits sealed, some not.
    for at in 0..9 {
        alice.send("c1", &format!("m{at}"), &at.to_string().repeat(40_000)).await;
    }
    for at in 0..9 {
        let mut push = bob.push().await;
        if at == 0 && push["seq"] == 1 {
            // The event of the group, still on its way as bob connected: delivery is at least once.
            push = bob.push().await;
        }
        assert_eq!(
            (&push["seq"], &push["body"]["text"]),
            (&json!(at + 2), &json!(at.to_string().repeat(40_000))),
            "the {at}th"
        );
    }
}

#[tokio::test]
async fn the_console_on_loopback_sets_secure_cookies_and_binds_no_other_port() {
    let server = TestServer::spawn_tls().await;
    let head = format!("GET /sign-in HTTP/1.1\r\nHost: localhost:{}", server.port());
    let answer = ask(&mut server.dial().await, &head, "").await.to_lowercase();
    assert!(answer.starts_with("http/1.1 200 "), "{answer}");
    let cookie = answer.lines().find(|line| line.starts_with("set-cookie: __host-tim-form=")).unwrap();
    assert!(cookie.contains("; secure") && cookie.contains("; path=/;"), "{cookie}");
    assert!(!answer.contains("strict-transport-security"), "it would forbid plain HTTP on every port of localhost");
    let foreign = ask(&mut server.dial().await, "GET /sign-in HTTP/1.1\r\nHost: evil.example", "").await;
    assert!(foreign.starts_with("HTTP/1.1 421 "), "{foreign}");
}

#[tokio::test]
async fn a_drain_sends_everybody_away_and_exits_0() {
    let mut server = TestServer::spawn_tls().await;
    let mut alice = server.connect("alice").await;
    group(&mut alice, "c1", &[]).await;
    alice.send("c1", "m1", "last words").await;
    server.terminate();
    assert!(alice.push_of("drain").await["retry_after_ms"].is_u64());
    let closed = alice.closed().await;
    assert_eq!((closed.code, closed.why().as_str()), (4001, "draining"));
    assert_eq!(server.ended().await.code(), Some(0));
    server.start().await;
    let mut alice = server.connect("alice").await;
    let page = alice.ok("history", json!({"conversation": "c1"})).await;
    assert_eq!(page["items"][1]["body"]["text"], "last words");
}

#[tokio::test]
async fn a_client_that_vanishes_is_forgotten() {
    let server = TestServer::spawn_tls().await;
    let alice = server.connect("alice").await;
    let private = crate::support::Rest::new(&server.private_url, "");
    let connections = async |wanted: &str| {
        let line = format!("tokenim_connections {wanted}");
        until(async || private.get("/metrics").await.text.lines().any(|one| one == line).then_some(())).await;
    };
    connections("1").await;
    drop(alice);
    connections("0").await;
    let _: Value = server.connect("alice").await.ok("ping", json!({})).await;
}
