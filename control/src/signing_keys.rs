//! Signing keys of an app: secrets that we make, and public keys that the app's owner brings.

use crate::check;
use crate::keys::check_grace;
use tokenim_domain::actor::{Acting, Action};
use tokenim_domain::id::{AppId, KeyId};
use tokenim_domain::key::random_base62;
use tokenim_domain::secret::Secret;
use tokenim_domain::token::{Material, SigningAlgorithm};
use tokenim_domain::{Code, Error, Result};
use tokenim_store::{NewMaterial, NewSigningKey, SIGNING_SECRET_CHARS, SigningKeyView, Store};

/// A signing key that somebody asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The app it shall sign for.
    pub app: AppId,
    /// Its name.
    pub name: String,
    /// How it signs.
    pub algorithm: SigningAlgorithm,
    /// The public key in PEM: for EdDSA and ES256, and only for them.
    pub public_key: Option<String>,
    /// When it shall end, milliseconds since 1970.
    pub expires_ms: Option<i64>,
}

/// Makes a signing key; the secret of an HS256 key is shown once.
///
/// Errors: `forbidden`, `invalid_field`, `not_found`, `limit_reached`; the store's.
pub async fn create(store: &Store, acting: &Acting, wanted: Wanted) -> Result<(SigningKeyView, Option<Secret>)> {
    acting.allow(Action::ChangeKeys)?;
    check::name(&wanted.name)?;
    check::end(wanted.expires_ms, store.clock().now_ms())?;
    let (material, secret) = material(store, wanted.algorithm, wanted.public_key)?;
    let new = NewSigningKey { name: wanted.name, material, expires_ms: wanted.expires_ms };
    Ok((store.org(acting.org).create_signing_key(&acting.actor, wanted.app, new).await?, secret))
}

/// Makes a key of the same algorithm in the place of another, which goes on working for `grace_s` seconds.
///
/// Errors: `forbidden`, `invalid_field`, `not_found`; `conflict` for a key that does not stand; the store's.
pub async fn rotate(
    store: &Store,
    acting: &Acting,
    id: KeyId,
    public_key: Option<String>,
    grace_s: i64,
) -> Result<(SigningKeyView, Option<Secret>)> {
    acting.allow(Action::ChangeKeys)?;
    let until_ms = check_grace(grace_s, store.clock().now_ms())?;
    let scope = store.org(acting.org);
    let old = scope.show_signing_key(id).await?.ok_or(Code::NotFound)?;
    let (material, secret) = material(store, old.algorithm, public_key)?;
    Ok((scope.rotate_signing_key(&acting.actor, id, material, until_ms).await?, secret))
}

/// Revokes a signing key: its tokens are refused within 2 s, and their connections close within 5 s. One that is revoked
/// stays as it is.
///
/// Errors: `forbidden`, `not_found`; the store's.
pub async fn revoke(store: &Store, acting: &Acting, id: KeyId) -> Result<SigningKeyView> {
    acting.allow(Action::ChangeKeys)?;
    store.org(acting.org).revoke_signing_key(&acting.actor, id).await
}

fn material(
    store: &Store,
    algorithm: SigningAlgorithm,
    public_key: Option<String>,
) -> Result<(NewMaterial, Option<Secret>)> {
    match (algorithm, public_key) {
        (SigningAlgorithm::Hs256, None) => {
            let secret = Secret::new(random_base62(SIGNING_SECRET_CHARS, &**store.rng()));
            Ok((NewMaterial::Secret(secret.clone()), Some(secret)))
        }
        (SigningAlgorithm::Hs256, Some(_)) => {
            Err(Error::invalid("public_key", "HS256 has a secret, which is made here, and no public key"))
        }
        (SigningAlgorithm::EdDsa | SigningAlgorithm::Es256, None) => {
            Err(Error::invalid("public_key", "this algorithm needs the public key, in PEM"))
        }
        (SigningAlgorithm::EdDsa | SigningAlgorithm::Es256, Some(pem)) => {
            Material::parse_public(algorithm, &pem)?;
            Ok((NewMaterial::Public(algorithm, pem.trim().to_owned()), None))
        }
    }
}
