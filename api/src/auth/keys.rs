//! Secret keys, looked up through a cache. Signing keys that verify tokens are the gateway's verifier's.

use super::cache::Cache;
use super::used::Noted;
use tokenim_domain::Result;
use tokenim_domain::id::AppId;
use tokenim_domain::log::AppRef;
use tokenim_domain::token::SigningKey;
use tokenim_store::{ApiKey, ManagementKey, OperatorKey, Store};

/// The look-ups behind a secret key and behind a token to make.
pub(crate) struct Keys {
    store: Store,
    server: Cache<[u8; 32], ApiKey>,
    management: Cache<[u8; 32], ManagementKey>,
    operator: Cache<[u8; 32], OperatorKey>,
    signing: Cache<AppId, SigningKey>,
    pub(super) noted: Noted,
}

impl Keys {
    pub(crate) fn new(store: Store) -> Self {
        let clock = || store.clock().clone();
        Keys {
            server: Cache::new(clock()),
            management: Cache::new(clock()),
            operator: Cache::new(clock()),
            signing: Cache::new(clock()),
            noted: Noted::new(),
            store,
        }
    }

    /// The server key with that SHA-256.
    pub(crate) async fn api_key(&self, hash: [u8; 32]) -> Result<Option<ApiKey>> {
        self.server.find(hash, self.store.find_api_key(hash)).await
    }

    /// The management key with that SHA-256.
    pub(crate) async fn management_key(&self, hash: [u8; 32]) -> Result<Option<ManagementKey>> {
        self.management.find(hash, self.store.find_management_key(hash)).await
    }

    /// The operator key with that SHA-256.
    pub(crate) async fn operator_key(&self, hash: [u8; 32]) -> Result<Option<OperatorKey>> {
        self.operator.find(hash, self.store.find_operator_key(hash)).await
    }

    /// The signing key that new tokens of an app are made with.
    pub(crate) async fn current_signing_key(&self, app: AppRef) -> Result<Option<SigningKey>> {
        let found = self.signing.find(app.app, self.store.find_current_signing_key(app)).await?;
        match found {
            // It may have ended since it was looked up.
            Some(key) if key.standing.check_signing(self.store.clock().now_ms()).is_err() => {
                self.store.find_current_signing_key(app).await
            }
            found => Ok(found),
        }
    }
}
