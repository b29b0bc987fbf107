//! Handshakes that do not come to a connection end soon, and disturb nobody.

use crate::support::wait::within_at_most;
use crate::support::{TestServer, within};
use rustls::version::TLS13;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A handshake is given 5 s; the rest is for a busy machine.
const GIVEN_UP: Duration = Duration::from_secs(15);

async fn tcp(server: &TestServer) -> TcpStream {
    within(TcpStream::connect(("127.0.0.1", server.port()))).await.unwrap()
}

/// What comes until the server closes; a reset is an end too.
async fn rest_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut came = Vec::new();
    let _ = within_at_most(GIVEN_UP, stream.read_to_end(&mut came)).await;
    came
}

#[tokio::test]
async fn plain_http_is_closed_at_once_with_an_alert() {
    let server = TestServer::spawn_tls().await;
    let mut plain = tcp(&server).await;
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let came = rest_of(&mut plain).await;
    assert_eq!((came.len(), came.first()), (7, Some(&21)), "an alert record (RFC 8446 §6): {came:?}");
    server.connect("alice").await;
}

#[tokio::test]
async fn a_handshake_that_stalls_is_closed() {
    let server = TestServer::spawn_tls().await;
    let mut silent = tcp(&server).await;
    let mut halting = tcp(&server).await;
    // The head of a ClientHello of 512 bytes that never comes.
    halting.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]).await.unwrap();
    server.connect("alice").await;
    assert_eq!(rest_of(&mut silent).await, b"");
    assert_eq!(rest_of(&mut halting).await, b"");
}

#[tokio::test]
async fn a_client_that_speaks_http_2_only_is_refused() {
    let server = TestServer::spawn_tls().await;
    let identity = server.tls.as_ref().unwrap();
    let refused = identity.connect_as(tcp(&server).await, &[&TLS13], &["h2"]).await.unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    let both = identity.connect_as(tcp(&server).await, &[&TLS13], &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let server = TestServer::spawn_tls().await;
    let mut alice = server.connect("alice").await;
    for garbage in [&[0; 64][..], &[22, 3, 3, 255, 255], &[23, 3, 3, 0, 4, 1, 2, 3, 4], &[21, 3, 3, 0, 2, 2, 40]] {
        let mut stream = tcp(&server).await;
        stream.write_all(garbage).await.unwrap();
        rest_of(&mut stream).await;
    }
    alice.ok("ping", serde_json::json!({})).await;
}
