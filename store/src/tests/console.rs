//! Console sessions: found by their hash with the account's present role, until they end.

use super::world::World;
use crate::{NewConsoleSession, sql};
use tokenim_domain::role::OrgRole;

fn new(world: &World, hash: u8, expires_at: i64) -> NewConsoleSession {
    NewConsoleSession {
        hash: [hash; 32],
        account: world.founded.account,
        org: Some(world.app().org),
        is_operator: false,
        csrf: [9; 32],
        address: None,
        agent: None,
        expires_at,
    }
}

#[tokio::test]
async fn a_session_is_found_touched_and_forgotten() {
    let world = World::new().await;
    let now = super::world::START_MS;
    world.store.create_console_session(new(&world, 1, now + 1_000)).await.unwrap();
    world.store.touch_console_session([1; 32], now + 5).await.unwrap();
    world.store.update_language(world.founded.account, "zh").await.unwrap();
    let found = world.store.find_console_session([1; 32]).await.unwrap().unwrap();
    let member = found.member.unwrap();
    assert_eq!((found.account, member.org, member.role), (world.founded.account, world.app().org, OrgRole::Owner));
    assert_eq!(
        (found.email.as_str(), member.org_name.as_str(), found.language.as_deref()),
        ("first@example.com", "first", Some("zh"))
    );
    assert_eq!((found.csrf, found.created_at, found.seen_at, found.expires_at), ([9; 32], now, now + 5, now + 1_000));
    world.store.delete_console_session([1; 32]).await.unwrap();
    assert!(world.store.find_console_session([1; 32]).await.unwrap().is_none());
    assert!(world.store.find_console_session([2; 32]).await.unwrap().is_none());
}

#[tokio::test]
async fn ended_sessions_are_forgotten_by_the_next_sign_in() {
    let world = World::new().await;
    let now = super::world::START_MS;
    world.store.create_console_session(new(&world, 1, now + 10)).await.unwrap();
    world.clock.shift(11);
    world.store.create_console_session(new(&world, 2, now + 1_000)).await.unwrap();
    assert!(world.store.find_console_session([1; 32]).await.unwrap().is_none());
    assert!(world.store.find_console_session([2; 32]).await.unwrap().is_some());
}

#[tokio::test]
async fn whoever_left_the_org_has_no_session_there() {
    let world = World::new().await;
    world.another_org("other").await;
    world.store.create_console_session(new(&world, 1, i64::MAX)).await.unwrap();
    let leave = "DELETE FROM org_member WHERE org_id = $1";
    sql::run(&world.all(), leave, [world.app().org.into()]).await.unwrap();
    assert_eq!(world.store.find_console_session([1; 32]).await.unwrap().unwrap().member, None);
}

#[tokio::test]
async fn a_session_keeps_its_id_and_csrf_under_a_new_cookie() {
    let world = World::new().await;
    let other = world.another_org("other").await;
    world.store.create_console_session(new(&world, 1, i64::MAX)).await.unwrap();
    let before = world.store.find_console_session([1; 32]).await.unwrap().unwrap();
    world.store.renew_console_session(before.id, [2; 32], Some(before.proved_at + 7)).await.unwrap();
    assert!(world.store.find_console_session([1; 32]).await.unwrap().is_none(), "the old cookie is worth nothing");
    let after = world.store.find_console_session([2; 32]).await.unwrap().unwrap();
    assert_eq!((after.id, after.csrf, after.proved_at), (before.id, before.csrf, before.proved_at + 7));
    assert_eq!(world.store.find_console_session_by_id(before.id).await.unwrap(), Some(after));
    world.store.turn_console_session(before.id, other.app.org).await.unwrap();
    let turned = world.store.find_console_session([2; 32]).await.unwrap().unwrap();
    assert_eq!(turned.member, None, "another org opens for its members only");
}

#[tokio::test]
async fn a_nonce_works_once_per_session_until_given_back() {
    let world = World::new().await;
    let [one, two] = [1, 2].map(|_| tokenim_domain::id::SessionId::new(&**world.store.clock(), &**world.store.rng()));
    assert!(world.store.use_nonce(one, [1; 16]).await.unwrap());
    assert!(!world.store.use_nonce(one, [1; 16]).await.unwrap());
    assert!(world.store.use_nonce(two, [1; 16]).await.unwrap());
    world.store.give_nonce_back(one, [1; 16]).await.unwrap();
    assert!(world.store.use_nonce(one, [1; 16]).await.unwrap());
    world.clock.shift(25 * 3_600_000);
    assert!(world.store.use_nonce(one, [2; 16]).await.unwrap());
    assert!(world.store.use_nonce(two, [1; 16]).await.unwrap(), "forgotten after a day");
}
