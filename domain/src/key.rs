//! API keys: their form, checksum and hash.

use crate::error::Result;
use crate::rng::Rng;
use crate::role::Mode;
use crate::secret::{Secret, sha256};
use tokenim_protocol::Code;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARS: usize = 30;
const CHECK_CHARS: usize = 6;

/// A new secret key, `tim_{live|test}_sk_` + 30 random base62 characters (178 bits) + 6 of checksum.
#[must_use]
pub fn generate(mode: Mode, rng: &dyn Rng) -> Secret {
    let mut text = format!("tim_{}_sk_{}", mode.as_str(), random_base62(RANDOM_CHARS, rng));
    text.push_str(&checksum(&text));
    Secret::new(text)
}

/// The SHA-256 that is stored and looked up; refuses a typo by its checksum, without a query.
///
/// Errors: `key_malformed`.
pub fn hash(text: &str) -> Result<[u8; 32]> {
    let random = Mode::ALL.iter().find_map(|mode| text.strip_prefix(&format!("tim_{}_sk_", mode.as_str())));
    let whole = random.is_some_and(|random| {
        random.len() == RANDOM_CHARS + CHECK_CHARS && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    if !whole {
        return Err(Code::KeyMalformed.into());
    }
    let (body, check) = text.split_at(text.len() - CHECK_CHARS);
    if checksum(body) != check {
        return Err(Code::KeyMalformed.into());
    }
    Ok(sha256(text.as_bytes()))
}

/// What the console shows of a key: its prefix and last four characters.
#[must_use]
pub fn hint(key: &Secret) -> String {
    let text = key.expose();
    let prefix = text.len() - RANDOM_CHARS - CHECK_CHARS;
    format!("{}…{}", &text[..prefix], &text[text.len() - 4..])
}

/// `len` random base62 characters, without bias.
#[must_use]
pub fn random_base62(len: usize, rng: &dyn Rng) -> String {
    let mut text = String::with_capacity(len);
    while text.len() < len {
        let byte = rng.bytes::<1>()[0] & 63;
        if let Some(letter) = BASE62.get(usize::from(byte)) {
            text.push(char::from(*letter));
        }
    }
    text
}

fn checksum(body: &str) -> String {
    let mut crc = crc32(body.as_bytes());
    let mut digits = [b'0'; CHECK_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(crc % 62) as usize];
        crc /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// CRC-32 (ISO-HDLC, the one of zlib), bit by bit: keys are 50 bytes and checked once per request.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SystemRng;

    #[test]
    fn crc_is_the_known_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_typo_is_refused_by_the_checksum() {
        let key = generate(Mode::Live, &SystemRng);
        assert!(key.expose().starts_with("tim_live_sk_") && key.expose().len() == 48);
        assert!(hash(key.expose()).is_ok());
        let mut typo = key.expose().to_owned().into_bytes();
        typo[20] = if typo[20] == b'a' { b'b' } else { b'a' };
        let typo = String::from_utf8(typo).unwrap();
        assert_eq!(hash(&typo).unwrap_err().code, Code::KeyMalformed);
        for bad in ["", "tim_live_sk_", "tim_live_sk_é", "Bearer x"] {
            assert!(hash(bad).is_err());
        }
    }
}
