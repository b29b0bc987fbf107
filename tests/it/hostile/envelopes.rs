//! Envelopes and commands that are malformed, unknown or too much.

use super::Bystanders;
use crate::support::wire::{Wire, text};
use tokenim_protocol::command::Command;
use tokenim_protocol::limits::{HEADS_KEYS_MAX, JSON_KEYS_MAX};

#[tokio::test]
async fn an_envelope_without_a_usable_id_closes_4400() {
    let bystanders = Bystanders::new().await;
    let deep = ("[".repeat(5_000), "{\"a\":".repeat(5_000));
    for envelope in [
        "",
        "{",
        "nonsense",
        "null",
        "[]",
        "\"send\"",
        "7",
        "{}",
        r#"{"id":7"#,
        r#"{"send":{}}"#,
        r#"{"push":{"type":"message"}}"#,
        r#"{"id":0,"ping":{}}"#,
        r#"{"id":-1,"ping":{}}"#,
        r#"{"id":"7","ping":{}}"#,
        r#"{"id":1.5,"ping":{}}"#,
        r#"{"id":null,"ping":{}}"#,
        r#"{"id":18446744073709551616,"ping":{}}"#,
        r#"{"id":1e400,"ping":{}}"#,
        r#"{"id":[1],"ping":{}}"#,
        "\0",
        r#"{"id":7,"ping":{}} trailing"#,
        &deep.0,
        &deep.1,
    ] {
        let mut wire = Wire::connect(&bystanders.server, "mallory").await;
        wire.send(&text(envelope)).await;
        let close = wire.closed().await;
        assert_eq!((close.code, close.why().as_str()), (4400, "invalid_request"), "{envelope:.60}");
        assert!(close.reason.contains("\"cause\":\"no"), "{envelope:.60}: {}", close.reason);
        assert!(close.replies.is_empty());
    }
    bystanders.are_well().await;
}

