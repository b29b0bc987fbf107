//! The grammar of what clients write: ids that apps make (docs/PROTOCOL.md §1), names, and URLs that carry no credential.

use crate::limits::{ID_CHARS_MAX, NAME_CHARS_MAX};

/// Whether `text` may name a user, a conversation, a device or a message of its sender.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_id_byte)
}

/// Whether `text` may be shown as a name or label: 1–64 characters, none of them a control character.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Names of query parameters that people put credentials under.
const CREDENTIAL_NAMES: [&str; 9] =
    ["token", "access_token", "session", "key", "api_key", "apikey", "secret", "jwt", "authorization"];
/// What a secret of ours begins with, under whatever name it is passed.
const SECRET_PREFIXES: [&str; 5] = ["tim_live_sk_", "tim_test_sk_", "tim_live_mk_", "tim_live_ok_", "tims_"];

/// Whether a URL holds something that looks like a credential: URLs end up in logs and histories.
///
/// Looks at undecoded text: refusing a credential late is better than logging it, and none of ours needs an escape.
#[must_use]
pub fn url_has_credential(path: &str, query: &str) -> bool {
    let named = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        CREDENTIAL_NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    query.split('&').any(named) || SECRET_PREFIXES.iter().any(|prefix| path.contains(prefix) || query.contains(prefix))
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_urls_are_seen_under_any_name() {
        let hidden = [("/", "token=x"), ("/", "a=1&Access_Token=x"), ("/", "k=tim_live_sk_0"), ("/v1/tims_x", "")];
        for (path, query) in hidden {
            assert!(url_has_credential(path, query), "{path}?{query}");
        }
        assert!(!url_has_credential("/v1/conversations/tokens/messages", "after=1&limit=2&cursor=key"));
    }

    #[test]
    fn ids_follow_the_grammar() {
        assert!(is_id("alice@example.com") && is_id("a") && is_id(&"x".repeat(64)));
        assert!(!is_id("") && !is_id(&"x".repeat(65)) && !is_id("a b") && !is_id("é") && !is_id("a/b"));
    }
}
