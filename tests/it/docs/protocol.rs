//! docs/PROTOCOL.md and docs/OPERATIONS.md against the code and the golden vectors: fields of replies, codes, and figures.

use super::{read, words};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tokenim_protocol::limits::{self, reconnect};
use tokenim_protocol::{Code, command::Command};

/// Words in the third column of the commands that are fields of what was asked.
const ASKED: [&str; 3] = ["ephemeral", "limit", "who"];
/// Words of the document that are neither codes nor in a vector: of REST, of tokens, of meters and of RFC 7692.
const ELSEWHERE: &[&str] = &[
    "api_call",
    "as_of",
    "client_no_context_takeover",
    "conn_min",
    "large_body_bytes",
    "msg_delivered",
    "next_cursor",
    "no_messagepack",
    "open_uploads",
    "unsent_attachments",
    "request_id",
    "server_no_context_takeover",
    "tim_key",
    "ttl_s",
];

/// The table of commands: names, what is asked, and what ok carries.
fn commands(document: &str) -> Vec<(Vec<&str>, &str, &str)> {
    let (_, section) = document.split_once("| command | fields | ok carries |").unwrap();
    let rows = section.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        let [names, asked, carries] = cells[..] else { panic!("a row of three cells: {row}") };
        (words(names).collect(), asked, carries)
    })
    .collect()
}

/// Every key and every text in a value: names of fields, and words like states.
fn collect<'a>(value: &'a Value, into: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                into.insert(key);
                collect(inner, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, into)),
        Value::String(text) => {
            into.insert(text);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn every_field_of_a_reply_is_in_a_vector() {
    let (document, vectors) = (read("docs/PROTOCOL.md"), read("protocol/vectors/replies.json"));
    let vectors: Value = serde_json::from_str(&vectors).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    let rows = commands(&document);
    let mut everywhere = BTreeSet::new();
    cases.iter().for_each(|case| collect(&case["expected"], &mut everywhere));
    for command in Command::ALL {
        let (_, _, carries) = rows
            .iter()
            .find(|(names, _, _)| names.contains(&command.name()))
            .unwrap_or_else(|| panic!("docs/PROTOCOL.md has no row of `{}`", command.name()));
        if carries.starts_with("`{}`") || carries.starts_with("as `") {
            continue;
        }
        let mut told = BTreeSet::new();
        let of_command = cases.iter().filter(|case| case["input"].get(command.name()).is_some());
        of_command.for_each(|case| collect(&case["expected"], &mut told));
        let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'?'));
        for word in words(carries).filter(is_word).filter(|word| !ASKED.contains(word)) {
            // What may be absent must be there somewhere: `next`, above all.
            let (word, among) = match word.strip_suffix('?') {
                Some(word) => (word, &everywhere),
                None => (word, &told),
            };
            assert!(among.contains(word), "no vector of `{}` has `{word}`", command.name());
        }
    }
}

/// A cell without what stands in parentheses and braces, which are values, and fields of fields.
fn outside(cell: &str) -> String {
    let mut depth = 0;
    let mut outside = String::new();
    for letter in cell.chars() {
        depth += i32::from(matches!(letter, '(' | '{')) - i32::from(matches!(letter, ')' | '}'));
        outside.extend((depth == 0).then_some(letter));
    }
    outside
}

/// What the structs of the protocol read: the fields of each command, and whether they may be absent. The first line of a struct
/// says of which commands it is, and that of a field where it is of one of them alone.
fn fields(structs: &str) -> BTreeMap<String, BTreeMap<&str, bool>> {
    let mut fields: BTreeMap<String, BTreeMap<&str, bool>> = BTreeMap::new();
    for text in structs.split("/// Fields of `").skip(1) {
        let (head, rest) = text.split_once('\n').unwrap();
        let (members, _) = rest.split_once("\n}").unwrap();
        let members: Vec<_> = members.split("\n    pub ").collect();
        let names = format!("`{}", head.split(';').next().unwrap());
        let first = words(&names).next().unwrap();
        for name in words(&names) {
            let (family, _) = first.split_once('.').filter(|_| name.starts_with('.')).unwrap_or_default();
            let command = format!("{family}{name}");
            assert!(Command::find(&command).is_some(), "fields of `{command}`, which is no command");
            let of_command = fields.entry(command.clone()).or_default();
            for pair in members.windows(2) {
                let (field, kind) = pair[1].split_once(": ").unwrap();
                let (_, about) = pair[0].rsplit_once("    /// ").unwrap();
                let is_theirs =
                    words(about).next().is_none_or(|only| !only.starts_with('.') || command.ends_with(only));
                if is_theirs {
                    of_command.insert(field, kind.starts_with("Option<") || about.contains("default"));
                }
            }
        }
    }
    fields
}

