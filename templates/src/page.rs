//! The pages: one file per page, each a template with the data it shows.
pub mod account;
pub mod announcements;
pub mod apps;
pub mod audit;
pub mod code;
pub mod docs;
pub mod invitation;
pub mod keys;
pub mod link;
pub mod mailbox;
pub mod members;
pub mod notice;
pub mod operator;
pub mod orgs;
pub mod origins;
pub mod plan;
pub mod prove;
pub mod quickstart;
pub mod settings;
pub mod sign_in;
pub mod sign_up;
pub mod told;
pub mod usage;

#[cfg(test)]
mod samples;
