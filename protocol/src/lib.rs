//! The wire contract: envelopes, commands, events, codes and limits. No I/O and no clock live here.

pub mod code;
pub mod command;
pub mod envelope;
pub mod event;
pub mod fields;
pub mod grammar;
pub mod limits;
pub mod live;
pub mod msgpack;
pub mod reply;
pub mod strict;
pub mod time;

pub use code::Code;

#[cfg(test)]
mod vectors;
