//! The job queue: enqueued with its cause, claimed by one, due again when its worker died, and never lost in between.

use super::world::World;
use crate::jobs::{CLAIM_MS, enqueue_mail};
use crate::{Job, sql};
use tokenim_domain::mail::{Mail, Matter};

const DAY_MS: i64 = 24 * 3_600_000;

fn mail() -> Mail {
    let matter = Matter::ResetPassword { path: "/reset/one-secret-token".into(), expires_ms: i64::MAX };
    Mail { to: "ada@example.com".into(), language: "en".into(), matter }
}

impl World {
    async fn enqueue(&self, key: &str) {
        self.store.enqueue_mail(Some(self.app().org), key, &mail()).await.unwrap();
    }

    async fn claim(&self) -> Vec<Job> {
        self.store.claim_jobs(10).await.unwrap()
    }

    async fn claim_one(&self) -> Job {
        let mut jobs = self.claim().await;
        assert_eq!(jobs.len(), 1);
        jobs.remove(0)
    }

    async fn jobs(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM job").await
    }
}

#[tokio::test]
async fn a_job_exists_if_and_only_if_its_cause_does() {
    let world = World::new().await;
    let tx = sql::begin(&world.store.writer).await.unwrap();
    enqueue_mail(&world.store, &tx, None, "k", &mail()).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(world.claim().await, []);
    let tx = sql::begin(&world.store.writer).await.unwrap();
    enqueue_mail(&world.store, &tx, None, "k", &mail()).await.unwrap();
    tx.commit().await.unwrap();
    let job = world.claim_one().await;
    assert_eq!((job.kind.as_str(), job.org, job.attempt), ("mail", None, 1));
    let payload = world.store.open_job(&job).unwrap();
    assert_eq!(serde_json::from_slice::<Mail>(&payload).unwrap(), mail());
}

#[tokio::test]
async fn a_key_is_one_job_also_after_it_was_done() {
    let world = World::new().await;
    world.enqueue("k").await;
    world.enqueue("k").await;
    let job = world.claim_one().await;
    assert_eq!(job.org, Some(world.app().org));
    assert!(world.store.finish_job(&job).await.unwrap());
    world.enqueue("k").await;
    assert_eq!((world.claim().await.len(), world.jobs().await), (0, 1));
}

#[tokio::test]
async fn whoever_enqueues_wakes_the_worker() {
    let world = World::new().await;
    world.enqueue("k").await;
    world.store.job_enqueued().await;
}

#[tokio::test]
async fn payloads_are_sealed_and_dropped_when_the_job_is_done() {
    let world = World::new().await;
    world.enqueue("k").await;
    let row = sql::row(&world.all(), "SELECT sealed_payload FROM job", []).await.unwrap().unwrap();
    let sealed: Vec<u8> = sql::get(&row, "sealed_payload").unwrap();
    assert!(!sealed.windows(6).any(|part| part == b"secret" || part == b"exampl"));
    let job = world.claim_one().await;
    world.store.finish_job(&job).await.unwrap();
    assert_eq!(world.number("SELECT length(sealed_payload) FROM job").await, 0);
}

#[tokio::test]
async fn a_claimed_job_is_nobody_elses_until_the_claim_ends() {
    let world = World::new().await;
    world.enqueue("k").await;
    let lost = world.claim_one().await;
    let other = world.open_again().await;
    assert_eq!(other.claim_jobs(10).await.unwrap(), []);
    world.clock.shift(CLAIM_MS - 1);
    assert_eq!(other.claim_jobs(10).await.unwrap(), []);
    world.clock.shift(1);
    let taken = other.claim_jobs(10).await.unwrap().remove(0);
    assert_eq!((taken.id, taken.attempt), (lost.id, 2));
    for late in [
        world.store.finish_job(&lost).await,
        world.store.retry_job(&lost, 0, "late").await,
        world.store.give_up_job(&lost, "late").await,
    ] {
        assert!(!late.unwrap(), "a claim that is over changes nothing");
    }
    assert!(other.finish_job(&taken).await.unwrap());
    assert!(!other.finish_job(&taken).await.unwrap());
}

