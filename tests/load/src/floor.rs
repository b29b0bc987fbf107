//! The floors: what the machine can do with nothing of ours in between.

pub mod append;
pub mod fanout;
pub mod relay;
pub mod stored;
