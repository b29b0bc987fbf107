//! The pages: one file per page, each a template with the data it shows.
pub mod mailbox;
pub mod notice;
pub mod prove;
pub mod quickstart;
pub mod sign_in;
pub mod usage;

#[cfg(test)]
mod samples;
