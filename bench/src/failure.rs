//! Why a run failed, and what a server refused.

use serde::Deserialize;
use std::{fmt, io};

/// What a server says no with: the error of a reply, or the reason of a close.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// The stable code.
    pub code: String,
    /// When to try again, milliseconds; `None` where it did not say.
    pub retry_after_ms: Option<u64>,
}

/// Why a run failed, for the person who started it.
#[derive(Debug)]
pub struct Failure {
    text: String,
    /// What the server refused, where that was the cause.
    pub refusal: Option<Refusal>,
}

impl Failure {
    /// A failure with its sentence.
    pub fn new(what: impl Into<String>) -> Self {
        Failure { text: what.into(), refusal: None }
    }

    /// A refusal of the server, with a sentence.
    pub fn refused(what: impl Into<String>, refusal: Option<Refusal>) -> Self {
        Failure { text: what.into(), refusal }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::new(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Failure::new(format!("the server's answer is not understood: {error}"))
    }
}
