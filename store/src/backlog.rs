//! What waits in the database for a worker: how much and since when, for the machine's keepers.

use crate::db::Fence;
use crate::{Store, sql};
use tokenim_domain::{Error, Result};

/// What waits, over all orgs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Jobs that are neither done nor dead, those of the future too.
    pub jobs_waiting: u64,
    /// Jobs that were given up and are kept for the operator to see.
    pub jobs_dead: u64,
    /// Milliseconds since the job that is due longest was due; 0 where none is.
    pub job_age_ms: u64,
    /// Milliseconds since the event of the oldest usage row that is in no hour yet; 0 where all are.
    pub usage_age_ms: u64,
}

const BACKLOG: &str = "
SELECT
    (SELECT COUNT(*) FROM job WHERE done_ms IS NULL AND dead_ms IS NULL) AS jobs_waiting,
    (SELECT COUNT(*) FROM job WHERE dead_ms IS NOT NULL) AS jobs_dead,
    (SELECT MIN(run_at_ms) FROM job WHERE done_ms IS NULL AND dead_ms IS NULL) AS job_due_ms,
    (SELECT MIN(oldest) FROM (
        SELECT MIN(event_ms) AS oldest FROM usage_append WHERE roll IS NULL
        UNION ALL SELECT MIN(event_ms) FROM usage_receive WHERE roll IS NULL) AS rows) AS usage_ms";

impl Store {
    /// What waits now.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn backlog(&self) -> Result<Backlog> {
        let row = sql::row(&self.readers.within(Fence::Worker), BACKLOG, []).await?;
        let row = row.ok_or_else(|| Error::internal("a statement without FROM gave no row"))?;
        let now = self.clock.now_ms();
        let count = |column| -> Result<u64> { Ok(sql::get::<i64>(&row, column)?.max(0).unsigned_abs()) };
        let age = |column| -> Result<u64> {
            let since = sql::get::<Option<i64>>(&row, column)?.unwrap_or(now);
            Ok(now.saturating_sub(since).max(0).unsigned_abs())
        };
        Ok(Backlog {
            jobs_waiting: count("jobs_waiting")?,
            jobs_dead: count("jobs_dead")?,
            job_age_ms: age("job_due_ms")?,
            usage_age_ms: age("usage_ms")?,
        })
    }
}
