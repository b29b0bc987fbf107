//! The runner: claims jobs that are due, has them done, a few at a time, and notes what became of each. It knows no job.

use crate::backoff;
use std::sync::Arc;
use std::time::Duration;
use tokenim_store::{Job, Store};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Jobs that one process has under way at a time.
const HELD_MAX: usize = 8;
/// How often jobs of other processes, and those whose wait is over, are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// How often jobs that ended long ago are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(600);
/// Claims of one job at most; only one that kills its worker each time gets there.
const ATTEMPTS_MAX: i64 = 300;
/// How long jobs under way are waited for when the process stops; what is not done then runs again later.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// How often a note that the store refused is tried again …
const NOTE_TRIES_MAX: usize = 40;
/// … after this time: in all less than what is left of a claim, so that a job which was done is not done again.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It may work later; why it did not now.
    Retry(String),
    /// It will never work; why.
    GiveUp(String),
}

/// Whoever does the jobs.
pub trait Work: Send + Sync + 'static {
    /// Does one, within [`tokenim_store::CLAIM_MS`]. It may have been done before: an answer can be lost.
    fn run(&self, job: &Job) -> impl Future<Output = Answer> + Send;
}

/// Has jobs done until told to stop.
pub async fn run<W: Work>(store: Store, work: W, stop: CancellationToken) {
    if let Err(error) = store.release_jobs().await {
        tracing::warn!(%error, "claims of the process before could not be ended; they end by themselves");
    }
    let work = Arc::new(work);
    let (mut look, mut forget) = (interval(EVERY), interval(FORGET_EVERY));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut held = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => {}
            _ = look.tick() => {}
            () = store.job_enqueued() => {}
            Some(ended) = held.join_next() => note_panic(ended),
            _ = forget.tick() => forget_ended(&store).await,
        }
        // Of several that are ready the select takes any, and after a stop nothing new begins.
        if stop.is_cancelled() {
            break;
        }
        claim(&store, &work, &mut held).await;
    }
    let all = async {
        while let Some(ended) = held.join_next().await {
            note_panic(ended);
        }
    };
    if timeout(STOP_PATIENCE, all).await.is_err() {
        tracing::warn!(jobs = held.len(), "jobs under way were left for the next start");
        held.shutdown().await;
    }
}

async fn claim<W: Work>(store: &Store, work: &Arc<W>, held: &mut JoinSet<()>) {
    let free = HELD_MAX.saturating_sub(held.len());
    if free == 0 {
        return;
    }
    match store.claim_jobs(free).await {
        Ok(jobs) => {
            for job in jobs {
                held.spawn(perform(store.clone(), work.clone(), job));
            }
        }
        Err(error) => {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "jobs could not be claimed; it will be tried again");
        }
    }
}

async fn perform<W: Work>(store: Store, work: Arc<W>, job: Job) {
    let answer = if job.attempt > ATTEMPTS_MAX {
        Answer::GiveUp(format!("claimed {} times, and never an answer", job.attempt))
    } else {
        work.run(&job).await
    };
    let settled = settle(answer, &job, store.clock().now_ms());
    let (id, kind, attempt) = (job.id, &job.kind, job.attempt);
    match &settled {
        Answer::Done => tracing::debug!(%id, kind, attempt, "job done"),
        Answer::Retry(reason) => tracing::warn!(%id, kind, attempt, reason, "job failed; it will be tried again"),
        Answer::GiveUp(reason) => tracing::warn!(%id, kind, attempt, reason, "job given up"),
    }
    note(&store, &job, &settled).await;
}

/// A job that is too old to be tried again is given up.
fn settle(answer: Answer, job: &Job, now_ms: i64) -> Answer {
    match answer {
        Answer::Retry(reason) if now_ms - job.created_ms >= backoff::TOTAL_MS => Answer::GiveUp(reason),
        other => other,
    }
}

/// Notes what became of a job. Where the store can't be reached in time the claim ends, and the job runs again.
async fn note(store: &Store, job: &Job, settled: &Answer) {
    for _ in 0..NOTE_TRIES_MAX {
        let noted = match settled {
            Answer::Done => store.finish_job(job).await,
            Answer::Retry(reason) => {
                let at_ms = store.clock().now_ms() + backoff::wait_ms(job.attempt, &**store.rng());
                store.retry_job(job, at_ms, reason).await
            }
            Answer::GiveUp(reason) => store.give_up_job(job, reason).await,
        };
        match noted {
            Ok(true) => return,
            Ok(false) => return tracing::warn!(id = %job.id, "a job took longer than its claim"),
            Err(error) => tracing::error!(id = %job.id, %error, "what became of a job could not be noted"),
        }
        sleep(NOTE_EVERY).await;
    }
}

async fn forget_ended(store: &Store) {
    if let Err(error) = store.forget_jobs().await {
        tracing::warn!(%error, "ended jobs could not be forgotten; it will be tried again");
    }
}

/// A job that panicked is tried again when its claim ends.
fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a job panicked");
    }
}

#[cfg(test)]
mod tests;
