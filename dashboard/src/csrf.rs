//! Proof that a request which changes something comes from a page of this console: form token and the browser's own word.
use actix_web::{HttpRequest, http::header};
use tokenim_domain::{
    rng::Rng,
    secret::{mac, mac_matches},
};

use crate::cookie;

/// The header that carries the token where htmx sends the request.
pub(crate) const HEADER: &str = "x-csrf-token";
/// What the secret is turned into a token for.
const PURPOSE: &[u8] = b"console form";
/// Bytes of a mask, and of what it hides.
const BYTES: usize = 32;

/// A token masked anew for one answer, so that compressed pages never repeat it (BREACH).
pub(crate) fn token(secret: &[u8; BYTES], rng: &dyn Rng) -> String {
    let mask: [u8; BYTES] = rng.bytes();
    let tag = mac(secret, PURPOSE);
    let mut masked = [0; 2 * BYTES];
    masked[..BYTES].copy_from_slice(&mask);
    for (place, byte) in tag.iter().enumerate() {
        masked[BYTES + place] = byte ^ mask[place];
    }
    cookie::encode(&masked)
}

/// Whether a token was made from this secret; compares in constant time.
pub(crate) fn token_matches(secret: &[u8; BYTES], token: &str) -> bool {
    let Some(masked) = cookie::decode::<{ 2 * BYTES }>(token) else { return false };
    let (mask, tag) = masked.split_at(BYTES);
    let tag: Vec<u8> = mask.iter().zip(tag).map(|(mask, byte)| mask ^ byte).collect();
    mac_matches(secret, PURPOSE, &tag)
}

/// Whether the browser says the request comes from our own pages.
///
/// `Sec-Fetch-Site` decides where it is sent; an older browser must send our exact `Origin`; neither means no.
pub(crate) fn is_same_origin(request: &HttpRequest, own_origin: &str) -> bool {
    let text = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == own_origin,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use tokenim_domain::rng::SystemRng;

    use super::*;

    #[test]
    fn a_token_fits_its_secret_only_and_never_repeats() {
        let (one, two) = (token(&[1; 32], &SystemRng), token(&[1; 32], &SystemRng));
        assert_ne!(one, two);
        assert!(token_matches(&[1; 32], &one) && token_matches(&[1; 32], &two));
        assert!(!token_matches(&[2; 32], &one));
        let other = if one.starts_with('_') { "-" } else { "_" };
        for bad in ["", "x", &one[1..], &format!("{other}{}", &one[1..])] {
            assert!(!token_matches(&[1; 32], bad), "{bad}");
        }
    }

    #[test]
    fn the_browsers_word_is_required() {
        let own = "https://console.example";
        for (headers, expected) in [
            (vec![], false),
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "none")], false),
            (vec![("sec-fetch-site", "cross-site"), ("origin", own)], false),
            (vec![("origin", own)], true),
            (vec![("origin", "null")], false),
            (vec![("origin", "https://console.example.evil")], false),
        ] {
            let mut request = TestRequest::post();
            for header in &headers {
                request = request.insert_header(*header);
            }
            assert_eq!(is_same_origin(&request.to_http_request(), own), expected, "{headers:?}");
        }
    }
}
