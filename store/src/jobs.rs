//! The job queue: a job is enqueued in the transaction that causes it, claimed for a while, and done, tried again or dead.

use crate::db::Fence;
use crate::entity::job;
use crate::{Store, fault, sql};
use sea_orm::ConnectionTrait;
use tokenim_domain::id::{JobId, OrgId};
use tokenim_domain::job::JobKind;
use tokenim_domain::mail::Mail;
use tokenim_domain::{Error, Result};

/// Milliseconds a claim lasts; longer than any job may take, or two workers would do it at once.
pub const CLAIM_MS: i64 = 180_000;
/// Milliseconds a job that was done is kept, and with it its key: a repeat within them is the same job.
const DONE_KEPT_MS: i64 = 7 * 24 * 3_600_000;
/// Milliseconds a dead job is kept for the operator to see.
const DEAD_KEPT_MS: i64 = 90 * 24 * 3_600_000;
/// Jobs forgotten at a time.
const FORGOTTEN_MAX: i64 = 500;
/// Characters of an error that are kept.
const ERROR_CHARS_MAX: usize = 1_000;
const SEAL_PURPOSE: &str = "job";

/// A job to enqueue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewJob<'a> {
    /// Which work it is.
    pub kind: JobKind,
    /// The org it is done for, if any.
    pub org: Option<OrgId>,
    /// One job per key, for as long as the job is kept.
    pub dedup_key: &'a str,
    /// What the work reads; stored sealed, because it may hold credentials.
    pub payload: &'a [u8],
}

/// A job that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Which work it is: the text of a [`JobKind`], or of one that only a newer release knows.
    pub kind: String,
    /// The org it is done for, if any.
    pub org: Option<OrgId>,
    /// How often it was claimed, this time included: tells this claim from a later one.
    pub attempt: i64,
    /// When it was enqueued, or put back by an operator, milliseconds since 1970.
    pub created_ms: i64,
    sealed_payload: Vec<u8>,
}

/// The conditions stand in the outer statement as well: where two nodes choose the same row, PostgreSQL checks those
/// again on the row that the first one left, and the second takes nothing.
const CLAIM: &str = "
UPDATE job SET run_at_ms = $1, attempts = attempts + 1
WHERE run_at_ms <= $2 AND done_ms IS NULL AND dead_ms IS NULL AND id IN (
    SELECT id FROM job WHERE run_at_ms <= $2 AND done_ms IS NULL AND dead_ms IS NULL ORDER BY run_at_ms LIMIT $3
) RETURNING id, org_id, kind, sealed_payload, attempts, created_ms";
const FINISH: &str = "
UPDATE job SET done_ms = $1, sealed_payload = $2, last_error = NULL
WHERE id = $3 AND attempts = $4 AND done_ms IS NULL AND dead_ms IS NULL";
const RETRY: &str = "
UPDATE job SET run_at_ms = $1, last_error = $2 WHERE id = $3 AND attempts = $4 AND done_ms IS NULL AND dead_ms IS NULL";
const GIVE_UP: &str = "
UPDATE job SET dead_ms = $1, last_error = $2 WHERE id = $3 AND attempts = $4 AND done_ms IS NULL AND dead_ms IS NULL";
const FORGET: &str = "
DELETE FROM job WHERE id IN (SELECT id FROM job WHERE done_ms < $1 OR dead_ms < $2 LIMIT $3)";
const RELEASE: &str = "
UPDATE job SET run_at_ms = $1 WHERE attempts > 0 AND run_at_ms > $1 AND done_ms IS NULL AND dead_ms IS NULL";

/// Enqueues a job inside the caller's transaction: it exists if and only if what caused it does.
///
/// A key that is known already is the same job, and nothing is added. Errors: `unavailable`, `overloaded`.
pub(crate) async fn enqueue(store: &Store, tx: &impl ConnectionTrait, new: NewJob<'_>) -> Result<()> {
    let now = store.clock.now_ms();
    let row = job::Model {
        id: JobId::new(&*store.clock, &*store.rng),
        org_id: new.org,
        kind: new.kind.as_str().to_owned(),
        dedup_key: new.dedup_key.to_owned(),
        sealed_payload: store.master.seal(SEAL_PURPOSE, new.payload, &*store.rng)?,
        run_at_ms: now,
        attempts: 0,
        last_error: None,
        created_ms: now,
        done_ms: None,
        dead_ms: None,
    };
    sql::insert_once(tx, row, job::Column::DedupKey).await?;
    // The worker claims on the writing connection, so on SQLite it waits there for the caller's commit.
    store.jobs_nudge.notify_one();
    Ok(())
}

