//! Database errors as the domain's errors.

use sea_orm::{DbErr, RuntimeErr};
use tokenim_domain::{Code, Error};

/// A query that failed: the store can't be reached or is broken; nothing was acknowledged. Does not return where it was a
/// flush that failed: a statement outside a transaction flushes too.
pub(crate) fn query(error: DbErr) -> Error {
    end_if_flush_failed(&error);
    match error {
        DbErr::ConnectionAcquire(_) => Error::new(Code::Overloaded).retry_after(ACQUIRE_RETRY_MS).because(error),
        other => Error::new(Code::Unavailable).retry_after(FAULT_RETRY_MS).because(other),
    }
}

/// A head was not where it had been looked up: another node wrote to its conversation in between.
#[derive(Debug)]
pub(crate) struct HeadMoved;

impl std::fmt::Display for HeadMoved {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a conversation moved while a batch was written to it")
    }
}

impl std::error::Error for HeadMoved {}

/// PostgreSQL's codes of two transactions that met: serialization_failure, deadlock_detected, unique_violation
/// (postgresql.org/docs/15/errcodes-appendix.html).
const MEETINGS: [&str; 3] = ["40001", "40P01", "23505"];

/// Whether a batch failed because it met another node's, and may be tried again as it is.
pub(crate) fn is_meeting(error: &Error) -> bool {
    let moved = std::error::Error::source(error).is_some_and(|source| source.is::<HeadMoved>());
    moved || code_behind(error).is_some_and(|code| MEETINGS.contains(&code.as_str()))
}

/// Whether PostgreSQL refused a row because another transaction wrote one with the same key in between: unique_violation.
/// Under SQLite's one writer a look-up in the same transaction finds it.
pub(crate) fn is_taken(error: &Error) -> bool {
    code_behind(error).is_some_and(|code| code == "23505")
}

/// The code a database gave the error behind one of ours.
fn code_behind(error: &Error) -> Option<String> {
    std::error::Error::source(error)?.downcast_ref::<DbErr>().and_then(code_of)
}

/// The code a database gives its error.
fn code_of(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))
    | DbErr::Conn(RuntimeErr::SqlxError(cause))) = error
    else {
        return None;
    };
    cause.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

/// Milliseconds a caller waits after every connection was busy.
const ACQUIRE_RETRY_MS: u64 = 1_000;
/// Milliseconds a caller waits after a query failed.
pub(crate) const FAULT_RETRY_MS: u64 = 2_000;

/// SQLite's codes of a flush that failed: SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC (sqlite.org/rescode.html).
const FLUSH_FAILED: [&str; 2] = ["1034", "1290"];

/// Ends the process where a flush failed. The kernel may have dropped the pages it could not write, and the next flush would
/// succeed without them: only reading the file anew tells what is there.
///
/// Source: the fsync semantics of Linux, "Can applications recover from fsync failures?" (USENIX ATC 2020).
pub(crate) fn end_if_flush_failed(error: &DbErr) {
    let code = code_of(error);
    if code.is_some_and(|code| FLUSH_FAILED.contains(&code.as_str())) {
        tracing::error!(%error, "a flush to the disk failed: the process ends, because what was written is not known any more");
        std::process::abort();
    }
}
