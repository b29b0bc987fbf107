//! Ids, rules and ports that every room shares. Pure: no I/O; clock and randomness are arguments.

pub mod actor;
pub mod address;
pub mod announcement;
pub mod clock;
pub mod content;
pub mod currency;
pub mod error;
pub mod group;
pub mod id;
pub mod job;
pub mod key;
pub mod log;
pub mod login;
pub mod mail;
pub mod membership;
pub mod meter;
pub mod name;
pub mod origin;
pub mod plan;
pub mod rng;
pub mod role;
pub mod sabotage;
pub mod scope;
pub mod secret;
pub mod standing;
pub mod terms;
pub mod token;

pub use error::{Error, Result};
pub use tokenim_protocol::{Code, grammar, limits};
