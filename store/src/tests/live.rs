//! Live messages: who is found idle, and what a quota that is used up means for them.

use super::world::{World, code};
use tokenim_domain::Code;
use tokenim_domain::log::{
    About, Amendment, Draft, Growth, Idle, MessageAct, MessageLog, Outcome, Piece, TextQuery, Write, live,
};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::plan::quota::Allowance;
use tokenim_domain::role::ContentKind;

pub(super) fn begin(world: &World, id: &str) -> Draft {
    let about = About { live: true, ..About::default() };
    Draft { about, body: live::body(""), ..world.draft("c1", "alice", id) }
}

pub(super) fn growth(world: &World, target: i64, text: &str) -> Growth {
    Growth {
        app: world.app(),
        conversation: Conversation::trusted("c1"),
        actor: Some(User::trusted("alice")),
        target,
        piece: Piece { offset: None, text: text.into() },
    }
}

pub(super) fn end(world: &World, target: i64) -> Amendment {
    let act = MessageAct::End { last: Piece::default(), kind: ContentKind::Text, body: "".into() };
    world.amendment("c1", Some("alice"), target, act)
}

pub(super) async fn text(world: &World, target: i64) -> String {
    let conversation = Conversation::trusted("c1");
    let query = TextQuery { app: world.app(), conversation, viewer: None, target, offset: 0 };
    world.store.live_text(query).await.unwrap().text
}

#[tokio::test]
async fn a_live_message_is_idle_from_its_last_piece_on_until_it_ends() {
    let world = World::with_group().await;
    let idle = async |after_ms, up_to_ms, limit| -> Vec<(i64, i64)> {
        let page: Vec<Idle> = world.store.idle(after_ms, up_to_ms, limit).await.unwrap();
        assert!(page.iter().all(|one| one.app == world.app() && one.credential == begin(&world, "x").credential));
        page.iter().map(|one| (one.target, one.grown_ms)).collect()
    };
    let start = world.store.clock().now_ms();
    for id in ["s1", "s2"] {
        world.commit_one(Write::Send(begin(&world, id))).await.unwrap();
        world.clock.shift(1_000);
    }
    world.clock.shift(1_000);
    world.commit_one(Write::Grow(growth(&world, 2, "x"))).await.unwrap();
    assert_eq!(idle(0, start, 9).await, []);
    assert_eq!(idle(0, start + 1_000, 9).await, [(3, start + 1_000)]);
    assert_eq!(idle(0, start + 9_000, 9).await, [(3, start + 1_000), (2, start + 3_000)]);
    assert_eq!(idle(0, start + 9_000, 1).await, [(3, start + 1_000)]);
    assert_eq!(idle(start + 1_000, start + 9_000, 1).await, [(2, start + 3_000)]);
    world.commit_one(Write::Amend(end(&world, 2))).await.unwrap();
    world.commit_one(Write::Amend(world.amendment("c1", Some("alice"), 3, MessageAct::Delete))).await.unwrap();
    assert_eq!(idle(0, i64::MAX, 9).await, []);
}

#[tokio::test]
async fn without_a_unit_left_nothing_is_begun_and_an_end_waits() {
    let world = World::with_group().await;
    let left = Allowance::of(1);
    let draft = Draft { allowance: left.clone(), ..begin(&world, "s1") };
    world.commit_one(Write::Send(draft)).await.unwrap();
    let text_of_two = "x".repeat(5_120);
    world.commit_one(Write::Grow(growth(&world, 2, &text_of_two))).await.unwrap();
    let asked = Amendment { allowance: left.clone(), ..end(&world, 2) };
    assert_eq!(code(world.commit_one(Write::Amend(asked.clone())).await), Code::QuotaExceeded, "it counts two");
    assert_eq!(text(&world, 2).await, text_of_two, "nothing was changed");
    let none = Draft { allowance: Allowance::of(0), ..begin(&world, "s2") };
    assert_eq!(code(world.commit_one(Write::Send(none)).await), Code::QuotaExceeded);
    let again = Draft { allowance: Allowance::of(0), ..begin(&world, "s1") };
    world.commit_one(Write::Send(again)).await.expect("a repeat takes nothing");
    left.give_back(1);
    let ended = world.commit_one(Write::Amend(asked)).await.unwrap();
    assert!(matches!(ended, Outcome::Amended(amended) if amended.billed == 2));
    assert_eq!(left.take(1), Err(Code::QuotaExceeded), "both are taken");
}
