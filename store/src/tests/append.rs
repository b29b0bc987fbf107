//! Sends: dense order, what refuses one of them, and what a batch does together.

use super::world::{World, code, committed, sent, seqs};
use tokenim_domain::Code;
use tokenim_domain::log::{About, Commit, Draft, EventBody, MessageLog, Outcome, Write};
use tokenim_domain::name::ClientMsgId;
use tokenim_domain::role::ContentKind;

#[tokio::test]
async fn seqs_are_dense_over_interleaved_conversations_and_batches() {
    let world = World::with_group().await;
    world.group("c2", &["alice", "bob"]).await;
    let mut last = [1, 1];
    for batch in 0..4 {
        // 201 rows need every size of INSERT: 64, 8 and 1.
        let drafts = (0..201).map(|at| {
            let conversation = ["c1", "c2"][at * 7 % 3 % 2];
            Write::Send(world.draft(conversation, ["alice", "bob"][at % 2], &format!("{batch}-{at}")))
        });
        for outcome in world.commit(drafts.collect()).await {
            let sent = sent(outcome);
            let event = sent.event.clone().unwrap();
            let at = usize::from(event.conversation.as_str() == "c2");
            last[at] += 1;
            assert_eq!((sent.seq, event.seq, event.msg_no), (last[at], last[at], last[at] - 1));
        }
    }
    for (conversation, last) in [("c1", last[0]), ("c2", last[1])] {
        let page = world.log(conversation).await;
        assert_eq!((page.head, page.epoch), (last, 1));
        assert_eq!(seqs(&page.events), (1..=last).collect::<Vec<_>>());
        assert!(page.events.iter().all(|event| event.msg_no == event.seq - 1));
    }
    assert_eq!(last[0] + last[1], 2 + 4 * 201);
}

#[tokio::test]
async fn a_reply_may_be_of_the_batch_of_its_target() {
    let world = World::with_group().await;
    let reply = |to: i64| {
        let about = About { reply_to: Some(to), ..About::default() };
        Write::Send(Draft { about, ..world.draft("c1", "alice", &format!("reply to {to}")) })
    };
    let batch = vec![reply(2), Write::Send(world.draft("c1", "bob", "m")), reply(2), reply(1), reply(5)];
    let told: Vec<_> = world.commit(batch).await.into_iter().map(|one| one.map(|one| sent(Ok(one)).seq)).collect();
    let told: Vec<_> = told.into_iter().map(|one| one.map_err(|error| error.code)).collect();
    let gone = Err(Code::NotFound);
    assert_eq!(told, [gone, Ok(2), Ok(3), gone, gone], "the first came before it, the event at 1 is no message");
}

#[tokio::test]
async fn a_stored_message_is_read_back_to_the_byte() {
    let world = World::with_group().await;
    let mut draft = world.draft("c1", "alice", "m1");
    draft.kind = ContentKind::Json;
    draft.body = "{ \"b\" : [1, 2.50, \"h\u{e9}\\n\u{1f44d}\"],\"a\":null }".into();
    let sent = sent(world.commit_one(Write::Send(draft.clone())).await);
    let event = world.log("c1").await.events.remove(1);
    let EventBody::Message { id, sender, client_msg_id, kind, body, .. } = event.body else { panic!("a message") };
    assert_eq!(
        (id, sender, client_msg_id, kind, body),
        (sent.id, draft.sender, draft.client_msg_id, ContentKind::Json, draft.body)
    );
    assert_eq!((event.at_ms, event.seq, sent.billed), (sent.at_ms, 2, 1));
}

#[tokio::test]
async fn a_send_by_no_member_or_to_nothing_is_not_found_and_leaves_no_gap() {
    let world = World::with_group().await;
    let batch = vec![
        Write::Send(world.draft("c1", "alice", "m1")),
        Write::Send(world.draft("c1", "mallory", "m1")),
        Write::Send(world.draft("nowhere", "alice", "m1")),
        Write::Send(world.draft("c1", "alice", "m2")),
    ];
    let mut outcomes = world.commit(batch).await;
    assert_eq!(sent(outcomes.pop().unwrap()).seq, 3);
    assert_eq!(code(outcomes.pop().unwrap()), Code::NotFound);
    assert_eq!(code(outcomes.pop().unwrap()), Code::NotFound);
    assert_eq!(sent(outcomes.pop().unwrap()).seq, 2);
}

