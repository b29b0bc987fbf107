//! Apps, keys and origins: what another org may not touch, what stands, and what nodes are told.

use super::world::{START_MS, World};
use crate::{AppChange, KeyPrint, NewApiKey, NewManagementKey, NewMaterial, NewSigningKey, UsedKey};
use tokenim_domain::Code;
use tokenim_domain::actor::Actor;
use tokenim_domain::id::{AppId, KeyId};
use tokenim_domain::mail::Matter;
use tokenim_domain::origin::Origin;
use tokenim_domain::role::{Mode, OrgRole};
use tokenim_domain::scope::{Scope, Scopes};
use tokenim_domain::secret::Secret;

fn print(number: u8) -> KeyPrint {
    KeyPrint { hint: "tim_live_sk_…abcd".to_owned(), hash: [number; 32] }
}

fn new_key(number: u8) -> NewApiKey {
    let scopes = Scopes::Only(vec![Scope::UsageRead]);
    NewApiKey { name: "ci".to_owned(), scopes, print: print(number), expires_ms: None }
}

fn new_signing_key() -> NewSigningKey {
    let material = NewMaterial::Secret(Secret::new("s3cret".to_owned()));
    NewSigningKey { name: "backend".to_owned(), material, expires_ms: None }
}

#[tokio::test]
async fn another_org_neither_sees_nor_changes_apps_keys_and_origins() {
    let world = World::new().await;
    let (app, by) = (world.app().app, Actor::machine());
    let mine = || world.store.org(world.app().org);
    let key = mine().create_api_key(&by, app, new_key(1)).await.unwrap().id;
    let signing = mine().create_signing_key(&by, app, new_signing_key()).await.unwrap().id;
    let origin = Origin::parse("https://shop.example").unwrap();
    mine().add_origin(&by, app, &origin).await.unwrap();
    let before = (mine().list_audit(None, 9).await.unwrap().len(), world.store.last_change().await.unwrap());

    let other = world.another_org("other").await;
    let theirs = || world.store.org(other.app.org);
    let refused = [
        theirs().create_api_key(&by, app, new_key(2)).await.unwrap_err(),
        theirs().rotate_api_key(&by, key, print(3), i64::MAX).await.unwrap_err(),
        theirs().revoke_api_key(&by, key, None).await.unwrap_err(),
        theirs().create_signing_key(&by, app, new_signing_key()).await.unwrap_err(),
        theirs().rotate_signing_key(&by, signing, new_signing_key().material, i64::MAX).await.unwrap_err(),
        theirs().revoke_signing_key(&by, signing).await.unwrap_err(),
        theirs()
            .update_app(
                &by,
                app,
                AppChange { name: Some("x".into()), is_suspended: Some(true), ..AppChange::default() },
            )
            .await
            .unwrap_err(),
        theirs().delete_app(&by, app).await.unwrap_err(),
        theirs().add_origin(&by, app, &origin).await.unwrap_err(),
        theirs().remove_origin(&by, app, &origin).await.unwrap_err(),
        theirs().list_origins(app).await.unwrap_err(),
    ];
    assert!(refused.iter().all(|error| error.code == Code::NotFound), "{refused:?}");
    assert!(theirs().show_app(app).await.unwrap().is_none() && theirs().show_api_key(key).await.unwrap().is_none());
    assert!(theirs().show_signing_key(signing).await.unwrap().is_none());
    assert!(theirs().list_api_keys(Some(app), None, 9).await.unwrap().is_empty());
    assert!(theirs().list_signing_keys(Some(app), None, 9).await.unwrap().is_empty());
    assert_eq!(theirs().list_api_keys(None, None, 9).await.unwrap().len(), 1, "their first key");
    assert_eq!(theirs().page_apps(None, 9).await.unwrap().len(), 1);

    let after = (mine().list_audit(None, 9).await.unwrap().len(), world.store.last_change().await.unwrap());
    assert_eq!(before, after, "refusals leave nothing behind");
    assert_eq!(mine().list_origins(app).await.unwrap(), ["https://shop.example"]);
}

