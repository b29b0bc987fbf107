//! Two orgs in one file use the same names everywhere; neither sees, moves or counts anything of the other's.

use super::usage;
use super::world::{World, code, committed, member_change, new_direct, new_group, sent, users, watermark};
use crate::{Begun, FoundedOrg, Remembered};
use std::collections::BTreeSet;
use tokenim_domain::Code;
use tokenim_domain::log::{
    AppRef, Commit, DirectoryQuery, Draft, EventBody, From, MembersQuery, MessageLog, Outcome, RangeQuery, Write,
};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::Change;

/// The first org has `c1`; the other has nothing yet.
async fn two_orgs() -> (World, FoundedOrg) {
    let world = World::with_group().await;
    let other = world.another_org("other").await;
    (world, other)
}

fn draft_in(world: &World, app: AppRef, id: &str) -> Write {
    Write::Send(Draft { app, ..world.draft("c1", "alice", id) })
}

#[tokio::test]
async fn a_foreign_conversation_does_not_exist() {
    let (world, other) = two_orgs().await;
    let app = other.app;
    world.store.ensure_users(app, users(&["alice", "bob"])).await.unwrap();
    world.send("c1", "alice", "m1").await;
    for write in [
        draft_in(&world, app, "m1"),
        draft_in(&world, app, "m2"),
        Write::Move(watermark(app, "c1", "bob", Some(1), None)),
        Write::Change(member_change(app, "c1", None, Change::Added, &["carol"])),
        Write::Change(member_change(app, "c1", Some("alice"), Change::Removed, &["bob"])),
    ] {
        assert_eq!(code(world.commit_one(write).await), Code::NotFound);
    }
    let c1 = || Conversation::trusted("c1");
    for viewer in [None, Some(User::trusted("alice"))] {
        let range = RangeQuery { app, viewer: viewer.clone(), ..world.range("c1", From::After(0)) };
        assert_eq!(world.store.read_range(range).await.unwrap_err().code, Code::NotFound);
        let query = MembersQuery { app, viewer, ..world.members_query("c1") };
        assert_eq!(world.store.members(query).await.unwrap_err().code, Code::NotFound);
    }
    assert!(world.store.standings(app, User::trusted("alice"), vec![c1()]).await.unwrap().is_empty());
    assert!(world.store.directory(DirectoryQuery { app, ..world.directory_query("alice") }).await.unwrap().is_empty());
    assert!(world.store.member_lists(vec![(app, c1())]).await.unwrap()[0].members.is_empty());
    assert_eq!(world.log("c1").await.head, 2);
}

#[tokio::test]
async fn the_same_names_in_two_apps_are_two_conversations() {
    let (world, other) = two_orgs().await;
    let app = other.app;
    let created = world
        .commit(vec![
            Write::Create(new_group(app, "c1", &["alice", "bob"])),
            Write::Create(new_direct(app, "d1", ["alice", "bob"])),
        ])
        .await;
    assert!(created.iter().all(|outcome| matches!(outcome, Ok(Outcome::Created(view, Some(_))) if !view.existed)));
    let batch = vec![
        draft_in(&world, world.app(), "m1"),
        draft_in(&world, app, "m1"),
        draft_in(&world, world.app(), "m2"),
        draft_in(&world, app, "m1"),
    ];
    let seqs: Vec<_> = world.commit(batch).await.into_iter().map(|outcome| sent(outcome).seq).collect();
    assert_eq!(seqs, [2, 2, 3, 2]);
    world.commit_one(Write::Move(watermark(app, "c1", "bob", Some(2), None))).await.unwrap();
    let read = |app| {
        let query = MembersQuery { app, ..world.members_query("c1") };
        let members = world.store.members(query);
        async { members.await.unwrap()[1].read }
    };
    assert_eq!((read(world.app()).await, read(app).await), (1, 2));
    let page = world.store.read_range(RangeQuery { app, ..world.range("c1", From::After(0)) }).await.unwrap();
    assert!(page.events.iter().all(|event| event.app == app) && page.head == 2);
}

