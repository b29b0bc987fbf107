//! Hostile bytes: each gets its code, changes nothing, and harms no other connection.

mod envelopes;
mod forwarded;
mod frames;
mod handshakes;

use crate::support::{Client, TestServer};
use serde_json::{Value, json};

/// A server with an innocent conversation whose state and connections must outlive the attack.
pub struct Bystanders {
    pub server: TestServer,
    alice: Client,
    bob: Client,
    before: (Vec<Value>, i64),
}

impl Bystanders {
    pub async fn new() -> Bystanders {
        let server = TestServer::spawn().await;
        server.group("c1", &["alice", "bob"]).await;
        let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
        alice.send("c1", "before", "x").await;
        bob.push().await;
        let before = state(&server).await;
        Bystanders { server, alice, bob, before }
    }

    /// Nothing changed, and messages still flow.
    pub async fn are_well(mut self) {
        assert_eq!(state(&self.server).await, self.before);
        assert!(self.bob.pushes_so_far().await.is_empty());
        let ack = self.alice.send("c1", "after", "x").await;
        assert_eq!(self.bob.push().await["id"], ack["id"]);
        self.alice.ok("ping", json!({})).await;
    }
}

async fn state(server: &TestServer) -> (Vec<Value>, i64) {
    (server.rest().log("c1").await, server.rest().units().await)
}
