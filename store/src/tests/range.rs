//! Reading ranges: every direction, the limits of count and bytes, and the head they come with.

use super::world::{World, seqs};
use tokenim_domain::Code;
use tokenim_domain::log::{BacklogQuery, Draft, From, MessageLog, Page, RangeQuery, Write};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::Change;

/// A world whose `c1` holds 12 events: the creation, and messages of 100 bytes.
async fn twelve() -> World {
    let world = World::with_group().await;
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(100 - 11));
    let send =
        |at: usize| Write::Send(Draft { body: body.as_str().into(), ..world.draft("c1", "alice", &format!("m{at}")) });
    world.commit((0..11).map(send).collect()).await;
    world
}

async fn read(world: &World, from: From, limit: u32, bytes_max: usize) -> Page {
    let page = world.store.read_range(RangeQuery { limit, bytes_max, ..world.range("c1", from) }).await.unwrap();
    assert_eq!((page.head, page.epoch, page.first), (12, 1, 1));
    page
}

#[tokio::test]
async fn each_direction_reads_its_part_oldest_first() {
    let world = twelve().await;
    for (from, limit, expected) in [
        (From::After(0), 4, vec![1, 2, 3, 4]),
        (From::After(10), 4, vec![11, 12]),
        (From::After(12), 4, vec![]),
        (From::After(99), 4, vec![]),
        (From::Before(6), 3, vec![3, 4, 5]),
        (From::Before(2), 3, vec![1]),
        (From::Before(1), 3, vec![]),
        (From::Before(99), 2, vec![11, 12]),
        (From::Newest, 3, vec![10, 11, 12]),
        (From::Around(6), 4, vec![5, 6, 7, 8]),
        (From::Around(6), 5, vec![4, 5, 6, 7, 8]),
        (From::Around(6), 1, vec![6]),
        (From::Around(1), 4, vec![1, 2, 3]),
        (From::Around(12), 4, vec![11, 12]),
    ] {
        assert_eq!(seqs(&read(&world, from, limit, 1 << 20).await.events), expected, "{from:?} {limit}");
    }
}

#[tokio::test]
async fn the_byte_limit_cuts_a_page_but_never_to_nothing() {
    let world = twelve().await;
    for (from, bytes_max, expected) in [
        (From::After(1), 300, vec![2, 3, 4]),
        (From::After(1), 399, vec![2, 3, 4]),
        (From::After(1), 1, vec![2]),
        (From::Before(12), 250, vec![10, 11]),
        (From::Newest, 0, vec![12]),
    ] {
        assert_eq!(seqs(&read(&world, from, 50, bytes_max).await.events), expected, "{from:?} {bytes_max}");
    }
}

#[tokio::test]
async fn a_page_around_a_seq_is_contiguous_and_within_its_bytes() {
    let world = twelve().await;
    for bytes_max in [200, 350, 400, 700, 1_000] {
        let events = read(&world, From::Around(7), 12, bytes_max).await.events;
        let seqs = seqs(&events);
        assert!(seqs.contains(&7) && seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seqs:?}");
        assert!(events.len() * 100 <= bytes_max, "{} events of 100 bytes in {bytes_max}", events.len());
    }
}

#[tokio::test]
async fn extreme_seqs_are_only_far_away() {
    let world = twelve().await;
    for from in
        [From::After(i64::MIN), From::After(-1), From::Before(i64::MAX), From::Around(i64::MIN), From::Around(i64::MAX)]
    {
        let events = read(&world, from, 2, 1 << 20).await.events;
        assert!(events.len() <= 2, "{from:?}");
    }
    assert!(read(&world, From::After(i64::MAX), 2, 100).await.events.is_empty());
    assert!(read(&world, From::Before(i64::MIN), 2, 100).await.events.is_empty());
}

#[tokio::test]
async fn paging_either_way_reads_everything_once() {
    let world = twelve().await;
    let (mut forward, mut after) = (Vec::new(), 0);
    while let Some(last) = {
        let page = read(&world, From::After(after), 5, 350).await;
        forward.extend(seqs(&page.events));
        seqs(&page.events).pop()
    } {
        after = last;
    }
    assert_eq!(forward, (1..=12).collect::<Vec<_>>());
    let (mut backward, mut before) = (Vec::new(), 13);
    loop {
        let page = seqs(&read(&world, From::Before(before), 5, 350).await.events);
        let Some(first) = page.first() else { break };
        before = *first;
        backward.splice(0..0, page);
    }
    assert_eq!(backward, (1..=12).collect::<Vec<_>>());
}

