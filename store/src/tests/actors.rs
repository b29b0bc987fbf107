//! Whom an org's audit log and its rows name.

use super::world::World;
use tokenim_domain::actor::{Acting, Actor, Right, Who};
use tokenim_domain::id::OrgId;
use tokenim_domain::role::OrgRole;

#[tokio::test]
async fn an_org_names_its_members_and_nobody_else() {
    let world = World::new().await;
    let (bob, stranger) = (world.member("bob", OrgRole::Viewer).await, world.account("stranger").await);
    let foreign = world.another_org("other").await.account;
    let (org, service) = (world.store.org(world.app().org), world.store.org(OrgId::SERVICE));
    let ids = [world.founded.account, bob, stranger, foreign].map(|id| id.to_string());
    let [ann, bob_id, ..] = &ids;
    let names = org.actor_names(ids.iter().map(String::as_str)).await.unwrap();
    assert_eq!(names, [(ann.clone(), "first@example.com".into()), (bob_id.clone(), "bob@example.com".into())].into());
    assert_eq!(service.actor_names(ids.iter().map(String::as_str)).await.unwrap().len(), 4);

    let actor = Actor { who: Who::Account(world.founded.account), ..Actor::machine() };
    let acting = Acting { org: world.app().org, right: Right::Role(OrgRole::Owner), actor };
    org.remove_member(&acting, bob).await.unwrap();
    let names = org.actor_names(ids.iter().map(String::as_str)).await.unwrap();
    assert_eq!(names.keys().collect::<Vec<_>>(), [ann], "whoever left is an id");
}

/// Even where the operator is a member of the org, so that the org may see the address.
#[tokio::test]
async fn only_the_services_own_log_names_an_operator() {
    let world = World::new().await;
    let (org, service) = (world.store.org(world.app().org), world.store.org(OrgId::SERVICE));
    let member = Actor { who: Who::Account(world.founded.account), ..Actor::machine() };
    let who = Who::Operator(world.founded.account);
    let operator = Actor { who, reason: Some("does not pay".into()), ..Actor::machine() };
    org.suspend(&operator, true).await.unwrap();
    org.create_app(&member, "shop", tokenim_domain::role::Mode::Test).await.unwrap();
    let (name, log) = (|| Some("first@example.com".to_owned()), org.list_audit(None, 2).await.unwrap());
    assert_eq!(log.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(), ["app.created", "org.suspended"]);
    assert_eq!(org.event_actor_names(&log).await.unwrap(), [name(), None]);
    let log = service.list_audit(None, 1).await.unwrap();
    assert_eq!(
        (log[0].action.as_str(), service.event_actor_names(&log).await.unwrap()),
        ("org.suspended", vec![name()])
    );
}
