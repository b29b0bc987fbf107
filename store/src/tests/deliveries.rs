//! Deliveries: what passes a device's cursor counts once, ranges tile, and nobody pays for what was not sent.

use super::usage::{hours_of, roll_all};
use super::world::{START_MS, World, code, holding};
use crate::sql;
use std::collections::BTreeMap;
use tokenim_domain::Code;
use tokenim_domain::clock::Clock;
use tokenim_domain::id::AppId;
use tokenim_domain::log::{Draft, MessageAct, Since, Write};
use tokenim_domain::meter::Meter;
use tokenim_domain::role::{Change, ContentKind};

/// Where the cursors of an app's devices stand.
pub async fn cursors(world: &World, app: AppId) -> BTreeMap<(String, String, String), i64> {
    let text = "SELECT conversation_id, \"user\", device, seq FROM device_cursor WHERE app_id = $1";
    let rows = sql::rows(&world.all(), text, [app.into()]).await.unwrap();
    let of = |row, name| sql::get::<String>(row, name).unwrap();
    let cursor =
        |row| ((of(row, "conversation_id"), of(row, "user"), of(row, "device")), sql::get(row, "seq").unwrap());
    rows.iter().map(cursor).collect()
}

/// Per device the rows tile 1 to its cursor, in seq and in running totals; each counts what the log says of its range.
const WRONG: &str = "
SELECT CAST(count(*) AS BIGINT) AS wrong FROM (
    SELECT u.*, lag(seq_to, 1, CAST(0 AS BIGINT)) OVER w AS seq_before, lag(cum_to, 1, CAST(0 AS BIGINT)) OVER w AS cum_before,
        lead(seq_from) OVER w IS NULL AS is_last
    FROM usage_receive u WHERE app_id = $1
    WINDOW w AS (PARTITION BY conversation_id, \"user\", device ORDER BY seq_from)
) AS r LEFT JOIN device_cursor d
    ON d.app_id = r.app_id AND d.conversation_id = r.conversation_id AND d.\"user\" = r.\"user\" AND d.device = r.device
WHERE d.seq IS NULL OR seq_from <> seq_before + 1 OR seq_to < seq_from OR cum_from <> cum_before
    OR (is_last AND (seq_to, cum_to) <> (d.seq, d.units_cum))
    OR cum_to <> (SELECT SUM(m.units) FROM message m
        WHERE m.app_id = r.app_id AND m.conversation_id = r.conversation_id AND m.seq <= r.seq_to)
    OR r.units <> CASE kind WHEN 'received' THEN (SELECT COALESCE(SUM(m.units), 0) FROM message m
        WHERE m.app_id = r.app_id AND m.conversation_id = r.conversation_id AND m.seq BETWEEN r.seq_from AND r.seq_to
            AND (m.sender IS NULL OR m.sender <> r.\"user\")) ELSE 0 END";
const LONE: &str = "
SELECT CAST(count(*) AS BIGINT) AS wrong FROM device_cursor d WHERE app_id = $1 AND NOT EXISTS (SELECT 1 FROM usage_receive r
    WHERE r.app_id = d.app_id AND r.conversation_id = d.conversation_id AND r.\"user\" = d.\"user\" AND r.device = d.device)";

/// Proves the rows of an app's devices.
pub async fn check_rows(world: &World, app: AppId) {
    for text in [WRONG, LONE] {
        let row = sql::row(&world.all(), text, [app.into()]).await.unwrap().unwrap();
        assert_eq!(sql::get::<i64>(&row, "wrong").unwrap(), 0, "{text}");
    }
}

/// Message units delivered in all.
async fn delivered(world: &World) -> i64 {
    check_rows(world, world.app().app).await;
    hours_of(&world.store, world.app().org, Meter::MsgDelivered).await.values().sum()
}

/// Since before all of it.
const ALWAYS: Since = Since::Time(0);

/// A world whose `c1` has ten messages of alice above its first event.
async fn ten() -> World {
    let world = World::with_group().await;
    for at in 0..10 {
        world.send("c1", "alice", &format!("m{at}")).await;
    }
    world
}

#[tokio::test]
pub async fn each_device_counts_what_passes_its_cursor_once() {
    let world = ten().await;
    for (device, seq, expected) in [
        ("phone", 4, 3),
        ("phone", 4, 3),
        ("phone", 2, 3),
        ("desk", 11, 13),
        ("phone", 11, 20),
        ("desk", 11, 20),
        ("phone", 5, 20),
    ] {
        world.hold("c1", "bob", device, seq, ALWAYS).await.unwrap();
        assert_eq!(delivered(&world).await, expected, "{device} at {seq}");
    }
    assert_eq!(code(world.hold("c1", "bob", "phone", 12, ALWAYS).await), Code::InvalidField);
    assert_eq!(code(world.hold("c1", "mallory", "phone", 2, ALWAYS).await), Code::NotFound);
    assert!(roll_all(&world.store).await > 0);
    assert_eq!(delivered(&world).await, 20);
    let world = world.reopen().await;
    world.hold("c1", "bob", "phone", 11, ALWAYS).await.unwrap();
    assert_eq!(delivered(&world).await, 20, "a repeat after a restart");
    world.send("c1", "alice", "one more").await;
    world.hold("c1", "bob", "phone", 12, ALWAYS).await.unwrap();
    assert_eq!(delivered(&world).await, 21);
}

#[tokio::test]
async fn what_its_own_user_said_is_no_delivery() {
    let world = ten().await;
    world.send("c1", "bob", "from bob").await;
    let edit = MessageAct::Edit { kind: ContentKind::Text, body: super::world::text_body(&"long".repeat(1_300)) };
    world.commit_one(Write::Amend(world.amendment("c1", Some("bob"), 12, edit.clone()))).await.unwrap();
    world.commit_one(Write::Amend(world.amendment("c1", Some("alice"), 2, edit))).await.unwrap();
    world.commit_one(Write::Amend(world.amendment("c1", Some("alice"), 3, MessageAct::Delete))).await.unwrap();
    world.hold("c1", "bob", "phone", 15, ALWAYS).await.unwrap();
    assert_eq!(delivered(&world).await, 10 + 2, "ten messages and a long edit of alice's");
    world.hold("c1", "alice", "phone", 15, ALWAYS).await.unwrap();
    assert_eq!(delivered(&world).await, 12 + 1 + 2, "what bob said, and his long edit");
}

#[tokio::test]
async fn what_was_there_before_the_device_or_the_member_is_passed() {
    let world = ten().await;
    world.clock.shift(1_000);
    world.hold("c1", "bob", "late", 11, Since::Time(START_MS + 1_000)).await.unwrap();
    world.hold("c1", "bob", "holds six", 11, Since::Above(6)).await.unwrap();
    assert_eq!(delivered(&world).await, 5);
    world.change("c1", None, Change::Added, &["carol"]).await.unwrap();
    world.send("c1", "alice", "to all").await;
    world.hold("c1", "carol", "phone", 13, ALWAYS).await.unwrap();
    assert_eq!(delivered(&world).await, 6);
    world.change("c1", None, Change::Removed, &["carol"]).await.unwrap();
    world.send("c1", "alice", "not to carol").await;
    world.change("c1", None, Change::Added, &["carol"]).await.unwrap();
    world.send("c1", "alice", "to her again").await;
    world.hold("c1", "carol", "phone", 17, ALWAYS).await.unwrap();
    assert_eq!(delivered(&world).await, 7);
    world.hold("c1", "bob", "late", 17, Since::Time(START_MS + 1_000)).await.unwrap();
    assert_eq!(delivered(&world).await, 10, "bob was there all the time");
}

#[tokio::test]
async fn what_was_withheld_is_passed_whatever_the_cursor_says() {
    let world = ten().await;
    world.hold("c1", "bob", "phone", 3, ALWAYS).await.unwrap();
    world.hold("c1", "bob", "phone", 9, Since::Above(7)).await.unwrap();
    assert_eq!(delivered(&world).await, 2 + 2, "the messages at 2, 3, 8 and 9");
    world.hold("c1", "bob", "phone", 11, Since::Above(7)).await.unwrap();
    assert_eq!(delivered(&world).await, 2 + 2 + 2, "what it was sent since");
}

#[tokio::test]
async fn a_batch_is_as_its_moves_one_by_one() {
    let world = ten().await;
    let of = |user: &str, device: &str, seq, since| Write::Move(holding(world.app(), "c1", (user, device), seq, since));
    let outcomes = world
        .commit(vec![
            of("bob", "phone", 3, ALWAYS),
            of("bob", "desk", 2, Since::Above(2)),
            of("bob", "phone", 2, ALWAYS),
            of("alice", "phone", 9, ALWAYS),
            of("bob", "phone", 99, ALWAYS),
            of("bob", "phone", 6, Since::Time(i64::MAX)),
            of("bob", "phone", 8, ALWAYS),
            Write::Send(Draft { ..world.draft("c1", "alice", "in between") }),
            of("bob", "desk", 12, Since::Above(2)),
        ])
        .await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1);
    assert_eq!(delivered(&world).await, 2 + 2 + 10);
}

#[tokio::test]
async fn a_raised_epoch_counts_nothing_twice_and_stops_no_cursor() {
    let world = ten().await;
    world.hold("c1", "bob", "phone", 8, ALWAYS).await.unwrap();
    world.clock.shift(5_000);
    world.store.raise_epoch().await.unwrap();
    let now = world.clock.now_ms();
    world.send("c1", "alice", "after").await;
    world.hold("c1", "bob", "phone", 5, Since::Time(now)).await.unwrap();
    assert_eq!(delivered(&world).await, 7);
    world.hold("c1", "bob", "phone", 12, Since::Time(now)).await.unwrap();
    assert_eq!(delivered(&world).await, 8, "what came before the connection is passed");
}