#[tokio::test]
async fn only_members_and_the_server_read() {
    let world = twelve().await;
    let as_viewer = |viewer: &str, conversation: &str| RangeQuery {
        viewer: Some(User::trusted(viewer)),
        ..world.range(conversation, From::After(0))
    };
    assert_eq!(world.store.read_range(as_viewer("bob", "c1")).await.unwrap().events.len(), 12);
    assert_eq!(world.store.read_range(as_viewer("mallory", "c1")).await.unwrap_err().code, Code::NotFound);
    assert_eq!(world.store.read_range(world.range("nowhere", From::Newest)).await.unwrap_err().code, Code::NotFound);
    world.change("c1", None, Change::Removed, &["bob"]).await.unwrap();
    assert_eq!(world.store.read_range(as_viewer("bob", "c1")).await.unwrap_err().code, Code::NotFound);
}

/// Conversations of 3 messages of 100 bytes each; alice and bob are their members.
async fn many(names: &[&str]) -> World {
    let world = World::new().await;
    for name in names {
        world.group(name, &["alice", "bob"]).await;
        let body = format!("{{\"text\":\"{}\"}}", "x".repeat(100 - 11));
        let send =
            |at| Write::Send(Draft { body: body.as_str().into(), ..world.draft(name, "alice", &format!("m{at}")) });
        world.commit((0..3).map(send).collect()).await;
    }
    world
}

async fn backlog(world: &World, viewer: &str, missed: &[(&str, i64, i64)], bytes_max: usize) -> Vec<Vec<i64>> {
    let missed = missed.iter().map(|(name, above, head)| (Conversation::trusted(name), *above, *head)).collect();
    let query = BacklogQuery { app: world.app(), viewer: User::trusted(viewer), missed, bytes_max };
    world.store.read_backlog(query).await.unwrap().iter().map(|events| seqs(events)).collect()
}

#[tokio::test]
async fn a_backlog_of_many_conversations_is_each_ones_range_in_the_order_asked() {
    let world = many(&["c1", "c2", "c3"]).await;
    let asked = [("c3", 1, 4), ("c1", 3, 4), ("nowhere", 0, 9), ("c2", 0, 3)];
    assert_eq!(
        backlog(&world, "bob", &asked, 1 << 20).await,
        [vec![2, 3, 4], vec![4], vec![], vec![1, 2, 3]],
        "up to the head that was asked for, though there is more"
    );
    for (name, above, head) in [("c1", 0, 4), ("c1", i64::MIN, i64::MAX), ("c2", 4, 9), ("c2", 3, 2)] {
        let page = world.store.read_range(world.range(name, From::After(above))).await.unwrap();
        let alone: Vec<_> = seqs(&page.events).into_iter().filter(|seq| *seq <= head).collect();
        assert_eq!(backlog(&world, "bob", &[(name, above, head)], 1 << 20).await, [alone], "{name} {above} {head}");
    }
}

#[tokio::test]
async fn the_bytes_of_a_backlog_are_those_of_all_conversations_together() {
    let world = many(&["c1", "c2", "c3"]).await;
    let asked = [("c1", 1, 4), ("c2", 1, 4), ("c3", 1, 4)];
    assert_eq!(backlog(&world, "bob", &asked, 499).await, [vec![2, 3, 4], vec![2], vec![]]);
    assert_eq!(backlog(&world, "bob", &asked, 99).await, vec![Vec::<i64>::new(); 3]);
}

#[tokio::test]
async fn a_backlog_begins_where_its_reader_joined_and_is_nobody_elses() {
    let world = many(&["c1", "c2"]).await;
    world.change("c1", None, Change::Added, &["carol"]).await.unwrap();
    let asked = [("c1", 0, 5), ("c2", 0, 4)];
    assert_eq!(backlog(&world, "carol", &asked, 1 << 20).await, [vec![5], vec![]]);
    assert_eq!(backlog(&world, "mallory", &asked, 1 << 20).await, vec![Vec::<i64>::new(); 2]);
    let other = world.another_org("other").await;
    let missed = vec![(Conversation::trusted("c1"), 0, 5)];
    let query = BacklogQuery { app: other.app, viewer: User::trusted("bob"), missed, bytes_max: 1 << 20 };
    assert!(world.store.read_backlog(query).await.unwrap().concat().is_empty());
}
