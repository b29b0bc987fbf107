//! The second factor: a code of six digits every 30 seconds (RFC 6238), each taken once, and recovery codes for its loss.

use tokenim_domain::actor::Actor;
use tokenim_domain::id::AccountId;
use tokenim_domain::key::random_base62;
use tokenim_domain::rng::Rng;
use tokenim_domain::{Code, Error, Result};
use tokenim_store::{Store, TotpSeed};
use totp_rs::{Algorithm, Builder, Totp};

/// Bytes of a seed: 160 bits (RFC 4226 §4).
const SEED_BYTES: usize = 20;
/// Digits of a code.
const DIGITS: u8 = 6;
/// Seconds in which a code is the current one.
const STEP_S: u64 = 30;
/// Steps before and after the current one whose codes are taken too.
const SKEW: u16 = 1;
/// What authenticator apps call us.
const ISSUER: &str = "TokenIM";
/// Recovery codes of an account.
pub const RECOVERY_CODES: usize = 10;
/// Characters of one: 14 of base62 are 83 bits.
const RECOVERY_CHARS: usize = 14;
/// Characters of whatever may be entered as a code.
pub const CODE_CHARS_MAX: usize = 32;

/// What an authenticator app needs to know.
#[derive(Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The seed in base32, for typing.
    pub secret: String,
    /// The same as the address that apps read from a QR code.
    pub address: String,
}

/// Begins to switch the second factor on; of two who begin at once, both go on with one seed.
///
/// Errors: the store's.
pub async fn begin(store: &Store, account: AccountId) -> Result<()> {
    store.begin_totp(account, &store.rng().bytes::<SEED_BYTES>()).await
}

/// What is to be read and confirmed, between [`begin`] and [`confirm`].
///
/// Errors: the store's.
pub async fn pending(store: &Store, account: AccountId, email: &str) -> Result<Option<Enrolment>> {
    let Some(TotpSeed { seed, is_confirmed: false }) = store.find_totp(account).await? else { return Ok(None) };
    let totp = builder(seed.clone())
        .with_account_name(email.replace(':', "_"))
        .with_issuer(Some(ISSUER))
        .build()
        .map_err(|error| Error::internal(error.to_string()))?;
    let address = totp.to_url().map_err(|error| Error::internal(error.to_string()))?;
    Ok(Some(Enrolment { secret: totp_rs::Secret::from(seed).to_base32(), address }))
}

/// Switches the second factor on, once a code shows that the person's device has the seed. Returns the recovery codes,
/// which are shown once.
///
/// Errors: `invalid_field` at `code`; `conflict` where it is on, or was never begun; the store's.
pub async fn confirm(store: &Store, account: AccountId, code: &str, actor: &Actor) -> Result<Vec<String>> {
    let found = store.find_totp(account).await?.filter(|found| !found.is_confirmed);
    let seed = found.ok_or_else(|| Error::new(Code::Conflict))?.seed;
    let step = matched(seed, code, store.clock().now_ms())?.ok_or_else(wrong)?;
    let codes = recovery_codes(&**store.rng());
    store.confirm_totp(account, step, &codes, actor).await?;
    Ok(codes)
}

/// Takes a code of the device or a recovery code; each works once.
///
/// Errors: `invalid_field` at `code`; the store's.
pub async fn take(store: &Store, account: AccountId, code: &str, actor: &Actor) -> Result<()> {
    let found = store.find_totp(account).await?.filter(|found| found.is_confirmed).ok_or_else(wrong)?;
    let taken = match matched(found.seed, code, store.clock().now_ms())? {
        Some(step) => store.take_totp_step(account, step).await?,
        None => store.use_recovery_code(account, &plain(code), actor).await?,
    };
    if taken { Ok(()) } else { Err(wrong()) }
}

/// Switches the second factor off, with a last code.
///
/// Errors: as [`take`].
pub async fn disable(store: &Store, account: AccountId, code: &str, actor: &Actor) -> Result<()> {
    take(store, account, code, actor).await?;
    store.delete_totp(account, actor).await
}

/// Replaces the recovery codes; the old ones work no longer.
///
/// Errors: `conflict` where the second factor is off; the store's.
pub async fn regenerate(store: &Store, account: AccountId, actor: &Actor) -> Result<Vec<String>> {
    let is_on = store.find_totp(account).await?.is_some_and(|found| found.is_confirmed);
    if !is_on {
        return Err(Error::new(Code::Conflict));
    }
    let codes = recovery_codes(&**store.rng());
    store.replace_recovery_codes(account, &codes, actor).await?;
    Ok(codes)
}

fn builder(seed: Vec<u8>) -> Builder {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_skew(SKEW)
        .with_step_duration(STEP_S)
        .with_secret(seed)
}

fn wrong() -> Error {
    Error::invalid("code", "the code is not right, or was used before")
}

/// The step whose code this is, if it is one of about now.
fn matched(seed: Vec<u8>, code: &str, now_ms: i64) -> Result<Option<i64>> {
    let totp: Totp = builder(seed).build().map_err(|error| Error::internal(error.to_string()))?;
    let step = totp.check(&plain(code), u64::try_from(now_ms / 1000).unwrap_or_default());
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

/// A code as it was made: people copy it with spaces and dashes.
fn plain(code: &str) -> String {
    code.chars().filter(|letter| letter.is_ascii_alphanumeric()).collect()
}

fn recovery_codes(rng: &dyn Rng) -> Vec<String> {
    (0..RECOVERY_CODES).map(|_| random_base62(RECOVERY_CHARS, rng)).collect()
}
