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
    /// What changed: `created`, `added`, `removed` and the like.
    pub change: &'a str,
    /// The user who did it; none when the app's server did.
    pub actor: Option<&'a str>,
    /// JSON array of `{"user", "role"?}`.
    pub users: &'a str,
    /// Of `muted`: when it ends, milliseconds since 1970.
    pub until_ms: Option<i64>,
}

/// A change of a conversation's settings: what is `None` stays.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// The user who did it; none when the app's server did.
    pub actor: Option<&'a str>,
    /// Name to show; `Some(None)` = it has none any more.
    pub name: Option<Option<&'a str>>,
    /// Who may join.
    pub join: Option<&'a str>,
    /// Who may add members.
    pub add: Option<&'a str>,
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
    out.raw(",\"users\":").raw(member.users);
    if let Some(until_ms) = member.until_ms {
        out.raw(",\"until\":").time(until_ms);
    }
    out.raw("}");
}

/// Appends the event object of changed settings to `out`.
pub fn write_settings(out: &mut String, place: Place<'_>, settings: Settings<'_>) {
    open(out, "conversation", place);
    if let Some(actor) = settings.actor {
        out.raw(",\"actor\":").quoted(actor);
    }
    match settings.name {
        Some(Some(name)) => out.raw(",\"name\":").text(name),
        Some(None) => out.raw(",\"name\":null"),
        None => out,
    };
    for (field, rule) in [("join", settings.join), ("add", settings.add)] {
        if let Some(rule) = rule {
            out.raw(",").quoted(field).raw(":").quoted(rule);
        }
    }
    out.raw("}");
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
        write_member(
            &mut out,
            place,
            Member { change: "muted", actor: Some("alice"), users: "[]", until_ms: Some(1_000) },
        );
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(value["until"], "1970-01-01T00:00:01.000Z");
    }

    #[test]
    fn changed_settings_hold_what_changed_and_nothing_else() {
        let place = Place { conversation: "c1", epoch: 1, seq: 2, msg_no: 1, at_ms: 0 };
        let of = |settings| {
            let mut out = String::new();
            write_settings(&mut out, place, settings);
            serde_json::from_str::<serde_json::Value>(&out).unwrap()
        };
        let none = Settings { actor: None, name: None, join: None, add: None };
        let named = of(Settings { name: Some(Some("a \"b\"")), actor: Some("alice"), ..none });
        assert_eq!((named["type"].as_str(), named["name"].as_str()), (Some("conversation"), Some("a \"b\"")));
        assert!(named.get("join").is_none() && named.get("add").is_none());
        let rules = of(Settings { join: Some("open"), add: Some("members"), ..none });
        assert_eq!((rules["join"].as_str(), rules["add"].as_str()), (Some("open"), Some("members")));
        assert!(rules.get("name").is_none() && rules.get("actor").is_none());
        assert!(of(Settings { name: Some(None), ..none })["name"].is_null());
        assert!(of(Settings { name: Some(None), ..none }).get("name").is_some());
    }
}
