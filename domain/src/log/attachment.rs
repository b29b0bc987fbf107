//! Attachments: files that came in chunks and travel with messages by their ids.

use super::{AppRef, Digest};
use crate::error::{Error, Result};
use crate::id::AttachmentId;
use crate::name::{Conversation, User};
use std::fmt::Write;
use std::sync::Arc;
use tokenim_protocol::Code;
use tokenim_protocol::limits::{ATTACHMENT_NAME_BYTES_MAX, ATTACHMENTS_MAX, MEDIA_TYPE_BYTES_MAX};

/// What a browser is told where the real type could be run by it.
const OPAQUE: &str = "application/octet-stream";
/// Characters that no one sees, or that turn the reading direction: a name that holds them reads as another.
const DECEIVING: &[char] = &[
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}',
    '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', '\u{feff}',
];

/// The name of a file: 1 to 255 bytes that are no path and read as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(Arc<str>);

impl FileName {
    /// Parses a name. Errors: `invalid_field` at `name`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Err(Error::invalid("name", format!("`name` {why}")));
        let is_hidden = |letter: char| letter.is_control() || DECEIVING.contains(&letter);
        if text.is_empty() || text.len() > ATTACHMENT_NAME_BYTES_MAX {
            return wrong(&format!("has 1 to {ATTACHMENT_NAME_BYTES_MAX} bytes"));
        }
        if text.contains(['/', '\\']) || [".", ".."].contains(&text) {
            return wrong("is the name of a file, no path");
        }
        if text.chars().any(is_hidden) || text.trim() != text {
            return wrong("holds no control characters, turns no reading direction and has no spaces around it");
        }
        Ok(FileName(text.into()))
    }

    /// Text that was parsed before it was stored.
    #[must_use]
    pub fn trusted(text: &str) -> Self {
        FileName(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of `Content-Disposition` that has a browser save it under this name (RFC 6266, RFC 8187).
    #[must_use]
    pub fn disposition(&self) -> String {
        let mut out = "attachment; filename*=UTF-8''".to_owned();
        for byte in self.0.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
                _ => write!(out, "%{byte:02X}").expect("writing to a string does not fail"),
            }
        }
        out
    }
}

/// What a file says it is: `type/subtype`, lower case, without parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType(Arc<str>);

impl MediaType {
    /// Parses a type. Errors: `invalid_field` at `content_type`.
    pub fn parse(text: &str) -> Result<Self> {
        // The characters of a restricted name (RFC 6838 §4.2).
        let is_name = |part: &str| {
            part.starts_with(|letter: char| letter.is_ascii_alphanumeric())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
        };
        let parts = text.split_once('/').filter(|_| text.len() <= MEDIA_TYPE_BYTES_MAX);
        match parts {
            Some((kind, subtype)) if is_name(kind) && is_name(subtype) => {
                Ok(MediaType(text.to_ascii_lowercase().into()))
            }
            _ => Err(Error::invalid("content_type", "`content_type` is a type and a subtype, as image/png")),
        }
    }

    /// Text that was parsed before it was stored.
    #[must_use]
    pub fn trusted(text: &str) -> Self {
        MediaType(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The type it is handed out under: its own where no browser runs what is in it, else one that is only saved.
    #[must_use]
    pub fn served(&self) -> &str {
        let is_shown = ["image/", "audio/", "video/"].iter().any(|kind| self.0.starts_with(kind));
        let is_plain = ["text/plain", "application/pdf"].contains(&&*self.0);
        // Whatever ends in `+xml` is a document to a browser, in every kind (MIME Sniffing Standard, "XML MIME type").
        let is_document = self.0.contains("svg") || self.0.contains("xml");
        if (is_shown || is_plain) && !is_document { &self.0 } else { OPAQUE }
    }
}

/// A file that travels with messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its id; its object has the same number.
    pub id: AttachmentId,
    /// Its name.
    pub name: FileName,
    /// What it says it is.
    pub content_type: MediaType,
    /// Its bytes.
    pub bytes: i64,
    /// SHA-256 of them.
    pub sha256: Digest,
}

/// The files of a message: ids until the commit has found them, then what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attached {
    /// Named by who sends.
    Asked {
        /// Distinct ids.
        ids: Vec<AttachmentId>,
        /// Whether the credential sees all that its user sees, so that it may forward what others sent.
        may_forward: bool,
    },
    /// They are there.
    Kept(Vec<Attachment>),
}

impl Default for Attached {
    fn default() -> Self {
        Attached::Kept(Vec::new())
    }
}

