//! A repeated `client_msg_id`: the first answer again, in every place a repeat can come from.

use super::world::{World, code, sent, text_body};
use tokenim_domain::Code;
use tokenim_domain::log::{Draft, Write};
use tokenim_domain::role::{Change, ContentKind};

#[tokio::test]
async fn a_repeat_in_the_same_batch_answers_the_first_result() {
    let world = World::with_group().await;
    let draft = || Write::Send(world.draft("c1", "alice", "m1"));
    let outcomes: Vec<_> = world.commit(vec![draft(), draft(), draft()]).await.into_iter().map(sent).collect();
    assert_eq!(
        outcomes.iter().map(|sent| (sent.seq, sent.event.is_some())).collect::<Vec<_>>(),
        [(2, true), (2, false), (2, false)]
    );
    assert!(outcomes.iter().all(|sent| sent.id == outcomes[0].id && sent.billed == 1));
    assert_eq!(world.send("c1", "alice", "m2").await.seq, 3);
}

#[tokio::test]
async fn a_repeat_in_a_later_batch_answers_the_first_result_and_leaves_no_gap() {
    let world = World::with_group().await;
    let first = world.send("c1", "alice", "m1").await;
    world.send("c1", "bob", "m1").await;
    world.clock.shift(60_000);
    let again = world.send("c1", "alice", "m1").await;
    assert_eq!(
        (again.id, again.seq, again.epoch, again.at_ms, again.billed),
        (first.id, first.seq, first.epoch, first.at_ms, first.billed)
    );
    assert!(first.event.is_some() && again.event.is_none());
    assert_eq!(world.send("c1", "alice", "m2").await.seq, 4);
}

#[tokio::test]
async fn a_repeat_after_a_restart_answers_the_first_result() {
    let world = World::with_group().await;
    let first = world.send("c1", "alice", "m1").await;
    let world = world.reopen().await;
    let again = world.send("c1", "alice", "m1").await;
    assert_eq!((again.id, again.seq), (first.id, first.seq));
    assert_eq!(world.send("c1", "alice", "m2").await.seq, first.seq + 1);
}

#[tokio::test]
async fn the_same_id_with_another_body_or_kind_is_a_conflict() {
    let world = World::with_group().await;
    let with = |change: fn(&mut Draft)| {
        let mut draft = world.draft("c1", "alice", "m1");
        change(&mut draft);
        Write::Send(draft)
    };
    let body = with(|draft| draft.body = text_body("other"));
    let kind = with(|draft| draft.kind = ContentKind::Json);
    let mut outcomes = world.commit(vec![with(|_| ()), body.clone(), kind.clone()]).await;
    assert_eq!(code(outcomes.pop().unwrap()), Code::Conflict);
    assert_eq!(code(outcomes.pop().unwrap()), Code::Conflict);
    for write in [body, kind] {
        assert_eq!(code(world.commit_one(write).await), Code::Conflict);
    }
    assert_eq!(world.log("c1").await.head, 2);
}

#[tokio::test]
async fn order_of_keys_and_whitespace_make_no_conflict() {
    let world = World::with_group().await;
    let with = |body: &str| Write::Send(Draft { body: body.into(), ..world.draft("c1", "alice", "m1") });
    assert_eq!(sent(world.commit_one(with(r#"{"a":1,"b":{"c":[true,"x"]}}"#)).await).seq, 2);
    for same in [r#"{"b":{"c":[true,"x"]},"a":1}"#, "{ \"a\" : 1 ,\n\"b\": {\"c\": [ true , \"\\u0078\" ]} }"] {
        assert_eq!(sent(world.commit_one(with(same)).await).seq, 2, "{same}");
    }
    for other in [r#"{"a":1,"b":{"c":["x",true]}}"#, r#"{"a":"1","b":{"c":[true,"x"]}}"#, r#"{"a":1}"#] {
        assert_eq!(code(world.commit_one(with(other)).await), Code::Conflict, "{other}");
    }
}

#[tokio::test]
async fn an_id_is_the_senders_and_the_conversations_own() {
    let world = World::with_group().await;
    world.group("c2", &["alice", "bob"]).await;
    let seqs = [
        world.send("c1", "alice", "m1").await.seq,
        world.send("c1", "bob", "m1").await.seq,
        world.send("c2", "alice", "m1").await.seq,
    ];
    assert_eq!(seqs, [2, 3, 2]);
}

#[tokio::test]
async fn the_repeat_of_a_stored_message_succeeds_after_its_sender_was_removed() {
    let world = World::with_group().await;
    let first = world.send("c1", "bob", "m1").await;
    world.change("c1", Some("alice"), Change::Removed, &["bob"]).await.unwrap();
    assert_eq!(world.send("c1", "bob", "m1").await.seq, first.seq);
    assert_eq!(code(world.commit_one(Write::Send(world.draft("c1", "bob", "m2"))).await), Code::NotFound);
}

#[tokio::test]
async fn the_repeat_of_a_stored_message_succeeds_under_a_token_that_may_send_no_more() {
    let world = World::with_group().await;
    let first = world.send("c1", "bob", "m1").await;
    let narrowed = |conversation, id| Write::Send(Draft { may_send: false, ..world.draft(conversation, "bob", id) });
    assert_eq!(sent(world.commit_one(narrowed("c1", "m1")).await).seq, first.seq);
    for (conversation, id) in [("c1", "m2"), ("nowhere", "m1")] {
        assert_eq!(code(world.commit_one(narrowed(conversation, id)).await), Code::Forbidden, "{conversation} {id}");
    }
    assert_eq!(world.log("c1").await.head, first.seq);
}

#[tokio::test]
async fn a_repeat_succeeds_even_where_its_prev_is_unknown() {
    let world = World::with_group().await;
    let first = world.send("c1", "alice", "m1").await;
    let mut again = world.draft("c1", "alice", "m1");
    again.prev = Some(tokenim_domain::name::ClientMsgId::trusted("lost"));
    assert_eq!(sent(world.commit_one(Write::Send(again)).await).seq, first.seq);
}
