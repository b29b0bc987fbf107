//! The mails: what each says, in HTML and in text, in the language of whoever reads it.
use askama::Template;

use crate::{language::Language, role::role_name, text::Text, time::Utc};

/// What a mail is about, ready to be shown. Links are absolute.
#[derive(Clone, Copy, Debug)]
pub enum Matter<'a> {
    /// Prove that an address is yours.
    VerifyAddress {
        /// Of the page that verifies.
        link: &'a str,
        /// When it ends.
        until: Utc,
    },
    /// Choose a new password.
    ResetPassword {
        /// Of the page that asks for it.
        link: &'a str,
        /// When it ends.
        until: Utc,
    },
    /// A notice that the password was changed.
    PasswordChanged {
        /// When it was.
        at: Utc,
        /// Of the page that resets it.
        link: &'a str,
    },
    /// Join an org.
    Invitation {
        /// The org's name.
        org: &'a str,
        /// Who invites.
        inviter: &'a str,
        /// The stored role that one will have there.
        role: &'a str,
        /// Of the page that accepts.
        link: &'a str,
        /// When it ends.
        until: Utc,
    },
    /// Somebody signed up with an address that has an account.
    AddressTaken {
        /// Of the sign-in page.
        sign_in: &'a str,
        /// Of the page that resets the password.
        reset: &'a str,
    },
    /// A key was found where it should not be, and revoked.
    KeyLeaked {
        /// The org's name.
        org: &'a str,
        /// The key's name.
        key: &'a str,
        /// The ends of the key.
        hint: &'a str,
        /// When it was reported.
        at: Utc,
        /// Of the page that makes keys.
        link: &'a str,
    },
    /// A test of the mail settings.
    Test,
}

/// A mail in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// The part for readers that show HTML.
    pub html: String,
    /// The same for all others.
    pub text: String,
}

/// Writes a mail.
///
/// Errors: askama's, which no template of ours has.
pub fn write(language: Language, matter: &Matter<'_>) -> Result<Letter, askama::Error> {
    let parts = parts(Text::new(language), matter);
    Ok(Letter {
        html: Html { letter: &parts }.render()?,
        text: Plain { letter: &parts }.render()?,
        subject: parts.subject,
    })
}

/// What both parts of a mail are made of.
struct Parts<'a> {
    text: Text,
    subject: String,
    paragraphs: Vec<String>,
    actions: Vec<Action<'a>>,
    notes: Vec<String>,
}

struct Action<'a> {
    label: String,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    letter: &'a Parts<'a>,
}

#[derive(Template)]
#[template(path = "letter.txt")]
struct Plain<'a> {
    letter: &'a Parts<'a>,
}

