//! Every command of the socket, with ids of another org.

use super::{Ids, Orgs, assert_clean, masked};
use crate::support::{Client, TestServer};
use serde_json::{Value, json};
use tokenim_protocol::command::Command;

/// The fields of a command that name something by these ids. The match has no `_`: a new command needs a line here.
fn cases(command: Command, ids: &Ids, orgs: &Orgs) -> Vec<Value> {
    let Ids { conversation, fresh, own, user, client_msg_id, upload, attachment, .. } = ids;
    let send = |conversation: &str, prev: Option<&str>| json!({"conversation": conversation, "client_msg_id": client_msg_id, "kind": "text", "body": {"text": "x"}, "prev": prev});
    match command {
        Command::Connect => vec![
            json!({"token": orgs.server.token("alice"), "heads": {conversation: [1, 1], fresh: [1, 0], own: [1, 1]}}),
            json!({"token": orgs.forged(ids)}),
            json!({"token": orgs.server.token("alice"), "device": client_msg_id}),
        ],
        Command::Refresh => vec![json!({"token": orgs.forged(ids)})],
        Command::Send => vec![
            send(conversation, None),
            send(conversation, Some(client_msg_id)),
            send(own, Some(client_msg_id)),
            send(own, None),
            json!({"conversation": own, "client_msg_id": "carries", "kind": "json", "body": 1, "attachments": [attachment]}),
            json!({"conversation": conversation, "client_msg_id": "carries", "kind": "json", "body": 1, "attachments": [attachment]}),
            json!({"conversation": conversation, "client_msg_id": client_msg_id, "kind": "text", "body": {"text": "x"}, "ephemeral": true}),
        ],
        Command::History => vec![
            json!({"conversation": conversation}),
            json!({"conversation": conversation, "after": 0, "limit": 200}),
            json!({"conversation": conversation, "around": 2}),
        ],
        Command::Sync => vec![
            json!({"heads": {conversation: [1, 1], fresh: [1, 99]}}),
            json!({"page": format!("9999999999999:{conversation}")}),
        ],
        Command::Read | Command::Received => {
            vec![json!({"conversation": conversation, "seq": 1}), json!({"conversation": conversation, "seq": 99})]
        }
        Command::ConversationCreate => vec![
            json!({"kind": "group", "id": fresh, "members": [user]}),
            json!({"kind": "group", "id": fresh}),
            json!({"kind": "direct", "id": fresh, "members": [user]}),
        ],
        Command::ConversationAdd => vec![
            json!({"conversation": conversation, "members": ["alice"]}),
            json!({"conversation": own, "members": [user]}),
        ],
        Command::ConversationRemove => vec![
            json!({"conversation": conversation, "members": [user]}),
            json!({"conversation": own, "members": [user]}),
        ],
        Command::ConversationMembers => vec![
            json!({"conversation": conversation}),
            json!({"conversation": conversation, "page": user}),
            json!({"conversation": own, "page": user}),
        ],
        Command::Ping => vec![json!({})],
        Command::Edit => vec![
            json!({"conversation": conversation, "target": 2, "kind": "text", "body": {"text": "x"}}),
            json!({"conversation": conversation, "target": 2, "kind": "text", "body": {"text": "x"}, "client_msg_id": client_msg_id}),
        ],
        Command::React => vec![json!({"conversation": conversation, "target": 2, "emoji": "+1"})],
        Command::Delete | Command::Pin | Command::Reactions => {
            vec![
                json!({"conversation": conversation, "target": 2}),
                json!({"conversation": conversation, "target": 99}),
            ]
        }
        Command::StreamBegin => vec![
            json!({"conversation": conversation, "client_msg_id": client_msg_id}),
            json!({"conversation": own, "client_msg_id": client_msg_id, "text": user}),
        ],
        Command::StreamAppend => vec![
            json!({"conversation": conversation, "target": 2, "offset": 0, "text": "x"}),
            json!({"conversation": conversation, "target": 99, "offset": 9, "text": "x"}),
        ],
        Command::StreamEnd => vec![
            json!({"conversation": conversation, "target": 2}),
            json!({"conversation": conversation, "target": 2, "text": "x", "client_msg_id": client_msg_id}),
        ],
        Command::StreamGet => vec![
            json!({"conversation": conversation, "target": 2}),
            json!({"conversation": conversation, "target": 99, "offset": 9}),
        ],
        Command::Pins => vec![json!({"conversation": conversation})],
        Command::Receipts => vec![
            json!({"conversation": conversation, "seq": 1}),
            json!({"conversation": conversation, "seq": 99, "who": "has"}),
            json!({"conversation": own, "seq": 1, "who": "has_not", "page": user}),
        ],
        Command::Open | Command::Passive => vec![json!({"conversation": conversation}), json!({"conversation": fresh})],
        Command::PresenceSet => vec![json!({"state": user}), json!({"state": "online"})],
        Command::PresenceWatch | Command::PresenceGet => vec![json!({"users": [user, "alice"]})],
        Command::Typing => vec![json!({"conversation": conversation}), json!({"conversation": fresh, "active": false})],
        Command::ConversationUpdate => vec![json!({"conversation": conversation, "name": "x", "join": "open"})],
        Command::ConversationJoin
        | Command::ConversationLeave
        | Command::ConversationRequests
        | Command::ConversationBans => vec![json!({"conversation": conversation})],
        Command::ConversationDecline => vec![
            json!({"conversation": conversation, "members": [user]}),
            json!({"conversation": own, "members": [user]}),
        ],
        Command::ConversationRole => vec![
            json!({"conversation": conversation, "user": user, "role": "admin"}),
            json!({"conversation": own, "user": user, "role": "guest"}),
        ],
        Command::ConversationMute => vec![
            json!({"conversation": conversation, "user": user, "for_s": 60}),
            json!({"conversation": own, "user": user, "for_s": 60}),
        ],
        Command::ConversationBan | Command::ConversationUnban => {
            vec![json!({"conversation": conversation, "user": user}), json!({"conversation": own, "user": user})]
        }
        Command::Block | Command::Unblock => vec![json!({"user": user})],
        Command::Blocks => vec![json!({"page": user})],
        Command::ChunkBegin => vec![
            json!({"conversation": conversation, "client_msg_id": client_msg_id, "kind": "json", "bytes": 5, "sha256": "0".repeat(64)}),
        ],
        Command::ChunkPut => vec![json!({"upload": upload, "index": 0, "data": "e30xMjM="})],
        Command::ChunkCommit => vec![
            json!({"upload": upload}),
            json!({"upload": upload, "reply_to": 2}),
            json!({"upload": upload, "attachments": [attachment]}),
        ],
        Command::ChunkAbort => vec![json!({"upload": upload})],
        Command::BodyGet => {
            vec![json!({"conversation": conversation, "seq": 2}), json!({"conversation": own, "seq": 2, "offset": 1})]
        }
    }
}

