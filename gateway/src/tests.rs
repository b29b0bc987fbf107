//! The core without sockets: a gateway over the model log, and clients that read their queues.

mod checkpoints;
pub mod client;
mod fan_out;
mod fault;
mod fuzz;
mod groups;
mod held;
mod lifetime;
mod limits;
mod live;
mod passive;
mod stream;

use client::World;
