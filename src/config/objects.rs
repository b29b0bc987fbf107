//! `[objects]`: where the bytes of large bodies are.

use super::mail::Password;
use super::{Fault, content};
use serde::{Deserialize, Serialize};
use tokenim_domain::secret::Secret;
use tokenim_store::{Objects as Kept, S3Settings, Store};

/// `[objects]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    /// Where.
    pub kind: Kind,
    /// Address of the service; empty = Amazon's for the region.
    pub endpoint: String,
    /// The bucket, which exists.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// Id of the access key.
    pub access_key_id: String,
    /// The access key.
    pub secret_access_key: Password,
}

/// Where objects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// In the data folder.
    Folder,
    /// Behind an S3-compatible service.
    S3,
}

impl Objects {
    /// What is wrong with it, as far as that can be told without a network.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.kind == Kind::Folder {
            return Ok(());
        }
        let needed = [
            ("objects.bucket", self.bucket.is_empty()),
            ("objects.region", self.region.is_empty()),
            ("objects.access_key_id", self.access_key_id.is_empty()),
            ("objects.secret_access_key", self.secret_access_key.expose().is_empty()),
        ];
        if let Some((key, _)) = needed.into_iter().find(|(_, is_missing)| *is_missing) {
            return Err(content(key, "is needed with the kind s3"));
        }
        let schemes = ["http://", "https://"];
        if !self.endpoint.is_empty() && !schemes.iter().any(|scheme| self.endpoint.starts_with(scheme)) {
            return Err(content("objects.endpoint", "must be empty or begin with https:// or http://"));
        }
        Ok(())
    }

    /// The store, with its objects where they are.
    ///
    /// Errors: `internal` for settings that can't be used.
    pub fn of(&self, store: Store) -> tokenim_domain::Result<Store> {
        if self.kind == Kind::Folder {
            return Ok(store);
        }
        let objects = Kept::s3(&S3Settings {
            endpoint: self.endpoint.clone(),
            bucket: self.bucket.clone(),
            region: self.region.clone(),
            access_key_id: self.access_key_id.clone(),
            secret_access_key: Secret::new(self.secret_access_key.expose().to_owned()),
        })?;
        Ok(store.with_objects(objects))
    }
}
