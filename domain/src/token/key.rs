//! Keys that verify user tokens: a secret that we made, or the public half of a pair that the app's backend keeps.

use crate::error::{Error, Result};
use crate::id::KeyId;
use crate::log::AppRef;
use crate::secret::Secret;
use crate::standing::Standing;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey};

/// Bytes of a public key in PEM: a P-256 key takes 178.
const PEM_BYTES_MAX: usize = 1_024;
/// How a public key begins (RFC 7468 §13).
const PUBLIC_BEGINS: &str = "-----BEGIN PUBLIC KEY-----";
/// What the first line of every private key in PEM holds (RFC 7468 §10, §11 and what came before).
const PRIVATE_HOLDS: &str = "PRIVATE KEY-----";

crate::role::texts! {
    /// How tokens are signed, by the name of RFC 7518 §3.1 and RFC 8037 §3.1.
    SigningAlgorithm { /// HMAC with SHA-256.
        Hs256 "HS256", /// Ed25519.
        EdDsa "EdDSA", /// ECDSA over P-256 with SHA-256.
        Es256 "ES256", }
}

/// One signing key of one app, as the store holds it. The app comes from here, never from a claim.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// The platform-wide `kid`.
    pub id: KeyId,
    /// The app it signs for.
    pub app: AppRef,
    /// What verifies.
    pub material: Material,
    /// Whether it stands.
    pub standing: Standing,
}

/// What verifies a signature; it fixes the algorithm.
#[derive(Debug, Clone)]
pub enum Material {
    /// HS256: the secret's UTF-8 text is the HMAC key.
    Secret(Secret),
    /// EdDSA.
    Ed25519(DecodingKey),
    /// ES256.
    P256(DecodingKey),
}

/// A signing secret that was just made; it is shown once.
#[derive(Debug, Clone)]
pub struct SigningSecret {
    /// The platform-wide `kid`.
    pub id: KeyId,
    /// The HS256 secret.
    pub secret: Secret,
}

/// Whether somebody took a private key for the public one.
#[must_use]
pub fn is_private_pem(text: &str) -> bool {
    text.contains(PRIVATE_HOLDS)
}

/// Whether a text begins as a public key and holds no private one. Nothing else that was entered as a public key is repeated
/// to anybody: it may be a secret.
#[must_use]
pub fn is_public_pem(text: &str) -> bool {
    text.trim_start().starts_with(PUBLIC_BEGINS) && !is_private_pem(text)
}

/// What the PEM holds, the curve it must be on, and what it becomes.
type Reading =
    (jsonwebtoken::errors::Result<DecodingKey>, &'static dyn VerificationAlgorithm, fn(DecodingKey) -> Material);

impl Material {
    /// Reads a public key in PEM (`-----BEGIN PUBLIC KEY-----`, RFC 7468 §13) and checks that it is one of its curve.
    ///
    /// Errors: `invalid_field` for any other text, private keys and certificates included, and for HS256.
    pub fn parse_public(algorithm: SigningAlgorithm, pem: &str) -> Result<Self> {
        let wrong = |message| Error::invalid("public_key", message);
        let pem = pem.trim();
        if is_private_pem(pem) {
            return Err(wrong(
                "this is a private key, which must never leave you: make a new pair, and send its public half \
                 (`openssl pkey -in private.pem -pubout`)",
            ));
        }
        if pem.len() > PEM_BYTES_MAX || !is_public_pem(pem) {
            return Err(wrong("the public key must be PEM and begin with `-----BEGIN PUBLIC KEY-----`"));
        }
        let (key, curve, make): Reading = match algorithm {
            SigningAlgorithm::Hs256 => return Err(wrong("HS256 has a secret, which is made here, and no public key")),
            SigningAlgorithm::EdDsa => (DecodingKey::from_ed_pem(pem.as_bytes()), &ED25519, Material::Ed25519),
            SigningAlgorithm::Es256 => {
                (DecodingKey::from_ec_pem(pem.as_bytes()), &ECDSA_P256_SHA256_FIXED, Material::P256)
            }
        };
        let refused = "the public key is not one of this algorithm";
        let key = key.map_err(|error| wrong(refused).because(error))?;
        let bytes = key.try_get_as_bytes().map_err(|error| wrong(refused).because(error))?;
        ParsedPublicKey::new(curve, bytes).map_err(|error| wrong(refused).because(error))?;
        Ok(make(key))
    }

    /// The secret, where there is one: only such a key can make tokens here.
    #[must_use]
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Material::Secret(secret) => Some(secret),
            Material::Ed25519(_) | Material::P256(_) => None,
        }
    }

    /// The one algorithm and the key to verify with.
    pub(super) fn verifier(&self) -> (Algorithm, DecodingKey) {
        match self {
            Material::Secret(secret) => (Algorithm::HS256, DecodingKey::from_secret(secret.expose().as_bytes())),
            Material::Ed25519(key) => (Algorithm::EdDSA, key.clone()),
            Material::P256(key) => (Algorithm::ES256, key.clone()),
        }
    }
}
