//! A letter as a message of RFC 5322: headers, and the two parts of multipart/alternative.

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::{Address, address::AddressError};
use std::time::{Duration, SystemTime};
use tokenim_domain::id::JobId;
use tokenim_templates::mail::Letter;

/// Builds the message; the error is a sentence.
pub(super) fn build(from: &Mailbox, to: &str, id: JobId, at_ms: i64, letter: &Letter) -> Result<Message, String> {
    let to: Address = to.parse().map_err(|error: AddressError| format!("the address is none: {error}"))?;
    let date = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).unwrap_or(0));
    let builder = Message::builder()
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .date(date)
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(one_line(&letter.subject))
        // RFC 3834 §5: no autoresponder answers it.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    let parts = MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone());
    builder.multipart(parts).map_err(|error| error.to_string())
}

/// Names of orgs and people stand in subjects; none of them may begin another header.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_a_stable_id_its_date_and_two_parts() {
        let letter =
            Letter {
                subject: "邀请\r\nBcc: eve@example.com".into(), html: "<p>你好</p>".into(), text: "你好".into()
            };
        let id: JobId = "job_01arz3ndektsv4rrffq69g5fav".parse().unwrap();
        let from: Mailbox = "TokenIM <mail@im.example>".parse().unwrap();
        let text =
            String::from_utf8(build(&from, "ada@example.com", id, 1_795_615_503_000, &letter).unwrap().formatted())
                .unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        for line in [
            "Message-ID: <job_01arz3ndektsv4rrffq69g5fav@im.example>",
            "Date: Wed, 25 Nov 2026 14:05:03 +0000",
            "From: TokenIM <mail@im.example>",
            "To: ada@example.com",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
        ] {
            assert!(head.lines().any(|found| found == line), "{line} in {head}");
        }
        assert!(head.contains("Subject: =?utf-8?b?") && !head.contains("\r\nBcc"), "{head}");
        assert!(head.contains("multipart/alternative") && head.is_ascii() && body.is_ascii());
        let (plain, html) = (body.find("text/plain").unwrap(), body.find("text/html").unwrap());
        assert!(plain < html, "the part that readers prefer is the last one (RFC 2046 §5.1.4)");
    }

    #[test]
    fn what_is_no_address_is_no_message() {
        let letter = Letter { subject: "s".into(), html: "h".into(), text: "t".into() };
        let from: Mailbox = "mail@im.example".parse().unwrap();
        let id: JobId = "job_01arz3ndektsv4rrffq69g5fav".parse().unwrap();
        for to in ["", "ada", "ada@", "ada@example.com\r\nRCPT TO:<eve@example.com>", "a b@example.com"] {
            assert!(build(&from, to, id, 0, &letter).is_err(), "{to:?}");
        }
    }
}
