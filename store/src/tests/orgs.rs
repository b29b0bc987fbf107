//! Orgs of an account, and the operators' search.

use super::world::World;
use crate::{FirstOwner, InvitationLink, NewInvitation, ORGS_OWNED_MAX};
use tokenim_domain::Code;
use tokenim_domain::actor::{Actor, Who};
use tokenim_domain::role::OrgRole;
use tokenim_domain::secret::Secret;

#[tokio::test]
async fn an_account_owns_a_named_number_of_orgs() {
    let world = World::new().await;
    let ann = world.founded.account;
    let actor = Actor { who: Who::Account(ann), ..Actor::machine() };
    for at in 1..ORGS_OWNED_MAX {
        world.store.create_org(&actor, FirstOwner::Account(ann), &format!("org {at:02}"), "basic").await.unwrap();
    }
    let more = world.store.create_org(&actor, FirstOwner::Account(ann), "more", "basic").await.unwrap_err();
    assert_eq!(more.code, Code::LimitReached);
    let own = world.store.list_orgs_of(ann).await.unwrap();
    assert_eq!(own.len() as u64, ORGS_OWNED_MAX);
    assert_eq!((own[0].org.name.as_str(), own[0].role), ("first", OrgRole::Owner), "by name");
    let log = world.store.org(own[1].org.id).list_audit(None, 9).await.unwrap();
    assert_eq!((log.len(), log[0].action.as_str(), log[0].actor.clone()), (1, "org.created", ann.to_string()));
}

#[tokio::test]
async fn an_operator_makes_an_org_for_an_address_that_is_invited_to_own_it() {
    let world = World::new().await;
    let who = Who::Operator(world.founded.account);
    let link = InvitationLink {
        hash: [7; 32],
        path: Secret::new("/invitations/accept?token=x".into()),
        inviter: "TokenIM".into(),
        language: "en".into(),
    };
    let owner = || {
        FirstOwner::Invited(NewInvitation { email: "new@example.com".into(), role: OrgRole::Owner, link: link.clone() })
    };
    let actor = Actor { who, ..Actor::machine() };
    let silent = world.store.create_org(&actor, owner(), "Acme", "pro").await.unwrap_err();
    assert_eq!(silent.param, Some("reason"));
    let actor = Actor { reason: Some("contract 7".into()), ..actor };
    let made = world.store.create_org(&actor, owner(), "Acme", "pro").await.unwrap();
    let org = world.store.org(made.id);
    assert_eq!(org.count_members().await.unwrap(), crate::Seats { members: 0, owners: 0, invitations: 1 });
    let account = world.account("new").await;
    let as_new = Actor { who: Who::Account(account), ..Actor::machine() };
    world.store.accept_invitation([7; 32], &as_new, account).await.unwrap();
    assert_eq!(org.find_member(account).await.unwrap().unwrap().role, OrgRole::Owner);
}

#[tokio::test]
async fn operators_find_orgs_by_name_id_address_and_key() {
    let world = World::new().await;
    world.clock.shift(1);
    let other = world.another_org("100%_Acme").await;
    let names = async |text: &str| {
        let found = world.store.search_orgs(text, None, 9).await.unwrap();
        found.into_iter().map(|found| found.org.name).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["first", "100%_Acme"], "the oldest first");
    assert_eq!(names(" FIR ").await, ["first"]);
    assert_eq!(names("%_acme").await, ["100%_Acme"], "not a pattern");
    assert_eq!(names("1%a").await, [""; 0]);
    assert_eq!(names(&world.app().org.to_string()).await, ["first"]);
    assert_eq!(names("first@example").await, ["first"]);
    let key = other.key.expose();
    assert_eq!(names(&key[key.len() - 4..]).await, ["100%_Acme"]);
    let page = world.store.search_orgs("", Some(world.app().org), 9).await.unwrap();
    assert_eq!((page.len(), page[0].org.id, page[0].plan.as_deref()), (1, other.app.org, Some("operator")));
    assert_eq!((page[0].members, page[0].apps), (1, 1));
}