#[test]
fn the_fields_of_each_command_are_those_that_are_read() {
    let files = ["command", "command/group", "command/stream", "command/upload"];
    let structs: String = files.iter().map(|file| read(&format!("protocol/src/{file}.rs"))).collect();
    let (document, fields) = (read("docs/PROTOCOL.md"), fields(&structs));
    assert_eq!(fields.len() + 1, Command::ALL.len(), "all but `ping` have fields");
    for (names, asked, _) in commands(&document) {
        let is_command =
            |word: &&str| names.len() > 1 && names.iter().any(|name| name.rsplit('.').next() == Some(*word));
        let asked = outside(asked);
        let written: Vec<_> = words(&asked).filter(|word| !is_command(word)).collect();
        let known: BTreeMap<_, _> = names.iter().filter_map(|name| fields.get(*name)).flatten().collect();
        let are_read: BTreeSet<_> = known.keys().map(|field| **field).collect();
        let without_mark: BTreeSet<_> = written.iter().map(|field| field.trim_end_matches('?')).collect();
        assert_eq!(without_mark, are_read, "docs/PROTOCOL.md on the fields of {names:?}");
        for field in written.iter().filter_map(|field| field.strip_suffix('?')) {
            assert!(*known[&field], "`{field}` of {names:?} may not be absent");
        }
    }
}

#[test]
fn the_fields_of_each_push_are_those_of_the_vectors() {
    let (document, vectors) = (read("docs/PROTOCOL.md"), read("protocol/vectors/frames.json"));
    let vectors: Value = serde_json::from_str(&vectors).unwrap();
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for case in vectors["cases"].as_array().unwrap() {
        let frame: Value = serde_json::from_str(case["input"].as_str().unwrap()).unwrap();
        if let Some(push) = frame["push"].as_object() {
            told.entry(push["type"].as_str().unwrap().to_owned()).or_default().extend(push.keys().cloned());
        }
    }
    let (_, section) = document.split_once("\nSequenced, with ").unwrap();
    let (place, tables) = section.split_once(":\n").unwrap();
    let (sequenced, tables) = tables.split_once("\nUnsequenced:").unwrap();
    let (unsequenced, _) = tables.split_once("\n## ").unwrap();
    let mut rows = Vec::new();
    for (place, table) in [(place, sequenced), ("", unsequenced)] {
        for row in table.lines().filter_map(|line| line.strip_prefix("| `")) {
            let (name, carries) = row.split_once(" | ").unwrap();
            // What follows the fields is about them.
            let carried = outside(carries);
            let carried = carried.split([':', ';']).next().unwrap();
            let fields = [place, carried].map(words).into_iter().flatten();
            let mut fields: BTreeSet<_> = fields.map(|field| field.trim_end_matches('?').to_owned()).collect();
            fields.insert("type".to_owned());
            let name = name.split('`').next().unwrap();
            assert_eq!(told.get(name), Some(&fields), "docs/PROTOCOL.md on the fields of the push `{name}`");
            rows.push(name);
        }
    }
    assert_eq!(rows.len(), told.len());
}

#[test]
fn every_code_of_the_document_exists() {
    let document = read("docs/PROTOCOL.md");
    let mut known: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).chain(ELSEWHERE.iter().copied()).collect();
    let files = ["replies", "refusals", "frames", "envelopes", "outcomes"];
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mut vectors: Vec<_> =
        files.iter().map(|name| parsed(&read(&format!("protocol/vectors/{name}.json")))).collect();
    let frames: Vec<_> =
        vectors[2]["cases"].as_array().unwrap().iter().map(|case| parsed(case["input"].as_str().unwrap())).collect();
    vectors.extend(frames);
    vectors.iter().for_each(|vectors| collect(vectors, &mut known));
    let pushes = super::pushes();
    known.extend(pushes.iter().map(String::as_str));
    let is_name =
        |word: &&str| word.contains('_') && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let names: BTreeSet<_> = words(&document).filter(is_name).collect();
    assert!(names.len() > 50, "the reading of docs/PROTOCOL.md is out of date: {names:?}");
    for name in names {
        assert!(known.contains(name), "`{name}` of docs/PROTOCOL.md is neither a code nor a name of a vector");
    }
    for said in ["close with 4", "closed with 4", "closes with 4"] {
        for rest in document.split(said).skip(1) {
            let close: u16 = format!("4{}", &rest[..3]).parse().expect("a close code");
            assert!(Code::ALL.iter().any(|code| code.row().close == close), "no code closes with {close}");
        }
    }
}

