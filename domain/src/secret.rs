//! Secrets: a type that never prints, and the sealing of what must be stored readable only to us.

use crate::error::{Error, Result};
use crate::rng::Rng;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hmac};
use std::fmt;

/// Text that `Debug` never shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Secret(text)
    }

    /// The text, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[secret]")
    }
}

/// The platform's master key and what is derived from it, each use under its own label.
#[derive(Clone)]
pub struct MasterKey {
    seal: [u8; 32],
    session: [u8; 32],
    form: [u8; 32],
    link: [u8; 32],
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[master key]")
    }
}

impl MasterKey {
    /// Bytes of a master key.
    pub const BYTES: usize = 32;

    /// Derives the sub-keys from the master key's bytes (HMAC-SHA256 as a key derivation, RFC 5869 expand with one block).
    #[must_use]
    pub fn new(bytes: &[u8; Self::BYTES]) -> Self {
        let derive = |label: &str| mac(bytes, label.as_bytes());
        MasterKey {
            seal: derive("tokenim/seal/1"),
            session: derive("tokenim/session/1"),
            form: derive("tokenim/form/1"),
            link: derive("tokenim/link/1"),
        }
    }

    /// Encrypts `plain` (AES-256-GCM, random nonce in front); `purpose` must be given again to open it.
    ///
    /// Errors: `internal` if the provider refuses.
    pub fn seal(&self, purpose: &str, plain: &[u8], rng: &dyn Rng) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = rng.bytes();
        let mut sealed = nonce.to_vec();
        let mut text = plain.to_vec();
        let tag = self
            .aead()?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose), &mut text)
            .map_err(|_| Error::internal("sealing failed"))?;
        sealed.extend_from_slice(&text);
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what [`MasterKey::seal`] made for the same purpose.
    ///
    /// Errors: `internal` where the bytes were altered, or sealed by another master key or for another purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let fail = || Error::internal("a sealed value does not open with this master key");
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or_else(fail)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| fail())?;
        let mut text = text.to_vec();
        let plain = self.aead()?.open_in_place(nonce, Aad::from(purpose), &mut text).map_err(|_| fail())?;
        Ok(plain.to_vec())
    }

    /// The key that signs session tokens.
    #[must_use]
    pub fn session_key(&self) -> &[u8; 32] {
        &self.session
    }

    /// The key that signs pre-session forms of the console.
    #[must_use]
    pub fn form_key(&self) -> &[u8; 32] {
        &self.form
    }

    /// The key that signs links to large bodies.
    #[must_use]
    pub fn link_key(&self) -> &[u8; 32] {
        &self.link
    }

    fn aead(&self) -> Result<LessSafeKey> {
        let key = UnboundKey::new(&AES_256_GCM, &self.seal).map_err(|_| Error::internal("bad seal key"))?;
        Ok(LessSafeKey::new(key))
    }
}

/// HMAC-SHA256.
#[must_use]
pub fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    tag.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Whether `tag` is the HMAC-SHA256 of `message`, compared in constant time.
#[must_use]
pub fn mac_matches(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), message, tag).is_ok()
}

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Bytes as lower-case hex, two digits each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_keeps_both_digits_of_every_byte() {
        assert_eq!(hex(&[0x00, 0x0a, 0xff]), "000aff");
    }
    use crate::rng::SystemRng;

    #[test]
    fn sealed_values_open_only_for_their_purpose_and_unaltered() {
        let key = MasterKey::new(&[7; 32]);
        let mut sealed = key.seal("signing", b"secret", &SystemRng).unwrap();
        assert_eq!(key.open("signing", &sealed).unwrap(), b"secret");
        assert!(key.open("other", &sealed).is_err());
        assert!(MasterKey::new(&[8; 32]).open("signing", &sealed).is_err());
        sealed[13] ^= 1;
        assert!(key.open("signing", &sealed).is_err());
        assert!(key.open("signing", &[]).is_err());
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", Secret::new("x".into())), "[secret]");
    }
}
