//! Use-cases of the control plane that take more than one step: making the first org, signing in, members and invitations.

pub mod bootstrap;
pub mod invitations;
pub mod management_keys;
pub mod members;
pub mod operator_keys;
pub mod orgs;
pub mod password;
pub mod plans;
pub mod sign_in;
#[cfg(test)]
mod tests;
