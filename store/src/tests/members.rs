//! Members: who may change whose role, and that an org keeps an owner however its owners leave.

use super::world::World;
use crate::OrgPatch;
use tokenim_domain::Code;
use tokenim_domain::actor::{Acting, Actor, Right, Who};
use tokenim_domain::id::AccountId;
use tokenim_domain::role::OrgRole;
use tokenim_domain::terms::TermBook;

const ROLES: &[OrgRole] = OrgRole::ALL;

fn acting(world: &World, account: AccountId, role: OrgRole) -> Acting {
    let actor = Actor { who: Who::Account(account), ..Actor::machine() };
    Acting { org: world.app().org, right: Right::Role(role), actor }
}

async fn role(world: &World, account: AccountId) -> Option<OrgRole> {
    world.store.org(world.app().org).find_member(account).await.unwrap().map(|member| member.role)
}

#[tokio::test]
async fn members_are_listed_with_their_addresses_in_pages() {
    let world = World::new().await;
    for at in 0..5 {
        world.clock.shift(1);
        world.member(&format!("m{at}"), OrgRole::Viewer).await;
    }
    let org = world.store.org(world.app().org);
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = org.list_members(after, 4).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.account);
        listed.extend(page.into_iter().map(|member| member.email));
    }
    assert_eq!(listed, ["first", "m0", "m1", "m2", "m3", "m4"].map(|name| format!("{name}@example.com")));
    assert!(
        world
            .store
            .org(world.another_org("other").await.app.org)
            .find_member(world.founded.account)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn nobody_gives_takes_or_removes_a_role_above_their_own() {
    let world = World::new().await;
    let owner = world.founded.account;
    let org = world.store.org(world.app().org);
    for by in ROLES {
        let actor = acting(&world, world.account("somebody").await, *by);
        for from in ROLES {
            let victim = world.member("victim", *from).await;
            for to in ROLES {
                let allowed = by.may_grant(*from) && by.may_grant(*to);
                let done = org.change_role(&actor, victim, *from, *to).await;
                assert_eq!(
                    done.map_err(|error| error.code),
                    if allowed { Ok(()) } else { Err(Code::Forbidden) },
                    "{by:?} {from:?} {to:?}"
                );
                world.member("victim", *from).await;
            }
            let removed = org.remove_member(&actor, victim).await.map_err(|error| error.code);
            assert_eq!(removed, if by.may_grant(*from) { Ok(()) } else { Err(Code::Forbidden) }, "{by:?} {from:?}");
        }
    }
    assert_eq!(role(&world, owner).await, Some(OrgRole::Owner));
}

#[tokio::test]
async fn a_role_that_changed_meanwhile_is_told() {
    let world = World::new().await;
    let (org, owner) = (world.store.org(world.app().org), acting(&world, world.founded.account, OrgRole::Owner));
    let bob = world.member("bob", OrgRole::Viewer).await;
    org.change_role(&owner, bob, OrgRole::Viewer, OrgRole::Admin).await.unwrap();
    let late = org.change_role(&owner, bob, OrgRole::Viewer, OrgRole::Developer).await.unwrap_err();
    assert_eq!((late.code, role(&world, bob).await), (Code::Conflict, Some(OrgRole::Admin)));
    org.remove_member(&owner, bob).await.unwrap();
    assert_eq!(org.remove_member(&owner, bob).await.unwrap_err().code, Code::NotFound);
    let log = org.list_audit(None, 9).await.unwrap();
    assert_eq!(
        log.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(),
        ["member.removed", "member.role_changed", "org.created"]
    );
    assert_eq!(
        (log[1].before.as_deref(), log[1].after.as_deref()),
        (Some(r#"{"role":"viewer"}"#), Some(r#"{"role":"admin"}"#))
    );
}

#[tokio::test]
async fn nodes_are_told_of_every_change_of_owners_because_a_trial_hangs_on_them() {
    let world = World::new().await;
    let (org, ann) = (world.store.org(world.app().org), world.founded.account);
    let (owner, bob) = (acting(&world, ann, OrgRole::Owner), world.member("bob", OrgRole::Viewer).await);
    let mut last = world.store.last_change().await.unwrap();
    let mut told = async |done: tokenim_domain::Result<()>| {
        done.unwrap();
        let changes = world.store.changes_since(last).await.unwrap();
        assert_eq!((changes.last, changes.orgs), (last + 1, vec![world.app().org]));
        last = changes.last;
    };
    told(org.change_role(&owner, bob, OrgRole::Viewer, OrgRole::Owner).await).await;
    told(org.leave(&owner.actor, ann).await).await;
    let carl = world.member("carl", OrgRole::Viewer).await;
    let of_bob = acting(&world, bob, OrgRole::Owner);
    told(org.transfer_ownership(&of_bob.actor, bob, carl).await).await;
    told(org.remove_member(&acting(&world, carl, OrgRole::Owner), bob).await).await;
}

#[tokio::test]
async fn the_last_owner_can_neither_leave_nor_be_removed_nor_demoted() {
    let world = World::new().await;
    let (org, ann) = (world.store.org(world.app().org), world.founded.account);
    let owner = acting(&world, ann, OrgRole::Owner);
    world.member("bob", OrgRole::Admin).await;
    assert_eq!(org.leave(&owner.actor, ann).await.unwrap_err().code, Code::LastOwner);
    assert_eq!(org.remove_member(&owner, ann).await.unwrap_err().code, Code::LastOwner);
    assert_eq!(org.change_role(&owner, ann, OrgRole::Owner, OrgRole::Admin).await.unwrap_err().code, Code::LastOwner);
    assert_eq!(org.list_audit(None, 9).await.unwrap().len(), 1, "nothing changed");
    world.member("bob", OrgRole::Owner).await;
    org.leave(&owner.actor, ann).await.unwrap();
    assert_eq!(role(&world, ann).await, None);
    assert_eq!(org.leave(&owner.actor, ann).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn of_two_owners_who_leave_at_once_one_stays() {
    for _ in 0..10 {
        let world = World::new().await;
        let (ann, bob) = (world.founded.account, world.member("bob", OrgRole::Owner).await);
        let org = world.store.org(world.app().org);
        let (of_ann, of_bob) = (acting(&world, ann, OrgRole::Owner), acting(&world, bob, OrgRole::Owner));
        let (one, two) = tokio::join!(org.leave(&of_ann.actor, ann), org.remove_member(&of_bob, bob));
        let refused: Vec<_> = [one, two].into_iter().filter_map(Result::err).map(|error| error.code).collect();
        assert_eq!(refused, [Code::LastOwner]);
        assert_eq!(org.count_members().await.unwrap().owners, 1);
    }
}

#[tokio::test]
async fn an_owner_gives_the_org_away_and_stays_as_an_admin() {
    let world = World::new().await;
    let (org, ann) = (world.store.org(world.app().org), world.founded.account);
    let bob = world.member("bob", OrgRole::Viewer).await;
    let owner = acting(&world, ann, OrgRole::Owner).actor;
    org.transfer_ownership(&owner, ann, bob).await.unwrap();
    assert_eq!((role(&world, ann).await, role(&world, bob).await), (Some(OrgRole::Admin), Some(OrgRole::Owner)));
    let code = async |from, to| org.transfer_ownership(&owner, from, to).await.unwrap_err().code;
    assert_eq!(code(ann, bob).await, Code::Conflict);
    assert_eq!(code(bob, bob).await, Code::Conflict);
    let stranger = world.account("stranger").await;
    assert_eq!((code(ann, stranger).await, code(stranger, ann).await), (Code::NotFound, Code::NotFound));
}

#[tokio::test]
async fn a_patch_writes_down_what_it_changed_and_nothing_else() {
    let world = World::new().await;
    let (org, actor) = (world.store.org(world.app().org), Actor::machine());
    let patch = OrgPatch { name: Some("Acme".into()), requires_totp: Some(false) };
    assert_eq!(org.update(&actor, &patch).await.unwrap().name, "Acme");
    org.update(&actor, &patch).await.unwrap();
    let log = org.list_audit(None, 9).await.unwrap();
    assert_eq!(log.len(), 2, "the same again is no change");
    assert_eq!(
        (log[0].before.as_deref(), log[0].after.as_deref()),
        (Some(r#"{"name":"first"}"#), Some(r#"{"name":"Acme"}"#))
    );
}

#[tokio::test]
async fn suspending_names_the_reason_and_is_told_to_the_nodes() {
    let world = World::new().await;
    let org = world.store.org(world.app().org);
    let who = Who::Operator(world.founded.account);
    let actor = Actor { who, reason: Some("does not pay".into()), ..Actor::machine() };
    let start = world.store.last_change().await.unwrap();
    let suspended = org.suspend(&actor, true).await.unwrap();
    assert_eq!((suspended.suspended_reason.as_deref(), suspended.suspended_ms.is_some()), (Some("does not pay"), true));
    assert_eq!(org.suspend(&actor, true).await.unwrap_err().code, Code::Conflict);
    let changes = world.store.changes_since(start).await.unwrap();
    assert_eq!((changes.last, changes.orgs), (start + 1, vec![world.app().org]));
    let resumed = org.suspend(&actor, false).await.unwrap();
    assert_eq!((resumed.suspended_ms, resumed.suspended_reason), (None, None));
    assert_eq!(org.suspend(&Actor { reason: None, ..actor }, true).await.unwrap_err().param, Some("reason"));
}
