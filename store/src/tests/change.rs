//! Members join and leave: sequenced events, who may, and what each sees afterwards.

use super::world::{World, code, new_direct};
use std::sync::Arc;
use tokenim_domain::log::{Event, EventBody, From, MembersQuery, MessageLog, Outcome, RangeQuery, Write};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::{Change, MemberRole};
use tokenim_domain::{Code, Result};

fn changed(outcome: Result<Outcome>) -> Option<Arc<Event>> {
    match outcome {
        Ok(Outcome::Changed(event)) => event,
        other => panic!("not changed: {other:?}"),
    }
}

async fn names(world: &World) -> Vec<String> {
    world.members("c1").await.iter().map(|member| member.user.to_string()).collect()
}

fn shown(event: &Event) -> (Change, Option<&str>, Vec<(&str, MemberRole)>) {
    let EventBody::Member { change, actor, users, until_ms: None } = &event.body else { panic!("a member event") };
    let users = users.iter().map(|(user, role)| (user.as_str(), role.unwrap())).collect();
    (*change, actor.as_ref().map(User::as_str), users)
}

#[tokio::test]
async fn adding_is_an_event_that_names_only_new_members() {
    let world = World::with_group().await;
    let event = changed(world.change("c1", Some("alice"), Change::Added, &["bob", "carol", "dave"]).await).unwrap();
    let new = vec![("carol", MemberRole::Member), ("dave", MemberRole::Member)];
    assert_eq!((event.seq, event.msg_no), (2, 0));
    assert_eq!(shown(&event), (Change::Added, Some("alice"), new.clone()));
    assert_eq!(shown(&world.log("c1").await.events[1]), (Change::Added, Some("alice"), new));
    assert_eq!(names(&world).await, ["alice", "bob", "carol", "dave"]);
    assert!(changed(world.change("c1", Some("alice"), Change::Added, &["carol", "bob"]).await).is_none());
    assert_eq!(world.log("c1").await.head, 2);
}

#[tokio::test]
async fn removing_is_an_event_that_names_only_those_who_were_members() {
    let world = World::with_group().await;
    let event = changed(world.change("c1", None, Change::Removed, &["bob", "nobody"]).await).unwrap();
    assert_eq!(shown(&event), (Change::Removed, None, vec![("bob", MemberRole::Member)]));
    assert_eq!(names(&world).await, ["alice"]);
    assert!(changed(world.change("c1", None, Change::Removed, &["bob"]).await).is_none());
}

#[tokio::test]
async fn only_the_owner_changes_members_and_members_may_leave() {
    let world = World::with_group().await;
    for (actor, change, user, expected) in [
        ("bob", Change::Added, "carol", Code::Forbidden),
        ("bob", Change::Removed, "alice", Code::Forbidden),
        ("mallory", Change::Added, "mallory", Code::NotFound),
        ("mallory", Change::Removed, "bob", Code::NotFound),
        ("alice", Change::Removed, "alice", Code::Forbidden),
    ] {
        assert_eq!(code(world.change("c1", Some(actor), change, &[user]).await), expected, "{actor} {change:?} {user}");
    }
    assert_eq!(world.log("c1").await.head, 1);
    assert!(changed(world.change("c1", Some("bob"), Change::Removed, &["bob"]).await).is_some());
    assert_eq!(code(world.change("c1", Some("bob"), Change::Removed, &["bob"]).await), Code::NotFound, "gone already");
    assert_eq!(code(world.change("nowhere", None, Change::Added, &["bob"]).await), Code::NotFound);
}

#[tokio::test]
async fn the_owner_may_not_leave_in_company_either() {
    let world = World::with_group().await;
    let outcome = world.change("c1", Some("alice"), Change::Removed, &["bob", "alice"]).await;
    assert_eq!(code(outcome), Code::Forbidden);
    assert_eq!(names(&world).await, ["alice", "bob"]);
}

#[tokio::test]
async fn members_of_a_direct_conversation_are_fixed() {
    let world = World::new().await;
    world.commit_one(Write::Create(new_direct(world.app(), "d1", ["alice", "bob"]))).await.unwrap();
    for actor in [Some("alice"), Some("bob"), None] {
        assert_eq!(code(world.change("d1", actor, Change::Added, &["carol"]).await), Code::Forbidden);
        assert_eq!(code(world.change("d1", actor, Change::Removed, &["bob"]).await), Code::Forbidden);
    }
}

