//! What the log costs, in steps of SQLite's machine: as much in a long conversation as in a short one, and beside any number of others.

use super::live::{begin, end, growth};
use super::receipts;
use super::uploads::{self, body, new_upload};
use super::world::{START_MS, World, governing, holding, member_change, text_body, watermark};
use crate::db::Db;
use crate::sql;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokenim_domain::log::{
    About, BacklogQuery, Draft, Emoji, From, GroupAct, MessageAct, MessageLog, PinsQuery, RangeQuery, ReactionsQuery,
    ReceiptsQuery, Since, Write,
};
use tokenim_domain::meter::{HOUR_MS, Meter, hour_of};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::{Change, ContentKind};

/// Events of a conversation.
const SHORT: i64 = 30;
const LONG: i64 = 1_500;
/// Conversations of others in the app.
const NEIGHBOURS: usize = 400;
/// What a thing may cost more, in hundredths of its cost in a short conversation that is alone in its app.
const SLACK: u64 = 110;
/// Steps of statements that the pool adds now and then. A log or an app that is read through takes thousands.
const STRAY: u64 = 100;

/// Counts the steps of a pool's statements, on all connections it may have.
struct Steps(Arc<AtomicU64>);

impl Steps {
    async fn of(db: &Db) -> Steps {
        let steps = Arc::new(AtomicU64::new(0));
        let (pool, mut taken) = (db.pool().get_sqlite_connection_pool(), Vec::new());
        for _ in 0..pool.options().get_max_connections() {
            let (mut connection, counted) = (pool.acquire().await.unwrap(), steps.clone());
            connection.lock_handle().await.unwrap().set_progress_handler(1, move || {
                counted.fetch_add(1, Ordering::Relaxed);
                true
            });
            taken.push(connection);
        }
        Steps(steps)
    }

