//! From a text to the bytes of a connection: each speaks one form, and what many receive is encoded once for each form.

use crate::frame;
use bytes::Bytes;

/// What a connection speaks; chosen when it is accepted, and never changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// A JSON text in a WebSocket text message.
    #[default]
    Json,
}

impl Form {
    /// How many there are.
    pub const COUNT: usize = 1;

    /// An envelope, whole, for one connection.
    #[must_use]
    pub fn encode(self, text: &str) -> Bytes {
        match self {
            Form::Json => frame::encode_text(text),
        }
    }

    /// The end of a connection.
    #[must_use]
    pub fn close(self, code: u16, reason: &str) -> Bytes {
        match self {
            Form::Json => frame::encode_close(code, reason),
        }
    }
}

/// An envelope that several connections receive, in every form one of them speaks.
#[derive(Debug)]
pub struct Encoded {
    json: Bytes,
}

impl Encoded {
    /// An envelope, given as JSON.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Encoded { json: Form::Json.encode(text) }
    }

    /// Its bytes in a form, made when it is first asked for.
    #[must_use]
    pub fn bytes(&self, form: Form) -> &Bytes {
        match form {
            Form::Json => &self.json,
        }
    }
}
