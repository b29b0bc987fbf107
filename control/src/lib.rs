//! Use-cases of the control plane that take more than one step: making the first org, signing in, members and invitations.

pub mod bootstrap;
pub mod management_keys;
pub mod operator_keys;
pub mod invitations;
pub mod members;
pub mod orgs;
pub mod password;
pub mod sign_in;
