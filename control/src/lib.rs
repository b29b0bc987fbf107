//! Use-cases of the control plane that take more than one step: making the first org, signing in.

pub mod bootstrap;
pub mod management_keys;
pub mod operator_keys;
pub mod password;
pub mod sign_in;
