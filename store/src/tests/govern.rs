//! Settings, roles, mutes, bans and blocks as rows: of one app only, in the order of a batch, and whose names contain others'.

use super::world::{World, code, governing, new_direct};
use tokenim_domain::group::{JoinRule, SettingsChange};
use tokenim_domain::log::{AppRef, BlockChange, Draft, GroupAct, List, ListQuery, MessageLog, Outcome, Write};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::MemberRole;
use tokenim_domain::{Code, Result};

fn block(app: AppRef, user: &str, other: &str) -> Write {
    Write::Block(BlockChange::new(app, User::trusted(user), User::trusted(other), true).unwrap())
}

fn acts() -> Vec<GroupAct> {
    let bob = || User::trusted("bob");
    vec![
        GroupAct::Update(SettingsChange { join: Some(JoinRule::Open), ..SettingsChange::default() }),
        GroupAct::Join,
        GroupAct::Decline(vec![bob()]),
        GroupAct::Role(bob(), MemberRole::Guest),
        GroupAct::Mute(bob(), 1_000),
        GroupAct::Ban(bob()),
        GroupAct::Unban(bob()),
    ]
}

#[tokio::test]
async fn a_foreign_conversation_is_governed_by_nobody() {
    let world = World::with_group().await;
    let other = world.another_org("other").await;
    for act in acts() {
        for actor in [None, Some("alice")] {
            let write = Write::Govern(governing(other.app, "c1", actor, act.clone()));
            let refused = code(world.commit_one(write).await);
            let nobody_joins = matches!(act, GroupAct::Join) && actor.is_none();
            assert_eq!(refused, if nobody_joins { Code::Forbidden } else { Code::NotFound }, "{act:?}");
        }
    }
    assert_eq!(world.log("c1").await.head, 1);
    for list in [List::Requests(Conversation::trusted("c1")), List::Bans(Conversation::trusted("c1"))] {
        for viewer in [None, Some(User::trusted("alice"))] {
            let query = ListQuery { app: other.app, list: list.clone(), viewer, after: None, limit: 10 };
            assert_eq!(world.store.listed(query).await.unwrap_err().code, Code::NotFound);
        }
    }
}

#[tokio::test]
async fn a_block_list_is_of_one_app() {
    let world = World::new().await;
    let other = world.another_org("other").await;
    world.commit_one(block(other.app, "bob", "alice")).await.unwrap();
    world.commit_one(Write::Create(new_direct(world.app(), "d", ["alice", "bob"]))).await.unwrap();
    world.send("d", "alice", "m1").await;
    let query = |app| ListQuery { app, list: List::Blocks(User::trusted("bob")), viewer: None, after: None, limit: 10 };
    assert!(world.store.listed(query(world.app())).await.unwrap().is_empty());
    assert_eq!(world.store.listed(query(other.app)).await.unwrap()[0].user.as_str(), "alice");
}

/// The other one of a pair is cut out of its text.
#[tokio::test]
async fn names_that_begin_or_end_with_each_other_are_told_apart() {
    for (one, two) in [("a", "aa"), ("a", "ab"), ("ba", "a"), ("a.b", "a"), ("x_", "xy"), ("%", "p"), ("-", "a-")] {
        let world = World::new().await;
        world.commit_one(Write::Create(new_direct(world.app(), "d", [one, two]))).await.unwrap();
        world.commit_one(block(world.app(), one, two)).await.unwrap();
        let draft = |sender: &str| Write::Send(world.draft("d", sender, "m"));
        assert_eq!(code(world.commit_one(draft(two)).await), Code::Blocked, "{one} blocks {two}");
        assert!(matches!(world.commit_one(draft(one)).await, Ok(Outcome::Sent(_))), "{two} does not block {one}");
    }
}

#[tokio::test]
async fn a_block_reaches_no_further_than_the_pair() {
    let world = World::with_group().await;
    world.commit_one(block(world.app(), "bob", "alice")).await.unwrap();
    world.send("c1", "alice", "m1").await;
    world.commit_one(Write::Create(new_direct(world.app(), "d", ["alice", "carol"]))).await.unwrap();
    world.send("d", "alice", "m1").await;
}

/// What an actor does to a member in the same batch as the member's sends falls between them.
#[tokio::test]
async fn a_batch_keeps_the_order_of_a_mute_and_sends() {
    let world = World::with_group().await;
    let send = |id: &str| Write::Send(Draft { app: world.app(), ..world.draft("c1", "bob", id) });
    let act = |act| Write::Govern(governing(world.app(), "c1", Some("alice"), act));
    let bob = || User::trusted("bob");
    let outcomes = world
        .commit(vec![
            send("m1"),
            act(GroupAct::Mute(bob(), 60_000)),
            send("m2"),
            act(GroupAct::Mute(bob(), 0)),
            send("m3"),
            act(GroupAct::Role(bob(), MemberRole::Guest)),
            send("m4"),
            act(GroupAct::Ban(bob())),
            send("m5"),
        ])
        .await;
    let heard: Vec<_> = outcomes.into_iter().map(seq).collect();
    let expected =
        [Ok(2), Ok(3), Err(Code::Muted), Ok(4), Ok(5), Ok(6), Err(Code::Forbidden), Ok(7), Err(Code::NotFound)];
    assert_eq!(heard, expected);
}

fn seq(outcome: Result<Outcome>) -> Result<i64, Code> {
    match outcome {
        Ok(Outcome::Sent(sent)) => Ok(sent.seq),
        Ok(Outcome::Changed(Some(event))) => Ok(event.seq),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.code),
    }
}

#[tokio::test]
async fn a_mute_ends_at_its_time_and_survives_no_longer() {
    let world = World::with_group().await;
    let mute = GroupAct::Mute(User::trusted("bob"), 60_000);
    world.commit_one(Write::Govern(governing(world.app(), "c1", None, mute))).await.unwrap();
    world.clock.shift(59_999);
    let send = || Write::Send(world.draft("c1", "bob", "m1"));
    let error = world.commit_one(send()).await.unwrap_err();
    assert_eq!(error.facts.unwrap().until_ms, Some(super::world::START_MS + 60_000));
    world.clock.shift(1);
    assert!(world.commit_one(send()).await.is_ok());
}
