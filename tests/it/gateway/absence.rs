//! Coming back after a year, over a socket and from the real store: what became of each conversation, then all of it, once.

use crate::quota::support::{Ago, app, store_at};
use crate::support::client::seqs;
use crate::support::{Client, TestServer};
use serde_json::{Value, json};
use std::sync::Arc;
use tokenim_domain::log::{
    About, Commit, Credential, Draft, Held, MemberChange, MessageLog, NewConversation, Reach, Since, Watermark, Write,
};
use tokenim_domain::name::{ClientMsgId, Conversation, Device, User};
use tokenim_domain::plan::quota::Allowance;
use tokenim_domain::role::{Change, ContentKind, ConversationKind, MemberRole};
use tokenim_protocol::time;

const DAY_MS: i64 = 24 * 3_600_000;
/// Missed in the conversation where most happened: pages of it, and far above what a connect replays.
const MISSED: i64 = 650;
/// Writes of one commit.
const BATCH: usize = 100;

/// Commits what happened so many days ago, as the server of those days did.
async fn commit(server: &TestServer, days: i64, writes: Vec<Write>) {
    let store = store_at(server, Arc::new(Ago(days * DAY_MS))).await;
    for batch in writes.chunks(BATCH) {
        let Commit::Committed(done) = store.append(batch.to_vec()).await else { panic!("it was not committed") };
        done.into_iter().for_each(|one| drop(one.unwrap()));
    }
    store.close().await;
}

fn group(server: &TestServer, id: &str) -> Write {
    Write::Create(NewConversation {
        app: app(server),
        id: Conversation::trusted(id),
        kind: ConversationKind::Group,
        members: ["alice", "bob"].map(User::trusted).to_vec(),
        name: None,
        actor: None,
    })
}

fn message(server: &TestServer, conversation: &str, id: &str) -> Write {
    Write::Send(Draft {
        app: app(server),
        conversation: Conversation::trusted(conversation),
        sender: User::trusted("alice"),
        client_msg_id: ClientMsgId::trusted(id),
        prev: None,
        kind: ContentKind::Text,
        body: json!({"text": id}).to_string().into(),
        about: About::default(),
        may_send: true,
        credential: Credential { key: server.founded.signing.kid.parse().unwrap(), label: None },
        allowance: Allowance::default(),
    })
}

/// Bob's tablet has what there is.
fn held(server: &TestServer, conversation: &str) -> Write {
    let reaches = vec![Reach { seq: 2, since: Since::Time(0) }];
    Write::Move(Watermark {
        app: app(server),
        conversation: Conversation::trusted(conversation),
        user: User::trusted("bob"),
        read: None,
        received: Some(2),
        held: Some(Held { device: Device::trusted("tablet"), reaches, label: None }),
    })
}

fn removal(server: &TestServer, conversation: &str) -> Write {
    Write::Change(MemberChange {
        app: app(server),
        conversation: Conversation::trusted(conversation),
        actor: None,
        change: Change::Removed,
        users: vec![User::trusted("bob")],
        role: MemberRole::Member,
    })
}

#[tokio::test]
async fn a_device_that_was_away_for_a_year_is_told_what_became_of_each_conversation_and_reads_all_of_it_once() {
    let mut server = TestServer::spawn().await;
    server.kill();
    let conversations = ["few", "many", "left"];
    let before = |id| [group(&server, id), message(&server, id, "m0"), held(&server, id)];
    commit(&server, 365, conversations.into_iter().flat_map(before).collect()).await;
    let of = |id: &'static str, count: i64| (1..=count).map(move |at| (id, format!("m{at}")));
    let missed = of("many", MISSED).chain(of("few", 4)).chain(of("left", 1));
    let mut missed: Vec<_> = missed.map(|(id, name)| message(&server, id, &name)).collect();
    missed.push(removal(&server, "left"));
    commit(&server, 180, missed).await;
    server.start().await;

    let heads = json!({"few": [1, 2], "many": [1, 2], "left": [1, 2]});
    let fields = json!({"token": server.token("bob"), "device": "tablet", "heads": heads});
    let mut bob = Client::connect_with(&server, fields).await;
    let outcomes = conversations.map(|id| bob.outcome(id)["outcome"].clone());
    assert_eq!(outcomes, ["recovered", "too_far", "not_member"]);
    let replayed = bob.events_so_far().await;
    assert!(replayed.iter().all(|push| push["conversation"] == "few"), "{replayed:?}");
    assert_eq!(seqs(&replayed), (3..=6).collect::<Vec<_>>());
    // What happens meanwhile comes beside the pages.
    server.rest().send("many", "alice", "now", "x").await;
    let mut read: Vec<Value> = Vec::new();
    loop {
        let after = read.last().map_or(2, |event| event["seq"].as_i64().unwrap());
        let page = bob.ok("history", json!({"conversation": "many", "after": after, "limit": 200})).await;
        read.extend(page["items"].as_array().unwrap().iter().cloned());
        if read.last().is_some_and(|event| event["seq"] == page["head"]) {
            break;
        }
    }
    assert_eq!(seqs(&read), (3..=MISSED + 3).collect::<Vec<_>>(), "each once");
    let names: Vec<_> = read.iter().map(|event| event["client_msg_id"].as_str().unwrap().to_owned()).collect();
    let said: Vec<_> = of("many", MISSED).map(|(_, name)| name).chain(["now".to_owned()]).collect();
    assert_eq!(names, said);
    let at_ms = |event: &Value| time::parse(event["at"].as_str().unwrap()).unwrap();
    assert!(at_ms(&read[read.len() - 1]) - at_ms(&read[0]) > 179 * DAY_MS, "they are as old as they are");
    assert_eq!(bob.push_of("message").await, read[read.len() - 1], "and live goes on where the pages end");
    assert_eq!(bob.refused("history", json!({"conversation": "left"})).await["code"], "not_found");
}
