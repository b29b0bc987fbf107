//! Schemas of what the session over HTTP carries: the envelopes of the socket, whose fields docs/PROTOCOL.md has.

use serde_json::{Value, json};
use std::borrow::Cow;
use tokenim_protocol::command::Command;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Declares a schema that is written as JSON.
macro_rules! written {
    ($(#[$doc:meta] $name:ident $schema:ident;)*) => {
        $(
            #[$doc]
            pub(crate) enum $name {}

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    RefOr::T(serde_json::from_value($schema()).expect("a schema"))
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed(stringify!($name))
                }
            }
        )*
    };
}

written! {
    /// What a client sends.
    Envelope envelope;
    /// What answers it.
    EnvelopeReply reply;
    /// What a stream carries.
    StreamEvent event;
}

fn envelope() -> Value {
    let fields = |command: &Command| (command.name().to_owned(), json!({"type": "object"}));
    let mut properties: serde_json::Map<_, _> = Command::ALL.iter().map(fields).collect();
    properties.insert("id".to_owned(), json!({"type": "integer", "format": "int64", "minimum": 1}));
    let command = json!({
        "type": "object", "minProperties": 2, "maxProperties": 2, "required": ["id"], "properties": properties,
        "description": "`id` and exactly one command with its fields.",
    });
    let pong = json!({"type": "object", "required": ["pong"], "properties": {"pong": {"type": "object"}}});
    json!({"oneOf": [command, pong]})
}

fn reply() -> Value {
    let error = json!({
        "type": "object", "required": ["code", "message", "retryable"],
        "description": "As `ErrorDetail`, without `request_id` and `doc`.",
        "properties": {
            "code": {"type": "string"}, "message": {"type": "string"}, "param": {"type": "string"},
            "retryable": {"type": "boolean"}, "retry_after_ms": {"type": "integer", "format": "int64", "minimum": 0},
        },
    });
    json!({
        "type": "object", "description": "The `id` of the command, and `ok` or `error`.",
        "properties": {"id": {"type": "integer", "format": "int64"}, "ok": {"type": "object"}, "error": error},
    })
}

fn event() -> Value {
    let mut event = reply();
    event["description"] = json!("A reply, or a `push` with its `type`. Of the last event: `close` and `code`.");
    event["properties"]["push"] =
        json!({"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}});
    event["properties"]["close"] = json!({"type": "integer", "format": "int32"});
    event["properties"]["code"] = json!({"type": "string"});
    event["properties"]["retry_after_ms"] = json!({"type": "integer", "format": "int64"});
    event
}
