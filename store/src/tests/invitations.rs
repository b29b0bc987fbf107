//! Invitations: whom they may go to, the mail they send, and that each is accepted once, by whom it was for.

use super::world::{World, new_org};
use crate::{INVITATIONS_PER_DAY_MAX, InvitationLink, InvitationView, NewInvitation, NewOrg, sql};
use tokenim_domain::actor::{Acting, Actor, Right, Who};
use tokenim_domain::id::AccountId;
use tokenim_domain::mail::{Mail, Matter};
use tokenim_domain::membership::{INVITATION_MS, InvitationState};
use tokenim_domain::role::{Mode, OrgRole};
use tokenim_domain::secret::{Secret, sha256};
use tokenim_domain::terms::TermBook;
use tokenim_domain::{Code, Result};

fn link(token: &str) -> InvitationLink {
    InvitationLink {
        hash: sha256(token.as_bytes()),
        path: Secret::new(format!("/invitations/accept?token={token}")),
        inviter: "ann@example.com".into(),
        language: "en".into(),
    }
}

fn owner(world: &World) -> Acting {
    let actor = Actor { who: Who::Account(world.founded.account), ..Actor::machine() };
    Acting { org: world.app().org, right: Right::Role(OrgRole::Owner), actor }
}

async fn invite(world: &World, name: &str) -> Result<InvitationView> {
    let new = NewInvitation { email: format!("{name}@example.com"), role: OrgRole::Developer, link: link(name) };
    world.store.org(world.app().org).invite(&owner(world), new).await
}

async fn accept(world: &World, account: AccountId, token: &str) -> Result<InvitationView> {
    let actor = Actor { who: Who::Account(account), ..Actor::machine() };
    world.store.accept_invitation(sha256(token.as_bytes()), &actor, account).await
}

async fn mails(world: &World) -> Vec<Mail> {
    let jobs = world.store.claim_jobs(99).await.unwrap();
    jobs.iter().map(|job| serde_json::from_slice(&world.store.open_job(job).unwrap()).unwrap()).collect()
}

async fn plan(world: &World, plan: &str) {
    let text = "UPDATE subscription SET plan = $1 WHERE org_id = $2";
    sql::run(&world.all(), text, [plan.into(), world.app().org.into()]).await.unwrap();
}

#[tokio::test]
async fn an_invitation_is_mailed_and_makes_a_verified_member() {
    let world = World::new().await;
    let bob = world.account("bob").await;
    assert!(!world.store.find_account(bob).await.unwrap().unwrap().is_verified);
    let made = invite(&world, "bob").await.unwrap();
    let mails = mails(&world).await;
    assert_eq!(
        (mails.len(), mails[0].to.as_str(), mails[0].expires_ms()),
        (1, "bob@example.com", Some(made.expires_ms))
    );
    let Matter::Invitation { org, inviter, role, path, .. } = &mails[0].matter else { panic!("another mail") };
    assert_eq!((org.as_str(), inviter.as_str(), *role), ("first", "ann@example.com", OrgRole::Developer));
    assert_eq!(path, "/invitations/accept?token=bob");
    let (found, org) = world.store.find_invitation(sha256(b"bob")).await.unwrap().unwrap();
    assert_eq!((found.state, org.as_str()), (InvitationState::Open, "first"));
    assert_eq!(accept(&world, bob, "bob").await.unwrap().state, InvitationState::Accepted);
    let member = world.store.org(world.app().org).find_member(bob).await.unwrap().unwrap();
    assert_eq!(
        (member.role, world.store.find_account(bob).await.unwrap().unwrap().is_verified),
        (OrgRole::Developer, true)
    );
    assert_eq!(accept(&world, bob, "bob").await.unwrap_err().code, Code::InvitationUsed);
    assert_eq!(invite(&world, "bob").await.unwrap_err().code, Code::Conflict, "a member already");
    let log = world.store.org(world.app().org).list_audit(None, 3).await.unwrap();
    assert_eq!(
        log.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(),
        ["invitation.accepted", "account.verified", "invitation.created"]
    );
    assert!(log.iter().all(|event| !format!("{event:?}").contains("token=")));
}

#[tokio::test]
async fn an_invitation_that_verifies_an_owner_ends_the_trial_of_their_own_org() {
    let world = World::new().await;
    let new = NewOrg { mode: Mode::Test, is_verified: false, ..new_org("bob") };
    let own = world.store.found_org(&new).await.unwrap();
    let (app, before) = (own.app, world.store.last_change().await.unwrap());
    let units = async || world.store.terms(app).await.unwrap().unwrap().limits.units;
    assert_eq!(units().await, Some(100));
    invite(&world, "bob").await.unwrap();
    accept(&world, own.account, "bob").await.unwrap();
    assert_eq!(units().await, Some(10_000));
    let mut orgs = world.store.changes_since(before).await.unwrap().orgs;
    orgs.sort_unstable();
    let mut both = [world.app().org, app.org];
    both.sort_unstable();
    assert_eq!(orgs, both, "nodes learn it of both");
}

