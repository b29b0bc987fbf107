//! A slow reader is helped once, then closed; nobody else waits for it.

use crate::support::client::text_message;
use crate::support::{Client, TestServer, until, within};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

/// Enough to fill the kernel's buffers of one connection and then its queue twice.
const MESSAGES: i64 = 250;
/// Messages at once: together well under the queue of the quick reader.
const ROUND: i64 = 5;
const BYTES: usize = 60_000;

#[tokio::test]
async fn a_slow_reader_is_resynced_or_closed_and_others_get_everything() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "slow", "quick"]).await;
    server.group("c2", &["alice", "quick"]).await;
    let mut slow = Client::open_narrow(&server).await;
    slow.welcome = slow.ok("connect", json!({"token": server.token("slow")})).await;
    let (mut alice, mut quick) = (server.connect("alice").await, server.connect("quick").await);
    let text = "x".repeat(BYTES);
    // The slow one reads only after all of this.
    for round in 0..MESSAGES / ROUND {
        let mut ids = Vec::new();
        for at in round * ROUND..(round + 1) * ROUND {
            ids.push(alice.start("send", text_message("c1", &format!("m{at}"), &text)).await);
        }
        for (at, id) in (round * ROUND..).zip(ids) {
            assert_eq!(quick.push().await["seq"], at + 2, "the quick one hears each at once");
            alice.ok_of(id).await;
        }
    }
    alice.send("c2", "m1", "aside").await;
    assert_eq!(quick.push().await["conversation"], "c2");

    let closed = slow.closed().await;
    // It had five seconds to take its close frame; where the rest took longer, its socket was ended without.
    assert!(closed.code == 1006 || (closed.code, closed.why().as_str()) == (4008, "slow_consumer"), "{closed:?}");
    let (mut last, mut resyncs, mut events) = (1, 0, 0);
    for text in &slow.heard {
        let push = serde_json::from_str::<serde_json::Value>(text).unwrap()["push"].take();
        match push["type"].as_str() {
            Some("message") => {
                let seq = push["seq"].as_i64().unwrap();
                assert!(seq == last + 1 || (resyncs > 0 && seq > last), "a gap nobody told of: {seq} after {last}");
                (last, events) = (seq, events + 1);
            }
            Some("resync") => {
                assert_eq!((&push["conversation"], &push["reason"]), (&json!("c1"), &json!("slow_consumer")));
                resyncs += 1;
            }
            _ => {}
        }
    }
    assert!(events < MESSAGES && (resyncs == 1 || closed.code == 1006), "{events} events and {resyncs} resyncs");
    let mut again =
        Client::connect_with(&server, json!({"token": server.token("slow"), "heads": {"c1": [1, MESSAGES + 1]}})).await;
    assert_eq!(again.outcome("c1")["outcome"], "recovered");
    assert!(again.events_so_far().await.is_empty());
}

#[tokio::test]
async fn a_client_that_asks_and_never_reads_is_closed() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    for at in 0..4 {
        alice.send("c1", &format!("m{at}"), &"x".repeat(BYTES)).await;
    }
    let mut greedy = Client::open_narrow(&server).await;
    greedy.ok("connect", json!({"token": server.token("alice")})).await;
    for _ in 0..100 {
        greedy.start("history", json!({"conversation": "c1"})).await;
    }
    // Connections to the database are taken in turn: behind these, the ones above are answered, and nobody has read yet.
    for _ in 0..10 {
        alice.ok("history", json!({"conversation": "c1"})).await;
    }
    let closed = greedy.closed().await;
    assert_eq!((closed.code, closed.why().as_str()), (4008, "slow_consumer"));
    alice.ok("ping", json!({})).await;
}

#[tokio::test]
async fn a_burst_of_one_sender_does_not_make_a_prompt_reader_look_slow() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let text = "x".repeat(4_000);
    let mut ids = Vec::new();
    for at in 0..200 {
        ids.push(alice.start("send", text_message("c1", &format!("m{at}"), &text)).await);
    }
    for at in 0..200 {
        let push = bob.push().await;
        assert_eq!((push["type"].as_str(), push["seq"].as_i64()), (Some("message"), Some(at + 2)));
    }
    for id in ids {
        alice.ok_of(id).await;
    }
}

/// Its unread replies are more than may wait, so it is to be closed; but nothing can be written to it, the close frame
/// neither, so what ends it is the deadline of closing connections, 5 s.
#[tokio::test]
async fn a_peer_that_reads_nothing_is_forgotten_all_the_same() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    for at in 0..4 {
        alice.send("c1", &format!("m{at}"), &"x".repeat(BYTES)).await;
    }
    let mut dead = Client::open_narrow(&server).await;
    dead.ok("connect", json!({"token": server.token("alice")})).await;
    for _ in 0..60 {
        dead.start("history", json!({"conversation": "c1"})).await;
    }
    alice.close().await;
    let rest = server.rest();
    let gone = async || (rest.get("/v1/stats").await.ok()["connections"] == 0).then_some(());
    until(gone).await;
}

/// Nobody closes a stream from this side: the kernel gives its peer up, and with it goes its place.
#[tokio::test]
async fn a_stream_whose_client_never_reads_loses_its_place() {
    let mut server = TestServer::spawn().await;
    server.env.push(("TOKENIM_GATEWAY__UNREAD_MS", "1000".to_owned()));
    server.kill();
    server.start().await;
    server.group("c1", &["alice", "bob"]).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 * 1024).unwrap();
    let mut deaf = socket.connect(([127, 0, 0, 1], server.port()).into()).await.unwrap();
    let head = format!("GET /v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", server.token("bob"));
    deaf.write_all(head.as_bytes()).await.unwrap();
    let rest = server.rest();
    let connections = async |count| (rest.get("/v1/stats").await.ok()["connections"] == count).then_some(());
    until(async || connections(1).await).await;
    for at in 0..100 {
        rest.send("c1", "alice", &format!("m{at}"), &"x".repeat(BYTES)).await;
    }
    until(async || connections(0).await).await;
    // It never hung up.
    let mut first = [0; 12];
    within(deaf.read_exact(&mut first)).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
}
