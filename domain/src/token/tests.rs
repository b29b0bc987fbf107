//! Attack tokens: each must be refused with its code, and the honest one accepted.

use super::*;
use crate::clock::SystemClock;
use crate::id::{AppId, OrgId};
use crate::rng::SystemRng;
use serde_json::{Value, json};

const NOW_MS: i64 = 1_790_000_000_000;

fn key(secret: &str) -> SigningKey {
    let clock = SystemClock::new();
    let app = AppRef { org: OrgId::new(&clock, &SystemRng), app: AppId::new(&clock, &SystemRng) };
    SigningKey { id: KeyId::new(&clock, &SystemRng), app, secret: Secret::new(secret.into()), revoked: false }
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
    sign_raw(&header, &claims.to_string(), key.secret.expose())
}

fn code(token: &str, key: &SigningKey) -> Code {
    verify(token, key, NOW_MS).expect_err(token).code
}

#[test]
fn an_honest_token_is_accepted_and_a_minted_one_too() {
    let key = key("s3cret");
    assert_eq!(verify(&sign(&key, &claims(&key)), &key, NOW_MS).unwrap().user.as_str(), "alice");
    let grant = Grant { user: User::parse("bob").unwrap(), ttl_s: 60, caps: None, label: Some("acme".into()) };
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
    let revoked = SigningKey { revoked: true, ..mine.clone() };
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
