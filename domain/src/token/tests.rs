//! Attack tokens: each must be refused with its code, and the honest one accepted.

use super::*;
use crate::clock::SystemClock;
use crate::id::{AppId, OrgId};
use crate::rng::SystemRng;
use crate::standing::Standing;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use serde_json::{Value, json};

const NOW_MS: i64 = 1_790_000_000_000;

fn key(secret: &str) -> SigningKey {
    let clock = SystemClock::new();
    let app = AppRef { org: OrgId::new(&clock, &SystemRng), app: AppId::new(&clock, &SystemRng) };
    let material = Material::Secret(Secret::new(secret.into()));
    SigningKey { id: KeyId::new(&clock, &SystemRng), app, material, standing: Standing::default() }
}

fn claims(key: &SigningKey) -> Value {
    let now = NOW_MS / 1000;
    json!({"iss": key.id.to_string(), "aud": key.app.app.to_string(), "sub": "alice", "iat": now, "exp": now + 600})
}

fn sign_raw(header: &str, payload: &str, secret: &str) -> String {
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let body = format!("{}.{}", encode(header), encode(payload));
    let tag = crate::secret::mac(secret.as_bytes(), body.as_bytes());
    format!("{body}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
}

fn sign(key: &SigningKey, claims: &Value) -> String {
    let header = json!({"alg": "HS256", "kid": key.id.to_string()}).to_string();
    sign_raw(&header, &claims.to_string(), key.material.secret().unwrap().expose())
}

fn code(token: &str, key: &SigningKey) -> Code {
    verify(token, key, NOW_MS).expect_err(token).code
}

#[test]
fn an_honest_token_is_accepted_and_a_minted_one_too() {
    let key = key("s3cret");
    assert_eq!(verify(&sign(&key, &claims(&key)), &key, NOW_MS).unwrap().user.as_str(), "alice");
    let grant =
        Grant { user: User::parse("bob").unwrap(), ttl_s: 60, caps: None, label: Some("acme".into()), minted_by: None };
    let (token, expires_ms) = mint(&key, &grant, NOW_MS).unwrap();
    assert_eq!(key_of(token.expose()).unwrap(), key.id);
    let identity = verify(token.expose(), &key, NOW_MS).unwrap();
    assert_eq!((identity.user.as_str(), identity.label.as_deref(), expires_ms), ("bob", Some("acme"), NOW_MS + 60_000));
}

#[test]
fn every_missing_or_wrong_claim_is_refused() {
    let key = key("s3cret");
    for claim in ["iss", "aud", "sub", "iat", "exp"] {
        let mut without = claims(&key);
        without.as_object_mut().unwrap().remove(claim);
        assert_eq!(code(&sign(&key, &without), &key), Code::TokenInvalid, "without {claim}");
        for wrong in [json!(null), json!(true), json!({}), json!([]), json!("x y")] {
            let mut changed = claims(&key);
            changed[claim] = wrong.clone();
            assert_eq!(code(&sign(&key, &changed), &key), Code::TokenInvalid, "{claim} = {wrong}");
        }
    }
    for (claim, wrong) in [
        ("exp", json!("1790000600")),
        ("exp", json!(1790000600.5)),
        ("nbf", json!("1")),
        ("nbf", json!(NOW_MS / 1000 + 61)),
        ("iat", json!(NOW_MS / 1000 + 61)),
        ("device", json!("a b")),
        ("label", json!("")),
        ("caps", json!({"a": ["fly"]})),
    ] {
        let mut changed = claims(&key);
        changed[claim] = wrong.clone();
        assert_eq!(code(&sign(&key, &changed), &key), Code::TokenInvalid, "{claim} = {wrong}");
    }
}

#[test]
fn each_mistake_is_told_in_a_sentence_of_its_own() {
    let (key, now) = (key("s3cret"), NOW_MS / 1000);
    let kid = key.id.to_string();
    let with = |claim: &str, value: Value| {
        let mut claims = claims(&key);
        claims[claim] = value;
        sign(&key, &claims)
    };
    let without = |claim: &str| {
        let mut claims = claims(&key);
        claims.as_object_mut().unwrap().remove(claim);
        sign(&key, &claims)
    };
    let headed = |header: Value| sign_raw(&header.to_string(), &claims(&key).to_string(), "s3cret");
    let twice = claims(&key).to_string().replacen('{', "{\"sub\":\"bob\",", 1);
    let mistakes = [
        ("nonsense".to_owned(), "is not a JWT"),
        ("a".repeat(TOKEN_BYTES_MAX + 1), "4 KiB"),
        ("tim_live_sk_x".to_owned(), "server key"),
        (headed(json!({"alg": "none", "kid": kid})), "the token's header"),
        (headed(json!({"alg": "HS256", "kid": kid, "crit": []})), "`crit`"),
        (headed(json!({"alg": "HS256"})), "has no `kid`"),
        (headed(json!({"alg": "HS256", "kid": "s3cret"})), "`kid` is not the id"),
        (sign_raw(&json!({"alg": "HS256", "kid": kid}).to_string(), &twice, "s3cret"), "holds each once"),
        (headed(json!({"alg": "EdDSA", "kid": kid})), "no signing key has"),
        (without("iss"), "`iss` is missing"),
        (with("iss", json!("me")), "`iss` must be"),
        (without("aud"), "`aud` is missing"),
        (with("aud", json!([key.app.app.to_string()])), "`aud` is wrong: invalid type: sequence"),
        (with("aud", json!("shop")), "`aud` must be"),
        (without("sub"), "`sub` is missing"),
        (with("sub", json!(7)), "`sub` is wrong"),
        (with("sub", json!("a b")), "`sub` must be"),
        (without("iat"), "`iat` is missing"),
        (with("iat", json!(NOW_MS)), "`iat` counts seconds"),
        (with("iat", json!(now + 61)), "`iat` is in the future"),
        (without("exp"), "`exp` is missing"),
        (with("exp", json!("1790000600")), "`exp` is wrong: invalid type: string \"1790000600\""),
        (with("exp", json!(NOW_MS + 1)), "`exp` counts seconds"),
        (with("exp", json!(now)), "`exp` must be after"),
        (with("exp", json!(now + TOKEN_SECONDS_MAX + 1)), "24 hours"),
        (with("nbf", json!(now + 61)), "`nbf` is in the future"),
        (with("device", json!("a b")), "`device`"),
        (with("label", json!("")), "`label`"),
        (with("caps", json!({"a": ["fly"]})), "`caps` is wrong: unknown variant `fly`"),
        (with("caps", json!({"a*b": ["read"]})), "may hold `*` only at its end"),
        (with("tim_key", json!("mine")), "`tim_key`"),
    ];
    let mut told = std::collections::BTreeSet::new();
    for (token, part) in &mistakes {
        let error = key_of(token).and_then(|_| verify(token, &key, NOW_MS)).expect_err(part);
        assert_eq!(error.code, Code::TokenInvalid, "{part}");
        assert!(error.message.contains(part), "{part}: {}", error.message);
        told.insert(error.message.into_owned());
    }
    assert_eq!(told.len(), mistakes.len(), "{told:#?}");
    // Who holds no key is told the same whether there is such a key or not; its owner is told which of them it was.
    let forged = sign_raw(&json!({"alg": "HS256", "kid": kid}).to_string(), &claims(&key).to_string(), "other");
    for (token, cause) in
        [(headed(json!({"alg": "ES256", "kid": kid})), Unverified::Algorithm), (forged, Unverified::Signature)]
    {
        let error = verify(&token, &key, NOW_MS).unwrap_err();
        assert_eq!(error.message, unverified().message);
        assert_eq!(Unverified::tell(&error), cause.to_string());
    }
    let list = sign_raw(&json!({"alg": "HS256", "kid": kid}).to_string(), "[1]", "s3cret");
    assert!(verify(&list, &key, NOW_MS).unwrap_err().message.contains("not a JSON object"));
    let long = verify(&with("exp", json!("9".repeat(2_000))), &key, NOW_MS).unwrap_err();
    assert!(long.message.len() < 300, "what a client sent is not repeated without end");
}

#[test]
fn life_span_and_expiry_are_exact() {
    let key = key("s3cret");
    let now = NOW_MS / 1000;
    let with = |iat: i64, exp: i64| {
        let mut claims = claims(&key);
        claims["iat"] = json!(iat);
        claims["exp"] = json!(exp);
        sign(&key, &claims)
    };
    assert!(verify(&with(now, now + 86_400), &key, NOW_MS).is_ok());
    assert_eq!(code(&with(now, now + 86_401), &key), Code::TokenInvalid);
    assert_eq!(code(&with(now, now), &key), Code::TokenInvalid);
    assert!(verify(&with(now - 100, now - 59), &key, NOW_MS).is_ok(), "within the leeway");
    assert_eq!(code(&with(now - 100, now - 60), &key), Code::TokenExpired);
    assert_eq!(code(&with(i64::MIN, i64::MAX), &key), Code::TokenInvalid);
}

#[test]
fn algorithms_headers_and_signatures_are_not_negotiable() {
    let key = key("s3cret");
    let payload = claims(&key).to_string();
    let kid = key.id.to_string();
    for header in [
        json!({"alg": "none", "kid": kid}),
        json!({"alg": "None", "kid": kid}),
        json!({"alg": "HS384", "kid": kid}),
        json!({"alg": "HS512", "kid": kid}),
        json!({"alg": "RS256", "kid": kid}),
        json!({"alg": "EdDSA", "kid": kid}),
        json!({"kid": kid}),
        json!({"alg": "HS256", "kid": kid, "crit": ["exp"]}),
        json!({"alg": "HS256", "kid": kid, "crit": []}),
    ] {
        assert_eq!(code(&sign_raw(&header.to_string(), &payload, "s3cret"), &key), Code::TokenInvalid, "{header}");
    }
    let good = json!({"alg": "HS256", "kid": kid}).to_string();
    for secret in ["", "s3cre", "S3cret", "null"] {
        assert_eq!(code(&sign_raw(&good, &payload, secret), &key), Code::TokenInvalid, "secret {secret:?}");
    }
    let token = sign(&key, &claims(&key));
    let (body, tag) = token.rsplit_once('.').unwrap();
    for broken in [
        format!("{body}."),
        body.to_owned(),
        format!("{body}.{tag}x"),
        format!("{body}.{tag}."),
        format!(" {token}"),
        format!("{token}="),
        "..".into(),
        String::new(),
        "a".repeat(5_000),
    ] {
        assert_eq!(code(&broken, &key), Code::TokenInvalid, "{broken}");
    }
}

#[test]
fn foreign_revoked_and_repeated_are_refused() {
    let (mine, other) = (key("s3cret"), key("s3cret"));
    assert_eq!(code(&sign(&other, &claims(&other)), &mine), Code::TokenInvalid, "another app's key");
    let mut foreign = claims(&mine);
    foreign["aud"] = json!(other.app.app.to_string());
    assert_eq!(code(&sign(&mine, &foreign), &mine), Code::TokenInvalid, "aud of another app");
    let revoked = SigningKey { standing: Standing { is_revoked: true, ..Standing::default() }, ..mine.clone() };
    assert_eq!(code(&sign(&mine, &claims(&mine)), &revoked), Code::TokenRevoked);
    let header = json!({"alg": "HS256", "kid": mine.id.to_string()}).to_string();
    let twice = claims(&mine).to_string().replacen('{', "{\"sub\":\"bob\",", 1);
    assert_eq!(code(&sign_raw(&header, &twice, "s3cret"), &mine), Code::TokenInvalid);
    assert!(key_of(&sign_raw(r#"{"alg":"HS256"}"#, "{}", "s")).is_err());
}

#[test]
fn sessions_verify_only_as_signed() {
    let key = key("s3cret");
    let master = crate::secret::MasterKey::new(&[1; 32]);
    let identity = verify(&sign(&key, &claims(&key)), &key, NOW_MS).unwrap();
    let device = Device::parse("d1").unwrap();
    let token = session::sign(&identity, &device, &master).unwrap();
    assert!(session::is_session(token.expose()));
    let back = session::verify(token.expose(), &master, NOW_MS).unwrap();
    assert_eq!((back.user, back.device, back.app), (identity.user.clone(), Some(device), identity.app));
    assert_eq!(session::verify(token.expose(), &master, identity.expires_ms).unwrap_err().code, Code::TokenExpired);
    let other = crate::secret::MasterKey::new(&[2; 32]);
    assert_eq!(session::verify(token.expose(), &other, NOW_MS).unwrap_err().code, Code::SessionInvalid);
    let altered = token.expose().replacen("tims_e", "tims_f", 1);
    for bad in [altered.as_str(), "tims_", "tims_.", "x", "", &"tims_a".repeat(3_000)] {
        assert_eq!(session::verify(bad, &master, NOW_MS).unwrap_err().code, Code::SessionInvalid, "{bad}");
    }
}

/// The prefix of a DER SubjectPublicKeyInfo: Ed25519 (RFC 8410 §4), P-256 and P-384 (RFC 5480 §2).
const ED25519_SPKI: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P384_SPKI: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00,
];

fn pem(label: &str, der: &[u8]) -> String {
    use base64::prelude::BASE64_STANDARD;
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

fn public_pem(prefix: &[u8], public: &[u8]) -> String {
    pem("PUBLIC KEY", &[prefix, public].concat())
}

/// A pair: its public half in PEM, and the private one as the JWT library takes it.
struct Pair {
    algorithm: SigningAlgorithm,
    pem: String,
    private: EncodingKey,
}

fn pairs() -> [Pair; 2] {
    let ed = Ed25519KeyPair::generate().unwrap();
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    [
        Pair {
            algorithm: SigningAlgorithm::EdDsa,
            pem: public_pem(ED25519_SPKI, ed.public_key().as_ref()),
            private: EncodingKey::from_ed_der(ed.to_pkcs8().unwrap().as_ref()),
        },
        Pair {
            algorithm: SigningAlgorithm::Es256,
            pem: public_pem(P256_SPKI, ec.public_key().as_ref()),
            private: EncodingKey::from_ec_der(ec.to_pkcs8v1().unwrap().as_ref()),
        },
    ]
}

fn public_key(pair: &Pair) -> SigningKey {
    SigningKey { material: Material::parse_public(pair.algorithm, &pair.pem).unwrap(), ..key("unused") }
}

fn sign_with(pair: &Pair, key: &SigningKey, claims: &Value) -> String {
    let mut header = Header::new(pair.algorithm.as_str().parse().unwrap());
    header.kid = Some(key.id.to_string());
    jsonwebtoken::encode(&header, claims, &pair.private).unwrap()
}

#[test]
fn a_private_key_that_never_left_its_owner_signs() {
    for pair in pairs() {
        let key = public_key(&pair);
        let token = sign_with(&pair, &key, &claims(&key));
        assert_eq!(verify(&token, &key, NOW_MS).unwrap().user.as_str(), "alice", "{:?}", pair.algorithm);
        let (body, tag) = token.rsplit_once('.').unwrap();
        let flipped = format!("{body}.{}{}", if tag.starts_with('A') { 'B' } else { 'A' }, &tag[1..]);
        for broken in [flipped, format!("{body}."), format!("{body}.AAAA")] {
            assert_eq!(code(&broken, &key), Code::TokenInvalid);
        }
        let mut late = claims(&key);
        late["exp"] = json!(NOW_MS / 1000 - 60);
        late["iat"] = json!(NOW_MS / 1000 - 100);
        assert_eq!(code(&sign_with(&pair, &key, &late), &key), Code::TokenExpired);
        let grant = Grant { user: User::parse("bob").unwrap(), ttl_s: 60, caps: None, label: None, minted_by: None };
        assert_eq!(mint(&key, &grant, NOW_MS).unwrap_err().code, Code::Internal, "we cannot sign for it");
    }
}

#[test]
fn a_public_key_is_no_secret_and_no_algorithm_stands_in_for_another() {
    let [ed, ec] = pairs();
    for pair in [&ed, &ec] {
        let key = public_key(pair);
        let payload = claims(&key).to_string();
        let header = |alg: &str| json!({"alg": alg, "kid": key.id.to_string()}).to_string();
        let raw = match &key.material {
            Material::Ed25519(raw) | Material::P256(raw) => raw.try_get_as_bytes().unwrap().to_vec(),
            Material::Secret(_) => unreachable!("a public key"),
        };
        let raw_text = String::from_utf8_lossy(&raw).into_owned();
        for secret in [pair.pem.as_str(), pair.pem.trim(), raw_text.as_str(), ""] {
            for alg in ["HS256", "HS384", "HS512", "none", "EdDSA", "ES256", "ES384", "RS256"] {
                assert_eq!(code(&sign_raw(&header(alg), &payload, secret), &key), Code::TokenInvalid, "{alg}");
            }
        }
    }
    // Both keys' own tokens, each at the other's key and at a secret.
    let (ed_key, ec_key, secret) = (public_key(&ed), public_key(&ec), key("s3cret"));
    for (pair, at) in [(&ed, &ec_key), (&ec, &ed_key), (&ed, &secret), (&ec, &secret)] {
        assert_eq!(code(&sign_with(pair, at, &claims(at)), at), Code::TokenInvalid);
    }
    let [other_ed, other_ec] = pairs();
    for (pair, at) in [(&other_ed, &ed_key), (&other_ec, &ec_key)] {
        assert_eq!(code(&sign_with(pair, at, &claims(at)), at), Code::TokenInvalid, "another pair of the same kind");
    }
}

#[test]
fn only_public_keys_of_the_named_curve_are_taken() {
    let [ed, ec] = pairs();
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let p384 = public_pem(P384_SPKI, p384.public_key().as_ref());
    let private = pem("PRIVATE KEY", Ed25519KeyPair::generate().unwrap().to_pkcs8().unwrap().as_ref());
    let off_curve = public_pem(P256_SPKI, &[&[4][..], &[1; 64]].concat());
    let short = public_pem(ED25519_SPKI, &[1; 31]);
    let certificate = ed.pem.replace("PUBLIC KEY", "CERTIFICATE");
    let long = format!("{}{}", ed.pem, "A".repeat(1_024));
    for algorithm in [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256] {
        for bad in ["", "x", p384.as_str(), &private, &off_curve, &short, &certificate, &long] {
            let error = Material::parse_public(algorithm, bad).expect_err(bad);
            assert_eq!((error.code, error.param), (Code::InvalidField, Some("public_key")));
        }
    }
    for private in [private.as_str(), &format!("{}{private}", ed.pem), "-----BEGIN RSA PRIVATE KEY-----"] {
        let error = Material::parse_public(SigningAlgorithm::EdDsa, private).unwrap_err();
        assert!(error.message.contains("private key") && !is_public_pem(private), "{}", error.message);
    }
    assert!(is_public_pem(&ed.pem));
    assert!(Material::parse_public(SigningAlgorithm::Es256, &ed.pem).is_err());
    assert!(Material::parse_public(SigningAlgorithm::EdDsa, &ec.pem).is_err());
    assert!(Material::parse_public(SigningAlgorithm::Hs256, &ed.pem).is_err());
}

#[test]
fn a_signing_key_ends_to_the_millisecond_and_tokens_carry_their_minter() {
    let key = SigningKey { standing: Standing { expires_ms: Some(NOW_MS), ..Standing::default() }, ..key("s3cret") };
    let minter = KeyId::new(&SystemClock::new(), &SystemRng);
    let grant =
        Grant { user: User::parse("bob").unwrap(), ttl_s: 60, caps: None, label: None, minted_by: Some(minter) };
    let (token, _) = mint(&key, &grant, NOW_MS - 1_000).unwrap();
    let identity = verify(token.expose(), &key, NOW_MS - 1).unwrap();
    assert_eq!(identity.minted_by, Some(minter));
    assert_eq!(code(token.expose(), &key), Code::TokenRevoked);
    let master = crate::secret::MasterKey::new(&[1; 32]);
    let session = session::sign(&identity, &Device::parse("d1").unwrap(), &master).unwrap();
    assert_eq!(session::verify(session.expose(), &master, NOW_MS).unwrap().minted_by, Some(minter));
    for wrong in [json!("x"), json!(7), json!("")] {
        let mut claims = claims(&key);
        claims["tim_key"] = wrong;
        assert_eq!(verify(&sign(&key, &claims), &key, NOW_MS - 1).unwrap_err().code, Code::TokenInvalid);
    }
}
