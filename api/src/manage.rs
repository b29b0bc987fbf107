//! The provisioning API (docs/MANAGE.md): what the console does for an org, for scripts, through the same use-cases.

pub(crate) mod announcements;
pub(crate) mod apps;
pub(crate) mod audit;
pub(crate) mod invitations;
pub(crate) mod keys;
pub(crate) mod management_keys;
pub(crate) mod members;
pub(crate) mod orgs;
pub(crate) mod page;
pub(crate) mod parse;
pub(crate) mod plans;
pub(crate) mod service;
pub(crate) mod signing_keys;
pub(crate) mod stats;
pub(crate) mod transfer;
pub(crate) mod usage;

/// The language of mails where a call names none.
pub(crate) fn english() -> String {
    "en".to_owned()
}