/// The answer's bytes, masked. `connect` needs a connection of its own.
async fn answer(server: &TestServer, client: &mut Client, command: Command, fields: &Value, ids: &Ids) -> String {
    let text = json!({"id": 7_000, command.name(): fields}).to_string();
    let mut own;
    let client = if command == Command::Connect {
        own = Client::open(server).await;
        &mut own
    } else {
        client
    };
    client.say(&text).await;
    client.reply(7_000).await;
    let heard = client.heard.iter().rfind(|text| text.starts_with(r#"{"id":7000,"#)).unwrap();
    assert_clean(heard);
    masked(heard, ids)
}

#[tokio::test]
async fn every_command_answers_a_foreign_id_like_one_of_nothing() {
    let orgs = Orgs::new().await;
    let server = &orgs.server;
    let mut alice = server.connect("alice").await;
    // The directory tells what the own org has, which the requests before have changed; hers is empty.
    let mut dora = server.connect("dora").await;
    for command in Command::ALL {
        let client = if *command == Command::Sync { &mut dora } else { &mut alice };
        let [foreign, nothing] = orgs.both().map(|ids| cases(*command, ids, &orgs));
        assert!(!foreign.is_empty() && foreign.len() == nothing.len());
        for (foreign, nothing) in foreign.iter().zip(&nothing) {
            let one = answer(server, client, *command, foreign, &orgs.foreign).await;
            let two = answer(server, client, *command, nothing, &orgs.nothing).await;
            assert_eq!(one, two, "{} {foreign}", command.name());
        }
    }
    orgs.assert_unchanged().await;
}

#[tokio::test]
async fn pushes_of_one_org_never_reach_another() {
    let orgs = Orgs::new().await;
    let server = &orgs.server;
    let heads = json!({"of-b-1": [1, 0], "of-b-2": [1, 0], "own-b": [1, 0]});
    let mut alice = Client::connect_with(server, json!({"token": server.token("alice"), "heads": heads})).await;
    let mut of_b = Client::connect(server, &crate::support::token::user_token(&server.other, "alice")).await;
    let mut mine = server.connect("bob").await;
    for at in 0..20 {
        of_b.send("of-b-1", &format!("m{at}"), "canary-live").await;
        mine.send("own-b", &format!("m{at}"), "ours").await;
    }
    of_b.ok("read", json!({"conversation": "of-b-1", "seq": 5})).await;
    of_b.ok("conversation.create", json!({"kind": "group", "id": "canary-new", "members": ["bob"]})).await;
    of_b.ok("conversation.remove", json!({"conversation": "canary-new", "members": ["bob"]})).await;
    for client in [&mut alice, &mut mine] {
        client.ok("sync", json!({})).await;
        client.pushes_so_far().await;
        client.heard.iter().for_each(|text| assert_clean(text));
    }
    assert!(alice.heard.iter().any(|text| text.contains("ours")));
    assert!(of_b.heard.iter().all(|text| !text.contains("ours")));
}

#[tokio::test]
async fn a_session_or_token_of_one_org_means_nothing_in_another() {
    let orgs = Orgs::new().await;
    let server = &orgs.server;
    let mut of_b = Client::connect(server, &crate::support::token::user_token(&server.other, "alice")).await;
    let own = of_b.ok("history", json!({"conversation": "of-b-1"})).await;
    assert!(own.to_string().contains("canary-body"), "B itself sees it");
    assert_eq!(of_b.refused("history", json!({"conversation": "own-b"})).await["code"], "not_found");
    let error = of_b.refused("refresh", json!({"token": server.token("alice")})).await;
    assert_eq!(error["code"], "token_invalid");
}
