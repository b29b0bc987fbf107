//! What a node's sweep asks: conversations of its users that changed lately, each once, of one app.

use super::world::{World, new_group, users};
use tokenim_domain::clock::Clock;
use tokenim_domain::log::{AppRef, Changed, ChangedQuery, DirectoryCursor, MessageLog, Write};
use tokenim_domain::name::Conversation;
use tokenim_domain::role::Change;

async fn changed(world: &World, app: AppRef, of: &[&str], since_ms: i64, limit: usize) -> Vec<Changed> {
    let (mut all, mut after) =
        (Vec::new(), DirectoryCursor { last_ms: since_ms, conversation: Conversation::trusted("") });
    loop {
        let query = ChangedQuery { app, users: users(of), after, limit };
        let page = world.store.changed(query).await.unwrap();
        assert!(page.len() <= limit);
        let Some(last) = page.last() else { return all };
        after = last.cursor();
        all.extend(page);
    }
}

fn heads(changed: &[Changed]) -> Vec<(&str, i64)> {
    changed.iter().map(|one| (one.conversation.as_str(), one.seq)).collect()
}

#[tokio::test]
async fn pages_hold_what_changed_since_once_for_all_who_are_in_it() {
    let world = World::new().await;
    let app = world.app();
    for at in 0..9 {
        world.group(&format!("c{at}"), &["alice", "bob"]).await;
        world.clock.shift(at % 2); // some of one millisecond, which the id then orders
    }
    world.group("others", &["carol"]).await;
    for limit in [1, 2, 4, 100] {
        let all = changed(&world, app, &["alice", "bob", "nobody"], 0, limit).await;
        assert_eq!(
            heads(&all),
            (0..9).map(|at| (["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"][at], 1)).collect::<Vec<_>>()
        );
    }
    world.clock.shift(1_000);
    let since_ms = world.clock.now_ms();
    assert!(changed(&world, app, &["alice"], since_ms, 10).await.is_empty());
    world.send("c3", "bob", "m1").await;
    world.clock.shift(1);
    world.change("c1", Some("alice"), Change::Removed, &["bob"]).await.unwrap();
    assert_eq!(heads(&changed(&world, app, &["alice"], since_ms, 10).await), [("c3", 2), ("c1", 2)]);
    assert_eq!(heads(&changed(&world, app, &["bob"], since_ms, 10).await), [("c3", 2)]);
}

#[tokio::test]
async fn the_same_names_in_another_app_change_nothing_here() {
    let world = World::with_group().await;
    let other = world.another_org("other").await;
    world.clock.shift(1_000);
    let since_ms = world.clock.now_ms();
    world.commit_one(Write::Create(new_group(other.app, "c1", &["alice"]))).await.unwrap();
    assert!(changed(&world, world.app(), &["alice"], since_ms, 10).await.is_empty());
    assert_eq!(heads(&changed(&world, other.app, &["alice"], since_ms, 10).await), [("c1", 1)]);
}