#[tokio::test]
async fn a_member_sees_the_log_from_its_joining_on() {
    let world = World::with_group().await;
    world.send("c1", "alice", "m1").await;
    let joined = changed(world.change("c1", Some("alice"), Change::Added, &["carol"]).await).unwrap().seq;
    world.send("c1", "alice", "m2").await;
    let carol = world.members("c1").await.into_iter().find(|member| member.user.as_str() == "carol").unwrap();
    assert_eq!((carol.role, carol.joined, carol.read, carol.received), (MemberRole::Member, joined, joined, joined));
    let query = |from| RangeQuery { viewer: Some(User::trusted("carol")), ..world.range("c1", from) };
    for from in [From::After(0), From::Before(100), From::Newest, From::Around(1), From::Around(4)] {
        let page = world.store.read_range(query(from)).await.unwrap();
        assert_eq!((page.first, page.head), (joined, 4));
        assert_eq!(super::world::seqs(&page.events), [3, 4], "{from:?}");
    }
}

#[tokio::test]
async fn whoever_left_and_came_back_starts_anew() {
    let world = World::with_group().await;
    world.send("c1", "alice", "m1").await;
    world.change("c1", None, Change::Removed, &["bob"]).await.unwrap();
    world.send("c1", "alice", "m2").await;
    assert_eq!(
        world
            .store
            .read_range(RangeQuery { viewer: Some(User::trusted("bob")), ..world.range("c1", From::Newest) })
            .await
            .unwrap_err()
            .code,
        Code::NotFound
    );
    world.change("c1", None, Change::Added, &["bob"]).await.unwrap();
    let page = world
        .store
        .read_range(RangeQuery { viewer: Some(User::trusted("bob")), ..world.range("c1", From::After(0)) })
        .await
        .unwrap();
    assert_eq!(super::world::seqs(&page.events), [5]);
}

#[tokio::test]
async fn members_are_listed_by_name_in_pages_to_members_and_the_server() {
    let world = World::new().await;
    let all: Vec<String> = (0..25).map(|at| format!("u{at:02}")).collect();
    world.group("c1", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let seen_by = |viewer| MembersQuery { viewer: Some(User::trusted(viewer)), ..world.members_query("c1") };
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = world.store.members(MembersQuery { after, limit: 10, ..seen_by("u03") }).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.user.clone());
        listed.extend(page.iter().map(|member| member.user.to_string()));
    }
    assert_eq!(listed, all);
    assert_eq!(world.store.members(seen_by("mallory")).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn member_lists_come_in_the_order_asked() {
    let world = World::with_group().await;
    world.group("c2", &["carol"]).await;
    world.send("c1", "alice", "m1").await;
    world.change("c1", None, Change::Added, &["dave"]).await.unwrap();
    let app = world.app();
    let of = ["c2", "nowhere", "c1"].map(|name| (app, Conversation::trusted(name))).to_vec();
    let lists = world.store.member_lists(of).await.unwrap();
    let shown: Vec<Vec<_>> = lists
        .iter()
        .map(|list| {
            let mut all: Vec<_> = list.members.iter().map(|(user, joined)| (user.as_str(), *joined)).collect();
            all.sort_unstable();
            all
        })
        .collect();
    assert_eq!(shown, [vec![("carol", 1)], vec![], vec![("alice", 1), ("bob", 1), ("dave", 3)]]);
    assert_eq!((lists[0].as_of, lists[2].as_of), (1, 3));
}

#[tokio::test]
async fn a_conversation_holds_a_named_number_of_members() {
    let world = World::with_group().await;
    let names: Vec<String> = (0..tokenim_domain::limits::MEMBERS_MAX - 2).map(|at| format!("u{at}")).collect();
    for part in names.chunks(tokenim_domain::limits::MEMBERS_PER_COMMAND_MAX) {
        let part: Vec<_> = part.iter().map(String::as_str).collect();
        assert!(changed(world.change("c1", Some("alice"), Change::Added, &part).await).is_some());
    }
    assert_eq!(code(world.change("c1", Some("alice"), Change::Added, &["one-more"]).await), Code::LimitReached);
    assert!(changed(world.change("c1", Some("alice"), Change::Added, &["u5"]).await).is_none(), "a member already");
    assert_eq!(world.number("SELECT count(*) FROM app_user WHERE id = 'one-more'").await, 0);
}
