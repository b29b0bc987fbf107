//! Conversations come into being: once, with their members, unique per pair where direct.

use super::world::{World, code, new_direct, new_group};
use std::sync::Arc;
use tokenim_domain::Code;
use tokenim_domain::log::{ConversationView, Event, EventBody, MessageLog, NewConversation, Outcome, Write};
use tokenim_domain::name::User;
use tokenim_domain::role::{Change, ConversationKind, MemberRole};

async fn create(world: &World, new: NewConversation) -> (ConversationView, Option<Arc<Event>>) {
    match world.commit_one(Write::Create(new)).await {
        Ok(Outcome::Created(view, event)) => (view, event),
        other => panic!("not created: {other:?}"),
    }
}

#[tokio::test]
async fn a_new_conversation_starts_with_a_created_event() {
    let world = World::new().await;
    let new =
        NewConversation { name: Some("Küche".into()), ..new_group(world.app(), "c1", &["alice", "bob", "carol"]) };
    let (view, event) = create(&world, new).await;
    assert_eq!((view.id.as_str(), view.kind, view.name.as_deref()), ("c1", ConversationKind::Group, Some("Küche")));
    assert_eq!((view.epoch, view.last_seq, view.last_msg_no, view.existed), (1, 1, 0, false));
    let event = event.unwrap();
    assert_eq!((event.seq, event.msg_no), (1, 0));
    let stored = world.log("c1").await.events.remove(0);
    for event in [&*event, &stored] {
        let EventBody::Member { change, actor, users, until_ms: None } = &event.body else { panic!("a member event") };
        assert_eq!((*change, actor.as_ref().map(User::as_str)), (Change::Created, Some("alice")));
        let users: Vec<_> = users.iter().map(|(user, role)| (user.as_str(), role.unwrap())).collect();
        assert_eq!(users, [("alice", MemberRole::Owner), ("bob", MemberRole::Member), ("carol", MemberRole::Member)]);
    }
}

#[tokio::test]
async fn members_of_a_new_conversation_become_users_of_the_app() {
    let world = World::with_group().await;
    assert_eq!(world.number("SELECT count(*) FROM app_user WHERE id IN ('alice', 'bob')").await, 2);
    world.store.ensure_users(world.app(), super::world::users(&["bob", "dave", "dave"])).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM app_user").await, 3);
}

#[tokio::test]
async fn creating_twice_returns_the_first_one() {
    let world = World::with_group().await;
    world.send("c1", "alice", "m1").await;
    let (view, event) = create(&world, new_group(world.app(), "c1", &["alice", "carol"])).await;
    assert!(view.existed && event.is_none());
    assert_eq!((view.last_seq, view.last_msg_no), (2, 1));
    assert_eq!(world.log("c1").await.head, 2, "nothing was appended");
    let members = world.members("c1").await;
    assert_eq!(members.iter().map(|member| member.user.as_str()).collect::<Vec<_>>(), ["alice", "bob"]);
}

#[tokio::test]
async fn a_creator_who_was_removed_does_not_get_it_back_by_creating_again() {
    let world = World::with_group().await;
    world.change("c1", None, Change::Removed, &["alice"]).await.unwrap();
    let again = new_group(world.app(), "c1", &["alice"]);
    assert_eq!(code(world.commit_one(Write::Create(again.clone())).await), Code::Conflict);
    let by_server = NewConversation { actor: None, ..again };
    assert!(create(&world, by_server).await.0.existed, "the app's server sees all");
}

#[tokio::test]
async fn creating_twice_in_one_batch_creates_once() {
    let world = World::new().await;
    let new = || Write::Create(new_group(world.app(), "c1", &["alice"]));
    let existed: Vec<_> = world
        .commit(vec![new(), new()])
        .await
        .into_iter()
        .map(|outcome| matches!(outcome, Ok(Outcome::Created(view, _)) if view.existed))
        .collect();
    assert_eq!(existed, [false, true]);
}

#[tokio::test]
async fn an_id_of_another_kind_or_creator_is_a_conflict() {
    let world = World::with_group().await;
    let by_bob = new_group(world.app(), "c1", &["bob", "alice"]);
    assert_eq!(code(world.commit_one(Write::Create(by_bob)).await), Code::Conflict);
    let direct = new_direct(world.app(), "c1", ["alice", "bob"]);
    assert_eq!(code(world.commit_one(Write::Create(direct)).await), Code::Conflict);
    assert_eq!(world.log("c1").await.head, 1);
}

#[tokio::test]
async fn a_direct_conversation_is_unique_per_pair() {
    let world = World::new().await;
    let (first, _) = create(&world, new_direct(world.app(), "d1", ["alice", "bob"])).await;
    assert!(!first.existed);
    for (id, pair) in [("d2", ["alice", "bob"]), ("d3", ["bob", "alice"]), ("d1", ["bob", "alice"])] {
        let (again, event) = create(&world, new_direct(world.app(), id, pair)).await;
        assert_eq!((again.id.as_str(), again.existed, event.is_none()), ("d1", true, true));
    }
    assert!(!create(&world, new_direct(world.app(), "d2", ["alice", "carol"])).await.0.existed);
}

#[tokio::test]
async fn a_direct_conversation_with_another_partner_is_never_returned() {
    let world = World::new().await;
    create(&world, new_direct(world.app(), "d1", ["alice", "bob"])).await;
    let with_carol = new_direct(world.app(), "d1", ["alice", "carol"]);
    assert_eq!(code(world.commit_one(Write::Create(with_carol)).await), Code::Conflict);
}
