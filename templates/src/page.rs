//! The pages: one file per page, each a template with the data it shows.
pub mod account;
pub mod apps;
pub mod code;
pub mod keys;
pub mod link;
pub mod mailbox;
pub mod notice;
pub mod origins;
pub mod plan;
pub mod prove;
pub mod quickstart;
pub mod sign_in;
pub mod sign_up;
pub mod told;
pub mod usage;

#[cfg(test)]
mod samples;
