//! The directory: most recently changed first, whole over pages, with what unread counts are made of.

use super::world::World;
use tokenim_domain::log::{DirectoryCursor, DirectoryQuery, Draft, Entry, MessageLog, Write};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::{Change, ConversationKind};

async fn directory(world: &World, user: &str, limit: usize) -> Vec<Entry> {
    let (mut all, mut after) = (Vec::new(), None);
    for _ in 0..100 {
        let page = world.store.directory(DirectoryQuery { after, limit, ..world.directory_query(user) }).await.unwrap();
        assert!(page.len() <= limit);
        let Some(last) = page.last() else { return all };
        after = Some(DirectoryCursor { last_ms: last.last_ms, conversation: last.at.conversation.clone() });
        all.extend(page);
    }
    panic!("the directory does not end")
}

fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.at.conversation.as_str()).collect()
}

#[tokio::test]
async fn pages_hold_every_conversation_once_the_newest_first() {
    let world = World::new().await;
    for at in 0..12 {
        world.group(&format!("c{at:02}"), &["alice"]).await;
        world.clock.shift(at % 3); // some of one millisecond, which the id then orders
    }
    for limit in [1, 4, 5, 100] {
        let entries = directory(&world, "alice", limit).await;
        assert_eq!(entries.len(), 12);
        assert!(
            entries
                .windows(2)
                .all(|pair| (-pair[0].last_ms, &pair[0].at.conversation) < (-pair[1].last_ms, &pair[1].at.conversation)),
            "{:?}",
            names(&entries)
        );
    }
    world.clock.shift(1);
    world.send("c03", "alice", "m1").await;
    assert_eq!(names(&directory(&world, "alice", 5).await)[0], "c03");
}

#[tokio::test]
async fn an_entry_tells_where_a_conversation_stands() {
    let world = World::with_group().await;
    world.send("c1", "alice", "m1").await;
    world.change("c1", Some("alice"), Change::Added, &["carol"]).await.unwrap();
    for at in 2..6 {
        world.send("c1", "alice", &format!("m{at}")).await;
    }
    world.move_to("c1", "carol", Some(5), None).await.unwrap();
    let entry = directory(&world, "carol", 10).await.pop().unwrap();
    assert_eq!(
        (entry.kind, entry.at.epoch, entry.at.epoch_first, entry.at.head, entry.at.msg_no),
        (ConversationKind::Group, 1, 1, 7, 5)
    );
    assert_eq!((entry.at.first, entry.read, entry.read_msg_no, entry.member_version), (3, 5, 3, 3));
    assert_eq!(entry.at.msg_no - entry.read_msg_no, 2, "unread messages");
    let last = entry.last.unwrap();
    assert_eq!((last.seq, last.msg_no, last.at_ms), (7, 5, entry.last_ms));
}

#[tokio::test]
async fn unread_counts_messages_and_no_other_events() {
    let world = World::with_group().await;
    world.send("c1", "alice", "m1").await;
    for name in ["carol", "dave", "erin"] {
        world.change("c1", Some("alice"), Change::Added, &[name]).await.unwrap();
    }
    let unread = |entries: Vec<Entry>| entries[0].at.msg_no - entries[0].read_msg_no;
    assert_eq!(unread(directory(&world, "bob", 10).await), 1);
    assert_eq!(unread(directory(&world, "erin", 10).await), 0);
    world.move_to("c1", "bob", Some(2), None).await.unwrap();
    assert_eq!(unread(directory(&world, "bob", 10).await), 0);
}

#[tokio::test]
async fn the_last_event_of_whoever_holds_it_is_left_out() {
    let world = World::with_group().await;
    world.group("c2", &["bob"]).await;
    for own in ["m1", "m2"] {
        world.send("c1", "alice", own).await;
    }
    let last = async |conversation: &str, epoch, seq| {
        let held = vec![(conversation.to_owned(), epoch, seq)];
        let entries = world.store.directory(DirectoryQuery { held, ..world.directory_query("bob") }).await.unwrap();
        assert_eq!(names(&entries), ["c1", "c2"]);
        entries.into_iter().map(|entry| entry.last.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(last("c1", 1, 3).await, [false, true]);
    for (conversation, epoch, seq) in [("c1", 1, 2), ("c1", 2, 3), ("c3", 1, 3)] {
        assert_eq!(last(conversation, epoch, seq).await, [true, true]);
    }
}

#[tokio::test]
async fn a_large_last_body_is_left_to_history() {
    let world = World::with_group().await;
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(600));
    world.commit_one(Write::Send(Draft { body: body.into(), ..world.draft("c1", "alice", "m1") })).await.unwrap();
    let entry = directory(&world, "bob", 10).await.pop().unwrap();
    assert!(entry.last.is_none());
    assert_eq!((entry.at.head, entry.at.msg_no), (2, 1));
}

#[tokio::test]
async fn standings_leave_out_what_the_user_is_no_member_of() {
    let world = World::with_group().await;
    world.group("c2", &["bob"]).await;
    let asked = ["c1", "c2", "nowhere"].map(Conversation::trusted).to_vec();
    let found = world.store.standings(world.app(), User::trusted("alice"), asked.clone()).await.unwrap();
    assert_eq!(found.iter().map(|it| (it.conversation.as_str(), it.head)).collect::<Vec<_>>(), [("c1", 1)]);
    let found = world.store.standings(world.app(), User::trusted("bob"), asked).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(world.store.standings(world.app(), User::trusted("bob"), Vec::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn whoever_left_has_no_entry() {
    let world = World::with_group().await;
    world.change("c1", Some("bob"), Change::Removed, &["bob"]).await.unwrap();
    assert!(directory(&world, "bob", 10).await.is_empty());
}