#[tokio::test]
async fn every_change_is_audited_and_told_to_the_nodes() {
    let world = World::new().await;
    let (app, by) = (world.app().app, Actor::machine());
    let org = || world.store.org(world.app().org);
    let start = world.store.last_change().await.unwrap();
    let key = org().create_api_key(&by, app, new_key(1)).await.unwrap();
    let new = org().rotate_api_key(&by, key.id, print(2), START_MS + 60_000).await.unwrap();
    assert_eq!((&new.name, &new.scopes), (&key.name, &key.scopes));
    let old = org().show_api_key(key.id).await.unwrap().unwrap();
    assert_eq!((old.successor, old.expires_ms, old.revoked_ms), (Some(new.id), Some(START_MS + 60_000), None));
    let again = org().rotate_api_key(&by, key.id, print(3), i64::MAX).await.unwrap_err();
    assert_eq!(again.code, Code::Conflict);
    org().revoke_api_key(&by, new.id, None).await.unwrap();
    org().revoke_api_key(&by, new.id, None).await.unwrap();
    org().update_app(&by, app, AppChange { is_suspended: Some(true), ..AppChange::default() }).await.unwrap();
    org().update_app(&by, app, AppChange { is_suspended: Some(true), ..AppChange::default() }).await.unwrap();
    org().delete_app(&by, app).await.unwrap();
    assert_eq!(org().delete_app(&by, app).await.unwrap_err().code, Code::NotFound);
    let mut told: Vec<_> = org().list_audit(None, 9).await.unwrap().into_iter().map(|event| event.action).collect();
    told.reverse();
    let changes = ["key.created", "key.rotated", "key.revoked", "app.updated", "app.deleted"];
    assert_eq!(told[1..], changes, "what changed nothing is not told");
    assert_eq!(world.store.last_change().await.unwrap() - start, 5);
}

#[tokio::test]
async fn a_key_stands_as_its_app_and_org_do() {
    let world = World::new().await;
    let (app, by) = (world.app(), Actor::machine());
    let org = || world.store.org(app.org);
    let key = org().create_api_key(&by, app.app, new_key(1)).await.unwrap().id;
    let standing = async || world.store.find_standing(app, key).await.unwrap().unwrap();
    assert!(standing().await.check_key(0).is_ok());
    org().update_app(&by, app.app, AppChange { is_suspended: Some(true), ..AppChange::default() }).await.unwrap();
    assert_eq!(standing().await.check_key(0).unwrap_err().code, Code::AppSuspended);
    assert!(world.store.find_signing_key(world.founded.signing.id).await.unwrap().unwrap().standing.is_suspended);
    org().delete_app(&by, app.app).await.unwrap();
    assert_eq!(standing().await.check_key(0).unwrap_err().code, Code::KeyRevoked);
    let other = world.another_org("other").await;
    assert!(world.store.find_standing(other.app, key).await.unwrap().is_none(), "a key of another app");
}

#[tokio::test]
async fn the_last_use_only_moves_forward() {
    let world = World::new().await;
    let (app, org) = (world.app(), world.store.org(world.app().org));
    let id = org.list_api_keys(None, None, 1).await.unwrap()[0].id;
    let used = UsedKey::Server(app, id);
    let [home, away] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().ok());
    for (at, from) in [(2_000, home), (1_000, away)] {
        world.store.note_used(used, at, from).await.unwrap();
    }
    let shown = org.show_api_key(id).await.unwrap().unwrap();
    assert_eq!((shown.last_used_ms, shown.last_used_from.as_deref()), (Some(2_000), Some("10.0.0.1")));
    let elsewhere = world.another_org("other").await;
    world.store.note_used(UsedKey::Server(elsewhere.app, id), 9_000, away).await.unwrap();
    assert_eq!(org.show_api_key(id).await.unwrap().unwrap().last_used_ms, Some(2_000));
}

#[tokio::test]
async fn the_newest_secret_that_stands_signs() {
    let world = World::new().await;
    let (app, by) = (world.app(), Actor::machine());
    let org = || world.store.org(app.org);
    world.clock.shift(1);
    let ends = NewSigningKey { expires_ms: Some(START_MS + 1_000), ..new_signing_key() };
    let newest = org().create_signing_key(&by, app.app, ends).await.unwrap().id;
    let current = async || world.store.find_current_signing_key(app).await.unwrap().map(|key| key.id);
    assert_eq!(current().await, Some(newest));
    world.clock.shift(999);
    assert_eq!(current().await, Some(world.founded.signing.id), "it has ended");
    org().revoke_signing_key(&by, world.founded.signing.id).await.unwrap();
    assert_eq!(current().await, None);
    assert!(world.store.find_signing_key(KeyId::new(&*world.clock, &*world.rng)).await.unwrap().is_none());
}

#[tokio::test]
async fn apps_are_made_within_the_plan_and_listed_page_by_page() {
    let world = World::new().await;
    let org = || world.store.org(world.app().org);
    for number in 0..3 {
        world.clock.shift(1);
        org().create_app(&Actor::machine(), &format!("app {number}"), Mode::Test).await.unwrap();
    }
    let all: Vec<AppId> = org().list_apps().await.unwrap().iter().map(|app| app.id).collect();
    let first = org().page_apps(None, 2).await.unwrap();
    let rest = org().page_apps(Some(first[1].id), 9).await.unwrap();
    assert_eq!(first.iter().chain(&rest).map(|app| app.id).collect::<Vec<_>>(), all);
}