#[tokio::test]
async fn a_bad_command_with_an_id_is_answered_and_the_connection_stays() {
    let bystanders = Bystanders::new().await;
    let mut wire = Wire::connect(&bystanders.server, "mallory").await;
    let wide = format!(
        r#"{{"id":2,"ping":{{{}}}}}"#,
        (0..=HEADS_KEYS_MAX).map(|at| format!("\"k{at}\":0")).collect::<Vec<_>>().join(",")
    );
    let deep = format!(r#"{{"id":2,"ping":{}{}}}"#, "[".repeat(40), "]".repeat(40));
    for (envelope, code) in [
        (r#"{"id":2}"#, "invalid_request"),
        (r#"{"id":2,"ping":{},"history":{}}"#, "invalid_request"),
        (r#"{"id":2,"ping":{},"ping":{}}"#, "invalid_request"),
        (r#"{"id":2,"ping":{"a":1,"a":2}}"#, "invalid_request"),
        (r#"{"id":2,"ping":{"a":1,"\u0061":2}}"#, "invalid_request"),
        (&wide, "invalid_request"),
        (&deep, "invalid_request"),
        (r#"{"id":2,"pong":{}}"#, "unknown_command"),
        (r#"{"id":2,"frobnicate":{}}"#, "unknown_command"),
        (r#"{"id":2,"SEND":{}}"#, "unknown_command"),
        (r#"{"id":2,"send ":{}}"#, "unknown_command"),
        (r#"{"id":2,"":{}}"#, "unknown_command"),
        (r#"{"id":2,"send":null}"#, "invalid_request"),
        (r#"{"id":2,"send":[]}"#, "invalid_request"),
        (r#"{"id":2,"send":"x"}"#, "invalid_request"),
        (
            r#"{"id":2,"send":{"conversation":5,"client_msg_id":"a","kind":"text","body":{"text":"x"}}}"#,
            "invalid_request",
        ),
        (r#"{"id":2,"history":{"conversation":"c","after":"0"}}"#, "invalid_request"),
        (r#"{"id":2,"history":{"conversation":"c","after":1e99}}"#, "invalid_request"),
        (r#"{"id":2,"received":{"conversation":"c","seq":true}}"#, "invalid_request"),
        (r#"{"id":2,"connect":{"token":"x"}}"#, "invalid_request"),
        (r#"{"id":2,"typing":{"conversation":"c","active":"yes"}}"#, "invalid_request"),
        (r#"{"id":2,"typing":{}}"#, "invalid_request"),
        (r#"{"id":2,"receipts":{"conversation":"c","seq":"1"}}"#, "invalid_request"),
        (r#"{"id":2,"presence.set":{"text":[]}}"#, "invalid_request"),
        (r#"{"id":2,"presence.watch":{"users":"bob"}}"#, "invalid_request"),
    ] {
        wire.send(&text(envelope)).await;
        let reply = wire.reply().await;
        assert_eq!((&reply["id"], reply["error"]["code"].as_str()), (&2.into(), Some(code)), "{envelope:.80}: {reply}");
        assert!(wire.is_alive().await);
    }
    bystanders.are_well().await;
}

#[tokio::test]
async fn a_body_that_is_too_deep_too_wide_or_ambiguous_is_no_message() {
    let bystanders = Bystanders::new().await;
    let mut wire = Wire::connect(&bystanders.server, "alice").await;
    let keys = |count: usize| (0..count).map(|at| format!("\"k{at}\":0")).collect::<Vec<_>>().join(",");
    for body in [
        format!("{{{}}}", keys(JSON_KEYS_MAX + 1)),
        format!("{}{}", "[".repeat(33), "]".repeat(33)),
        r#"{"a":1,"a":2}"#.to_owned(),
    ] {
        let send =
            format!(r#"{{"id":2,"send":{{"conversation":"c1","client_msg_id":"m","kind":"json","body":{body}}}}}"#);
        wire.send(&text(&send)).await;
        let reply = wire.reply().await;
        assert!(
            ["invalid_request", "invalid_field"].contains(&reply["error"]["code"].as_str().unwrap_or("ok")),
            "{body:.60}: {reply}"
        );
    }
    bystanders.are_well().await;
}

#[tokio::test]
async fn hostile_names_are_refused_by_every_command_that_takes_one() {
    let bystanders = Bystanders::new().await;
    let mut wire = Wire::connect(&bystanders.server, "mallory").await;
    let long = "x".repeat(2_000);
    for name in [
        "",
        " ",
        &long,
        "\u{7}\u{1b}[31m",
        "<script>alert(1)</script>",
        "' OR 1=1 --",
        "\u{10FFFF}",
        "a/b",
        "é",
        "a\0b",
        "%00",
        "..\\..",
        "a\nb",
    ] {
        let name = serde_json::Value::from(name).to_string();
        for command in Command::ALL {
            let fields = match command {
                Command::Connect | Command::Refresh | Command::Ping | Command::Sync => continue,
                Command::Send => {
                    format!(r#"{{"conversation":{name},"client_msg_id":"m","kind":"text","body":{{"text":"x"}}}}"#)
                }
                Command::Read | Command::Received | Command::Receipts => {
                    format!(r#"{{"conversation":{name},"seq":1}}"#)
                }
                Command::ChunkBegin => format!(
                    r#"{{"conversation":{name},"client_msg_id":"m","kind":"json","bytes":5,"sha256":"{}"}}"#,
                    "0".repeat(64)
                ),
                Command::ChunkPut => format!(r#"{{"upload":{name},"index":0,"data":""}}"#),
                Command::ChunkCommit | Command::ChunkAbort => format!(r#"{{"upload":{name}}}"#),
                Command::BodyGet => format!(r#"{{"conversation":{name},"seq":2}}"#),
                Command::PresenceSet => format!(r#"{{"state":{name}}}"#),
                Command::PresenceWatch | Command::PresenceGet => format!(r#"{{"users":[{name}]}}"#),
                Command::ConversationCreate => format!(r#"{{"kind":"group","id":{name}}}"#),
                Command::ConversationAdd | Command::ConversationRemove => {
                    format!(r#"{{"conversation":"c1","members":[{name}]}}"#)
                }
                Command::History
                | Command::ConversationMembers
                | Command::Pins
                | Command::Typing
                | Command::Open
                | Command::Passive => {
                    format!(r#"{{"conversation":{name}}}"#)
                }
                Command::Edit => {
                    format!(r#"{{"conversation":{name},"target":2,"kind":"text","body":{{"text":"x"}}}}"#)
                }
                Command::Delete | Command::Pin | Command::Reactions => {
                    format!(r#"{{"conversation":{name},"target":2}}"#)
                }
                Command::React => format!(r#"{{"conversation":{name},"target":2,"emoji":"x"}}"#),
                Command::ConversationUpdate => format!(r#"{{"conversation":{name},"join":"open"}}"#),
                Command::ConversationJoin
                | Command::ConversationLeave
                | Command::ConversationRequests
                | Command::ConversationBans => format!(r#"{{"conversation":{name}}}"#),
                Command::ConversationDecline => format!(r#"{{"conversation":"c1","members":[{name}]}}"#),
                Command::ConversationRole => format!(r#"{{"conversation":"c1","user":{name},"role":"guest"}}"#),
                Command::ConversationMute => format!(r#"{{"conversation":"c1","user":{name},"for_s":1}}"#),
                Command::ConversationBan | Command::ConversationUnban => {
                    format!(r#"{{"conversation":"c1","user":{name}}}"#)
                }
                Command::StreamBegin => format!(r#"{{"conversation":{name},"client_msg_id":"m"}}"#),
                Command::StreamAppend => format!(r#"{{"conversation":{name},"target":2,"offset":0,"text":"x"}}"#),
                Command::StreamEnd | Command::StreamGet => format!(r#"{{"conversation":{name},"target":2}}"#),
                Command::Block | Command::Unblock => format!(r#"{{"user":{name}}}"#),
                Command::Blocks => format!(r#"{{"page":{name}}}"#),
            };
            wire.send(&text(&format!(r#"{{"id":2,"{}":{fields}}}"#, command.name()))).await;
            let reply = wire.reply().await;
            assert_eq!(reply["error"]["code"], "invalid_field", "{} {name:.40}: {reply}", command.name());
        }
    }
    assert!(wire.is_alive().await);
    bystanders.are_well().await;
}

#[tokio::test]
async fn a_stranger_cannot_tell_a_conversation_from_nothing() {
    let bystanders = Bystanders::new().await;
    let mut wire = Wire::connect(&bystanders.server, "mallory").await;
    for fields in [
        r#""send":{"conversation":"X","client_msg_id":"m","kind":"text","body":{"text":"x"}}"#,
        r#""send":{"conversation":"X","client_msg_id":"before","kind":"text","body":{"text":"x"}}"#,
        r#""send":{"conversation":"X","client_msg_id":"m","kind":"text","body":{"text":"x"},"attachments":["att_00000000000000000000000000"]}"#,
        r#""history":{"conversation":"X","after":0}"#,
        r#""read":{"conversation":"X","seq":1}"#,
        r#""received":{"conversation":"X","seq":1000}"#,
        r#""conversation.members":{"conversation":"X"}"#,
        r#""edit":{"conversation":"X","target":2,"kind":"text","body":{"text":"x"}}"#,
        r#""delete":{"conversation":"X","target":2}"#,
        r#""react":{"conversation":"X","target":2,"emoji":"x"}"#,
        r#""reactions":{"conversation":"X","target":2}"#,
        r#""pin":{"conversation":"X","target":2}"#,
        r#""pins":{"conversation":"X"}"#,
        r#""stream.begin":{"conversation":"X","client_msg_id":"m"}"#,
        r#""stream.append":{"conversation":"X","target":2,"offset":0,"text":"x"}"#,
        r#""stream.end":{"conversation":"X","target":2}"#,
        r#""stream.get":{"conversation":"X","target":2}"#,
        r#""conversation.add":{"conversation":"X","members":["mallory"]}"#,
        r#""conversation.remove":{"conversation":"X","members":["alice"]}"#,
        r#""typing":{"conversation":"X"}"#,
        r#""receipts":{"conversation":"X","seq":1,"who":"has"}"#,
        r#""open":{"conversation":"X"}"#,
        r#""passive":{"conversation":"X"}"#,
        r#""send":{"conversation":"X","client_msg_id":"m","kind":"text","body":{"text":"x"},"ephemeral":true}"#,
        r#""conversation.update":{"conversation":"X","name":"mine"}"#,
        r#""conversation.join":{"conversation":"X"}"#,
        r#""conversation.leave":{"conversation":"X"}"#,
        r#""conversation.requests":{"conversation":"X"}"#,
        r#""conversation.bans":{"conversation":"X"}"#,
        r#""conversation.decline":{"conversation":"X","members":["alice"]}"#,
        r#""conversation.role":{"conversation":"X","user":"alice","role":"guest"}"#,
        r#""conversation.mute":{"conversation":"X","user":"alice","for_s":9}"#,
        r#""conversation.ban":{"conversation":"X","user":"alice"}"#,
        r#""conversation.unban":{"conversation":"X","user":"alice"}"#,
    ] {
        let mut answers = Vec::new();
        for conversation in ["c1", "zz"] {
            wire.send(&text(&format!(r#"{{"id":2,{}}}"#, fields.replace('X', conversation)))).await;
            answers.push(wire.reply().await.to_string());
        }
        assert_eq!(answers[0], answers[1]);
        assert!(answers[0].contains("not_found"), "{}", answers[0]);
    }
    bystanders.are_well().await;
}

#[tokio::test]
async fn a_flood_of_commands_is_answered_or_refused_each_once() {
    let bystanders = Bystanders::new().await;
    let mut wire = Wire::connect(&bystanders.server, "mallory").await;
    let flood: Vec<u8> =
        (10..2_010).flat_map(|id| text(&format!(r#"{{"id":{id},"history":{{"conversation":"nowhere"}}}}"#))).collect();
    wire.send(&flood).await;
    let (mut ids, mut refused) = (Vec::new(), 0);
    for _ in 10..2_010 {
        let reply = wire.reply().await;
        // 256 look-ups wait for a few connections to the database; on a busy machine the last ones wait too long.
        let answers = ["not_found", "too_many_open_commands", "overloaded", "unavailable"];
        assert!(answers.contains(&reply["error"]["code"].as_str().unwrap()), "{reply}");
        refused += usize::from(reply["error"]["code"] == "too_many_open_commands");
        ids.push(reply["id"].as_u64().unwrap());
    }
    assert!(refused > 0, "more than 256 were open at once");
    ids.sort_unstable();
    assert_eq!(ids, (10..2_010).collect::<Vec<_>>());
    assert!(wire.is_alive().await);
    bystanders.are_well().await;
}
