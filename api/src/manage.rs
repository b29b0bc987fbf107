//! The provisioning API (docs/MANAGE.md): everything the console does, for scripts, through the same use-cases.

pub(crate) mod management_keys;
pub(crate) mod orgs;
pub(crate) mod page;
