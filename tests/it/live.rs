//! What a change does to connections that are open, through the front door: keys, origins, suspensions and plans.

mod keys;
mod logins;
mod origins;
mod suspension;
mod trial;
mod unknown;

use crate::support::Client;
use crate::support::wait::within_at_most;
use serde_json::{Value, json};
use std::time::Duration;

/// Within this a connection hears of what ends it.
const SOON: Duration = Duration::from_secs(5);

/// Sees a connection end in time; close code and its name.
async fn ended(client: &mut Client) -> (u16, String) {
    let closed = within_at_most(SOON, client.closed()).await;
    (closed.code, closed.why())
}

/// Sees a `connect` refused and closed with the same code: the error, and the number that closed.
async fn refused(mut client: Client, fields: Value) -> (Value, u16) {
    let error = client.refused("connect", fields).await;
    let closed = client.closed().await;
    assert_eq!(error["code"], closed.why());
    (error, closed.code)
}

/// Whether it answers.
async fn assert_open(client: &mut Client) {
    client.ok("ping", json!({})).await;
}