/// Enqueues a mail inside the caller's transaction.
///
/// `dedup_key` names the mail for good, for instance `verify:` and the hash of the link's token: enqueued twice, it is sent
/// once. Errors: `unavailable`, `overloaded`.
pub(crate) async fn enqueue_mail(
    store: &Store,
    tx: &impl ConnectionTrait,
    org: Option<OrgId>,
    dedup_key: &str,
    mail: &Mail,
) -> Result<()> {
    let payload = serde_json::to_vec(mail).map_err(Error::internal)?;
    enqueue(store, tx, NewJob { kind: JobKind::Mail, org, dedup_key, payload: &payload }).await
}

impl Store {
    /// Enqueues a mail that no other write causes; [`enqueue_mail`](crate::jobs::enqueue_mail) is for those within one.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn enqueue_mail(&self, org: Option<OrgId>, dedup_key: &str, mail: &Mail) -> Result<()> {
        let tx = sql::begin(&self.writer).await?;
        enqueue_mail(self, &tx, org, dedup_key, mail).await?;
        sql::commit(tx).await
    }

    /// Claims jobs that are due, at most so many, for [`CLAIM_MS`].
    ///
    /// Errors: `unavailable`, `overloaded`; nothing is claimed then, or the claims end by themselves.
    pub async fn claim_jobs(&self, limit: usize) -> Result<Vec<Job>> {
        let now = self.clock.now_ms();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows =
            sql::rows(&self.writer.within(Fence::Worker), CLAIM, [(now + CLAIM_MS).into(), now.into(), limit.into()])
                .await?;
        let job = |row| -> Result<Job> {
            Ok(Job {
                id: sql::get(row, "id")?,
                kind: sql::get(row, "kind")?,
                org: sql::get(row, "org_id")?,
                attempt: sql::get(row, "attempts")?,
                created_ms: sql::get(row, "created_ms")?,
                sealed_payload: sql::get(row, "sealed_payload")?,
            })
        };
        rows.iter().map(job).collect()
    }

    /// What a job's work reads.
    ///
    /// Errors: `internal` where it was sealed by another master key.
    pub fn open_job(&self, job: &Job) -> Result<Vec<u8>> {
        self.master.open(SEAL_PURPOSE, &job.sealed_payload)
    }

    /// Notes that a claimed job is done, and drops its payload; false where the claim was over.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn finish_job(&self, job: &Job) -> Result<bool> {
        let values = [self.clock.now_ms().into(), Vec::<u8>::new().into(), job.id.into(), job.attempt.into()];
        self.end_claim(FINISH, values).await
    }

    /// Puts a claimed job back until `run_at_ms` (milliseconds since 1970), with the reason; false where the claim was over.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn retry_job(&self, job: &Job, run_at_ms: i64, reason: &str) -> Result<bool> {
        self.end_claim(RETRY, [run_at_ms.into(), kept(reason).into(), job.id.into(), job.attempt.into()]).await
    }

    /// Gives a claimed job up for good and keeps it with the reason, for the operator; false where the claim was over.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn give_up_job(&self, job: &Job, reason: &str) -> Result<bool> {
        let values = [self.clock.now_ms().into(), kept(reason).into(), job.id.into(), job.attempt.into()];
        self.end_claim(GIVE_UP, values).await
    }

    async fn end_claim(&self, text: &str, values: [sea_orm::Value; 4]) -> Result<bool> {
        Ok(sql::run(&self.writer.within(Fence::Worker), text, values).await.map_err(fault::query)? == 1)
    }

    /// Forgets jobs that ended long ago, a bounded number; returns how many.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn forget_jobs(&self) -> Result<u64> {
        let now = self.clock.now_ms();
        let values = [(now - DONE_KEPT_MS).into(), (now - DEAD_KEPT_MS).into(), FORGOTTEN_MAX.into()];
        sql::run(&self.writer.within(Fence::Worker), FORGET, values).await.map_err(fault::query)
    }

    /// Ends the claims of a process that died, at the start of the one process that serves the database
    /// ([`crate::lock_database`]): nobody else can hold one. Jobs that wait for their next try are tried at once.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn release_jobs(&self) -> Result<()> {
        sql::run(&self.writer.within(Fence::Worker), RELEASE, [self.clock.now_ms().into()])
            .await
            .map(drop)
            .map_err(fault::query)
    }

    /// Waits until a job is enqueued by this process. A hint only: other processes' jobs are found by looking.
    pub async fn job_enqueued(&self) {
        self.jobs_nudge.notified().await;
    }
}

fn kept(reason: &str) -> String {
    reason.chars().take(ERROR_CHARS_MAX).collect()
}
