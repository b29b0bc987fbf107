//! What a change does to connections that are open, through the front door: keys, origins, suspensions and plans.

mod keys;
mod logins;
mod origins;
mod suspension;
mod trial;
mod unknown;

use crate::support::wait::within_at_most;
use crate::support::{Client, TestServer};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// Within this a connection hears of what ends it: two seconds are promised, one more is the busy machine's that tests.
const SOON: Duration = Duration::from_secs(3);

/// Sees a connection end in time; close code and its name.
async fn ended(client: &mut Client) -> (u16, String) {
    let closed = within_at_most(SOON, client.closed()).await;
    (closed.code, closed.why())
}

/// The session of a token without a socket.
async fn stream(server: &TestServer, token: &str) -> Response {
    let stream = server.rest_as(token).request(Method::GET, "/v1/stream").send().await.unwrap();
    assert_eq!(stream.status(), 200);
    stream
}

/// Sees a stream end in time; what its last event says.
async fn ended_stream(mut stream: Response) -> Value {
    let mut told = Vec::new();
    let to_the_end = async {
        while let Some(bytes) = stream.chunk().await.unwrap() {
            told.extend_from_slice(&bytes);
        }
    };
    within_at_most(SOON, to_the_end).await;
    let told = String::from_utf8(told).unwrap();
    let (_, last) = told.rsplit_once("event: close\ndata: ").unwrap_or_else(|| panic!("{told}"));
    serde_json::from_str(last).unwrap()
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
