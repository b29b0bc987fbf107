//! Openings that are slow, wrong, or carry what they must not.

use super::Bystanders;
use crate::support::wire::{Frame, PING, TEXT, Wire, text};
use crate::support::within;
use std::time::Duration;
use tokenim_protocol::limits::UNAUTHENTICATED_BYTES_MAX;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn commands_before_connect_are_refused_and_close() {
    let bystanders = Bystanders::new().await;
    let mut wire = Wire::open(&bystanders.server).await;
    wire.send(&text(r#"{"id":1,"history":{"conversation":"c1"}}"#)).await;
    let close = wire.closed().await;
    assert_eq!((close.code, close.why().as_str()), (4401, "unauthenticated"));
    assert_eq!(
        close.replies.iter().map(|reply| reply["error"]["code"].clone()).collect::<Vec<_>>(),
        ["unauthenticated"]
    );
    bystanders.are_well().await;
}

#[tokio::test]
async fn bytes_before_authentication_are_bounded() {
    let bystanders = Bystanders::new().await;
    let mut wire = Wire::open(&bystanders.server).await;
    let over = vec![b' '; UNAUTHENTICATED_BYTES_MAX + 1];
    wire.send(&Frame { announced: Some(60_000), ..Frame::new(TEXT, &over) }.bytes()).await;
    assert_eq!(wire.closed().await.code, 4400);
    let mut pinger = Wire::open(&bystanders.server).await;
    for _ in 0..=UNAUTHENTICATED_BYTES_MAX / 125 {
        pinger.send(&Frame::new(PING, &[b'x'; 125]).bytes()).await;
    }
    assert_eq!(pinger.closed().await.code, 4400);
    bystanders.are_well().await;
}

#[tokio::test]
async fn pinging_does_not_prolong_the_deadline_to_connect() {
    let bystanders = Bystanders::new().await;
    let mut wire = Wire::open(&bystanders.server).await;
    let mut pings = tokio::time::interval(Duration::from_millis(400));
    let closed = async {
        loop {
            tokio::select! {
                _ = pings.tick() => wire.send(&Frame::new(PING, b"").bytes()).await,
                frame = wire.frame() => match frame {
                    Some((crate::support::wire::CLOSE, payload)) => return u16::from_be_bytes([payload[0], payload[1]]),
                    Some(_) => {}
                    None => panic!("ended without a close"),
                },
            }
        }
    };
    assert_eq!(within(closed).await, 4401);
    bystanders.are_well().await;
}

#[tokio::test]
async fn an_unknown_subprotocol_is_told_after_the_upgrade() {
    let bystanders = Bystanders::new().await;
    let mut wire =
        Wire::open_at(&bystanders.server, "/v1/connect", "Sec-WebSocket-Protocol: tokenim.v9.json\r\n").await;
    assert!(wire.head.starts_with("HTTP/1.1 101"), "{}", wire.head);
    let close = wire.closed().await;
    assert_eq!((close.code, close.why().as_str()), (4426, "version_unsupported"));
    let mut among = Wire::open_at(
        &bystanders.server,
        "/v1/connect",
        "Sec-WebSocket-Protocol: tokenim.v9.json, tokenim.v1.json\r\n",
    )
    .await;
    assert!(among.head.contains("sec-websocket-protocol: tokenim.v1.json"), "{}", among.head);
    among.send(&text("x")).await;
    assert_eq!(among.closed().await.code, 4400);
    bystanders.are_well().await;
}

#[tokio::test]
async fn a_credential_in_the_url_is_refused() {
    let bystanders = Bystanders::new().await;
    let token = bystanders.server.token("mallory");
    for name in ["token", "access_token", "session", "jwt"] {
        let mut wire = Wire::open_at(&bystanders.server, &format!("/v1/connect?{name}={token}"), "").await;
        let close = wire.closed().await;
        assert_eq!((close.code, close.why().as_str()), (4400, "token_in_url"), "{name}");
    }
    bystanders.are_well().await;
}

#[tokio::test]
async fn an_upgrade_elsewhere_or_of_another_kind_is_none() {
    let bystanders = Bystanders::new().await;
    for path in ["/", "/v1/stats", "/v1/connect/", "/v1/Connect", "/console"] {
        let wire = Wire::open_at(&bystanders.server, path, "").await;
        assert!(!wire.head.starts_with("HTTP/1.1 101"), "{path}: {}", wire.head);
    }
    for (version, status) in [("8", "426"), ("", "426")] {
        let mut wire = Wire::dial(&bystanders.server).await;
        wire.send(format!("GET /v1/connect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n").as_bytes()).await;
        wire.read_head().await;
        assert!(wire.head.starts_with(&format!("HTTP/1.1 {status}")), "{version}: {}", wire.head);
    }
    let plain = bystanders.server.rest().get("/v1/connect").await;
    assert!((400..500).contains(&plain.status), "{}", plain.text);
    bystanders.are_well().await;
}

#[tokio::test]
async fn half_a_request_is_dropped_after_its_deadline() {
    let bystanders = Bystanders::new().await;
    let mut wire = Wire::dial(&bystanders.server).await;
    wire.send(b"GET /v1/connect HTTP/1.1\r\nHost: x\r\n").await;
    let rest = wire.rest().await;
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 408"), "{rest}");
    bystanders.are_well().await;
}

#[tokio::test]
async fn bytes_behind_the_handshake_are_not_lost() {
    let bystanders = Bystanders::new().await;
    let mut wire = Wire::dial(&bystanders.server).await;
    let connect =
        text(&serde_json::json!({"id": 1, "connect": {"token": bystanders.server.token("mallory")}}).to_string());
    let head = "GET /v1/connect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    wire.send(&[head.as_bytes(), &connect].concat()).await;
    wire.read_head().await;
    assert_eq!(wire.reply().await["id"], 1);
    bystanders.are_well().await;
}

/// RFC 6455 §4.2.1.
#[tokio::test]
async fn only_a_get_that_asks_to_upgrade_becomes_a_websocket() {
    let bystanders = Bystanders::new().await;
    for (method, connection) in [("POST", "Upgrade"), ("PUT", "keep-alive, Upgrade"), ("GET", "keep-alive")] {
        let head = format!(
            "{method} /v1/connect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: {connection}\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 0\r\n\r\n"
        );
        let mut stream = TcpStream::connect(("127.0.0.1", bystanders.server.port())).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        within(stream.read_exact(&mut answer)).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 4"), "{method} {connection}: {}", String::from_utf8_lossy(&answer));
    }
    bystanders.are_well().await;
}
