//! Minutes of processes: each counts once, however often it is told, and none that is too old.

use super::usage::{hours_of, roll_all};
use super::world::{START_MS, World};
use crate::{MINUTE_AGE_MAX_MS, NodeMinute};
use tokenim_domain::id::NodeId;
use tokenim_domain::meter::{AppMinute, Meter};

const MINUTE_MS: i64 = 60_000;

/// A minute of a boot of its own, in which the world's app made so many calls.
pub fn minute(world: &World, minute_ms: i64, api_calls: i64) -> NodeMinute {
    let app = AppMinute { connections_open: 3, api_calls, ..AppMinute::new(world.app().app) };
    let boot = NodeId::new(&*world.clock, &*world.rng);
    NodeMinute { boot, node: "n1".into(), minute_ms, apps: vec![app], is_last: false }
}

/// Connection minutes and calls.
async fn used(world: &World) -> (i64, i64) {
    let sum = async |meter| hours_of(&world.store, world.app().org, meter).await.values().sum::<i64>();
    (sum(Meter::ConnMin).await, sum(Meter::ApiCall).await)
}

#[tokio::test]
async fn a_minute_counts_once_whoever_tells_it_and_however_often() {
    let world = World::new().await;
    let (one, other) = (minute(&world, START_MS, 7), minute(&world, START_MS, 2));
    for told in [&one, &one, &other] {
        assert!(world.store.save_node_minute(told).await.unwrap());
    }
    // The first word stands: what is told again under the same key is the same minute.
    assert!(world.store.save_node_minute(&NodeMinute { apps: Vec::new(), ..one.clone() }).await.unwrap());
    assert_eq!(used(&world).await, (6, 9));
    assert_eq!(world.number("SELECT sum(rows_told) FROM node_heartbeat").await, 2);
    assert!(roll_all(&world.store).await > 0);
    assert_eq!(used(&world).await, (6, 9));
    assert!(world.store.save_node_minute(&one).await.unwrap());
    assert_eq!(used(&world).await, (6, 9), "told again after it was rolled up");
    let next = NodeMinute { minute_ms: START_MS + MINUTE_MS, is_last: true, ..one };
    assert!(world.store.save_node_minute(&next).await.unwrap());
    assert_eq!(used(&world).await, (9, 16));
    let world = world.reopen().await;
    assert_eq!(used(&world).await, (9, 16));
}

#[tokio::test]
async fn a_minute_that_is_too_old_is_refused_whole() {
    let world = World::new().await;
    let old = minute(&world, START_MS - MINUTE_AGE_MAX_MS - 1, 7);
    assert!(!world.store.save_node_minute(&old).await.unwrap());
    assert_eq!(used(&world).await, (0, 0));
    assert_eq!(world.number("SELECT count(*) FROM node_heartbeat").await, 0);
    let just = NodeMinute { minute_ms: START_MS - MINUTE_AGE_MAX_MS, ..old };
    assert!(world.store.save_node_minute(&just).await.unwrap());
    assert_eq!(used(&world).await, (3, 7));
}
