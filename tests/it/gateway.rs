//! The gateway over WebSockets: each command, what it pushes to whom, and what ends a connection.

mod absence;
mod amend;
mod connect;
mod conversation;
mod deliver;
mod history;
mod liveness;
mod minutes;
mod receipt;
mod recover;
mod send;
mod slow;
mod stream;
mod sync;
