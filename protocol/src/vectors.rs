//! The golden vectors of `protocol/vectors/`, run against this crate. What a client must do is run by tests/interop.

use crate::command::{self, Command, Heads};
use crate::envelope::{self, Cause, Incoming};
use crate::event::{self, Amended, Member, Message, Place, Settings};
use crate::fields::{self, Misfit};
use crate::reply::{self, Detail, Facts, Receipt};
use crate::{Code, grammar, live, msgpack};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// 2026-01-01T00:00:00Z, when everything in the vectors happens.
const AT_MS: i64 = 1_767_225_600_000;
const HOUR_MS: i64 = 3_600_000;
const MSG: &str = "msg_00000000000000000000000000";

#[derive(Deserialize)]
struct File {
    version: u32,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    input: Value,
    expected: Value,
}

impl Case {
    fn text(&self) -> &str {
        self.input.as_str().expect("a text")
    }

    /// The command and its fields.
    fn command(&self) -> (Command, Value) {
        let (name, fields) = self.input.as_object().and_then(|one| one.iter().next()).expect("a command");
        (Command::find(name).unwrap_or_else(|| panic!("{name} is no command")), written_out(fields))
    }
}

macro_rules! cases {
    ($name:literal) => {
        read(include_str!(concat!("../vectors/", $name, ".json")))
    };
}

fn read(text: &str) -> Vec<Case> {
    let file: File = serde_json::from_str(text).unwrap();
    assert_eq!(file.version, 1);
    let names: BTreeSet<_> = file.cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), file.cases.len(), "a name is there twice");
    file.cases
}

/// What stands for something long, as vectors/README.md says.
fn written_out(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(written_out).collect(),
        Value::Object(map) => {
            let short =
                map.iter().next().filter(|_| map.len() == 1).and_then(|(key, size)| Some((key, size.as_u64()?)));
            match short.map(|(key, size)| (key.as_str(), size)) {
                Some(("$text", size)) => "x".repeat(size as usize).into(),
                Some(("$users", count)) => (0..count).map(|at| format!("u{at}")).collect(),
                Some(("$heads", count)) => (0..count).map(|at| (format!("u{at}"), json!([1, 1]))).collect(),
                Some(("$keys", count)) => (0..count).map(|at| (format!("k{at}"), json!(0))).collect(),
                Some(("$levels", count)) => (1..count).fold(json!([]), |inner, _| json!([inner])),
                _ => map.iter().map(|(key, inner)| (key.clone(), written_out(inner))).collect(),
            }
        }
        other => other.clone(),
    }
}

fn form<'a, T: Deserialize<'a>>(text: &'a str) -> Result<(), Misfit> {
    fields::read::<T>(text).map(drop)
}

/// Whether the fields have the form of that command's.
fn fit(command: Command, text: &str) -> Result<(), Misfit> {
    match command {
        Command::Connect => form::<command::Connect<'_>>(text),
        Command::Refresh => form::<command::Refresh<'_>>(text),
        Command::Send => form::<command::Send<'_>>(text),
        Command::History => form::<command::History<'_>>(text),
        Command::Sync => form::<command::Sync<'_>>(text),
        Command::Read | Command::Received => form::<command::Watermark<'_>>(text),
        Command::ConversationCreate => form::<command::ConversationCreate<'_>>(text),
        Command::ConversationAdd | Command::ConversationRemove | Command::ConversationDecline => {
            form::<command::MemberChange<'_>>(text)
        }
        Command::ConversationMembers | Command::ConversationRequests | Command::ConversationBans => {
            form::<command::Members<'_>>(text)
        }
        Command::Ping => form::<command::Ping>(text),
        Command::Edit => form::<command::Edit<'_>>(text),
        Command::Delete => form::<command::Delete<'_>>(text),
        Command::React => form::<command::React<'_>>(text),
        Command::Reactions => form::<command::Reactions<'_>>(text),
        Command::Pin => form::<command::Pin<'_>>(text),
        Command::Pins => form::<command::Pins<'_>>(text),
        Command::Typing => form::<command::Typing<'_>>(text),
        Command::ConversationUpdate => form::<command::ConversationUpdate<'_>>(text),
        Command::ConversationJoin | Command::ConversationLeave => form::<command::ConversationOnly<'_>>(text),
        Command::ConversationRole => form::<command::ConversationRole<'_>>(text),
        Command::ConversationMute => form::<command::ConversationMute<'_>>(text),
        Command::ConversationBan | Command::ConversationUnban => form::<command::ConversationBan<'_>>(text),
        Command::Block | Command::Unblock => form::<command::Block<'_>>(text),
        Command::Blocks => form::<command::Blocks<'_>>(text),
        Command::PresenceSet => form::<command::PresenceSet<'_>>(text),
        Command::PresenceWatch | Command::PresenceGet => form::<command::Users<'_>>(text),
        Command::Receipts => form::<command::Receipts<'_>>(text),
        Command::Open | Command::Passive => form::<command::View<'_>>(text),
        Command::ChunkBegin => match fields::read::<command::ChunkPurpose<'_>>(text)?.purpose.as_deref() {
            Some("attachment") => form::<command::AttachmentBegin<'_>>(text),
            _ => form::<command::ChunkBegin<'_>>(text),
        },
        Command::ChunkPut => form::<command::ChunkPut<'_>>(text),
        Command::ChunkCommit => form::<command::ChunkCommit<'_>>(text),
        Command::ChunkAbort => form::<command::ChunkAbort<'_>>(text),
        Command::BodyGet => form::<command::BodyGet<'_>>(text),
        Command::StreamBegin => form::<command::StreamBegin<'_>>(text),
        Command::StreamAppend => form::<command::StreamAppend<'_>>(text),
        Command::StreamEnd => form::<command::StreamEnd<'_>>(text),
        Command::StreamGet => form::<command::StreamGet<'_>>(text),
    }
}

