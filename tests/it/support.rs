//! What the tests stand on: a server process, a client, REST calls, raw frames, and waiting without sleeping.

pub mod client;
pub mod database;
pub mod page;
pub mod proxy;
pub mod rest;
pub mod server;
pub mod template;
pub mod tls;
pub mod token;
pub mod wait;
pub mod wire;

pub use client::Client;
pub use rest::Rest;
pub use server::TestServer;
pub use wait::{until, within};
