//! Who a credential speaks for: the token rules of the domain, with signing keys remembered for a moment.

use lru::LruCache;
use std::future::Future;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::id::{KeyId, OrgId};
use tokenim_domain::log::AppRef;
use tokenim_domain::secret::MasterKey;
use tokenim_domain::standing::Standing;
use tokenim_domain::token::{self, Identity, SigningKey, session};
use tokenim_domain::{Code, Error, Result};

/// How long a key is remembered: a revoked one is refused this much later at most.
const KEY_KEPT: Duration = Duration::from_secs(2);
/// Keys of a kind remembered, known and unknown; hostile `kid`s push each other out.
const KEYS_MAX: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// What a look-up returns.
pub type Found<T> = Pin<Box<dyn Future<Output = Result<Option<T>>> + Send>>;
/// Looks a signing key up in the store.
pub type FindKey = Arc<dyn Fn(KeyId) -> Found<SigningKey> + Send + Sync>;
/// Looks up whether a server key of an app stands.
pub type FindMinter = Arc<dyn Fn(AppRef, KeyId) -> Found<Standing> + Send + Sync>;

/// What a verifier asks the store.
#[derive(Clone)]
pub struct Lookups {
    /// For the key that a token's `kid` names.
    pub signing: FindKey,
    /// For the server key that a token was minted by.
    pub minter: FindMinter,
}

/// Verifies user tokens and session tokens for every face.
#[derive(Clone)]
pub struct Verifier {
    lookups: Lookups,
    master: MasterKey,
    clock: Arc<dyn Clock>,
    signing: Memory<KeyId, SigningKey>,
    minters: Memory<(AppRef, KeyId), Standing>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Verifier")
    }
}

impl Verifier {
    /// A verifier that asks for keys it does not remember.
    #[must_use]
    pub fn new(lookups: Lookups, master: MasterKey, clock: Arc<dyn Clock>) -> Self {
        let (signing, minters) = (Memory::new(clock.clone()), Memory::new(clock.clone()));
        Verifier { lookups, master, clock, signing, minters }
    }

    /// Verifies a user token or a session token, whichever the text is.
    ///
    /// Errors: `token_invalid`, `token_expired`, `token_revoked`, `session_invalid`, `app_suspended`; the store's.
    pub async fn verify(&self, text: &str) -> Result<Identity> {
        if session::is_session(text) { self.verify_session(text).await } else { self.verify_token(text).await }
    }

    /// Verifies a user token. Errors: `token_invalid`, `token_expired`, `token_revoked`, `app_suspended`; the store's.
    pub async fn verify_token(&self, text: &str) -> Result<Identity> {
        token::check_form(text)?;
        let kid = token::key_of(text)?;
        let key = self.key(kid).await?.ok_or_else(token::unverified)?;
        let identity = token::verify(text, &key, self.clock.now_ms())?;
        self.check_minter(&identity).await?;
        Ok(identity)
    }

    /// Verifies a session token and that the keys behind it still stand.
    ///
    /// Errors: `session_invalid`, `token_expired`, `token_revoked`, `app_suspended`; the store's.
    pub async fn verify_session(&self, text: &str) -> Result<Identity> {
        let identity = session::verify(text, &self.master, self.clock.now_ms())?;
        let key = self.key(identity.key).await?.filter(|key| key.app == identity.app).ok_or(Code::SessionInvalid)?;
        key.standing.check_signing(self.clock.now_ms())?;
        self.check_minter(&identity).await?;
        Ok(Identity { key_ends_ms: key.standing.expires_ms, ..identity })
    }

    /// Whether the keys behind an identity that was verified before still stand, and when the signing key ends: for
    /// connections that stay open.
    ///
    /// What is believed is 2 s old at most. Errors: `token_revoked`, `app_suspended`; the store's.
    pub async fn recheck(&self, identity: &Identity) -> Result<Option<i64>> {
        let key = self.key(identity.key).await?.ok_or(Code::TokenRevoked)?;
        key.standing.check_signing(self.clock.now_ms())?;
        self.check_minter(identity).await?;
        Ok(key.standing.expires_ms)
    }

    /// Forgets the keys of orgs that changed, and those that were not found: they may exist now.
    pub(crate) fn forget(&self, changed: impl Fn(OrgId) -> bool) {
        self.signing.forget(|_, key| key.is_none_or(|key| changed(key.app.org)));
        self.minters.forget(|(app, _), standing| standing.is_none() || changed(app.org));
    }

    /// The app a user token claims to be for, by its `kid`; nothing else about it is verified.
    pub(crate) async fn app_of(&self, text: &str) -> Option<AppRef> {
        let key = self.key(token::key_of(text).ok()?).await.ok()??;
        Some(key.app)
    }

    /// The key that signs session tokens.
    #[must_use]
    pub fn master(&self) -> &MasterKey {
        &self.master
    }

    async fn key(&self, kid: KeyId) -> Result<Option<SigningKey>> {
        self.signing.find(kid, || (self.lookups.signing)(kid)).await
    }

    /// A token that names a server key which its app does not have is none of ours, whoever signed it.
    async fn check_minter(&self, identity: &Identity) -> Result<()> {
        let Some(key) = identity.minted_by else { return Ok(()) };
        let app = identity.app;
        let standing = self.minters.find((app, key), || (self.lookups.minter)(app, key)).await?;
        let unknown = || Error::new(Code::TokenRevoked).says("`tim_key` names no server key of the token's app");
        standing.ok_or_else(unknown)?.check_minter()
    }
}

/// What look-ups found, presence and absence, believed for a moment.
struct Memory<K, V> {
    clock: Arc<dyn Clock>,
    held: Arc<Mutex<Held<K, V>>>,
}

/// What is remembered, and how many times some was forgotten: what was looked up before is not remembered after.
struct Held<K, V> {
    found: LruCache<K, Remembered<V>>,
    forgotten: u64,
}

/// What a look-up found, and until when that is believed.
type Remembered<V> = (Option<V>, Duration);

impl<K, V> Clone for Memory<K, V> {
    fn clone(&self) -> Self {
        Memory { clock: self.clock.clone(), held: self.held.clone() }
    }
}

impl<K: Hash + Eq + Copy, V: Clone> Memory<K, V> {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let held = Held { found: LruCache::new(KEYS_MAX), forgotten: 0 };
        Memory { clock, held: Arc::new(Mutex::new(held)) }
    }

    /// What is remembered, else what the look-up finds. Its age counts from before the look-up.
    async fn find(&self, key: K, load: impl FnOnce() -> Found<V>) -> Result<Option<V>> {
        let now = self.clock.monotonic();
        let (known, forgotten) = {
            let mut held = self.held();
            let young = |entry: &Remembered<V>| (now < entry.1).then(|| entry.0.clone());
            (held.found.get(&key).and_then(young), held.forgotten)
        };
        if let Some(value) = known {
            return Ok(value);
        }
        let value = load().await?;
        let mut held = self.held();
        if held.forgotten == forgotten {
            held.found.put(key, (value.clone(), now + KEY_KEPT));
        }
        drop(held);
        Ok(value)
    }

    fn forget(&self, is_stale: impl Fn(&K, Option<&V>) -> bool) {
        let mut held = self.held();
        held.forgotten += 1;
        let stale = held.found.iter().filter(|(key, (value, _))| is_stale(key, value.as_ref()));
        let stale: Vec<K> = stale.map(|(key, _)| *key).collect();
        stale.iter().for_each(|key| drop(held.found.pop(key)));
    }

    fn held(&self) -> MutexGuard<'_, Held<K, V>> {
        self.held.lock().expect("no holder panics")
    }
}