#[tokio::test]
pub async fn a_repeated_id_of_another_app_is_no_repeat() {
    let (world, other) = two_orgs().await;
    world.commit_one(Write::Create(new_group(other.app, "c1", &["alice"]))).await.unwrap();
    let first = world.send("c1", "alice", "m1").await;
    let draft =
        Draft { app: other.app, body: super::world::text_body("another body"), ..world.draft("c1", "alice", "m1") };
    let theirs = sent(committed(world.store.append(vec![Write::Send(draft)]).await).pop().unwrap());
    assert!(theirs.id != first.id && theirs.event.is_some());
}

#[tokio::test]
async fn usage_shows_the_orgs_own_apps_only() {
    let (world, other) = two_orgs().await;
    world.commit_one(Write::Create(new_group(other.app, "c1", &["alice"]))).await.unwrap();
    world
        .commit(
            (0..3)
                .map(|at| draft_in(&world, world.app(), &format!("m{at}")))
                .chain([draft_in(&world, other.app, "m0")])
                .collect(),
        )
        .await;
    for rolled in [false, true] {
        if rolled {
            usage::roll_all(&world.store).await;
        }
        for (app, expected) in [(world.app(), 3), (other.app, 1)] {
            let hours = usage::hours(&world.store, app.org).await;
            assert_eq!(hours.keys().map(|(app, _)| *app).collect::<BTreeSet<_>>(), BTreeSet::from([app.app]));
            assert_eq!(hours.values().sum::<i64>(), expected);
        }
    }
}

#[tokio::test]
async fn a_scope_finds_only_its_own_apps() {
    let (world, other) = two_orgs().await;
    let mine = world.store.org(world.app().org);
    assert_eq!(mine.list_apps().await.unwrap().iter().map(|app| app.id).collect::<Vec<_>>(), [world.app().app]);
    assert_eq!(mine.find_app(world.app().app).await.unwrap(), Some(world.app()));
    assert_eq!(mine.find_app(other.app.app).await.unwrap(), None);
}

#[tokio::test]
async fn an_idempotency_key_is_the_apps_own() {
    let (world, other) = two_orgs().await;
    for (app, secret) in [(world.app(), "ours"), (other.app, "theirs")] {
        assert_eq!(world.store.begin_idempotent(app, "k", [1; 32]).await.unwrap(), Begun::Fresh);
        let answer = Remembered { status: 201, body: secret.into() };
        world.store.finish_idempotent(app, "k", &answer).await.unwrap();
    }
    for (app, secret) in [(world.app(), "ours"), (other.app, "theirs")] {
        let Begun::Done(answer) = world.store.begin_idempotent(app, "k", [1; 32]).await.unwrap() else {
            panic!("done")
        };
        assert_eq!(answer.body, secret.as_bytes());
    }
}

#[tokio::test]
async fn a_batch_of_two_apps_keeps_their_bodies_apart() {
    let (world, other) = two_orgs().await;
    world.commit_one(Write::Create(new_group(other.app, "c1", &["alice"]))).await.unwrap();
    let of = |app: AppRef, canary: &str, at: usize| {
        Write::Send(Draft {
            app,
            body: super::world::text_body(canary),
            ..world.draft("c1", "alice", &format!("m{at}"))
        })
    };
    let batch = (0..80)
        .map(|at| if at % 2 == 0 { of(world.app(), "canary-a", at) } else { of(other.app, "canary-b", at) })
        .collect();
    assert!(matches!(world.store.append(batch).await, Commit::Committed(_)));
    for (app, own) in [(world.app(), "canary-a"), (other.app, "canary-b")] {
        let page = world.store.read_range(RangeQuery { app, ..world.range("c1", From::After(1)) }).await.unwrap();
        assert_eq!(page.events.len(), 40);
        assert!(
            page.events
                .iter()
                .all(|event| matches!(&event.body, EventBody::Message { body, .. } if body.contains(own)))
        );
    }
}
