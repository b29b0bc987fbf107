//! The runner over a real store, a clock that the test steers, and work that answers as scripted.

use super::*;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use tempfile::TempDir;
use tokenim_domain::actor::Actor;
use tokenim_domain::clock::Clock;
use tokenim_domain::mail::{Mail, Matter};
use tokenim_domain::rng::SystemRng;
use tokenim_store::{CLAIM_MS, Durability, Settings};
use tokio::sync::Notify;

/// How long a test waits for an effect.
const PATIENCE: Duration = Duration::from_secs(20);

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// Work that answers as it is told, and remembers the attempts it saw.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    attempts: Mutex<Vec<i64>>,
    /// Where set, a job waits here.
    gate: Option<Notify>,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Script {
    fn of(answers: impl IntoIterator<Item = Answer>) -> Arc<Script> {
        Arc::new(Script { answers: Mutex::new(answers.into_iter().collect()), ..Script::default() })
    }

    fn gated() -> Arc<Script> {
        Arc::new(Script { gate: Some(Notify::new()), ..Script::default() })
    }

    fn attempts(&self) -> Vec<i64> {
        self.attempts.lock().unwrap().clone()
    }
}

impl Work for Arc<Script> {
    async fn run(&self, job: &Job) -> Answer {
        self.attempts.lock().unwrap().push(job.attempt);
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        if let Some(gate) = &self.gate {
            gate.notified().await;
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        self.answers.lock().unwrap().pop_front().unwrap_or(Answer::Done)
    }
}

struct World {
    store: Store,
    clock: Arc<TestClock>,
    _folder: TempDir,
}

impl World {
    async fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_790_000_000_000)));
        let settings = Settings { data: folder.path().join("data"), postgres: None, durability: Durability::Full };
        let store = Store::open(&settings, clock.clone(), Arc::new(SystemRng)).await.unwrap().store;
        World { store, clock, _folder: folder }
    }

    async fn enqueue(&self, key: &str) {
        let mail = Mail { to: "ada@example.com".into(), language: "en".into(), matter: Matter::Test };
        self.store.enqueue_mail(None, key, &mail).await.unwrap();
    }

    fn shift(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// Does what is due now, and returns how many that were.
    async fn run_due(&self, work: &Arc<Script>) -> usize {
        let jobs = self.store.claim_jobs(HELD_MAX).await.unwrap();
        let count = jobs.len();
        for job in jobs {
            perform(self.store.clone(), Arc::new(work.clone()), job).await;
        }
        count
    }

    fn start(&self, work: &Arc<Script>) -> Running {
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(run(self.store.clone(), work.clone(), stop.clone()));
        Running { stop, task }
    }
}

