//! Watermarks: forward only, never beyond the head, one answer per write in order.

use super::world::{World, code, watermark};
use tokenim_domain::log::{Outcome, Write};
use tokenim_domain::{Code, Result};

/// A world whose `c1` has head 5.
async fn five() -> World {
    let world = World::with_group().await;
    for at in 0..4 {
        world.send("c1", "alice", &format!("m{at}")).await;
    }
    world
}

fn moved(outcome: Result<Outcome>) -> bool {
    match outcome {
        Ok(Outcome::Moved(moved)) => moved,
        other => panic!("not moved: {other:?}"),
    }
}

/// Bob's read and received watermark.
async fn of_bob(world: &World) -> (i64, i64) {
    let members = world.members("c1").await;
    (members[1].read, members[1].received)
}

#[tokio::test]
async fn watermarks_move_forward_only() {
    let world = five().await;
    assert_eq!(of_bob(&world).await, (1, 1));
    assert!(moved(world.move_to("c1", "bob", None, Some(4)).await));
    assert_eq!(of_bob(&world).await, (1, 4));
    assert!(moved(world.move_to("c1", "bob", Some(3), None).await));
    assert_eq!(of_bob(&world).await, (3, 4));
    for (read, received) in
        [(Some(3), None), (Some(2), None), (None, Some(4)), (None, Some(1)), (None, None), (Some(-5), Some(0))]
    {
        assert!(!moved(world.move_to("c1", "bob", read, received).await), "{read:?} {received:?}");
    }
    assert_eq!(of_bob(&world).await, (3, 4));
}

#[tokio::test]
async fn what_was_read_was_received() {
    let world = five().await;
    assert!(moved(world.move_to("c1", "bob", Some(5), None).await));
    assert_eq!(of_bob(&world).await, (5, 5));
}

#[tokio::test]
async fn a_watermark_beyond_the_head_is_refused_and_moves_nothing() {
    let world = five().await;
    for (read, received) in [(Some(6), None), (None, Some(6)), (Some(i64::MAX), Some(1)), (Some(3), Some(6))] {
        let error = world.move_to("c1", "bob", read, received).await.unwrap_err();
        assert_eq!((error.code, error.param), (Code::InvalidField, Some("seq")));
    }
    assert_eq!(of_bob(&world).await, (1, 1));
}

#[tokio::test]
async fn a_watermark_of_no_member_is_not_found() {
    let world = five().await;
    assert_eq!(code(world.move_to("c1", "mallory", Some(2), None).await), Code::NotFound);
    assert_eq!(code(world.move_to("nowhere", "bob", Some(2), None).await), Code::NotFound);
    assert_eq!(
        code(world.move_to("c1", "mallory", Some(99), None).await),
        Code::NotFound,
        "not told how far the log goes"
    );
}

#[tokio::test]
async fn a_batch_of_watermarks_answers_each_in_order() {
    let world = five().await;
    world.group("c2", &["bob"]).await;
    let app = world.app();
    let batch = [
        ("c1", Some(2), None),
        ("c1", Some(4), None),
        ("c1", Some(3), None),
        ("c1", Some(9), None),
        ("c2", Some(1), None),
        ("c1", None, Some(5)),
        ("c1", None, Some(5)),
    ];
    let outcomes = world
        .commit(
            batch
                .map(|(conversation, read, received)| Write::Move(watermark(app, conversation, "bob", read, received)))
                .to_vec(),
        )
        .await;
    let shown: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Ok(Outcome::Moved(moved)) => Some(moved),
            _ => None,
        })
        .collect();
    assert_eq!(shown, [Some(true), Some(true), Some(false), None, Some(false), Some(true), Some(false)]);
    assert_eq!(of_bob(&world).await, (4, 5));
}

#[tokio::test]
async fn watermarks_take_no_seq() {
    let world = five().await;
    world.move_to("c1", "bob", Some(5), None).await.unwrap();
    assert_eq!(world.log("c1").await.head, 5);
}