#[tokio::test]
async fn a_restart_ends_the_claims_of_the_process_before() {
    let world = World::new().await;
    world.enqueue("k").await;
    let lost = world.claim_one().await;
    let world = world.reopen().await;
    assert_eq!(world.claim().await, []);
    world.store.release_jobs().await.unwrap();
    assert_eq!(world.claim_one().await.id, lost.id);
}

#[tokio::test]
async fn a_retry_waits_and_keeps_its_reason() {
    let world = World::new().await;
    world.enqueue("k").await;
    let job = world.claim_one().await;
    let reason = format!("451 come back later {}", "x".repeat(2_000));
    let run_at = world.store.clock().now_ms() + 5_000;
    assert!(world.store.retry_job(&job, run_at, &reason).await.unwrap());
    assert_eq!(world.number("SELECT length(last_error) FROM job").await, 1_000);
    world.clock.shift(4_999);
    assert_eq!(world.claim().await, []);
    world.clock.shift(1);
    assert_eq!(world.claim_one().await.attempt, 2);
}

#[tokio::test]
async fn a_dead_job_stays_with_its_reason_and_is_never_claimed() {
    let world = World::new().await;
    world.enqueue("k").await;
    let job = world.claim_one().await;
    assert!(world.store.give_up_job(&job, "550 no such user").await.unwrap());
    world.clock.shift(30 * DAY_MS);
    assert_eq!(world.claim().await, []);
    assert_eq!(world.store.forget_jobs().await.unwrap(), 0);
    assert_eq!(world.number("SELECT COUNT(*) FROM job WHERE last_error = '550 no such user'").await, 1);
    world.clock.shift(61 * DAY_MS);
    assert_eq!(world.store.forget_jobs().await.unwrap(), 1);
}

#[tokio::test]
async fn done_jobs_are_forgotten_after_a_week_and_waiting_ones_never() {
    let world = World::new().await;
    world.enqueue("done").await;
    let job = world.claim_one().await;
    world.store.finish_job(&job).await.unwrap();
    world.enqueue("waiting").await;
    world.clock.shift(7 * DAY_MS);
    assert_eq!(world.store.forget_jobs().await.unwrap(), 0);
    world.clock.shift(1);
    assert_eq!((world.store.forget_jobs().await.unwrap(), world.jobs().await), (1, 1));
}

#[tokio::test]
async fn claims_are_bounded_and_take_what_waits_longest() {
    let world = World::new().await;
    for at in 0..5 {
        world.enqueue(&format!("k{at}")).await;
        world.clock.shift(1);
    }
    let first = world.store.claim_jobs(2).await.unwrap();
    assert_eq!(first.len(), 2);
    let latest = first.iter().map(|job| job.created_ms).max().unwrap();
    let rest = world.claim().await;
    assert!(rest.len() == 3 && rest.iter().all(|job| job.created_ms > latest));
}

#[tokio::test]
async fn two_workers_never_claim_the_same_job() {
    let world = World::new().await;
    for at in 0..40 {
        world.enqueue(&format!("k{at}")).await;
    }
    let other = world.open_again().await;
    let mut ids = Vec::new();
    loop {
        let (ours, theirs) = tokio::join!(world.store.claim_jobs(3), other.claim_jobs(3));
        let both: Vec<_> = ours.unwrap().into_iter().chain(theirs.unwrap()).collect();
        if both.is_empty() {
            break;
        }
        ids.extend(both.into_iter().map(|job| job.id));
    }
    assert_eq!(ids.len(), 40);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 40);
}

#[tokio::test]
async fn the_backlog_tells_what_waits_and_since_when() {
    let world = World::new().await;
    let figures = async || {
        let now = world.store.backlog().await.unwrap();
        (now.jobs_waiting, now.jobs_dead, now.job_age_ms)
    };
    assert_eq!(figures().await, (0, 0, 0));
    world.enqueue("k1").await;
    world.clock.shift(90_000);
    world.enqueue("k2").await;
    assert_eq!(figures().await, (2, 0, 90_000));
    let jobs = world.claim().await;
    assert_eq!(figures().await, (2, 0, 0), "a claimed job is not late");
    assert!(world.store.finish_job(&jobs[0]).await.unwrap());
    assert!(world.store.give_up_job(&jobs[1], "no such mailbox").await.unwrap());
    assert_eq!(figures().await, (0, 1, 0));
}