#[tokio::test]
async fn prev_must_be_stored_before() {
    let world = World::with_group().await;
    let after = |prev: &str, id: &str| {
        let mut draft = world.draft("c1", "alice", id);
        draft.prev = Some(ClientMsgId::trusted(prev));
        Write::Send(draft)
    };
    assert_eq!(code(world.commit_one(after("m1", "m2")).await), Code::PreviousRefused);
    let outcomes = world
        .commit(vec![
            after("m2", "m3"),
            Write::Send(world.draft("c1", "alice", "m1")),
            after("m1", "m2"),
            after("m2", "m3"),
        ])
        .await;
    let seqs: Vec<_> = outcomes.into_iter().skip(1).map(|outcome| sent(outcome).seq).collect();
    assert_eq!(seqs, [2, 3, 4]);
    assert_eq!(sent(world.commit_one(after("m3", "m4")).await).seq, 5);
    let mut by_bob = world.draft("c1", "bob", "m9");
    by_bob.prev = Some(ClientMsgId::trusted("m1"));
    assert_eq!(code(world.commit_one(Write::Send(by_bob)).await), Code::PreviousRefused, "another sender's message");
}

#[tokio::test]
async fn a_refused_message_refuses_the_chain_behind_it() {
    let world = World::with_group().await;
    let mut first = world.draft("c1", "alice", "m1");
    first.prev = Some(ClientMsgId::trusted("m0"));
    let mut second = world.draft("c1", "alice", "m2");
    second.prev = Some(ClientMsgId::trusted("m1"));
    for outcome in world.commit(vec![Write::Send(first), Write::Send(second)]).await {
        assert_eq!(code(outcome), Code::PreviousRefused);
    }
    assert_eq!(world.log("c1").await.head, 1);
}

#[tokio::test]
async fn a_clock_that_steps_back_does_not_turn_the_log_back() {
    let world = World::with_group().await;
    let first = world.send("c1", "alice", "m1").await;
    world.clock.shift(-7_200_000);
    let second = world.send("c1", "alice", "m2").await;
    world.clock.shift(7_200_005);
    let third = world.send("c1", "alice", "m3").await;
    assert_eq!((second.at_ms, third.at_ms), (first.at_ms, first.at_ms + 5));
}

#[tokio::test]
async fn two_processes_on_one_file_keep_one_order() {
    let world = World::with_group().await;
    let other = world.open_again().await;
    let send_all = |store: crate::Store, sender: &'static str| {
        let drafts: Vec<_> = (0..40).map(|at| world.draft("c1", sender, &format!("m{at}"))).collect();
        async move {
            for draft in drafts {
                sent(committed(store.append(vec![Write::Send(draft)]).await).pop().unwrap());
            }
        }
    };
    tokio::join!(send_all(world.store.clone(), "alice"), send_all(other, "bob"));
    let page = world.log("c1").await;
    assert_eq!(seqs(&page.events), (1..=81).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_closed_store_fails_definitely() {
    let world = World::with_group().await;
    let draft = world.draft("c1", "alice", "m1");
    world.store.close().await;
    match world.store.append(vec![Write::Send(draft)]).await {
        Commit::Failed(error) => assert!(error.code.row().retryable, "{error}"),
        other => panic!("{other:?}"),
    }
    let world = world.reopen().await;
    assert_eq!(world.log("c1").await.head, 1);
}

#[tokio::test]
async fn an_empty_batch_commits_nothing() {
    let world = World::new().await;
    assert!(world.commit(Vec::<Write>::new()).await.is_empty());
    assert!(matches!(world.store.append(vec![]).await, Commit::Committed(outcomes) if outcomes.is_empty()));
}

#[tokio::test]
async fn writes_of_all_kinds_commit_together_in_order() {
    use super::world::{member_change, new_group, watermark};
    use tokenim_domain::role::Change;
    let world = World::new().await;
    let app = world.app();
    let outcomes = world
        .commit(vec![
            Write::Create(new_group(app, "c1", &["alice"])),
            Write::Send(world.draft("c1", "alice", "m1")),
            Write::Change(member_change(app, "c1", Some("alice"), Change::Added, &["bob"])),
            Write::Send(world.draft("c1", "bob", "m1")),
            Write::Move(watermark(app, "c1", "bob", Some(4), None)),
            Write::Change(member_change(app, "c1", None, Change::Removed, &["bob"])),
            Write::Send(world.draft("c1", "bob", "m2")),
            Write::Send(world.draft("c1", "alice", "m2")),
        ])
        .await;
    let shown: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(Outcome::Created(view, event)) => format!("created {} {}", view.last_seq, event.as_ref().unwrap().seq),
            Ok(Outcome::Sent(sent)) => format!("sent {}", sent.seq),
            Ok(Outcome::Changed(event)) => format!("changed {}", event.as_ref().unwrap().seq),
            Ok(Outcome::Moved(moved)) => format!("moved {moved}"),
            Ok(Outcome::Amended(amended)) => format!("amended {:?}", amended.seq),
            Ok(Outcome::Joined(_) | Outcome::Listed(_) | Outcome::Grown(_)) => unreachable!("nobody joins here"),
            Err(error) => format!("refused {}", error.code.as_str()),
        })
        .collect();
    assert_eq!(
        shown,
        ["created 1 1", "sent 2", "changed 3", "sent 4", "moved true", "changed 5", "refused not_found", "sent 6"]
    );
}
