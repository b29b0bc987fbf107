//! Passwords: hashing that costs an attacker, on a pool that a flood of logins can't exhaust.

mod breached;

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokenim_domain::rng::Rng;
use tokenim_domain::secret::Secret;
use tokenim_domain::{Code, Error, Result};
use tokio::sync::Semaphore;

/// Characters of a password at least.
pub const CHARS_MIN: usize = 12;
/// Characters of a password at most; hashing more would only help an attacker.
pub const CHARS_MAX: usize = 256;
/// Logins that may wait for their turn; the next one is told to come back.
const WAITING_MAX: usize = 50;
/// Milliseconds until it may: about what the queue takes.
const BUSY_RETRY_MS: u64 = 3_000;
/// Memory of a hash in KiB, and passes over it: the first choice of OWASP's password storage cheat sheet.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;

static TURNS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(hashes_max()));
static QUEUE: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(hashes_max() + WAITING_MAX));

/// Hashes computed at a time: one a core. Each takes 19 MiB.
fn hashes_max() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Checks a password that somebody chose for an address (lower case); no rules of composition (NIST SP 800-63B §5.1.1.2).
///
/// Errors: `invalid_field` at `new_password` for its length, or where it is one that attackers try first.
pub fn check_new(password: &Secret, email: &str) -> Result<()> {
    check_length(password).map_err(|error| error.at("new_password"))?;
    if breached::is_easy(password.expose(), email) {
        return Err(Error::invalid("new_password", "this password is one that attackers try first"));
    }
    Ok(())
}

fn check_length(password: &Secret) -> Result<()> {
    if (CHARS_MIN..=CHARS_MAX).contains(&password.expose().chars().count()) {
        return Ok(());
    }
    Err(Error::invalid("password", format!("a password has {CHARS_MIN} to {CHARS_MAX} characters")))
}

/// Hashes a new password with Argon2id and a fresh salt, as a PHC string.
///
/// Errors: `invalid_field` at `password` for its length; `overloaded` where too many wait.
pub async fn hash(password: &Secret, rng: &dyn Rng) -> Result<String> {
    check_length(password)?;
    let (salt, password) = (rng.bytes::<16>(), password.clone());
    in_turn(move || {
        let hash = argon2()?.hash_password_with_salt(password.expose().as_bytes(), &salt);
        hash.map(|hash| hash.to_string()).map_err(|error| Error::internal(error.to_string()))
    })
    .await
}

/// Whether a password is the one of a PHC string.
///
/// Errors: `overloaded` where too many wait; `internal` where the string is none.
pub async fn verify(password: &Secret, hash: &str) -> Result<bool> {
    let (password, hash) = (password.clone(), hash.to_owned());
    in_turn(move || {
        let parsed = PasswordHash::new(&hash).map_err(|error| Error::internal(error.to_string()))?;
        Ok(argon2()?.verify_password(password.expose().as_bytes(), &parsed).is_ok())
    })
    .await
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Runs on the blocking pool, a few at a time.
async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let _place = QUEUE.try_acquire().map_err(|_| Error::new(Code::Overloaded).retry_after(BUSY_RETRY_MS))?;
    let _turn = TURNS.acquire().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenim_domain::rng::SystemRng;

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_only() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let hash = hash(&secret("correct horse battery"), &SystemRng).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify(&secret("correct horse battery"), &hash).await.unwrap());
        assert!(!verify(&secret("correct horse batterz"), &hash).await.unwrap());
    }

    #[tokio::test]
    async fn every_core_hashes_and_the_next_ones_wait() {
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(hashes_max(), cores);
        assert!(TURNS.available_permits() <= cores && QUEUE.available_permits() <= cores + WAITING_MAX);
    }

    #[tokio::test]
    async fn short_and_endless_passwords_are_refused() {
        for text in ["elevenchars".to_owned(), "x".repeat(257)] {
            assert_eq!(hash(&Secret::new(text), &SystemRng).await.unwrap_err().code, Code::InvalidField);
        }
    }
}
