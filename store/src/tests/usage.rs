//! Usage: rows that tile the log, hours that equal a recount of it, and a roll-up that counts nothing twice.

use super::world::{START_MS, World, member_change};
use crate::{Store, UsageHour, sql};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokenim_domain::Code;
use tokenim_domain::id::{AppId, OrgId};
use tokenim_domain::log::{Credential, Draft, EventBody, From, MessageLog, RangeQuery, Write};
use tokenim_domain::meter::{HOUR_MS, Meter, hour_of, units};
use tokenim_domain::role::Change;

/// What `GET /v1/usage` would tell of the days around the start.
pub async fn hours(store: &Store, org: OrgId) -> BTreeMap<(AppId, i64), i64> {
    hours_of(store, org, Meter::MsgSent).await
}

/// The same of any meter.
pub async fn hours_of(store: &Store, org: OrgId, meter: Meter) -> BTreeMap<(AppId, i64), i64> {
    let found = store.org(org).usage_hours(START_MS - 48 * HOUR_MS, START_MS + 48 * HOUR_MS).await.unwrap();
    let items: Vec<&UsageHour> = found.items.iter().filter(|item| item.meter == meter).collect();
    let hours: BTreeMap<_, _> = items.iter().map(|item| ((item.app, item.at_ms), item.quantity)).collect();
    assert_eq!(hours.len(), items.len(), "one item per app and hour");
    assert_eq!(found.total(meter), hours.values().sum::<i64>());
    hours
}

/// The same counted from the log itself.
pub async fn recount(world: &World, conversations: &[&str]) -> BTreeMap<(AppId, i64), i64> {
    let mut hours = BTreeMap::new();
    for conversation in conversations {
        for event in world.log(conversation).await.events {
            if let EventBody::Message { body, .. } = event.body {
                *hours.entry((event.app.app, hour_of(event.at_ms))).or_default() += units(body.len());
            }
        }
    }
    hours
}

/// Rolls up until nothing is left; returns how many rows that were.
pub async fn roll_all(store: &Store) -> usize {
    let mut rows = 0;
    loop {
        match store.roll_up_usage().await.unwrap() {
            0 => return rows,
            some => rows += some,
        }
    }
}

#[tokio::test]
async fn usage_rows_tile_the_log_by_runs_of_one_credential() {
    let world = World::with_group().await;
    let app = world.app();
    let labelled = |id: &str, label: Option<&str>| {
        let credential = Credential { key: world.founded.signing.id, label: label.map(Arc::from) };
        Write::Send(Draft { credential, ..world.draft("c1", "alice", id) })
    };
    world
        .commit(vec![
            labelled("m1", None),
            labelled("m2", None),
            labelled("m3", Some("acme")),
            labelled("m4", None),
            labelled("m4", None),
        ])
        .await;
    world
        .commit(vec![
            Write::Change(member_change(app, "c1", None, Change::Added, &["carol"])),
            labelled("m5", Some("acme")),
        ])
        .await;
    let rows = sql::rows(&world.all(), "SELECT seq_from, seq_to, units, messages, label, key_id IS NULL AS ours, rule_version FROM usage_append ORDER BY seq_to", []).await.unwrap();
    let shown: Vec<(i64, i64, i64, i64, Option<String>, bool)> = rows
        .iter()
        .map(|row| {
            (
                sql::get(row, "seq_from").unwrap(),
                sql::get(row, "seq_to").unwrap(),
                sql::get(row, "units").unwrap(),
                sql::get(row, "messages").unwrap(),
                sql::get(row, "label").unwrap(),
                sql::get(row, "ours").unwrap(),
            )
        })
        .collect();
    let acme = || Some("acme".to_owned());
    let expected = [
        (1, 1, 0, 0, None, true),
        (2, 3, 2, 2, None, false),
        (4, 4, 1, 1, acme(), false),
        (5, 5, 1, 1, None, false),
        (6, 6, 0, 0, None, true),
        (7, 7, 1, 1, acme(), false),
    ];
    assert_eq!(shown, expected);
    assert!(rows.iter().all(|row| sql::get::<i64>(row, "rule_version").unwrap() == 1));
}

