//! The audit chain and the clock of changes.

use super::world::World;
use crate::audit::{self, AuditQuery, AuditVerdict, Event};
use serde_json::json;
use tokenim_domain::actor::{Actor, Who};
use tokenim_domain::id::OrgId;
use tokenim_domain::terms::{Changes, TermBook};

async fn change(world: &World, action: &'static str) {
    let actor = Actor { who: Who::Account(world.founded.account), reason: Some("why".into()), ..Actor::machine() };
    let change = world.store.org(world.app().org).begin(&actor).await.unwrap();
    let event =
        Event::new(action, "thing").before(json!({"b": 1, "a": "x"})).after(json!({"z": [1, {"y": 2, "x": 3}]}));
    change.commit_and_tell(event).await.unwrap();
}

#[tokio::test]
async fn a_change_its_event_and_its_number_commit_together() {
    let world = World::new().await;
    let start = world.store.last_change().await.unwrap();
    change(&world, "thing.made").await;
    change(&world, "thing.renamed").await;
    let org = world.store.org(world.app().org);
    let listed = org.list_audit(None, 10).await.unwrap();
    assert_eq!(
        listed.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(),
        ["thing.renamed", "thing.made", "org.created"]
    );
    assert_eq!((listed[0].actor.clone(), listed[0].seq), (world.founded.account.to_string(), 3));
    assert_eq!(listed[0].before.as_deref(), Some(r#"{"a":"x","b":1}"#));
    assert_eq!(listed[0].after.as_deref(), Some(r#"{"z":[1,{"x":3,"y":2}]}"#));
    assert_eq!(org.list_audit(Some(2), 10).await.unwrap().len(), 1);
    let changes = |last, orgs| Changes { last, orgs, is_cut: false };
    assert_eq!(world.store.changes_since(start).await.unwrap(), changes(start + 2, vec![world.app().org]));
    assert_eq!(world.store.changes_since(start + 2).await.unwrap(), changes(start + 2, vec![]));
    world.clock.shift(3_600_001);
    assert_eq!(world.store.forget_changes().await.unwrap(), 2);
    assert!(world.store.changes_since(start).await.unwrap().is_cut, "whoever is that far behind must know");
    assert_eq!(world.store.changes_since(start + 2).await.unwrap(), changes(start + 2, vec![]));
}

#[tokio::test]
async fn a_change_that_is_dropped_never_was() {
    let world = World::new().await;
    let start = world.store.last_change().await.unwrap();
    let (org, actor) = (world.store.org(world.app().org), Actor::machine());
    let change = org.begin(&actor).await.unwrap();
    audit::append(&world.store, &change.tx, world.app().org, &actor, Event::new("thing.made", "x")).await.unwrap();
    drop(change);
    assert_eq!(org.list_audit(None, 10).await.unwrap().len(), 1);
    assert_eq!(world.store.last_change().await.unwrap(), start);
}

#[tokio::test]
async fn an_altered_chain_is_found() {
    let world = World::new().await;
    for action in ["a.made", "b.made", "c.made"] {
        change(&world, action).await;
    }
    let org = world.store.org(world.app().org);
    assert_eq!(org.verify_audit().await.unwrap(), AuditVerdict::Intact { seq: 4 });
    world.tamper("UPDATE audit_event SET action = 'b.unmade' WHERE seq = 3").await;
    assert_eq!(org.verify_audit().await.unwrap(), AuditVerdict::Broken { seq: 3 });
    world.tamper("DELETE FROM audit_event WHERE seq >= 3").await;
    assert_eq!(org.verify_audit().await.unwrap(), AuditVerdict::Broken { seq: 3 }, "the end is cut off");
}

#[tokio::test]
async fn the_log_is_searched_by_action_actor_and_place() {
    let world = World::new().await;
    for action in ["a.made", "b.made", "a.made"] {
        change(&world, action).await;
    }
    let org = world.store.org(world.app().org);
    let seqs = async |query: AuditQuery, limit| {
        org.search_audit(&query, limit).await.unwrap().iter().map(|event| event.seq).collect::<Vec<_>>()
    };
    let query = AuditQuery::default;
    assert_eq!(seqs(AuditQuery { action: Some("a.made".into()), ..query() }, 9).await, [4, 2]);
    assert_eq!(seqs(AuditQuery { actor: Some("machine".into()), ..query() }, 9).await, [1]);
    assert_eq!(seqs(AuditQuery { before: Some(4), ..query() }, 2).await, [3, 2]);
    assert_eq!(seqs(AuditQuery { after: Some(1), ..query() }, 2).await, [2, 3], "upwards");
    assert_eq!(seqs(AuditQuery { action: Some("a.".into()), ..query() }, 9).await, [0; 0]);
}

#[tokio::test]
async fn what_an_operator_does_is_in_both_logs() {
    let world = World::new().await;
    let mut actor = Actor { who: Who::Operator(world.founded.account), ..Actor::machine() };
    let org = world.store.org(world.app().org);
    assert_eq!(org.begin(&actor).await.err().unwrap().param, Some("reason"));
    actor.reason = Some("asked by phone".into());
    let change = org.begin(&actor).await.unwrap();
    change.commit(Event::new("thing.made", "x")).await.unwrap();
    let (own, service) = (org.list_audit(None, 1).await.unwrap(), world.store.org(OrgId::SERVICE));
    let copy = service.list_audit(None, 9).await.unwrap();
    assert_eq!((own[0].object.as_str(), own[0].reason.as_deref()), ("x", Some("asked by phone")));
    assert_eq!((copy.len(), copy[0].object.clone()), (1, format!("{} x", world.app().org)));
    assert_eq!(service.verify_audit().await.unwrap(), AuditVerdict::Intact { seq: 1 });
}
