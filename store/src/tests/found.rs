//! A new org: its account, app and keys, and the look-ups that find it again.

use super::world::{World, new_org};
use crate::entity::account;
use crate::{LinkPurpose, NewLink, NewOrg};
use sea_orm::EntityTrait;
use tokenim_domain::Code;
use tokenim_domain::id::KeyId;
use tokenim_domain::key;
use tokenim_domain::mail::{Mail, Matter};
use tokenim_domain::role::Mode;
use tokenim_domain::standing::Standing;

#[tokio::test]
async fn an_orgs_keys_are_found_and_name_its_app() {
    let world = World::new().await;
    let founded = &world.founded;
    let hash = key::parse(founded.key.expose()).unwrap().1;
    let found = world.store.find_api_key(hash).await.unwrap().unwrap();
    assert_eq!((found.app, found.mode, found.standing), (founded.app, Mode::Live, Standing::default()));
    assert!(founded.key.expose().starts_with("tim_live_sk_"));
    let signing = world.store.find_signing_key(founded.signing.id).await.unwrap().unwrap();
    assert_eq!((signing.app, signing.standing), (founded.app, Standing::default()));
    assert_eq!(signing.material.secret(), Some(&founded.signing.secret));
    let current = world.store.find_current_signing_key(founded.app).await.unwrap().unwrap();
    assert_eq!(current.id, founded.signing.id);
}

#[tokio::test]
async fn unknown_keys_are_not_found() {
    let world = World::new().await;
    assert!(world.store.find_api_key([0; 32]).await.unwrap().is_none());
    assert!(world.store.find_signing_key(KeyId::new(&*world.clock, &*world.rng)).await.unwrap().is_none());
}

#[tokio::test]
async fn an_account_that_exists_gets_another_org_and_keeps_its_password() {
    let world = World::new().await;
    world.clock.shift(1);
    assert!(world.store.has_accounts().await.unwrap() && world.founded.account_is_new);
    let again = world
        .store
        .found_org(&NewOrg { password_hash: "other".into(), mode: Mode::Test, ..new_org("first") })
        .await
        .unwrap();
    assert_eq!((again.account, again.account_is_new), (world.founded.account, false));
    assert_ne!(again.app.org, world.founded.app.org);
    assert!(again.key.expose().starts_with("tim_test_sk_"));
    let account = world.store.find_account_by_email("first@example.com").await.unwrap().unwrap();
    assert_eq!((account.id, account.password_hash.as_str()), (world.founded.account, "hash"));
    assert_eq!(world.store.find_account_by_email("nobody@example.com").await.unwrap(), None);
    assert_eq!(world.store.find_first_org(world.founded.account).await.unwrap(), Some(world.founded.app.org));
}

#[tokio::test]
async fn an_operators_org_makes_the_account_that_exists_an_operator() {
    let world = World::new().await;
    let own = world.store.found_org(&NewOrg { is_operator: false, ..new_org("second") }).await.unwrap();
    let operates = async || {
        let found = account::Entity::find_by_id(own.account).one(&world.store.readers).await;
        found.unwrap().unwrap().is_operator
    };
    assert!(!operates().await);
    world.store.found_org(&NewOrg { is_operator: false, ..new_org("second") }).await.unwrap();
    assert!(!operates().await);
    world.store.found_org(&NewOrg { is_operator: true, ..new_org("second") }).await.unwrap();
    assert!(operates().await);
}

#[tokio::test]
async fn an_org_survives_a_restart() {
    let world = World::new().await.reopen().await;
    let signing = world.store.find_signing_key(world.founded.signing.id).await.unwrap().unwrap();
    assert_eq!(signing.material.secret(), Some(&world.founded.signing.secret));
    assert_eq!(world.store.org(world.app().org).list_apps().await.unwrap().len(), 1);
    world.store.ping().await.unwrap();
}

#[tokio::test]
async fn of_two_who_sign_up_with_one_address_one_is_told() {
    let world = World::new().await;
    let new = NewOrg { is_verified: false, is_operator: false, ..new_org("twin") };
    let mail = Mail { to: new.email.clone(), language: "en".into(), matter: Matter::Test };
    let link = |number: u8| NewLink {
        hash: [number; 32],
        purpose: LinkPurpose::Verify,
        expires_ms: i64::MAX,
        mail: mail.clone(),
    };
    let (one, two) = (link(1), link(2));
    let (a, b) = tokio::join!(world.store.sign_up(&new, &one, None), world.store.sign_up(&new, &two, None));
    assert_ne!(a.is_ok(), b.is_ok());
    assert_eq!(a.and(b).unwrap_err().code, Code::Conflict);
}
