//! Connection minutes: what is open at a minute's first second counts one, and a stop of the server loses none.

use crate::support::{TestServer, until};
use serde_json::json;
use std::time::Duration;
use tokenim_domain::clock::{Clock, SystemClock};

const MINUTE_MS: i64 = 60_000;
/// Milliseconds at the end of a minute in which it is too late to begin.
const LATE_MS: i64 = 6_000;

#[tokio::test]
async fn what_is_open_at_the_first_second_of_a_minute_counts_and_nothing_else() {
    let clock = SystemClock::new();
    let left_ms = || MINUTE_MS - clock.now_ms().rem_euclid(MINUTE_MS);
    let mut server = TestServer::spawn().await;
    if left_ms() < LATE_MS {
        tokio::time::sleep(Duration::from_millis(LATE_MS as u64)).await;
    }
    let begins_ms = clock.now_ms() + left_ms();
    server.connect("carol").await.close().await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    // Two seconds later what is open has been looked at.
    while clock.now_ms() < begins_ms + 2_000 {
        alice.ok("ping", json!({})).await;
        bob.ok("ping", json!({})).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let _late = server.connect("dave").await;
    assert_eq!(server.rest().used("conn_min").await, 0, "a minute is told when it ends");
    server.terminate();
    assert!(server.ended().await.success());
    server.start().await;
    until(async || (server.rest().used("conn_min").await > 0).then_some(())).await;
    assert_eq!(server.rest().used("conn_min").await, 2);
}