#[tokio::test]
async fn a_large_body_counts_each_started_unit() {
    let world = World::with_group().await;
    for (at, bytes, expected) in [(0, 5_120, 1), (1, 5_121, 2), (2, 60_000, 12)] {
        let body = format!("{{\"text\":\"{}\"}}", "x".repeat(bytes - 11));
        let draft = Draft { body: body.into(), ..world.draft("c1", "alice", &format!("m{at}")) };
        assert_eq!(super::world::sent(world.commit_one(Write::Send(draft)).await).billed, expected);
    }
    assert_eq!(
        hours(&world.store, world.app().org).await,
        BTreeMap::from([((world.app().app, hour_of(START_MS)), 15)])
    );
    assert_eq!(world.number("SELECT units_cum FROM conversation").await, 15);
    assert_eq!(world.number("SELECT sum(bytes) FROM usage_append").await, 5_120 + 5_121 + 60_000);
}

#[tokio::test]
async fn hours_equal_a_recount_before_between_and_after_roll_ups() {
    let world = World::with_group().await;
    world.group("c2", &["bob"]).await;
    let org = world.app().org;
    for at in 0..12 {
        let batch = vec![
            Write::Send(world.draft("c1", "alice", &format!("m{at}"))),
            Write::Send(world.draft("c2", "bob", &format!("m{at}"))),
        ];
        world.commit(batch).await;
        world.clock.shift(20 * 60_000);
        assert_eq!(hours(&world.store, org).await, recount(&world, &["c1", "c2"]).await);
        if at % 3 == 0 {
            roll_all(&world.store).await;
            assert_eq!(hours(&world.store, org).await, recount(&world, &["c1", "c2"]).await);
        }
    }
    assert_eq!(hours(&world.store, org).await.len(), 5);
    assert!(roll_all(&world.store).await > 0);
    assert_eq!(roll_all(&world.store).await, 0);
    let world = world.reopen().await;
    assert_eq!(hours(&world.store, org).await, recount(&world, &["c1", "c2"]).await);
    assert_eq!(world.number("SELECT count(*) FROM usage_append WHERE roll IS NULL").await, 0);
}

#[tokio::test]
async fn a_roll_up_takes_a_named_portion() {
    let world = World::with_group().await;
    let rows = Store::ROLL_ROWS_MAX + 20;
    let label = |at: usize| Credential { key: world.founded.signing.id, label: Some(format!("l{at}").into()) };
    let draft =
        |at: usize| Write::Send(Draft { credential: label(at), ..world.draft("c1", "alice", &format!("m{at}")) });
    world.commit((1..rows).map(draft).collect()).await;
    assert_eq!(world.store.roll_up_usage().await.unwrap(), Store::ROLL_ROWS_MAX);
    assert_eq!(hours(&world.store, world.app().org).await, recount(&world, &["c1"]).await);
    assert_eq!(world.store.roll_up_usage().await.unwrap(), 20);
    assert_eq!(world.store.roll_up_usage().await.unwrap(), 0);
    assert_eq!(hours(&world.store, world.app().org).await, recount(&world, &["c1"]).await);
}

#[tokio::test]
async fn a_reading_during_roll_ups_and_sends_never_counts_twice_or_less() {
    let world = World::with_group().await;
    let org = world.app().org;
    let mut last = 0;
    for at in 0..40 {
        let id = format!("m{at}");
        let (_, rolled, seen) =
            tokio::join!(world.send("c1", "alice", &id), world.store.roll_up_usage(), hours(&world.store, org));
        rolled.unwrap();
        let seen: i64 = seen.values().sum();
        assert!((at..=at + 1).contains(&seen) && seen >= last, "{seen} units of {at} or {} messages", at + 1);
        last = seen;
    }
    assert_eq!(hours(&world.store, org).await.values().sum::<i64>(), 40);
}

#[tokio::test]
async fn a_message_of_a_turned_back_clock_counts_in_the_hour_it_shows() {
    let world = World::with_group().await;
    world.send("c1", "alice", "m1").await;
    world.clock.shift(-HOUR_MS);
    world.send("c1", "alice", "m2").await;
    assert_eq!(hours(&world.store, world.app().org).await, recount(&world, &["c1"]).await);
    roll_all(&world.store).await;
    assert_eq!(hours(&world.store, world.app().org).await, recount(&world, &["c1"]).await);
}

