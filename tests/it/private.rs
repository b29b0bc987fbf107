//! The private listener: what `tokenim health` makes of it, and what the metrics count.

use crate::support::template::{run, tokenim};
use crate::support::{Rest, TestServer, until};
use serde_json::json;
use std::net::TcpListener;
use std::process::Command;

fn health(private: &str) -> Command {
    let mut command = tokenim();
    command.args(["health", "--private-listen", private.trim_start_matches("http://")]);
    command
}

/// What `health` says of a server that is not ready.
fn ill(private: &str) -> String {
    let said = health(private).output().unwrap();
    assert_eq!((said.status.code(), said.stdout.as_slice()), (Some(1), &b""[..]), "{said:?}");
    String::from_utf8(said.stderr).unwrap()
}

#[tokio::test]
async fn health_tells_a_ready_server_from_one_that_drains_or_is_gone() {
    let mut server = TestServer::spawn().await;
    assert_eq!(run(&mut health(&server.private_url)), "ready\n");
    let by_configuration = tokenim()
        .arg("health")
        .env("TOKENIM_SERVER__PRIVATE_LISTEN", server.private_url.replace("http://127.0.0.1", "0.0.0.0"))
        .output();
    assert!(by_configuration.unwrap().status.success());
    // The connection that stays makes the drain last its whole window.
    server.kill();
    server.drain_ms = 5_000;
    server.start().await;
    let _stays = server.connect("alice").await;
    server.terminate();
    until(async || {
        let said = health(&server.private_url).output().unwrap();
        (!said.status.success()).then(|| assert!(String::from_utf8_lossy(&said.stderr).contains("draining")))
    })
    .await;
    assert_eq!(server.sample("tokenim_draining").await, 1.0);
    assert_eq!(server.sample("tokenim_ready").await, 0.0);
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(ill(&server.private_url).contains("refused"), "nobody listens");
}

#[tokio::test]
async fn health_is_not_fooled_by_another_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answering = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Read::read(&mut stream, &mut [0; 1_024]).unwrap();
        std::io::Write::write_all(&mut stream, b"SSH-2.0-OpenSSH\r\n").unwrap();
    });
    assert!(ill(&address).contains("no answer of tokenim"));
    answering.await.unwrap();
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let before = server.sample("tokenim_writes_total").await;
    for _ in 0..2 {
        alice.send("c1", "m1", "hello").await;
    }
    bob.push_of("message").await;
    server.settled().await;
    assert_eq!(server.sample("tokenim_messages_total").await, 1.0, "a repeat stores nothing");
    assert_eq!(server.sample("tokenim_writes_total").await - before, 2.0);
    assert!(server.sample("tokenim_deliveries_total").await >= 1.0);
    assert!(server.sample("tokenim_commit_seconds_count").await >= 3.0);
    assert!(server.sample("tokenim_commit_seconds_sum").await > 0.0);

    alice.refused("history", json!({"conversation": "nowhere"})).await;
    alice.refused("send", json!({"conversation": "c1"})).await;
    alice.refused("no_such_command", json!({})).await;
    for (code, count) in [("not_found", 1.0), ("invalid_request", 1.0), ("unknown_command", 1.0), ("overloaded", 0.0)] {
        assert_eq!(server.sample(&format!("tokenim_refusals_total{{code=\"{code}\"}}")).await, count, "{code}");
    }

    let answered = "tokenim_http_requests_total{face=\"api\",class=\"4xx\"}";
    let before = server.sample(answered).await;
    server.rest_as("").get("/v1/usage").await;
    Rest::new(&server.url, "").get("/no/such/page").await;
    assert_eq!(server.sample(answered).await - before, 1.0);
    assert_eq!(server.sample("tokenim_http_requests_total{face=\"console\",class=\"4xx\"}").await, 1.0);

    assert_eq!(server.sample("tokenim_ready").await, 1.0);
    assert!(server.sample("process_resident_memory_bytes").await > 1e6);
    assert!(server.sample("process_open_fds").await < server.sample("process_max_fds").await);
    assert!(server.sample("tokenim_queued_writes").await < server.sample("tokenim_queued_writes_max").await);
    assert_eq!(server.sample(&format!("tokenim_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))).await, 1.0);
}
