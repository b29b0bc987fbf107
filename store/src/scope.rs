//! The org handle: the only way to what belongs to an org.

use crate::Store;
use crate::db::{Fence, Fenced};
use tokenim_domain::id::OrgId;

/// One org's data.
#[derive(Debug, Clone, Copy)]
pub struct OrgScope<'a> {
    pub(crate) store: &'a Store,
    pub(crate) org: OrgId,
}

impl Store {
    /// The handle to an org's data; only a verified credential may name the org.
    #[must_use]
    pub fn org(&self, org: OrgId) -> OrgScope<'_> {
        OrgScope { store: self, org }
    }
}

impl OrgScope<'_> {
    /// A reading connection inside the org's fence.
    pub(crate) fn reader(&self) -> Fenced<'_> {
        self.store.readers.within(Fence::of(self.org))
    }
}
