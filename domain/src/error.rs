//! The one error type below the faces: a stable code, a public sentence, and a source that never leaves the process.

use std::borrow::Cow;
use std::fmt;
use tokenim_protocol::Code;
use tokenim_protocol::reply::Facts;

/// `Result` with the domain's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in words a face may show, and why, in words only the log may.
#[derive(Debug)]
pub struct Error {
    /// Stable code; its table says status and close code, so nothing here knows HTTP.
    pub code: Code,
    /// A sentence for the developer; holds nothing secret.
    pub message: Cow<'static, str>,
    /// The field at fault.
    pub param: Option<&'static str>,
    /// The same where it is known only at run time: a path like `members[2]`; it goes before `param`.
    path: Option<Box<str>>,
    /// How long to wait before a repeat, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// Which limit it was, where it was one.
    pub facts: Option<Box<Facts>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with that code; the message is the code's own meaning.
    #[must_use]
    pub fn new(code: Code) -> Self {
        let message = Cow::Borrowed(code.row().meaning);
        Error { code, message, param: None, path: None, retry_after_ms: None, facts: None, source: None }
    }

    /// A value that has the right type but is not allowed.
    #[must_use]
    pub fn invalid(param: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Error { param: Some(param), ..Error::new(Code::InvalidField).says(message) }
    }

    /// A fault of ours; `source` goes to the log.
    #[must_use]
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::new(Code::Internal).because(source)
    }

    /// The same error with another sentence.
    #[must_use]
    pub fn says(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// The same error at another field.
    #[must_use]
    pub fn at(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }

    /// The same error at a field whose name is known only at run time.
    #[must_use]
    pub fn at_path(mut self, path: impl Into<Box<str>>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The field at fault.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.path.as_deref().or(self.param)
    }

    /// What the error says in public, to tell it to several; the source stays with the one that is logged.
    #[must_use]
    pub fn public_copy(&self) -> Self {
        Error {
            param: self.param,
            path: self.path.clone(),
            retry_after_ms: self.retry_after_ms,
            facts: self.facts.clone(),
            ..Error::new(self.code).says(self.message.clone())
        }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error with the time to wait.
    #[must_use]
    pub fn retry_after(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }

    /// The same error with the limit it was.
    #[must_use]
    pub fn with(mut self, facts: Facts) -> Self {
        self.facts = Some(Box::new(facts));
        self
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Error::new(code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