#[test]
fn envelopes_are_read_or_refused_as_the_vectors_say() {
    for case in cases!("envelopes") {
        let is = match envelope::read(case.text()) {
            Ok(Incoming::Command { id, name, .. }) => json!({"id": id, "command": name}),
            Ok(Incoming::Pong) => json!({"pong": true}),
            Err(malformed) => match malformed.id {
                Some(id) => json!({"id": id, "error": {"code": envelope::Malformed::CODE.as_str()}}),
                None => json!({"close": 4400, "code": "invalid_request", "cause": malformed.cause.as_str()}),
            },
        };
        assert_eq!(is, case.expected, "{}", case.name);
    }
}

#[test]
fn commands_of_the_vectors_have_the_form_they_are_answered_for() {
    for case in cases!("replies") {
        let (command, fields) = case.command();
        assert_eq!(fit(command, &fields.to_string()), Ok(()), "{}", case.name);
    }
    for case in cases!("refusals") {
        let (command, fields) = case.command();
        let (code, param) = (case.expected["code"].as_str().unwrap(), case.expected["param"].as_str());
        assert!(Code::ALL.iter().any(|known| known.as_str() == code), "{}: {code} is no code", case.name);
        match fit(command, &fields.to_string()) {
            Err(misfit) => assert_eq!((code, param), ("invalid_request", misfit.param.as_deref()), "{}", case.name),
            Ok(()) => assert!(code != "invalid_request" || param.is_none(), "{} has a form that fits", case.name),
        }
    }
}

#[test]
fn every_command_has_vectors_of_both_kinds() {
    let of = |cases: Vec<Case>| cases.iter().map(|case| case.command().0.name()).collect::<BTreeSet<_>>();
    let (answered, refused) = (of(cases!("replies")), of(cases!("refusals")));
    for command in Command::ALL {
        assert!(answered.contains(command.name()), "`{}` has no case in vectors/replies.json", command.name());
        assert!(refused.contains(command.name()), "`{}` has none in refusals.json", command.name());
    }
}

#[test]
fn the_codes_are_those_of_the_vectors() {
    let table: Vec<_> = Code::ALL
        .iter()
        .map(|code| {
            let row = code.row();
            let close = Some(row.close).filter(|close| *close != 0);
            (row.name.to_owned(), json!({"retryable": row.retryable, "http": row.status, "close": close}))
        })
        .collect();
    let vectors: Vec<_> = cases!("codes").into_iter().map(|case| (case.text().to_owned(), case.expected)).collect();
    assert_eq!(vectors, table);
}

#[test]
fn close_reasons_are_those_of_the_vectors() {
    const CAUSES: [Cause; 6] =
        [Cause::NoJson, Cause::NoMessagePack, Cause::NoObject, Cause::NoId, Cause::TooComplex, Cause::NotOneCommand];
    for case in cases!("close_reasons") {
        let code = Code::ALL.iter().find(|code| code.as_str() == case.input["code"]).expect("a code");
        let cause = CAUSES.into_iter().find(|cause| cause.as_str() == case.input["cause"]);
        let reason = reply::close_reason(*code, cause, case.input["retry_after_ms"].as_u64());
        assert_eq!(json!({"close": code.row().close, "reason": reason}), case.expected, "{}", case.name);
    }
}