#[tokio::test]
async fn an_invitation_is_refused_to_others_and_when_it_is_over() {
    let world = World::new().await;
    let (bob, eve) = (world.account("bob").await, world.account("eve").await);
    invite(&world, "bob").await.unwrap();
    assert_eq!(accept(&world, eve, "bob").await.unwrap_err().code, Code::InvitationForeign);
    assert_eq!(accept(&world, bob, "unknown").await.unwrap_err().code, Code::NotFound);
    world.clock.shift(INVITATION_MS);
    assert_eq!(accept(&world, bob, "bob").await.unwrap_err().code, Code::InvitationExpired);
    assert!(!world.store.find_account(bob).await.unwrap().unwrap().is_verified, "a refused one proves nothing");
    let again = invite(&world, "bob2").await.unwrap();
    let org = world.store.org(world.app().org);
    org.revoke_invitation(&owner(&world), again.id).await.unwrap();
    let bob2 = world.account("bob2").await;
    assert_eq!(accept(&world, bob2, "bob2").await.unwrap_err().code, Code::InvitationRevoked);
    assert_eq!(org.revoke_invitation(&owner(&world), again.id).await.unwrap_err().code, Code::InvitationRevoked);
    assert_eq!(org.find_member(bob).await.unwrap(), None);
}

#[tokio::test]
async fn sending_again_ends_the_old_link() {
    let world = World::new().await;
    let bob = world.account("bob").await;
    let made = invite(&world, "bob").await.unwrap();
    let org = world.store.org(world.app().org);
    let again = async |token: &str| org.resend_invitation(&owner(&world), made.id, link(token)).await;
    let early = again("t2").await.unwrap_err();
    assert_eq!((early.code, early.retry_after_ms), (Code::RateLimited, Some(60_000)));
    world.clock.shift(INVITATION_MS + 1);
    assert_eq!(again("t2").await.unwrap().state, InvitationState::Open, "an expired one opens again");
    assert_eq!(accept(&world, bob, "bob").await.unwrap_err().code, Code::NotFound, "the old link");
    accept(&world, bob, "t2").await.unwrap();
    world.clock.shift(60_000);
    assert_eq!(again("t3").await.unwrap_err().code, Code::InvitationUsed);
    assert_eq!(mails(&world).await.len(), 2);
}

#[tokio::test]
async fn members_and_open_invitations_fill_the_plan() {
    let world = World::new().await;
    plan(&world, "basic").await;
    let one = invite(&world, "one").await.unwrap();
    invite(&world, "two").await.unwrap();
    let full = invite(&world, "three").await.unwrap_err();
    assert_eq!(full.code, Code::PlanLimit);
    assert_eq!(mails(&world).await.len(), 2, "a refused one is not mailed");
    world.store.org(world.app().org).revoke_invitation(&owner(&world), one.id).await.unwrap();
    invite(&world, "three").await.unwrap();
    world.clock.shift(INVITATION_MS);
    invite(&world, "four").await.unwrap();
}

#[tokio::test]
async fn an_address_is_invited_once_and_an_org_so_often_a_day() {
    let world = World::new().await;
    invite(&world, "bob").await.unwrap();
    let twice = invite(&world, "bob").await.unwrap_err();
    assert_eq!((twice.code, twice.param), (Code::Conflict, Some("email")));
    for at in 1..INVITATIONS_PER_DAY_MAX {
        invite(&world, &format!("m{at}")).await.unwrap();
    }
    assert_eq!(invite(&world, "more").await.unwrap_err().code, Code::RateLimited);
    world.clock.shift(24 * 3_600_000);
    invite(&world, "more").await.unwrap();
}

#[tokio::test]
async fn an_admin_handles_no_invitation_of_an_owner() {
    let world = World::new().await;
    let org = world.store.org(world.app().org);
    let new = |token: &str| NewInvitation { email: "boss@example.com".into(), role: OrgRole::Owner, link: link(token) };
    let admin = Acting { right: Right::Role(OrgRole::Admin), ..owner(&world) };
    assert_eq!(org.invite(&admin, new("a")).await.unwrap_err().code, Code::Forbidden);
    let made = org.invite(&owner(&world), new("a")).await.unwrap();
    world.clock.shift(60_000);
    assert_eq!(org.resend_invitation(&admin, made.id, link("b")).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(org.revoke_invitation(&admin, made.id).await.unwrap_err().code, Code::Forbidden);
}

#[tokio::test]
async fn another_orgs_invitation_is_not_found() {
    let world = World::new().await;
    let made = invite(&world, "bob").await.unwrap();
    let other = world.store.org(world.another_org("other").await.app.org);
    assert_eq!(other.resend_invitation(&owner(&world), made.id, link("b")).await.unwrap_err().code, Code::NotFound);
    assert_eq!(other.revoke_invitation(&owner(&world), made.id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(other.list_invitations(None, 9).await.unwrap(), []);
    assert_eq!(world.store.org(world.app().org).list_invitations(None, 9).await.unwrap(), [made]);
}

#[tokio::test]
async fn many_invitations_at_once_hold_nobody_up() {
    let world = World::new().await;
    let other = world.another_org("other").await;
    let names: Vec<_> = (0..12).map(|number| format!("guest-{number}")).collect();
    let inviting = futures_util::future::join_all(names.iter().map(|name| invite(&world, name)));
    let elsewhere = world.store.org(other.app.org);
    let (made, apps) = tokio::join!(inviting, elsewhere.list_apps());
    assert_eq!(apps.unwrap().len(), 1);
    for made in made {
        made.unwrap();
    }
}

#[tokio::test]
async fn an_invitation_does_not_outlive_a_restore() {
    let world = World::new().await;
    let bob = world.account("bob").await;
    invite(&world, "bob").await.unwrap();
    world.store.end_sessions().await.unwrap();
    assert_eq!(accept(&world, bob, "bob").await.unwrap_err().code, Code::InvitationRevoked);
}
