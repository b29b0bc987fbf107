//! From a text to the bytes of a connection: each speaks one form, and what many receive is encoded once for each form.

use crate::{events, frame};
use bytes::Bytes;
use std::sync::OnceLock;
use tokenim_protocol::msgpack;

/// What a connection speaks; chosen when it is accepted, and never changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// A JSON text in a WebSocket text message.
    #[default]
    Json,
    /// MessagePack in a WebSocket binary message.
    MessagePack,
    /// [`Form::Json`], compressed where that helps.
    JsonDeflated,
    /// [`Form::MessagePack`], compressed where that helps.
    MessagePackDeflated,
    /// JSON in a server-sent event.
    Events,
}

impl Form {
    /// How many there are.
    pub const COUNT: usize = 5;

    /// An envelope, given as JSON, for one connection.
    #[must_use]
    pub fn encode(self, json: &str) -> Bytes {
        match self {
            Form::Json => frame::encode_text(json),
            Form::MessagePack => frame::encode_binary(&msgpack::encode(json)),
            Form::JsonDeflated | Form::MessagePackDeflated => frame::deflated(&self.plain().encode(json)),
            Form::Events => events::encode(json),
        }
    }

    /// The same form with its messages compressed.
    #[must_use]
    pub fn deflated(self) -> Self {
        match self.plain() {
            Form::MessagePack => Form::MessagePackDeflated,
            _ => Form::JsonDeflated,
        }
    }

    /// The same form without compression.
    #[must_use]
    pub fn plain(self) -> Self {
        match self {
            Form::Json | Form::JsonDeflated => Form::Json,
            Form::MessagePack | Form::MessagePackDeflated => Form::MessagePack,
            Form::Events => Form::Events,
        }
    }

    /// The end of a connection.
    #[must_use]
    pub fn close(self, code: u16, reason: &str) -> Bytes {
        match self {
            Form::Events => events::close(code, reason),
            _ => frame::encode_close(code, reason),
        }
    }
}

/// An envelope that several connections receive.
#[derive(Debug)]
pub struct Encoded {
    json: Bytes,
    /// The other forms, once somebody speaks them.
    others: [OnceLock<Bytes>; Form::COUNT],
}

impl Encoded {
    /// An envelope, given as JSON.
    #[must_use]
    pub fn new(json: &str) -> Self {
        Encoded { json: Form::Json.encode(json), others: Default::default() }
    }

    /// Its bytes in a form, made when they are first asked for.
    #[must_use]
    pub fn bytes(&self, form: Form) -> &Bytes {
        match form {
            Form::Json => &self.json,
            Form::MessagePack | Form::Events => self.other(form, || form.encode(frame::text_of(&self.json))),
            Form::JsonDeflated | Form::MessagePackDeflated => {
                self.other(form, || frame::deflated(self.bytes(form.plain())))
            }
        }
    }

    fn other(&self, form: Form, make: impl FnOnce() -> Bytes) -> &Bytes {
        self.others[form as usize].get_or_init(make)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That it is made once is seen where many receive it, in `tests/fan_out.rs`.
    #[test]
    fn what_many_receive_is_what_one_would() {
        let text = format!(r#"{{"push":{{"type":"drain","retry_after_ms":1,"x":"{}"}}}}"#, "x".repeat(300));
        let push = Encoded::new(&text);
        for form in [Form::JsonDeflated, Form::MessagePackDeflated, Form::MessagePack, Form::Events, Form::Json] {
            assert_eq!(push.bytes(form), &form.encode(&text), "{form:?}");
        }
    }

    #[test]
    fn every_length_of_text_is_found_again_in_its_frame() {
        for text in ["", "x", &"x".repeat(125), &"x".repeat(126), &"x".repeat(65_535), &"x".repeat(65_536)] {
            assert_eq!(frame::text_of(&Form::Json.encode(text)), text);
        }
    }
}
