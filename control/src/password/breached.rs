//! Passwords that an attacker tries first: a list, and rules for what grows out of it.

/// The 229 passwords of 12 or more characters among the 30,000 most common of known breaches (the list of zxcvbn 4.4.2,
/// MIT, © Dan Wheeler and Dropbox, Inc.); one a line, lower case.
const LIST: &str = include_str!("breached.txt");
/// What most common passwords begin with; such a word with only digits and signs around it is one of them.
const STEMS: [&str; 14] = [
    "password",
    "passwort",
    "qwerty",
    "qwertyuiop",
    "asdfghjkl",
    "letmein",
    "iloveyou",
    "welcome",
    "admin",
    "administrator",
    "dragon",
    "monkey",
    "football",
    "tokenim",
];
/// Different characters a password has at least; fewer are a pattern.
const DISTINCT_MIN: usize = 5;

/// Whether a new password is one of those, or made of the account's own address.
pub(super) fn is_easy(password: &str, email: &str) -> bool {
    let lower = password.to_lowercase();
    let mut letters: Vec<char> = lower.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let word: String = lower.chars().filter(|letter| letter.is_alphabetic()).collect();
    letters.len() < DISTINCT_MIN
        || LIST.lines().any(|line| line == lower)
        || STEMS.iter().any(|stem| is_repeated(&word, stem))
        || is_of_address(&lower, email)
}

/// Whether a text is a word, once or several times.
fn is_repeated(text: &str, word: &str) -> bool {
    !text.is_empty() && text.len().is_multiple_of(word.len()) && text == word.repeat(text.len() / word.len())
}

/// Whether a password is the address, or its local part with only digits and signs around it.
fn is_of_address(password: &str, email: &str) -> bool {
    let local = email.split('@').next().unwrap_or_default();
    let rest = password.replacen(local, "", 1);
    password == email || (!local.is_empty() && rest != password && !rest.chars().any(char::is_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_attacker_tries_first_is_easy() {
        for password in [
            "1q2w3e4r5t6y",
            "Password1234",
            "passwordpassword",
            "PASSWORD!!2026",
            "qwerty-qwerty",
            "aaaaaaaaaaaa",
            "121212121212",
            "ada.lovelace@example.com",
            "ada.lovelace1815",
            "123456789abc",
        ] {
            assert!(is_easy(password, "ada.lovelace@example.com"), "{password}");
        }
        for password in ["correct horse battery staple", "password of my third cat", "ada.lovelace is my hero"] {
            assert!(!is_easy(password, "ada.lovelace@example.com"), "{password}");
        }
    }

    #[test]
    fn the_list_is_of_passwords_that_are_long_enough() {
        assert_eq!(LIST.lines().count(), 229);
        assert!(
            LIST.lines().all(|line| line.chars().count() >= super::super::CHARS_MIN && line == line.to_lowercase())
        );
    }
}
