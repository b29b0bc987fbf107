//! Pushes that are told to who is connected and never stored (docs/PROTOCOL.md §5).

use crate::reply::Json;

/// A `typing` push: a member of the conversation types, or has stopped.
#[must_use]
pub fn typing(conversation: &str, user: &str, active: bool) -> String {
    format!(r#"{{"push":{{"type":"typing","conversation":"{conversation}","user":"{user}","active":{active}}}}}"#)
}

/// A message that is never stored.
#[derive(Debug, Clone, Copy)]
pub struct Ephemeral<'a> {
    /// Id of the conversation.
    pub conversation: &'a str,
    /// The user who sent it.
    pub sender: &'a str,
    /// The sender's id of it.
    pub client_msg_id: &'a str,
    /// Content kind.
    pub kind: &'a str,
    /// Content: JSON text as the sender wrote it.
    pub body: &'a str,
    /// Milliseconds since 1970, UTC.
    pub at_ms: i64,
}

/// An `ephemeral` push. As with stored messages, ids need no escape and the body is JSON already.
#[must_use]
pub fn ephemeral(message: &Ephemeral<'_>) -> String {
    let mut out = String::with_capacity(message.body.len() + 256);
    out.raw(r#"{"push":{"type":"ephemeral","conversation":"#).quoted(message.conversation);
    out.raw(",\"sender\":").quoted(message.sender).raw(",\"client_msg_id\":").quoted(message.client_msg_id);
    out.raw(",\"kind\":").quoted(message.kind).raw(",\"body\":").raw(message.body);
    out.raw(",\"at\":").time(message.at_ms).raw("}}");
    out
}

/// What a live message grew by.
#[derive(Debug, Clone, Copy)]
pub struct Delta<'a> {
    /// Id of the conversation.
    pub conversation: &'a str,
    /// Incarnation of the conversation's log.
    pub epoch: i64,
    /// Seq of the message.
    pub target: i64,
    /// Bytes of its text before these, in UTF-8.
    pub offset: i64,
    /// What it grew by.
    pub text: &'a str,
}

/// A `stream` push.
#[must_use]
pub fn stream(delta: &Delta<'_>) -> String {
    let mut out = String::with_capacity(delta.text.len() + 192);
    out.raw(r#"{"push":{"type":"stream","conversation":"#).quoted(delta.conversation);
    out.raw(",\"epoch\":").int(delta.epoch).raw(",\"target\":").int(delta.target);
    out.raw(",\"offset\":").int(delta.offset).raw(",\"text\":").text(delta.text).raw("}}");
    out
}

/// A `presence` push: `states` are objects in JSON, with commas between.
#[must_use]
pub fn presence(states: &str) -> String {
    format!(r#"{{"push":{{"type":"presence","states":[{states}]}}}}"#)
}

/// A `head` push: where a conversation stands whose events are not pushed to this connection.
#[must_use]
pub fn head(conversation: &str, epoch: i64, seq: i64, msg_no: i64) -> String {
    format!(
        r#"{{"push":{{"type":"head","conversation":"{conversation}","epoch":{epoch},"seq":{seq},"msg_no":{msg_no}}}}}"#
    )
}

/// A `notice` push: the session ends with its token in so many seconds; `refresh` keeps it.
#[must_use]
pub fn token_expiring(expires_in_s: i64) -> String {
    format!(r#"{{"push":{{"type":"notice","kind":"token_expiring","expires_in_s":{expires_in_s}}}}}"#)
}

/// A `notice` push: so many messages were pushed and not acknowledged, so no more are until some are.
#[must_use]
pub fn unacknowledged(messages: u32) -> String {
    format!(r#"{{"push":{{"type":"notice","kind":"unacknowledged","messages":{messages}}}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_are_json_and_keep_the_body_to_the_byte() {
        let body = r#"{ "text" : "hé\n" }"#;
        let message =
            Ephemeral { conversation: "c1", sender: "alice", client_msg_id: "m1", kind: "text", body, at_ms: 0 };
        let text = ephemeral(&message);
        assert!(text.contains(body));
        let push = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["push"].take();
        assert_eq!((push(&text)["type"].as_str(), push(&text)["seq"].is_null()), (Some("ephemeral"), true));
        assert_eq!(push(&typing("c1", "alice", true))["active"], true);
        assert_eq!(push(&token_expiring(60))["expires_in_s"], 60);
    }
}