#[test]
fn ids_and_heads_are_those_of_the_vectors() {
    for case in cases!("ids") {
        assert_eq!(grammar::is_id(case.text()), case.expected, "{}", case.name);
    }
    for case in cases!("heads") {
        let heads: Option<Heads<'_>> = serde_json::from_str(case.text()).ok();
        let list =
            heads.map(|heads| heads.iter().map(|(id, (epoch, seq))| json!([id, epoch, seq])).collect::<Vec<_>>());
        assert_eq!(json!(list), case.expected, "{}", case.name);
    }
}

#[test]
fn frames_are_the_vectors_to_the_byte_in_both_encodings() {
    let cases = cases!("frames");
    for case in &cases {
        let bytes = msgpack::encode(case.text());
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, case.expected, "{}", case.name);
        let back: Value = serde_json::from_str(&msgpack::decode(&bytes).unwrap().json).unwrap();
        assert_eq!(back, serde_json::from_str::<Value>(case.text()).unwrap(), "{}", case.name);
    }
    let mut written = written();
    for case in cases!("replies") {
        let (command, _) = case.command();
        let name = format!("ok: {}", command.name());
        if !written.iter().any(|(known, _)| *known == name) {
            written.push((name, reply::ok(7, &case.expected.to_string())));
        }
    }
    assert_eq!(written.len(), cases.len());
    for ((name, frame), case) in written.iter().zip(&cases) {
        assert_eq!(name, &case.name);
        match name.starts_with("ok: ") {
            true => assert_eq!(value(frame), value(case.text()), "{name}"),
            false => assert_eq!(frame, case.text(), "{name}"),
        }
    }
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn place(seq: i64, msg_no: i64) -> Place<'static> {
    Place { conversation: "c1", epoch: 1, seq, msg_no, at_ms: AT_MS }
}

fn push(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::from("{\"push\":");
    write(&mut out);
    out + "}"
}

