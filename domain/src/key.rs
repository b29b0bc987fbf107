//! API keys: their form, checksum and hash.

use crate::error::Result;
use crate::rng::Rng;
use crate::role::Mode;
use crate::secret::{Secret, sha256};
use tokenim_protocol::Code;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARS: usize = 30;
const CHECK_CHARS: usize = 6;

/// What a key opens; it is told by the key's first characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One app, for its server: `tim_live_sk_`, `tim_test_sk_`.
    Server(Mode),
    /// The provisioning API of one org: `tim_live_mk_`.
    Management,
    /// The provisioning API of the whole service: `tim_live_ok_`.
    Operator,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 4] = [Kind::Server(Mode::Live), Kind::Server(Mode::Test), Kind::Management, Kind::Operator];

    /// What a key of this kind begins with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Kind::Server(Mode::Live) => "tim_live_sk_",
            Kind::Server(Mode::Test) => "tim_test_sk_",
            Kind::Management => "tim_live_mk_",
            Kind::Operator => "tim_live_ok_",
        }
    }
}

/// A new secret key: the prefix of its kind, 30 random base62 characters (178 bits) and 6 of checksum.
#[must_use]
pub fn generate(kind: Kind, rng: &dyn Rng) -> Secret {
    let mut text = format!("{}{}", kind.prefix(), random_base62(RANDOM_CHARS, rng));
    text.push_str(&checksum(&text));
    Secret::new(text)
}

/// The kind of a key and the SHA-256 that is stored and looked up; refuses a typo by its checksum, without a query.
///
/// Errors: `key_malformed`.
pub fn parse(text: &str) -> Result<(Kind, [u8; 32])> {
    let named = Kind::ALL.iter().find_map(|kind| Some((*kind, text.strip_prefix(kind.prefix())?)));
    let (kind, random) = named.ok_or(Code::KeyMalformed)?;
    let is_whole =
        random.len() == RANDOM_CHARS + CHECK_CHARS && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_whole {
        return Err(Code::KeyMalformed.into());
    }
    let (body, check) = text.split_at(text.len() - CHECK_CHARS);
    if checksum(body) != check {
        return Err(Code::KeyMalformed.into());
    }
    Ok((kind, sha256(text.as_bytes())))
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
        for kind in Kind::ALL {
            let key = generate(kind, &SystemRng);
            assert!(key.expose().starts_with(kind.prefix()) && key.expose().len() == 48);
            assert_eq!(parse(key.expose()).unwrap().0, kind);
            let mut typo = key.expose().to_owned().into_bytes();
            typo[20] = if typo[20] == b'a' { b'b' } else { b'a' };
            let typo = String::from_utf8(typo).unwrap();
            assert_eq!(parse(&typo).unwrap_err().code, Code::KeyMalformed);
        }
        let server = generate(Kind::Server(Mode::Live), &SystemRng);
        let promoted = server.expose().replace("_sk_", "_ok_");
        assert!(parse(&promoted).is_err(), "the checksum covers the kind");
        for bad in ["", "tim_live_sk_", "tim_live_sk_é", "Bearer x"] {
            assert!(parse(bad).is_err());
        }
    }
}
