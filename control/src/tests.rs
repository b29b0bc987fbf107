//! Rules of the use-cases about orgs and members that precede the store's, over a store in a temporary folder.

use crate::bootstrap::{Bootstrap, bootstrap};
use crate::invitations::{self, Invite};
use crate::{members, orgs};
use std::sync::Arc;
use tempfile::TempDir;
use tokenim_domain::Code;
use tokenim_domain::actor::{Acting, Action, Actor, Right, Who};
use tokenim_domain::clock::SystemClock;
use tokenim_domain::rng::SystemRng;
use tokenim_domain::role::{Mode, OrgRole};
use tokenim_store::{Durability, FoundedOrg, NewOrg, OrgPatch, Settings, Store};

async fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { data: folder.path().join("data"), postgres: None, durability: Durability::Full };
    let opened = Store::open(&settings, Arc::new(SystemClock::new()), Arc::new(SystemRng)).await.unwrap();
    (folder, opened.store)
}

async fn found(store: &Store, name: &str, is_verified: bool) -> FoundedOrg {
    let new = NewOrg {
        email: format!("{name}@example.com"),
        password_hash: String::new(),
        is_verified,
        is_operator: false,
        language: None,
        org: name.to_owned(),
        app: name.to_owned(),
        mode: Mode::Test,
        plan: "basic",
    };
    store.found_org(&new).await.unwrap()
}

fn acting(of: &FoundedOrg, role: OrgRole) -> Acting {
    let actor = Actor { who: Who::Account(of.account), ..Actor::machine() };
    Acting { org: of.app.org, right: Right::Role(role), actor }
}

fn invite(email: &str) -> Invite {
    Invite { email: email.to_owned(), role: OrgRole::Viewer, language: "en".to_owned() }
}

#[tokio::test]
async fn whoever_is_not_verified_neither_invites_nor_makes_another_org() {
    let (_folder, store) = store().await;
    let (new, known) = (found(&store, "new", false).await, found(&store, "known", true).await);
    let by_new = acting(&new, OrgRole::Owner);
    let refused = invitations::invite(&store, &by_new, invite("bob@example.com")).await.unwrap_err();
    assert_eq!(refused.code, Code::EmailUnverified);
    assert_eq!(orgs::create(&store, &by_new.actor, new.account, "x").await.unwrap_err().code, Code::EmailUnverified);
    let by_known = acting(&known, OrgRole::Owner);
    invitations::invite(&store, &by_known, invite(" Bob@Example.com ")).await.unwrap();
    let twice = invitations::invite(&store, &by_known, invite("bob@example.com")).await.unwrap_err();
    assert_eq!(twice.code, Code::Conflict, "an address is one in any case");
    for email in ["", "bob", "bob@", "b ob@example.com"] {
        let refused = invitations::invite(&store, &by_known, invite(email)).await.unwrap_err();
        assert_eq!((refused.code, refused.param), (Code::InvalidField, Some("email")), "{email:?}");
    }
    assert_eq!(orgs::create(&store, &by_known.actor, known.account, " Acme ").await.unwrap().name, "Acme");
    assert_eq!(orgs::create(&store, &by_known.actor, known.account, " ").await.unwrap_err().param, Some("name"));
}

#[tokio::test]
async fn a_bootstrap_gives_nothing_to_whoever_signed_up_with_the_address() {
    let (_folder, store) = store().await;
    let (squatter, known) = (found(&store, "ops", false).await, found(&store, "known", true).await);
    let wanted = |name: &str| Bootstrap {
        email: format!("{name}@example.com"),
        org: "Service".to_owned(),
        app: "App".to_owned(),
        password: None,
    };
    assert_eq!(bootstrap(&store, wanted("ops")).await.unwrap_err().code, Code::EmailUnverified);
    assert_eq!(store.list_orgs_of(squatter.account).await.unwrap().len(), 1, "nothing was made");
    assert_eq!(bootstrap(&store, wanted("known")).await.unwrap().org.account, known.account);
}

#[tokio::test]
async fn each_use_case_asks_the_table_of_roles() {
    let (_folder, store) = store().await;
    let org = found(&store, "org", true).await;
    for role in OrgRole::ALL {
        let by = acting(&org, *role);
        let nobody = org.account;
        let asked = [
            (Action::ChangeMembers, members::change_role(&store, &by, nobody, *role, *role).await),
            (Action::ChangeMembers, members::remove(&store, &by, nobody).await),
            (Action::ChangeMembers, invitations::invite(&store, &by, invite("x")).await.map(drop)),
            (Action::ChangeSettings, orgs::update(&store, &by, OrgPatch::default()).await.map(drop)),
            (Action::TransferOwnership, orgs::transfer_ownership(&store, &by, nobody, nobody).await),
        ];
        for (action, done) in asked {
            let told = done.err().map(|error| error.message.contains("may not do this")).unwrap_or_default();
            assert_eq!(told, !role.may(action), "{role:?} {action:?}");
        }
        assert_eq!(orgs::suspend(&store, &by, true).await.unwrap_err().code, Code::Forbidden);
    }
    let key = Acting { actor: Actor::machine(), ..acting(&org, OrgRole::Owner) };
    assert_eq!(orgs::leave(&store, &key).await.unwrap_err().code, Code::Forbidden, "a key is no member");
}

#[tokio::test]
async fn a_second_factor_is_asked_of_others_by_somebody_who_has_one() {
    let (_folder, store) = store().await;
    let org = found(&store, "org", true).await;
    let patch = |requires| OrgPatch { name: None, requires_totp: Some(requires) };
    let refused = orgs::update(&store, &acting(&org, OrgRole::Owner), patch(true)).await.unwrap_err();
    assert_eq!((refused.code, refused.param), (Code::InvalidField, Some("requires_totp")));
    orgs::update(&store, &acting(&org, OrgRole::Owner), patch(false)).await.unwrap();
}

#[tokio::test]
async fn text_that_is_no_token_names_no_invitation() {
    let (_folder, store) = store().await;
    for token in ["", "x", &"!".repeat(43), &"é".repeat(43), &"a".repeat(44), &"a".repeat(43)] {
        assert_eq!(invitations::find(&store, token).await.unwrap_err().code, Code::NotFound, "{token}");
    }
}
