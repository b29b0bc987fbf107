//! Use-cases of the control plane that take more than one step: making the first org, signing in, members and invitations.

pub mod account;
pub mod announcements;
pub mod apps;
pub mod bootstrap;
pub mod check;
pub mod invitations;
pub mod keys;
pub mod link;
pub mod management_keys;
pub mod members;
pub mod operator_keys;
pub mod orgs;
pub mod origins;
pub mod password;
pub mod plans;
pub mod reset;
pub mod sign_in;
pub mod sign_up;
pub mod signing_keys;
#[cfg(test)]
mod tests;
pub mod totp;
