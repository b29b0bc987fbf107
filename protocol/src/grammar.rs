//! The grammar of ids that apps make: 1–64 characters from `A–Z a–z 0–9 _ - . : @` (PROTOCOL.md §12).

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

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_grammar() {
        assert!(is_id("alice@example.com") && is_id("a") && is_id(&"x".repeat(64)));
        assert!(!is_id("") && !is_id(&"x".repeat(65)) && !is_id("a b") && !is_id("é") && !is_id("a/b"));
    }
}
