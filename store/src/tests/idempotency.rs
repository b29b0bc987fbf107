//! Idempotency keys: one answer per key and request, for a day.

use super::world::World;
use crate::{Begun, Remembered};

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn the_first_answer_is_remembered_for_a_day() {
    let world = World::new().await;
    let (app, store) = (world.app(), &world.store);
    let answer = Remembered { status: 201, body: b"{\"token\":\"x\"}".to_vec() };
    assert_eq!(store.begin_idempotent(app, "k", [1; 32]).await.unwrap(), Begun::Fresh);
    assert_eq!(store.begin_idempotent(app, "k", [1; 32]).await.unwrap(), Begun::Running);
    assert_eq!(store.begin_idempotent(app, "k", [2; 32]).await.unwrap(), Begun::Mismatch);
    store.finish_idempotent(app, "k", &answer).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store.begin_idempotent(app, "k", [1; 32]).await.unwrap(), Begun::Done(answer.clone()));
        world.clock.shift(12 * HOUR_MS);
    }
    assert_eq!(store.begin_idempotent(app, "k", [2; 32]).await.unwrap(), Begun::Mismatch);
    world.clock.shift(1);
    assert_eq!(store.begin_idempotent(app, "k", [2; 32]).await.unwrap(), Begun::Fresh, "forgotten after a day");
}

#[tokio::test]
async fn an_abandoned_key_runs_again_at_once_and_a_dead_one_after_a_minute() {
    let world = World::new().await;
    let (app, store) = (world.app(), &world.store);
    store.begin_idempotent(app, "k", [1; 32]).await.unwrap();
    store.abandon_idempotent(app, "k").await.unwrap();
    assert_eq!(store.begin_idempotent(app, "k", [1; 32]).await.unwrap(), Begun::Fresh);
    world.clock.shift(59_999);
    assert_eq!(store.begin_idempotent(app, "k", [1; 32]).await.unwrap(), Begun::Running);
    world.clock.shift(1);
    assert_eq!(store.begin_idempotent(app, "k", [1; 32]).await.unwrap(), Begun::Fresh);
}

#[tokio::test]
async fn a_finished_answer_is_not_abandoned() {
    let world = World::new().await;
    let answer = Remembered { status: 422, body: Vec::new() };
    world.store.begin_idempotent(world.app(), "k", [1; 32]).await.unwrap();
    world.store.finish_idempotent(world.app(), "k", &answer).await.unwrap();
    world.store.abandon_idempotent(world.app(), "k").await.unwrap();
    assert_eq!(world.store.begin_idempotent(world.app(), "k", [1; 32]).await.unwrap(), Begun::Done(answer));
}

#[tokio::test]
async fn of_many_at_once_one_is_fresh() {
    let world = World::new().await;
    let (app, store) = (world.app(), &world.store);
    let begin = || store.begin_idempotent(app, "k", [1; 32]);
    let (a, b, c, d) = tokio::join!(begin(), begin(), begin(), begin());
    let fresh = [a, b, c, d].into_iter().filter(|begun| *begun.as_ref().unwrap() == Begun::Fresh).count();
    assert_eq!(fresh, 1);
}

#[tokio::test]
async fn a_dead_request_of_an_org_never_runs_again() {
    let world = World::new().await;
    let (org, store) = (world.app().org, &world.store);
    assert_eq!(store.begin_idempotent(org, "k", [1; 32]).await.unwrap(), Begun::Fresh);
    world.clock.shift(59_999);
    assert_eq!(store.begin_idempotent(org, "k", [1; 32]).await.unwrap(), Begun::Running);
    world.clock.shift(1);
    for _ in 0..2 {
        assert_eq!(store.begin_idempotent(org, "k", [1; 32]).await.unwrap(), Begun::Lost);
        world.clock.shift(HOUR_MS);
    }
    assert_eq!(store.begin_idempotent(org, "k", [2; 32]).await.unwrap(), Begun::Mismatch);
    world.clock.shift(24 * HOUR_MS);
    assert_eq!(store.begin_idempotent(org, "k", [1; 32]).await.unwrap(), Begun::Fresh, "forgotten after a day");
}
