//! The integration tests: the real binary, over real sockets on free ports, with a data folder of its own per test.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod account;
mod announcements;
mod api;
mod attachments;
mod backup;
mod bench;
mod bodies;
mod cli;
mod docs;
mod gateway;
mod groups;
mod hostile;
mod import;
mod isolation;
mod keys;
mod live;
mod live_events;
mod mail;
mod members;
mod outage;
mod overview;
mod private;
mod quickstart;
mod quota;
mod restart;
mod service;
mod support;
mod tidy;
mod tls;
