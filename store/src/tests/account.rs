//! Accounts: links and codes that work once, however many use them at a time; sessions that end together.

use super::world::{World, new_org};
use crate::{LinkPurpose, NewConsoleSession, NewLink, sql};
use tokenim_domain::Code;
use tokenim_domain::actor::{Actor, Who};
use tokenim_domain::id::AccountId;
use tokenim_domain::mail::{Mail, Matter};

fn mail() -> Mail {
    let matter = Matter::PasswordChanged { at_ms: 1, path: "/forgot".into() };
    Mail { to: "first@example.com".into(), language: "en".into(), matter }
}

fn link(world: &World, hash: u8, purpose: LinkPurpose) -> NewLink {
    NewLink { hash: [hash; 32], purpose, expires_ms: world.store.clock().now_ms() + 1_000, mail: mail() }
}

fn of(account: AccountId) -> Actor {
    Actor { who: Who::Account(account), ..Actor::machine() }
}

async fn session(world: &World, hash: u8) {
    let new = NewConsoleSession {
        hash: [hash; 32],
        account: world.founded.account,
        org: None,
        is_operator: hash == 9,
        csrf: [1; 32],
        address: None,
        agent: None,
        expires_at: i64::MAX,
    };
    world.store.create_console_session(new).await.unwrap();
}

#[tokio::test]
async fn a_step_and_a_recovery_code_are_taken_once() {
    let world = World::new().await;
    let (store, account) = (&world.store, world.founded.account);
    store.begin_totp(account, b"seed").await.unwrap();
    store.begin_totp(account, b"another").await.unwrap();
    let codes = ["one".to_owned(), "two".to_owned()];
    store.confirm_totp(account, 5, &codes, &of(account)).await.unwrap();
    store.begin_totp(account, b"third").await.unwrap();
    let found = store.find_totp(account).await.unwrap().unwrap();
    assert!(found.is_confirmed && found.seed == b"seed", "the first one stays");
    assert!(!store.take_totp_step(account, 5).await.unwrap(), "the step that confirmed");
    let taken = tokio::join!(store.take_totp_step(account, 6), store.take_totp_step(account, 6));
    assert_ne!(taken.0.unwrap(), taken.1.unwrap());
    assert!(!store.take_totp_step(account, 4).await.unwrap(), "an earlier one");
    let actor = of(account);
    let used =
        tokio::join!(store.use_recovery_code(account, "one", &actor), store.use_recovery_code(account, "one", &actor));
    assert_ne!(used.0.unwrap(), used.1.unwrap());
    let other = world.another_org("other").await.account;
    assert!(!store.use_recovery_code(other, "two", &actor).await.unwrap(), "another account's");
    assert_eq!(store.count_recovery_codes(account).await.unwrap(), 1);
    store.delete_totp(account, &actor).await.unwrap();
    assert_eq!(store.count_recovery_codes(account).await.unwrap(), 0);
    assert!(store.find_totp(account).await.unwrap().is_none());
}

#[tokio::test]
async fn a_link_works_once_for_its_purpose_until_it_ends() {
    let world = World::new().await;
    let (store, account) = (&world.store, world.founded.account);
    store.create_link(account, &link(&world, 1, LinkPurpose::Verify)).await.unwrap();
    assert!(store.find_link([1; 32], LinkPurpose::Reset).await.unwrap().is_none());
    assert_eq!(store.find_link([1; 32], LinkPurpose::Verify).await.unwrap().unwrap().account, account);
    let used = tokio::join!(store.verify_address([1; 32], of), store.verify_address([1; 32], of));
    assert_ne!(used.0.is_ok(), used.1.is_ok());
    store.create_link(account, &link(&world, 2, LinkPurpose::Verify)).await.unwrap();
    assert_eq!(store.count_links(account, LinkPurpose::Verify, 0).await.unwrap(), 2);
    world.clock.shift(1_000);
    assert!(store.find_link([2; 32], LinkPurpose::Verify).await.unwrap().is_none());
    assert_eq!(store.verify_address([2; 32], of).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn a_verified_address_is_told_to_the_nodes_because_limits_hang_on_it() {
    let world = World::new().await;
    let (store, account) = (&world.store, world.founded.account);
    sql::run(&store.writer, "UPDATE account SET verified_ms = NULL", []).await.unwrap();
    let before = store.last_change().await.unwrap();
    store.create_link(account, &link(&world, 1, LinkPurpose::Verify)).await.unwrap();
    store.verify_address([1; 32], of).await.unwrap();
    assert_eq!(store.last_change().await.unwrap(), before + 1);
}

#[tokio::test]
async fn a_reset_ends_all_sessions_and_other_links() {
    let world = World::new().await;
    let (store, account) = (&world.store, world.founded.account);
    for hash in [7, 8, 9] {
        session(&world, hash).await;
    }
    for hash in [1, 2] {
        store.create_link(account, &link(&world, hash, LinkPurpose::Reset)).await.unwrap();
    }
    let ended = store.reset_password([1; 32], "new hash".into(), &mail(), &of(account)).await.unwrap();
    assert_eq!(ended.len(), 3, "that of the operator area too");
    assert!(store.list_sessions(account).await.unwrap().is_empty());
    assert!(store.find_link([2; 32], LinkPurpose::Reset).await.unwrap().is_none());
    assert_eq!(store.find_account(account).await.unwrap().unwrap().password_hash, "new hash");
    let error = store.reset_password([1; 32], "other".into(), &mail(), &of(account)).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound);
}

#[tokio::test]
async fn sessions_are_ended_by_their_own_account() {
    let world = World::new().await;
    let (store, account) = (&world.store, world.founded.account);
    for hash in [1, 2, 3] {
        session(&world, hash).await;
    }
    let listed = store.list_sessions(account).await.unwrap();
    assert_eq!(listed.len(), 3);
    let other = world.another_org("other").await.account;
    assert!(!store.end_session(other, listed[0].id).await.unwrap());
    assert!(store.end_session(account, listed[0].id).await.unwrap());
    assert_eq!(store.end_other_sessions(account, listed[1].id).await.unwrap(), [listed[2].id]);
    assert_eq!(store.list_sessions(account).await.unwrap().len(), 1);
}

#[tokio::test]
async fn signing_up_makes_a_new_account_or_nothing() {
    let world = World::new().await;
    let error = world.store.sign_up(&new_org("first"), &link(&world, 1, LinkPurpose::Verify), None).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict);
    assert!(world.store.find_link([1; 32], LinkPurpose::Verify).await.unwrap().is_none());
    let founded = world.store.sign_up(&new_org("fresh"), &link(&world, 1, LinkPurpose::Verify), None).await.unwrap();
    let found = world.store.find_link([1; 32], LinkPurpose::Verify).await.unwrap().unwrap();
    assert_eq!(found.account, founded.account);
    let org = world.store.org(founded.app.org);
    assert_eq!(org.list_api_keys(None, None, 9).await.unwrap(), [], "nobody would have read its secret");
    assert_eq!(org.list_signing_keys(None, None, 9).await.unwrap().len(), 1, "the quickstart signs with it");
}
