//! What a connection is told about itself.

use crate::support::token::{now_s, with_claims};
use crate::support::{Client, TestServer};
use serde_json::json;

#[tokio::test]
async fn a_token_that_soon_expires_is_told_once_and_again_after_a_refresh() {
    let server = TestServer::spawn().await;
    let short = || with_claims(&server.founded, "alice", json!({"exp": now_s() + 30}));
    let mut alice = Client::connect(&server, &short()).await;
    let notice = alice.push_of("notice").await;
    assert_eq!(notice["kind"], "token_expiring");
    assert!((1..=30).contains(&notice["expires_in_s"].as_i64().unwrap()), "{notice}");
    alice.ok("refresh", json!({"token": server.token("alice")})).await;
    // A ping of the server comes later than any second notice would.
    let mut bob = server.connect("bob").await;
    while bob.pings.is_empty() || alice.pings.is_empty() {
        let idle = if bob.pings.is_empty() { &mut bob } else { &mut alice };
        assert!(idle.hear().await);
    }
    assert!(alice.pushes_so_far().await.is_empty() && bob.pushes_so_far().await.is_empty());
}