#[test]
fn the_figures_of_the_document_are_the_constants() {
    let document = read("docs/PROTOCOL.md").replace('\n', " ");
    let thousands = |number: usize| {
        let digits = number.to_string();
        let (head, tail) = digits.split_at(digits.len().saturating_sub(3));
        if head.is_empty() { digits.clone() } else { format!("{head},{tail}") }
    };
    let of = |text: &str, number: usize| text.replace("{}", &thousands(number));
    let kib = |text: &str, bytes: usize| of(text, bytes / 1024);
    let u = |number: u32| usize::try_from(number).unwrap();
    for said in [
        kib("a client's WebSocket message {} KiB", limits::FRAME_BYTES_MAX),
        kib("one envelope of at most {} KiB", limits::FRAME_BYTES_MAX),
        of("in at most {} fragments", u(limits::FRAGMENTS_MAX)),
        kib("{} KiB in all before `connect`", limits::UNAUTHENTICATED_BYTES_MAX),
        of("{} unanswered commands", u(limits::OPEN_COMMANDS_MAX)),
        kib("server frames {} KiB", limits::SERVER_FRAME_BYTES_MAX),
        of("at most {} levels", limits::JSON_DEPTH_MAX),
        of("{} keys an object in a message body", limits::JSON_KEYS_MAX),
        of("are 1–{} characters of", limits::ID_CHARS_MAX),
        of("within {} seconds", limits::CONNECT_SECONDS_MAX as usize),
        of("`heads?` {conversation: [epoch, seq]} ≤ {}", limits::DIRECTORY_PAGE_MAX),
        of("(≤ {} user ids, or", limits::MENTIONS_MAX),
        of("any text of 1–{} bytes", limits::EMOJI_BYTES_MAX),
        of("`limit?` 1–{}, default", u(limits::HISTORY_PAGE_MAX)),
        of("default {} | `items` oldest first", u(limits::HISTORY_PAGE_DEFAULT)),
        of("`members?` ≤ {} beside the caller", limits::MEMBERS_PER_COMMAND_MAX),
        of("the pinned messages (≤ {})", limits::PINS_MAX),
        of("`users` ≤ {}, instead", limits::PRESENCE_USERS_MAX),
        of("`text?` ≤ {} characters", limits::PRESENCE_TEXT_CHARS_MAX),
        of("at most {} days; 0", (limits::MUTE_SECONDS_MAX / 86_400) as usize),
        of("at most {} members, added", limits::MEMBERS_MAX),
        of("kept as a request (at most {})", limits::JOIN_REQUESTS_MAX),
        of("At most {} bans", limits::BANS_MAX),
        of("in the app, at most {};", limits::BLOCKS_MAX),
        of("at most {} different reactions", limits::REACTIONS_PER_MESSAGE_MAX),
        of("more than {} members are passive", limits::ACTIVE_MEMBERS_MAX),
        of("A connection switches at most {}", limits::VIEWS_MAX),
        of("to at most {} moderators", limits::MODERATORS_TOLD_MAX),
        of("more than {} events, or beyond", u(limits::BACKLOG_EVENTS_MAX)),
        kib("or beyond {} KiB over all", limits::BACKLOG_BYTES_MAX),
        of("The server pings every {} s", limits::PING_INTERVAL_SECONDS as usize),
        of("After {} s of silence", (limits::PING_INTERVAL_SECONDS + limits::PING_GRACE_SECONDS) as usize),
        of("once, {} s before", limits::TOKEN_NOTICE_SECONDS as usize),
        of("`exp` (≤ {} h after", (limits::TOKEN_SECONDS_MAX / 3_600) as usize),
        of("{} s of clock difference", limits::TOKEN_LEEWAY_SECONDS as usize),
        of("default {})", limits::TOKEN_SECONDS_DEFAULT as usize),
        of("each started {} bytes", limits::MESSAGE_UNIT_BYTES),
    ] {
        assert!(document.contains(&said), "docs/PROTOCOL.md does not say: {said}");
    }
    let vectors: Value = serde_json::from_str(&read("protocol/vectors/waiting.json")).unwrap();
    let timings = &vectors["cases"][0]["input"]["timings"];
    for (name, ms) in [
        ("first_ms", reconnect::FIRST_MS),
        ("base_ms", reconnect::BASE_MS),
        ("cap_ms", reconnect::CAP_MS),
        ("stable_ms", reconnect::STABLE_MS),
    ] {
        assert_eq!(timings[name], ms, "{name}");
    }
}

#[test]
fn the_limits_of_the_configuration_stand_in_the_manual() {
    let (config, manual) = (read("src/tokenim.default.toml"), read("docs/OPERATIONS.md"));
    let (_, section) = config.split_once("[limits]").unwrap();
    let (section, _) = section.split_once("\n[").unwrap();
    let keys: Vec<_> =
        section.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = ")).collect();
    assert!(keys.len() > 5, "the reading of the configuration is out of date");
    for (key, value) in keys {
        assert!(manual.contains(&format!("| `{key}` | {value} |")), "docs/OPERATIONS.md does not have {key} = {value}");
    }
}