#[tokio::test]
async fn a_replacement_ends_when_the_key_would_have() {
    let world = World::new().await;
    let (app, by, end) = (world.app().app, Actor::machine(), Some(START_MS + 90_000));
    let org = || world.store.org(world.app().org);
    let key = org().create_api_key(&by, app, NewApiKey { expires_ms: end, ..new_key(1) }).await.unwrap();
    let ends = NewSigningKey { expires_ms: end, ..new_signing_key() };
    let signing = org().create_signing_key(&by, app, ends).await.unwrap();
    let until_ms = START_MS + 60_000;
    assert_eq!(org().rotate_api_key(&by, key.id, print(2), until_ms).await.unwrap().expires_ms, end);
    let material = new_signing_key().material;
    assert_eq!(org().rotate_signing_key(&by, signing.id, material, until_ms).await.unwrap().expires_ms, end);
    assert_eq!(org().show_api_key(key.id).await.unwrap().unwrap().expires_ms, Some(until_ms));
}

#[tokio::test]
async fn keys_that_have_ended_take_no_place() {
    let world = World::new().await;
    let (app, by, end) = (world.app().app, Actor::machine(), Some(START_MS + 1_000));
    let org = || world.store.org(world.app().org);
    let server = async |number: u8| {
        org().create_api_key(&by, app, NewApiKey { expires_ms: end, ..new_key(number) }).await.map(drop)
    };
    let signing = async || {
        org().create_signing_key(&by, app, NewSigningKey { expires_ms: end, ..new_signing_key() }).await.map(drop)
    };
    let management = async |number: u8| {
        let (name, print) = ("ci".to_owned(), print(number));
        let new = NewManagementKey { name, role: OrgRole::Viewer, print, expires_ms: end };
        org().create_management_key(&by, new).await.map(drop)
    };
    // The app has its first key and its first secret.
    for number in 1..100 {
        server(number).await.unwrap();
        signing().await.unwrap();
        management(number).await.unwrap();
    }
    management(100).await.unwrap();
    let refused = [server(101).await, signing().await, management(101).await].map(|more| more.unwrap_err().code);
    assert_eq!(refused, [Code::LimitReached; 3]);
    world.clock.shift(1_000);
    for more in [server(101).await, signing().await, management(101).await] {
        more.unwrap();
    }
}

/// Each of two changes writes what it was asked for and nothing of what it saw before.
#[tokio::test]
async fn of_two_changes_of_an_app_at_once_none_is_lost() {
    let world = World::new().await;
    let (app, by) = (world.app().app, Actor::machine());
    let org = || world.store.org(world.app().org);
    for round in 0..10 {
        let (name, is_suspended) = (format!("round {round}"), round % 2 == 0);
        let rename = AppChange { name: Some(name.clone()), ..AppChange::default() };
        let suspend = AppChange { is_suspended: Some(is_suspended), ..AppChange::default() };
        let (a, b) = tokio::join!(org().update_app(&by, app, rename), org().update_app(&by, app, suspend));
        a.and(b).unwrap();
        let shown = org().show_app(app).await.unwrap().unwrap();
        assert_eq!((shown.name, shown.suspended_ms.is_some()), (name, is_suspended));
    }
}

#[tokio::test]
async fn a_key_whose_owners_cannot_be_told_stands() {
    let world = World::new().await;
    let (app, by) = (world.app().app, Actor::machine());
    let org = || world.store.org(world.app().org);
    let key = org().create_api_key(&by, app, new_key(1)).await.unwrap().id;
    let management =
        NewManagementKey { name: "scripts".to_owned(), role: OrgRole::Developer, print: print(2), expires_ms: None };
    let management = org().create_management_key(&by, management).await.unwrap().id;
    let start = (org().list_audit(None, 9).await.unwrap(), world.store.last_change().await.unwrap());
    world.tamper("ALTER TABLE job RENAME TO job_away").await;
    org().revoke_api_key(&by, key, Some(&Matter::Test)).await.unwrap_err();
    org().revoke_management_key(&by, management, Some(&Matter::Test)).await.unwrap_err();
    assert_eq!(org().show_api_key(key).await.unwrap().unwrap().revoked_ms, None);
    assert_eq!(org().show_management_key(management).await.unwrap().unwrap().revoked_ms, None);
    assert_eq!((org().list_audit(None, 9).await.unwrap(), world.store.last_change().await.unwrap()), start);
    world.tamper("ALTER TABLE job_away RENAME TO job").await;
    let revoked = org().revoke_api_key(&by, key, Some(&Matter::Test)).await.unwrap();
    assert!(revoked.revoked_ms.is_some());
    assert_eq!(world.number("SELECT count(*) FROM job WHERE kind = 'mail'").await, 1);
}
