//! Remembered answers of POST requests: what makes an `Idempotency-Key` work.

use crate::{Store, fault, sql};
use tokenim_domain::Result;
use tokenim_domain::log::AppRef;

/// How long an answer is remembered.
const KEPT_MS: i64 = 24 * 3_600_000;
/// After this long a request that left no answer is taken for dead, and the key may run again.
const RUNNING_MS_MAX: i64 = 60_000;
/// Expired keys that a request forgets on its way: more than it adds, so that what piled up is worked off.
const FORGOTTEN_MAX: i64 = 16;
const SEAL_PURPOSE: &str = "idempotency";

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: the request may run, and must be finished or abandoned.
    Fresh,
    /// It has run; this was its answer.
    Done(Remembered),
    /// It is running.
    Running,
    /// It was used with another request.
    Mismatch,
}

/// A remembered answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// HTTP status.
    pub status: u16,
    /// Body, as sent.
    pub body: Vec<u8>,
}

const TAKE: &str = "
INSERT INTO idempotency (app_id, key, request_hash, created_ms) VALUES ($1, $2, $3, $4)
ON CONFLICT (app_id, key) DO UPDATE SET created_ms = excluded.created_ms, request_hash = excluded.request_hash
WHERE status IS NULL AND created_ms <= $5";
const FIND: &str = "SELECT request_hash, status, sealed_body FROM idempotency WHERE app_id = $1 AND key = $2";
const FINISH: &str = "UPDATE idempotency SET status = $3, sealed_body = $4 WHERE app_id = $1 AND key = $2";
const ABANDON: &str = "DELETE FROM idempotency WHERE app_id = $1 AND key = $2 AND status IS NULL";
const FORGET: &str = "
DELETE FROM idempotency
WHERE (app_id, key) IN (SELECT app_id, key FROM idempotency WHERE created_ms < $1 ORDER BY created_ms LIMIT $2)";

impl Store {
    /// Claims a key for a request, or tells what became of the request that has it.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn begin_idempotent(&self, app: AppRef, key: &str, request_hash: [u8; 32]) -> Result<Begun> {
        let now = self.clock.now_ms();
        let tx = sql::begin(&self.writer).await?;
        sql::run(&tx, FORGET, [(now - KEPT_MS).into(), FORGOTTEN_MAX.into()]).await.map_err(fault::query)?;
        let values =
            [app.app.into(), key.into(), request_hash.to_vec().into(), now.into(), (now - RUNNING_MS_MAX).into()];
        let taken = sql::run(&tx, TAKE, values).await.map_err(fault::query)? == 1;
        let found = if taken { None } else { sql::row(&tx, FIND, [app.app.into(), key.into()]).await? };
        tx.commit().await.map_err(fault::query)?;
        // What is not taken stands there.
        let Some(row) = found else { return Ok(Begun::Fresh) };
        if sql::get::<Vec<u8>>(&row, "request_hash")? != request_hash {
            return Ok(Begun::Mismatch);
        }
        let (status, sealed) =
            (sql::get::<Option<i32>>(&row, "status")?, sql::get::<Option<Vec<u8>>>(&row, "sealed_body")?);
        let (Some(status), Some(sealed)) = (status, sealed) else { return Ok(Begun::Running) };
        let body = self.master.open(SEAL_PURPOSE, &sealed)?;
        Ok(Begun::Done(Remembered { status: u16::try_from(status).unwrap_or(500), body }))
    }

    /// Remembers the answer of a request that ran.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn finish_idempotent(&self, app: AppRef, key: &str, answer: &Remembered) -> Result<()> {
        let sealed = self.master.seal(SEAL_PURPOSE, &answer.body, &*self.rng)?;
        let values = [app.app.into(), key.into(), i32::from(answer.status).into(), sealed.into()];
        sql::run(&self.writer, FINISH, values).await.map(drop).map_err(fault::query)
    }

    /// Frees the key of a request that may be tried again.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn abandon_idempotent(&self, app: AppRef, key: &str) -> Result<()> {
        sql::run(&self.writer, ABANDON, [app.app.into(), key.into()]).await.map(drop).map_err(fault::query)
    }
}
