//! The data plane: connections, commands, fan-out. The core knows no socket, no SQL and no wall clock;
//! the feature `server` adds the transport.

pub mod appender;
mod audience;
pub mod bus;
pub mod checkpoints;
mod command;
pub mod connection;
pub mod counters;
mod deflate;
mod delivery;
pub mod encode;
pub mod encoded;
pub mod events;
pub mod frame;
mod gateway;
mod idle;
pub mod incoming;
pub mod limits;
pub mod live;
pub mod metered;
mod owed;
pub mod places;
pub mod presence;
pub mod recent;
mod registry;
mod reply;
pub mod stream;
mod sweep;
mod ticker;
#[cfg(feature = "server")]
pub mod transport;
pub mod verifier;
mod watch;

pub use counters::Counted;
pub use gateway::{Gateway, Parts};
pub use registry::AppStats;

#[cfg(test)]
mod model;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;
