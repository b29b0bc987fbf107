//! Writing sequenced events. History and pushes carry the same objects (docs/PROTOCOL.md §5).

use crate::reply::Json;

/// What every sequenced event carries.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Id of the conversation.
    pub conversation: &'a str,
    /// Incarnation of the conversation's log.
    pub epoch: i64,
    /// Dense number in the conversation, from 1.
    pub seq: i64,
    /// Messages of the conversation up to and including this event.
    pub msg_no: i64,
    /// Milliseconds since 1970, UTC.
    pub at_ms: i64,
}

/// A message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Server's id, `msg_…`.
    pub id: &'a str,
    /// The user who sent it.
    pub sender: &'a str,
    /// The sender's id of it.
    pub client_msg_id: &'a str,
    /// Content kind.
    pub kind: &'a str,
    /// Content: JSON text as the sender wrote it; none of a deleted message.
    pub body: Option<&'a str>,
    /// Further members of the object, JSON, each with a comma before it.
    pub more: &'a str,
}

/// A change of a stored message.
#[derive(Debug, Clone, Copy)]
pub struct Amended<'a> {
    /// `edited`, `deleted`, `reaction` or `pinned`.
    pub event_type: &'a str,
    /// Seq of the message.
    pub target: i64,
    /// The user who did it; none when the app's server did.
    pub actor: Option<&'a str>,
    /// Further members of the object, JSON, each with a comma before it.
    pub more: &'a str,
}

/// A change of membership.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// `created`, `added` or `removed`.
    pub change: &'a str,
    /// The user who did it; none when the app's server did.
    pub actor: Option<&'a str>,
    /// JSON array of `{"user", "role"}`, as stored.
    pub users: &'a str,
}

/// Appends the event object of a message to `out`.
///
/// Ids follow the grammar of [`crate::grammar`], which holds nothing that JSON escapes, and the body is JSON already: so
/// this splices text and parses nothing.
pub fn write_message(out: &mut String, place: Place<'_>, message: Message<'_>) {
    open(out, "message", place);
    out.raw(",\"id\":").quoted(message.id).raw(",\"sender\":").quoted(message.sender);
    out.raw(",\"client_msg_id\":").quoted(message.client_msg_id).raw(",\"kind\":").quoted(message.kind);
    if let Some(body) = message.body {
        out.raw(",\"body\":").raw(body);
    }
    out.raw(message.more).raw("}");
}

/// Appends the event object of an amendment to `out`.
pub fn write_amended(out: &mut String, place: Place<'_>, amended: Amended<'_>) {
    open(out, amended.event_type, place);
    out.raw(",\"target\":").int(amended.target);
    if let Some(actor) = amended.actor {
        out.raw(",\"actor\":").quoted(actor);
    }
    out.raw(amended.more).raw("}");
}

/// Appends the event object of a membership change to `out`.
pub fn write_member(out: &mut String, place: Place<'_>, member: Member<'_>) {
    open(out, "member", place);
    out.raw(",\"change\":").quoted(member.change);
    if let Some(actor) = member.actor {
        out.raw(",\"actor\":").quoted(actor);
    }
    out.raw(",\"users\":").raw(member.users).raw("}");
}

fn open(out: &mut String, kind: &str, place: Place<'_>) {
    out.raw("{\"type\":").quoted(kind).raw(",\"conversation\":").quoted(place.conversation);
    out.raw(",\"epoch\":").int(place.epoch).raw(",\"seq\":").int(place.seq).raw(",\"msg_no\":").int(place.msg_no);
    out.raw(",\"at\":").time(place.at_ms);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_json_and_keep_the_body_to_the_byte() {
        let place = Place { conversation: "c1", epoch: 1, seq: 2, msg_no: 1, at_ms: 0 };
        let mut out = String::new();
        let body = r#"{ "text" : "hé\n" }"#;
        write_message(
            &mut out,
            place,
            Message { id: "msg_1", sender: "alice", client_msg_id: "m1", kind: "text", body: Some(body), more: "" },
        );
        assert!(out.contains(body));
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(value["at"], "1970-01-01T00:00:00.000Z");
        assert_eq!((value["seq"].as_i64(), value["type"].as_str()), (Some(2), Some("message")));
        out.clear();
        write_member(&mut out, place, Member { change: "added", actor: Some("alice"), users: "[]" });
        assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok());
    }
}
