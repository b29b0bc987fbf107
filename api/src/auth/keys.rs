//! Keys of apps, looked up through a cache. Signing keys that verify tokens are the gateway's verifier's.

use super::cache::Cache;
use tokenim_domain::Result;
use tokenim_domain::id::AppId;
use tokenim_domain::log::AppRef;
use tokenim_domain::token::SigningKey;
use tokenim_store::{ApiKey, Store};

/// The look-ups behind a server key and behind a token to make.
pub(crate) struct Keys {
    store: Store,
    api: Cache<[u8; 32], ApiKey>,
    signing: Cache<AppId, SigningKey>,
}

impl Keys {
    pub(crate) fn new(store: Store) -> Self {
        let clock = store.clock().clone();
        Keys { api: Cache::new(clock.clone()), signing: Cache::new(clock), store }
    }

    /// The API key with that SHA-256.
    pub(crate) async fn api_key(&self, hash: [u8; 32]) -> Result<Option<ApiKey>> {
        self.api.find(hash, self.store.find_api_key(hash)).await
    }

    /// The signing key that new tokens of an app are made with.
    pub(crate) async fn current_signing_key(&self, app: AppRef) -> Result<Option<SigningKey>> {
        self.signing.find(app.app, self.store.find_current_signing_key(app)).await
    }
}