impl Attached {
    /// Files by their ids.
    ///
    /// Errors: `limit_reached`; `invalid_field`; both at `attachments`.
    pub fn of<'a>(texts: impl ExactSizeIterator<Item = &'a str>, may_forward: bool) -> Result<Self> {
        if texts.len() > ATTACHMENTS_MAX {
            let wrong = format!("a message carries at most {ATTACHMENTS_MAX} attachments");
            return Err(Error::new(Code::LimitReached).says(wrong).at("attachments"));
        }
        let mut ids = Vec::with_capacity(texts.len());
        for text in texts {
            let wrong = || Error::invalid("attachments", "`attachments` are ids that commits of uploads answered");
            let id = text.parse::<AttachmentId>().map_err(|()| wrong())?;
            if ids.contains(&id) {
                return Err(Error::invalid("attachments", "`attachments` names one twice"));
            }
            ids.push(id);
        }
        Ok(if ids.is_empty() { Attached::default() } else { Attached::Asked { ids, may_forward } })
    }

    /// The files, where they are known.
    #[must_use]
    pub fn kept(&self) -> &[Attachment] {
        match self {
            Attached::Asked { .. } => &[],
            Attached::Kept(files) => files,
        }
    }

    /// Their ids, in order.
    #[must_use]
    pub fn ids(&self) -> Vec<AttachmentId> {
        match self {
            Attached::Asked { ids, .. } => ids.clone(),
            Attached::Kept(files) => files.iter().map(|file| file.id).collect(),
        }
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Attached::Asked { ids, .. } => ids.len(),
            Attached::Kept(files) => files.len(),
        }
    }
}

/// Which file of which message.
#[derive(Debug, Clone)]
pub struct AttachmentQuery {
    /// The app.
    pub app: AppRef,
    /// The conversation.
    pub conversation: Conversation,
    /// A member; `None` = the app's server.
    pub viewer: Option<User>,
    /// The message's seq.
    pub seq: i64,
    /// The file.
    pub id: AttachmentId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path_and_reads_as_it_is() {
        let longest = "é".repeat(127) + "x";
        for name in ["a", "report (1).pdf", "图片.png", "👨‍👩‍👧.txt", "a\"b';c.txt", "...", ".env", &longest]
        {
            assert_eq!(FileName::parse(name).unwrap().as_str(), name);
        }
        let long = "é".repeat(128);
        for name in [
            "",
            " ",
            ".",
            "..",
            "a/b",
            "..\\b",
            "/etc/passwd",
            "a\0",
            "a\r\nb",
            "a\tb",
            "\u{7f}",
            "\u{85}",
            " a",
            "a ",
            "gpj.\u{202e}exe",
            "a\u{2066}b",
            "a\u{200f}",
            "\u{feff}a",
            "a\u{2028}b",
            &long,
        ] {
            assert_eq!(FileName::parse(name).unwrap_err().param, Some("name"), "{name:?}");
        }
    }

    #[test]
    fn a_name_in_a_header_holds_nothing_that_ends_it() {
        let name = FileName::parse("a\"b;c é%.txt").unwrap();
        assert_eq!(name.disposition(), "attachment; filename*=UTF-8''a%22b%3Bc%20%C3%A9%25.txt");
    }

    #[test]
    fn a_type_has_two_names_and_what_a_browser_runs_is_only_saved() {
        for (text, served) in [
            ("image/png", "image/png"),
            ("IMAGE/PNG", "image/png"),
            ("video/mp4", "video/mp4"),
            ("text/plain", "text/plain"),
            ("application/pdf", "application/pdf"),
            ("image/svg+xml", OPAQUE),
            ("video/x+xml", OPAQUE),
            ("audio/x+xml", OPAQUE),
            ("text/html", OPAQUE),
            ("application/xhtml+xml", OPAQUE),
            ("text/javascript", OPAQUE),
            ("application/vnd.api+json", OPAQUE),
        ] {
            assert_eq!(MediaType::parse(text).unwrap().served(), served, "{text}");
        }
        for wrong in [
            "",
            "image",
            "image/",
            "/png",
            "a/b/c",
            "text/html; charset=utf-8",
            "text/html\r\nx: y",
            "a /b",
            "a/b\0",
            "é/a",
            "*/*",
            "-a/b",
        ] {
            assert_eq!(MediaType::parse(wrong).unwrap_err().param, Some("content_type"), "{wrong:?}");
        }
        assert!(MediaType::parse(&format!("a/{}", "b".repeat(MEDIA_TYPE_BYTES_MAX))).is_err());
    }

    #[test]
    fn a_message_names_files_once_each_and_not_too_many() {
        let id = |number: u128| AttachmentId(uuid::Uuid::from_u128(number)).to_string();
        let many: Vec<_> = (0..=ATTACHMENTS_MAX as u128).map(id).collect();
        let of = |ids: &[String]| Attached::of(ids.iter().map(String::as_str), true);
        assert_eq!(of(&many).unwrap_err().code, Code::LimitReached);
        assert_eq!(of(&many[1..]).unwrap().count(), ATTACHMENTS_MAX);
        assert_eq!(of(&[id(1), id(1)]).unwrap_err().param, Some("attachments"));
        assert_eq!(of(&["upl_00000000000000000000000001".to_owned()]).unwrap_err().code, Code::InvalidField);
        assert_eq!(of(&[]).unwrap(), Attached::default());
    }
}
