//! What operators see of the whole service.

use super::world::World;
use tokenim_domain::Code;
use tokenim_domain::actor::{Actor, Who};
use tokenim_domain::id::OrgId;
use tokenim_domain::mail::{Mail, Matter};

#[tokio::test]
async fn a_job_that_was_given_up_is_tried_again_for_a_reason() {
    let world = World::new().await;
    let store = &world.store;
    assert_eq!(store.totals().await.unwrap().orgs, 1);
    assert_eq!(store.count_orgs_by_plan().await.unwrap(), [("operator".to_owned(), 1)]);
    let mail = Mail { to: "ada@example.com".into(), language: "en".into(), matter: Matter::Test };
    store.enqueue_mail(Some(world.app().org), "k", &mail).await.unwrap();
    let job = store.claim_jobs(1).await.unwrap().pop().unwrap();
    store.give_up_job(&job, "550 no such user").await.unwrap();
    let dead = store.list_dead_jobs(None, 9).await.unwrap();
    assert_eq!((dead.len(), dead[0].id, dead[0].error.as_deref()), (1, job.id, Some("550 no such user")));
    assert!(store.list_dead_jobs(Some(job.id), 9).await.unwrap().is_empty());

    world.clock.shift(1_000);
    let silent = Actor { who: Who::Operator(world.founded.account), ..Actor::machine() };
    assert_eq!(store.revive_job(&silent, job.id).await.unwrap_err().param, Some("reason"));
    let actor = Actor { reason: Some("the address works now".into()), ..silent };
    store.revive_job(&actor, job.id).await.unwrap();
    assert_eq!(store.revive_job(&actor, job.id).await.unwrap_err().code, Code::NotFound);
    let again = store.claim_jobs(1).await.unwrap().pop().unwrap();
    assert_eq!((again.id, again.attempt, again.created_ms), (job.id, 1, world.store.clock().now_ms()));
    assert_eq!(store.open_job(&again).unwrap(), serde_json::to_vec(&mail).unwrap());
    let log = store.org(OrgId::SERVICE).list_audit(None, 9).await.unwrap();
    assert_eq!((log.len(), log[0].action.as_str(), log[0].object.clone()), (1, "job.retried", job.id.to_string()));
}
