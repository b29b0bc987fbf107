//! The job queue's runner and what leaves the system through it, mail; the sweep behind what was uploaded.

mod backoff;
pub mod bodies;
pub mod kinds;
pub mod mail;
pub mod runner;

pub use kinds::Jobs;