fn parts<'a>(text: Text, matter: &Matter<'a>) -> Parts<'a> {
    let action = |key, link| Action { label: text.get(key), link };
    let until = |key, until: &Utc| text.with(key, "until", until.date_minute());
    let (subject, paragraphs, actions, notes) = match *matter {
        Matter::VerifyAddress { link, until: end } => (
            text.get("mail-verify-subject"),
            vec![text.get("mail-verify-body")],
            vec![action("mail-verify-action", link)],
            vec![until("mail-until", &end), text.get("mail-verify-note")],
        ),
        Matter::ResetPassword { link, until: end } => (
            text.get("mail-reset-subject"),
            vec![text.get("mail-reset-body")],
            vec![action("mail-reset-action", link)],
            vec![until("mail-until", &end), text.get("mail-reset-note")],
        ),
        Matter::PasswordChanged { at, link } => (
            text.get("mail-changed-subject"),
            vec![text.with("mail-changed-body", "at", at.date_minute()), text.get("mail-changed-note")],
            vec![action("mail-changed-action", link)],
            vec![],
        ),
        Matter::Invitation { org, inviter, role, link, until: end } => (
            text.with_two("mail-invitation-subject", "inviter", inviter, "org", org),
            vec![text.fill(
                "mail-invitation-body",
                [("inviter", inviter.to_owned()), ("org", org.to_owned()), ("role", role_name(&text, role))],
            )],
            vec![action("mail-invitation-action", link)],
            vec![until("mail-invitation-until", &end), text.get("mail-invitation-note")],
        ),
        Matter::AddressTaken { sign_in, reset } => (
            text.get("mail-taken-subject"),
            vec![text.get("mail-taken-body")],
            vec![action("mail-taken-sign-in", sign_in), action("mail-taken-reset", reset)],
            vec![text.get("mail-taken-note")],
        ),
        Matter::KeyLeaked { org, key, hint, at, link } => (
            text.with("mail-leaked-subject", "org", org),
            vec![
                text.fill(
                    "mail-leaked-body",
                    [
                        ("org", org.to_owned()),
                        ("key", key.to_owned()),
                        ("hint", hint.to_owned()),
                        ("at", at.date_minute()),
                    ],
                ),
                text.get("mail-leaked-next"),
            ],
            vec![action("mail-leaked-action", link)],
            vec![],
        ),
        Matter::Test => (text.get("mail-test-subject"), vec![text.get("mail-test-body")], vec![], vec![]),
    };
    Parts { text, subject, paragraphs, actions, notes }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script>\"'&";
    const LINK: &str = "https://console.example/verify?token=abc&lang=en";

    fn samples<'a>() -> Vec<Matter<'a>> {
        let until = Utc::from_ms(1_795_615_503_000);
        let roles = ["owner", "admin", "developer", "billing", "viewer"];
        let invitation = |role| Matter::Invitation { org: HOSTILE, inviter: HOSTILE, role, link: LINK, until };
        let fixed = [
            Matter::VerifyAddress { link: LINK, until },
            Matter::ResetPassword { link: LINK, until },
            Matter::PasswordChanged { at: until, link: LINK },
            Matter::AddressTaken { sign_in: LINK, reset: LINK },
            Matter::KeyLeaked { org: HOSTILE, key: HOSTILE, hint: "tim_live_sk_…abcd", at: until, link: LINK },
            Matter::Test,
        ];
        fixed.into_iter().chain(roles.map(invitation)).collect()
    }

    fn every_letter(check: impl Fn(&Matter<'_>, Language, Letter)) {
        for language in Language::ALL {
            for matter in samples() {
                check(&matter, language, write(language, &matter).unwrap());
            }
        }
    }

    #[test]
    fn every_mail_speaks_its_language_in_both_parts() {
        every_letter(|matter, language, letter| {
            let is_chinese = |text: &str| text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
            for part in [&letter.subject, &letter.html, &letter.text] {
                assert!(!part.contains("Unknown localization") && !part.contains("{$") && !part.contains("{ $"));
                assert_eq!(is_chinese(part), language == Language::ZhCn, "{matter:?} {part}");
            }
            assert!(letter.html.contains(&format!("<html lang=\"{}\"", language.tag())));
        });
    }

    #[test]
    fn every_link_stands_in_both_parts_and_foreign_text_is_never_markup() {
        every_letter(|matter, _, letter| {
            let has_link = !matches!(matter, Matter::Test);
            assert_eq!(letter.text.lines().any(|line| line == LINK), has_link, "{}", letter.text);
            assert_eq!(letter.html.contains("href=\"https://console.example/verify?token=abc&#38;lang=en\""), has_link);
            assert!(!letter.html.contains("<script"), "{}", letter.html);
            assert!(!letter.text.contains("&#"), "{}", letter.text);
        });
    }

    #[test]
    fn both_parts_say_the_same() {
        let letter = write(Language::En, &samples()[0]).unwrap();
        assert_eq!(
            letter.text,
            "Verify your email address\n\
             \nAn account was made with this address. Verify the address to unlock everything that a new account cannot do yet.\n\
             \nVerify the address:\nhttps://console.example/verify?token=abc&lang=en\n\
             \nThe link works once, until 2026-11-25 14:05 UTC.\n\
             \nIf you did not make an account, ignore this mail.\n\
             \n-- \nThis mail was sent by a TokenIM service. It cannot read answers to it."
        );
        for line in letter.text.lines().filter(|line| line.starts_with("An account") || line.starts_with("If you")) {
            assert!(letter.html.contains(line), "{line}");
        }
    }
}
