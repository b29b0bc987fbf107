//! `read` and `received`: watermarks, and the receipts they push.

use crate::support::TestServer;
use serde_json::json;

#[tokio::test]
async fn a_moved_watermark_is_pushed_to_the_others() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob, mut tablet) =
        (server.connect("alice").await, server.connect("bob").await, server.connect("bob").await);
    alice.send("c1", "m1", "x").await;
    assert_eq!(bob.ok("received", json!({"conversation": "c1", "seq": 2})).await, json!({}));
    assert_eq!(bob.ok("read", json!({"conversation": "c1", "seq": 2})).await, json!({}));
    for client in [&mut alice, &mut tablet] {
        let received = client.push_of("receipt").await;
        assert_eq!(received, json!({"type": "receipt", "conversation": "c1", "user": "bob", "received": 2}));
        assert_eq!(
            client.push_of("receipt").await,
            json!({"type": "receipt", "conversation": "c1", "user": "bob", "read": 2})
        );
    }
    let members = alice.ok("conversation.members", json!({"conversation": "c1"})).await;
    assert_eq!(members["items"][1], json!({"user": "bob", "role": "member", "joined": 1, "read": 2, "received": 2}));
}

#[tokio::test]
async fn a_watermark_that_does_not_move_is_not_pushed() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    for at in 0..3 {
        alice.send("c1", &format!("m{at}"), "x").await;
    }
    for seq in [4, 3, 4, 1] {
        bob.ok("read", json!({"conversation": "c1", "seq": seq})).await;
    }
    let receipts: Vec<_> = alice.pushes_so_far().await.into_iter().filter(|push| push["type"] == "receipt").collect();
    assert_eq!(receipts.iter().map(|push| push["read"].clone()).collect::<Vec<_>>(), [json!(4)]);
}

#[tokio::test]
async fn a_watermark_beyond_the_head_or_below_1_is_refused() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let mut bob = server.connect("bob").await;
    for seq in [-1, 0, 2, i64::MAX] {
        for command in ["read", "received"] {
            let error = bob.refused(command, json!({"conversation": "c1", "seq": seq})).await;
            assert_eq!((&error["code"], &error["param"]), (&json!("invalid_field"), &json!("seq")), "{command} {seq}");
        }
    }
    assert_eq!(bob.refused("read", json!({"conversation": "nowhere", "seq": 1})).await["code"], "not_found");
}