#[tokio::test]
async fn an_hour_holds_its_first_millisecond_and_not_the_next_hours() {
    let world = World::with_group().await;
    let hour = hour_of(START_MS) + HOUR_MS;
    world.clock.shift(hour - START_MS);
    world.send("c1", "alice", "m1").await;
    let scope = world.store.org(world.app().org);
    for rolled in [false, true] {
        if rolled {
            roll_all(&world.store).await;
        }
        let total = async |from: i64| scope.usage_hours(from, from + HOUR_MS).await.unwrap().total(Meter::MsgSent);
        assert_eq!((total(hour - HOUR_MS).await, total(hour).await, total(hour + HOUR_MS).await), (0, 1, 0));
    }
}

#[tokio::test]
async fn a_range_is_cut_to_whole_hours_and_is_bounded() {
    let world = World::with_group().await;
    world.send("c1", "alice", "m1").await;
    let hour = hour_of(START_MS);
    let scope = world.store.org(world.app().org);
    for (from, to, expected) in [
        (hour, hour + 1, 1),
        (START_MS, START_MS + 1, 1),
        (hour - HOUR_MS, hour, 0),
        (hour + HOUR_MS, hour + 2 * HOUR_MS, 0),
        (hour - 366 * 24 * HOUR_MS + HOUR_MS, hour + HOUR_MS, 1),
    ] {
        assert_eq!(scope.usage_hours(from, to).await.unwrap().total(Meter::MsgSent), expected, "{from}..{to}");
    }
    for (from, to) in
        [(hour, hour), (hour, hour - 1), (hour, hour + 366 * 24 * HOUR_MS + 1), (-1 << 60, 1 << 60), (0, i64::MAX)]
    {
        assert_eq!(scope.usage_hours(from, to).await.unwrap_err().code, Code::InvalidField, "{from}..{to}");
    }
    assert_eq!(scope.usage_hours(hour, hour + 1).await.unwrap().complete_to_ms, START_MS);
}

#[tokio::test]
async fn a_batch_under_way_is_not_claimed_to_be_complete() {
    let world = World::with_group().await;
    let scope = world.store.org(world.app().org);
    let complete = async || scope.usage_hours(START_MS, START_MS + 1).await.unwrap().complete_to_ms;
    world.store.in_flight.store(START_MS - 700, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(complete().await, START_MS - 700);
    // The end of a batch, refused or not, gives the present back.
    world.send("c1", "alice", "m1").await;
    assert_eq!(complete().await, START_MS);
}

#[tokio::test]
async fn running_totals_of_the_log_rise_by_each_message() {
    let world = World::with_group().await;
    world
        .commit(
            (0..100).map(|at| Write::Send(world.draft("c1", ["alice", "bob"][at % 2], &format!("m{at}")))).collect(),
        )
        .await;
    world.change("c1", None, Change::Removed, &["bob"]).await.unwrap();
    let wrong = "SELECT count(*) FROM (SELECT units_cum, sum(units) OVER (ORDER BY seq) AS expected FROM message) AS m WHERE units_cum <> expected";
    assert_eq!(world.number(wrong).await, 0);
    let page = world.store.read_range(RangeQuery { limit: 1, ..world.range("c1", From::Newest) }).await.unwrap();
    assert_eq!((page.head, page.events[0].msg_no), (102, 100));
    assert_eq!(world.number("SELECT units_cum FROM message WHERE seq = 102").await, 100);
}

#[tokio::test]
async fn the_backlog_is_as_old_as_the_oldest_row_in_no_hour() {
    let world = World::with_group().await;
    world.clock.shift(60_000);
    world.send("c1", "alice", "m1").await;
    assert_eq!(world.store.backlog().await.unwrap().usage_age_ms, 60_000);
    roll_all(&world.store).await;
    world.clock.shift(60_000);
    assert_eq!(world.store.backlog().await.unwrap().usage_age_ms, 0);
}
