//! Database errors as the domain's errors.

use sea_orm::DbErr;
use tokenim_domain::{Code, Error};

/// A query that failed: the store can't be reached or is broken; nothing was acknowledged.
pub(crate) fn query(error: DbErr) -> Error {
    match error {
        DbErr::ConnectionAcquire(_) => Error::new(Code::Overloaded).retry_after(ACQUIRE_RETRY_MS).because(error),
        other => Error::new(Code::Unavailable).retry_after(FAULT_RETRY_MS).because(other),
    }
}

/// Milliseconds a caller waits after every connection was busy.
const ACQUIRE_RETRY_MS: u64 = 1_000;
/// Milliseconds a caller waits after a query failed.
const FAULT_RETRY_MS: u64 = 2_000;
