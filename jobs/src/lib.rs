//! The job queue's runner and what leaves the system through it: mail.

mod backoff;
pub mod kinds;
pub mod mail;
pub mod runner;

pub use kinds::Jobs;
