//! Who a credential speaks for: the token rules of the domain, with signing keys remembered for a moment.

use lru::LruCache;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::id::{AppId, KeyId, OrgId};
use tokenim_domain::secret::MasterKey;
use tokenim_domain::token::{self, Identity, SigningKey, session};
use tokenim_domain::{Code, Result};

/// How long a signing key is remembered: a revoked one is refused this much later at most.
const KEY_KEPT: Duration = Duration::from_secs(2);
/// Signing keys remembered, known and unknown; hostile `kid`s push each other out.
const KEYS_MAX: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// What a look-up returns.
pub type FoundKey = Pin<Box<dyn Future<Output = Result<Option<SigningKey>>> + Send>>;
/// Looks a signing key up in the store.
pub type FindKey = Arc<dyn Fn(KeyId) -> FoundKey + Send + Sync>;

/// What a look-up found, and until when that is believed.
type Remembered = (Option<SigningKey>, Duration);

/// Verifies user tokens and session tokens for every face.
#[derive(Clone)]
pub struct Verifier {
    find: FindKey,
    master: MasterKey,
    clock: Arc<dyn Clock>,
    keys: Arc<Mutex<Keys>>,
}

/// Keys remembered, and how many times some were forgotten: what was looked up before is not remembered after.
struct Keys {
    found: LruCache<KeyId, Remembered>,
    forgotten: u64,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Verifier")
    }
}

impl Verifier {
    /// A verifier that asks `find` for keys it does not remember.
    #[must_use]
    pub fn new(find: FindKey, master: MasterKey, clock: Arc<dyn Clock>) -> Self {
        Verifier {
            find,
            master,
            clock,
            keys: Arc::new(Mutex::new(Keys { found: LruCache::new(KEYS_MAX), forgotten: 0 })),
        }
    }

    /// Verifies a user token or a session token, whichever the text is.
    ///
    /// Errors: `token_invalid`, `token_expired`, `token_revoked`, `session_invalid`; the store's.
    pub async fn verify(&self, text: &str) -> Result<Identity> {
        if session::is_session(text) { self.verify_session(text).await } else { self.verify_token(text).await }
    }

    /// Verifies a user token. Errors: `token_invalid`, `token_expired`, `token_revoked`; the store's.
    pub async fn verify_token(&self, text: &str) -> Result<Identity> {
        let kid = token::key_of(text)?;
        let key = self.key(kid).await?.ok_or(Code::TokenInvalid)?;
        token::verify(text, &key, self.clock.now_ms())
    }

    /// Verifies a session token and that the key behind it still stands.
    ///
    /// Errors: `session_invalid`, `token_expired`, `token_revoked`; the store's.
    pub async fn verify_session(&self, text: &str) -> Result<Identity> {
        let identity = session::verify(text, &self.master, self.clock.now_ms())?;
        match self.key(identity.key).await? {
            Some(key) if key.revoked => Err(Code::TokenRevoked.into()),
            Some(key) if key.app == identity.app => Ok(identity),
            _ => Err(Code::SessionInvalid.into()),
        }
    }

    /// Whether an identity that was verified before still stands.
    ///
    /// Errors: `token_revoked`; the store's.
    pub async fn recheck(&self, identity: &Identity) -> Result<()> {
        match self.key(identity.key).await? {
            Some(key) if !key.revoked => Ok(()),
            _ => Err(Code::TokenRevoked.into()),
        }
    }

    /// Forgets the keys of orgs that changed, and those that were not found: they may exist now.
    pub(crate) fn forget(&self, changed: impl Fn(OrgId) -> bool) {
        let mut keys = self.keys();
        keys.forgotten += 1;
        let of_changed = |key: &Option<SigningKey>| key.as_ref().is_none_or(|key| changed(key.app.org));
        let gone: Vec<_> = keys.found.iter().filter(|(_, (key, _))| of_changed(key)).map(|(kid, _)| *kid).collect();
        gone.iter().for_each(|kid| drop(keys.found.pop(kid)));
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().expect("no holder panics")
    }

    /// The app a user token claims to be for, by its `kid`; nothing else about it is verified.
    pub(crate) async fn app_of(&self, text: &str) -> Option<AppId> {
        let key = self.key(token::key_of(text).ok()?).await.ok()??;
        Some(key.app.app)
    }

    /// The key that signs session tokens.
    #[must_use]
    pub fn master(&self) -> &MasterKey {
        &self.master
    }

    async fn key(&self, kid: KeyId) -> Result<Option<SigningKey>> {
        let now = self.clock.monotonic();
        let (known, forgotten) = {
            let mut keys = self.keys();
            let known = keys.found.get(&kid).filter(|(_, until)| now < *until).map(|(key, _)| key.clone());
            (known, keys.forgotten)
        };
        if let Some(key) = known {
            return Ok(key);
        }
        let key = (self.find)(kid).await?;
        let mut keys = self.keys();
        if keys.forgotten == forgotten {
            keys.found.put(kid, (key.clone(), now + KEY_KEPT));
        }
        drop(keys);
        Ok(key)
    }
}