/// Every push and kind of error as this crate writes it, by the names of the vectors and in their order.
fn written() -> Vec<(String, String)> {
    let message = Message { id: MSG, sender: "alice", client_msg_id: "m1", kind: "text", body: None, more: "" };
    let text = Message { body: Some("{\"text\":\"héllo 世界 👍\"}"), ..message };
    let reply = Message {
        sender: "bob",
        client_msg_id: "m2",
        kind: "json",
        body: Some("[1,-1,2.5,true,null,9007199254740993,18446744073709551615]"),
        more: ",\"reply_to\":2,\"mentions\":[\"alice\"],\"silent\":true",
        ..message
    };
    let file = Message {
        kind: "file",
        body: Some("{}"),
        more: concat!(
            ",\"attachments\":[{\"id\":\"att_00000000000000000000000000\",\"name\":\"图片 \\\"1\\\".png\",",
            "\"content_type\":\"image/png\",\"bytes\":5,",
            "\"sha256\":\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"}]"
        ),
        ..message
    };
    let large = Message {
        kind: "json",
        more: concat!(
            ",\"large\":{\"bytes\":5,",
            "\"sha256\":\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"}"
        ),
        ..message
    };
    let grows = Message { body: Some("{\"text\":\"Once\"}"), more: ",\"live\":true", ..message };
    let amended = |event_type, target, actor, more| Amended { event_type, target, actor, more };
    let edit = ",\"client_msg_id\":\"m3\",\"kind\":\"text\",\"body\":{\"text\":\"hello\"}";
    let deleted = ",\"client_msg_id\":\"d1\"";
    let pinned = ",\"client_msg_id\":\"p1\",\"change\":\"added\"";
    let reaction = ",\"client_msg_id\":\"r1\",\"change\":\"added\",\"emoji\":\"👍\",\"count\":1";
    let owner = "[{\"user\":\"alice\",\"role\":\"owner\"},{\"user\":\"bob\",\"role\":\"member\"}]";
    let created = Member { change: "created", actor: Some("alice"), users: owner, until_ms: None };
    let bob = "[{\"user\":\"bob\",\"role\":\"member\"}]";
    let muted = Member { change: "muted", users: bob, until_ms: Some(AT_MS + HOUR_MS), ..created };
    let none = Settings { actor: None, name: Some(None), join: None, add: None };
    let named =
        Settings { actor: Some("alice"), name: Some(Some("A \"team\"")), join: Some("open"), add: Some("members") };
    let ephemeral = live::Ephemeral {
        conversation: "c1",
        sender: "bob",
        client_msg_id: "e1",
        kind: "text",
        body: "{\"text\":\"x\"}",
        at_ms: AT_MS,
    };
    let grown = live::Delta { conversation: "c1", epoch: 1, target: 11, offset: 4, text: " \"upon\"" };
    let heads = [("c1", 1, 10), ("c2", AT_MS, 2)];
    let bob_is = "{\"user\":\"bob\",\"state\":\"offline\",\"version\":7,\"devices\":[]}";
    let error = |code: Code, message, facts: Facts, wait| {
        let detail = Detail { message, param: None, retry_after_ms: wait, facts: Some(&facts) };
        reply::error(7, code, &detail)
    };
    let field = Detail {
        message: "an id has 1 to 64 characters",
        param: Some("conversation"),
        retry_after_ms: None,
        facts: None,
    };
    let rate = Facts { feature: Some("messages_per_second"), limit: Some(50), ..Facts::default() };
    let quota = Facts {
        meter: Some("msg_sent"),
        limit: Some(10_000),
        used: Some(9_999),
        resets_at_ms: Some(AT_MS + 31 * 24 * HOUR_MS),
        ..Facts::default()
    };
    let mute = Facts { until_ms: Some(AT_MS + HOUR_MS), ..Facts::default() };
    let why = Facts { reason: Some("say \"why\"".into()), ..Facts::default() };
    let frames = [
        ("message", push(|out| event::write_message(out, place(2, 1), text))),
        ("message: a reply that mentions and is silent", push(|out| event::write_message(out, place(3, 2), reply))),
        ("message: with an attachment", push(|out| event::write_message(out, place(13, 4), file))),
        ("message: with a large body", push(|out| event::write_message(out, place(14, 5), large))),
        ("message: one that grows", push(|out| event::write_message(out, place(11, 3), grows))),
        ("edited", push(|out| event::write_amended(out, place(4, 2), amended("edited", 2, Some("alice"), edit)))),
        (
            "deleted: by the app's server",
            push(|out| event::write_amended(out, place(5, 2), amended("deleted", 2, None, ""))),
        ),
        (
            "deleted: by its sender",
            push(|out| event::write_amended(out, place(15, 5), amended("deleted", 2, Some("alice"), deleted))),
        ),
        ("reaction", push(|out| event::write_amended(out, place(6, 2), amended("reaction", 3, Some("bob"), reaction)))),
        ("pinned", push(|out| event::write_amended(out, place(7, 2), amended("pinned", 3, Some("alice"), pinned)))),
        ("member: created", push(|out| event::write_member(out, place(1, 0), created))),
        ("member: muted", push(|out| event::write_member(out, place(8, 2), muted))),
        ("conversation: a name", push(|out| event::write_settings(out, place(9, 2), named))),
        ("conversation: no name any more", push(|out| event::write_settings(out, place(10, 2), none))),
        ("join_request", reply::join_request("c1", "dave")),
        ("receipt: read", reply::receipt("c1", "bob", Receipt::Read, 3)),
        ("receipt: received", reply::receipt("c1", "bob", Receipt::Received, 3)),
        ("ping: nothing changed", reply::ping([].into_iter(), false)),
        ("ping: with heads", reply::ping(heads.into_iter(), true)),
        ("typing", live::typing("c1", "bob", true)),
        ("ephemeral", live::ephemeral(&ephemeral)),
        ("stream", live::stream(&grown)),
        ("ended", push(|out| event::write_amended(out, place(12, 3), amended("ended", 11, Some("alice"), edit)))),
        ("head", live::head("c1", 1, 10, 2)),
        ("presence", live::presence(bob_is)),
        ("notice: token_expiring", live::token_expiring(60)),
        ("notice: unacknowledged", live::unacknowledged(1_000)),
        ("resync", reply::resync("c1", Code::SlowConsumer)),
        ("drain", reply::drain(4_000)),
        ("error: a field", reply::error(7, Code::InvalidField, &field)),
        ("error: wait", error(Code::RateLimited, Code::RateLimited.row().meaning, rate, Some(800))),
        ("error: a quota", error(Code::QuotaExceeded, "used up", quota, None)),
        ("error: a mute", error(Code::Muted, "muted", mute, None)),
        ("error: a suspension", error(Code::OrgSuspended, "suspended", why, None)),
    ];
    frames.into_iter().map(|(name, frame)| (name.to_owned(), frame)).collect()
}