/// A runner that was started.
struct Running {
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl Running {
    async fn ended(mut self) {
        timeout(PATIENCE, self.task.join_next()).await.unwrap().unwrap().unwrap();
    }
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap();
}

fn retry(reason: &str) -> Answer {
    Answer::Retry(reason.to_owned())
}

#[tokio::test]
async fn a_failed_job_is_tried_again_after_growing_waits_until_it_works() {
    let world = World::new().await;
    world.enqueue("k").await;
    let work = Script::of([retry("451"), retry("451"), retry("451")]);
    assert_eq!(world.run_due(&work).await, 1);
    for wait_ms in [2_000, 4_000, 8_000] {
        world.shift(wait_ms / 2 - 1);
        assert_eq!(world.run_due(&work).await, 0, "not before half of {wait_ms}");
        world.shift(wait_ms / 2 + 1);
        assert_eq!(world.run_due(&work).await, 1);
    }
    assert_eq!(work.attempts(), [1, 2, 3, 4]);
    world.shift(backoff::TOTAL_MS);
    assert_eq!(world.run_due(&work).await, 0, "it is done");
}

#[tokio::test]
async fn a_job_that_never_works_ends_after_the_named_time() {
    let world = World::new().await;
    world.enqueue("k").await;
    let work = Script::of((0..ATTEMPTS_MAX).map(|_| retry("421")));
    for _ in 0..backoff::TOTAL_MS / 3_600_000 + 20 {
        world.run_due(&work).await;
        world.shift(3_600_000);
    }
    let tries = work.attempts().len();
    assert!((70..100).contains(&tries), "{tries}");
    world.shift(30 * backoff::TOTAL_MS);
    assert_eq!(world.run_due(&work).await, 0);
}

#[tokio::test]
async fn a_job_that_was_put_back_is_tried_as_long_as_a_new_one() {
    let world = World::new().await;
    world.enqueue("k").await;
    let work = Script::of([Answer::GiveUp("550".to_owned()), retry("refused"), retry("refused")]);
    assert_eq!(world.run_due(&work).await, 1);
    world.shift(2 * backoff::TOTAL_MS);
    let dead = world.store.list_dead_jobs(None, 9).await.unwrap();
    world.store.revive_job(&Actor::machine(), dead[0].id).await.unwrap();
    assert_eq!(world.run_due(&work).await, 1);
    assert!(world.store.list_dead_jobs(None, 9).await.unwrap().is_empty(), "one refusal is not the end");
    world.shift(backoff::TOTAL_MS);
    assert_eq!(world.run_due(&work).await, 1);
    assert_eq!(world.store.list_dead_jobs(None, 9).await.unwrap().len(), 1, "as old as a new one may become");
}

#[tokio::test]
async fn a_job_that_is_given_up_is_not_tried_again() {
    let world = World::new().await;
    world.enqueue("k").await;
    let work = Script::of([Answer::GiveUp("550".to_owned())]);
    assert_eq!(world.run_due(&work).await, 1);
    world.shift(backoff::TOTAL_MS);
    assert_eq!(world.run_due(&work).await, 0);
}

#[tokio::test]
async fn a_job_that_kills_its_worker_each_time_is_given_up() {
    let world = World::new().await;
    world.enqueue("k").await;
    for _ in 0..ATTEMPTS_MAX {
        assert_eq!(world.store.claim_jobs(1).await.unwrap().len(), 1);
        world.shift(CLAIM_MS);
    }
    let work = Script::of([]);
    assert_eq!(world.run_due(&work).await, 1);
    assert_eq!(work.attempts(), [] as [i64; 0], "it was not run once more");
    world.shift(CLAIM_MS);
    assert_eq!(world.run_due(&work).await, 0);
}

#[tokio::test]
async fn an_enqueued_job_is_done_at_once_and_jobs_of_a_dead_process_are_taken() {
    let world = World::new().await;
    world.enqueue("left behind").await;
    assert_eq!(world.store.claim_jobs(1).await.unwrap().len(), 1);
    let work = Script::of([]);
    let running = world.start(&work);
    until(|| work.attempts() == [2]).await;
    world.enqueue("new").await;
    until(|| work.attempts() == [2, 1]).await;
    running.stop.cancel();
    running.ended().await;
}

#[tokio::test]
async fn a_stop_waits_for_what_is_held_and_takes_nothing_new() {
    let world = World::new().await;
    let work = Script::gated();
    let running = world.start(&work);
    world.enqueue("held").await;
    until(|| work.attempts().len() == 1).await;
    running.stop.cancel();
    world.enqueue("later").await;
    work.gate.as_ref().unwrap().notify_one();
    running.ended().await;
    assert_eq!(work.attempts().len(), 1);
    world.shift(CLAIM_MS);
    let left = world.store.claim_jobs(10).await.unwrap();
    assert_eq!(left.iter().map(|job| job.attempt).collect::<Vec<_>>(), [1], "the held one was noted as done");
}

#[tokio::test]
async fn a_bounded_number_of_jobs_is_under_way() {
    let world = World::new().await;
    let work = Script::gated();
    for at in 0..2 * HELD_MAX {
        world.enqueue(&format!("k{at}")).await;
    }
    let running = world.start(&work);
    for done in 0..2 * HELD_MAX {
        let begun = (done + HELD_MAX).min(2 * HELD_MAX);
        until(|| work.attempts().len() == begun).await;
        work.gate.as_ref().unwrap().notify_one();
    }
    until(|| work.under_way.load(Ordering::SeqCst) == 0).await;
    assert_eq!(work.most.load(Ordering::SeqCst), HELD_MAX);
    running.stop.cancel();
    running.ended().await;
}