    /// Those since it was asked last.
    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// A world whose `c1` has so many events, of which bob's devices hold all but three, and so many conversations of others.
async fn world_of(events: i64, neighbours: usize) -> World {
    let world = World::on_file_with_group().await;
    world.commit((1..events).map(|at| Write::Send(world.draft("c1", "alice", &format!("m{at}")))).collect()).await;
    for device in ["phone", "tablet"] {
        world.hold("c1", "bob", device, events - 3, Since::Above(0)).await.unwrap();
    }
    for at in 0..neighbours {
        let (id, one, other) = (format!("other{at}"), format!("one{at}"), format!("other{at}"));
        world.group(&id, &[&one, &other]).await;
        world.send(&id, &one, "hello").await;
    }
    world
}

/// What each reading of the end of the log takes.
async fn reads(world: &World, head: i64) -> Vec<(&'static str, u64)> {
    let (app, bob, c1) = (world.app(), User::trusted("bob"), Conversation::trusted("c1"));
    let viewer = Some(bob.clone());
    let (store, steps, mut told) = (&world.store, Steps::of(&world.store.log_readers).await, Vec::new());
    for (what, from, thread) in [
        ("the newest", From::Newest, None),
        ("what follows", From::After(head - 3), None),
        ("what is before", From::Before(head - 3), None),
        ("what is around", From::Around(head - 12), None),
        ("the newest of a thread", From::Newest, Some(head)),
        ("the first of a thread", From::After(0), Some(head)),
    ] {
        store.list_events(&RangeQuery { limit: 20, thread, ..world.range("c1", from) }).await.unwrap();
        told.push((what, steps.take()));
    }
    let missed = vec![(c1.clone(), head - 3, head)];
    let query = BacklogQuery { app, viewer: bob.clone(), missed, bytes_max: 1 << 20 };
    assert_eq!(store.read_backlog(query).await.unwrap().concat().len(), 3);
    told.push(("what was missed", steps.take()));
    store.standings(app, bob.clone(), vec![c1.clone()]).await.unwrap();
    told.push(("where it stands", steps.take()));
    store.directory(world.directory_query("bob")).await.unwrap();
    told.push(("the directory", steps.take()));
    let (after, emoji, limit) = (0, None, 20);
    let query = ReactionsQuery { app, conversation: c1.clone(), viewer, target: head, emoji, after, limit };
    store.reactions(query).await.unwrap();
    told.push(("who reacted", steps.take()));
    let query = PinsQuery { app, conversation: c1, viewer: None, before: i64::MAX, bytes_max: 1 << 20 };
    store.pins(query).await.unwrap();
    told.push(("what is pinned", steps.take()));
    store.members(world.members_query("c1")).await.unwrap();
    told.push(("the members", steps.take()));
    store
        .receipts(ReceiptsQuery { conversation: Conversation::trusted("c1"), ..receipts::query(app, head - 9) })
        .await
        .unwrap();
    told.push(("who read it", steps.take()));
    told
}

/// What each write at the end of the log takes.
async fn writes(world: &World, head: i64) -> Vec<(&'static str, u64)> {
    let (app, steps, mut told) = (world.app(), Steps::of(&world.store.log_writer).await, Vec::new());
    let received = |device, since| Write::Move(holding(app, "c1", ("bob", device), head, since));
    let amend = |act| Write::Amend(world.amendment("c1", Some("alice"), head, act));
    let emoji = || Emoji::parse("+1").unwrap();
    let reply = About { reply_to: Some(head), ..About::default() };
    let join = |change, who| Write::Change(member_change(app, "c1", Some("alice"), change, &[who]));
    let edit = MessageAct::Edit { kind: ContentKind::Text, body: text_body("edited") };
    for (what, write) in [
        ("a received", received("phone", Since::Above(head - 3))),
        ("a received, since a time", received("tablet", Since::Time(START_MS))),
        ("a read", Write::Move(watermark(app, "c1", "bob", Some(head), None))),
        ("a message", Write::Send(world.draft("c1", "alice", "new"))),
        ("the same again", Write::Send(world.draft("c1", "alice", "new"))),
        ("a reply", Write::Send(Draft { about: reply, ..world.draft("c1", "alice", "reply") })),
        ("an edit", amend(edit)),
        ("a reaction", amend(MessageAct::React { emoji: emoji(), on: true, count: 0 })),
        ("a reaction less", amend(MessageAct::React { emoji: emoji(), on: false, count: 0 })),
        ("a pin", amend(MessageAct::Pin { on: true })),
        ("a deletion", amend(MessageAct::Delete)),
        ("a live message", Write::Send(begin(world, "live"))),
        ("its words", Write::Grow(growth(world, head + 8, "a word"))),
        ("its end", Write::Amend(end(world, head + 8))),
        ("a new member", join(Change::Added, "carol")),
        ("a member less", join(Change::Removed, "carol")),
        ("a mute", Write::Govern(governing(app, "c1", Some("alice"), GroupAct::Mute(User::trusted("bob"), 1_000)))),
    ] {
        world.commit_one(write).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        told.push((what, steps.take()));
    }
    told
}

/// Whether nothing costs more in that world, whose `c1` has this head.
async fn assert_as_cheap(elsewhere: World, head: i64) {
    let alone = world_of(SHORT, 0).await;
    let alone = [reads(&alone, SHORT).await, writes(&alone, SHORT).await].concat();
    let elsewhere = [reads(&elsewhere, head).await, writes(&elsewhere, head).await].concat();
    let pairs = alone.iter().zip(&elsewhere).map(|((what, alone), (_, there))| (what, *alone, *there));
    let dearer = pairs.filter(|(_, alone, there)| *there > alone * SLACK / 100 + STRAY);
    let dearer: Vec<_> = dearer.map(|(what, alone, there)| format!("{what}: {alone} steps, here {there}")).collect();
    assert!(dearer.is_empty(), "{dearer:#?}");
    assert!(alone.iter().all(|(_, steps)| *steps > 20), "not counted: {alone:?}");
}

#[tokio::test]
async fn nothing_at_the_end_of_a_log_costs_more_in_a_long_one() {
    assert_as_cheap(world_of(LONG, 0).await, LONG).await;
}

#[tokio::test]
async fn nothing_costs_more_beside_conversations_of_others() {
    assert_as_cheap(world_of(SHORT, NEIGHBOURS).await, SHORT).await;
}

#[tokio::test]
async fn a_received_costs_no_more_for_all_that_came_since_the_connection_began() {
    let mut taken = Vec::new();
    for lag in [3, LONG - 10] {
        let world = world_of(LONG, 0).await;
        world.hold("c1", "bob", "watch", LONG - lag, Since::Above(0)).await.unwrap();
        let steps = Steps::of(&world.store.log_writer).await;
        let to = holding(world.app(), "c1", ("bob", "watch"), LONG, Since::Time(START_MS));
        world.commit_one(Write::Move(to)).await.unwrap();
        taken.push(steps.take());
    }
    assert!(taken[1] <= taken[0] * SLACK / 100 + STRAY, "{taken:?}");
}

/// Uploads of another user, as many as conversations elsewhere, of which that user may have a few open at a time.
async fn fill_with_uploads(world: &World) {
    for at in 0..NEIGHBOURS {
        let upload = world.store.begin_upload(new_upload(world, "bob", &format!("u{at}"), &body(10))).await.unwrap();
        world.store.drop_upload(uploads::at(world, "bob", &upload)).await.unwrap();
    }
}

#[tokio::test]
async fn an_upload_costs_no_more_beside_those_of_others() {
    let mut taken = Vec::new();
    for is_filled in [false, true] {
        let world = World::on_file_with_group().await;
        if is_filled {
            fill_with_uploads(&world).await;
        }
        let steps = Steps::of(&world.store.log_writer).await;
        world.store.begin_upload(new_upload(&world, "alice", "u", &body(10))).await.unwrap();
        taken.push(steps.take());
    }
    assert!(taken[1] <= taken[0] * SLACK / 100 + STRAY, "{taken:?}");
}

#[tokio::test]
async fn usage_of_a_day_costs_no_more_after_a_year() {
    let mut taken = Vec::new();
    for hours in [24, 366 * 24] {
        let world = World::on_file_with_group().await;
        let hour = hour_of(START_MS);
        let first = hour - hours * HOUR_MS;
        let fill = format!(
            "WITH RECURSIVE h (ms) AS (SELECT {first} UNION ALL SELECT ms + {HOUR_MS} FROM h WHERE ms < {hour}) \
             INSERT INTO usage_bucket (app_id, meter, hour_ms, quantity) SELECT $1, 'msg_sent', ms, 1 FROM h"
        );
        sql::run(&world.store.writer, &fill, [world.app().app.into()]).await.unwrap();
        let steps = Steps::of(&world.store.readers).await;
        let org = world.store.org(world.app().org);
        let day = org.usage_hours(hour - 24 * HOUR_MS, hour).await.unwrap();
        assert_eq!(day.total(Meter::MsgSent), 24);
        taken.push(steps.take());
    }
    assert!(taken[1] <= taken[0] * SLACK / 100 + STRAY, "{taken:?}");
}
