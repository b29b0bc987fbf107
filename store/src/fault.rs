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

/// Milliseconds a caller waits after every connection was busy.
const ACQUIRE_RETRY_MS: u64 = 1_000;
/// Milliseconds a caller waits after a query failed.
const FAULT_RETRY_MS: u64 = 2_000;

/// SQLite's codes of a flush that failed: SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC (sqlite.org/rescode.html).
const FLUSH_FAILED: [&str; 2] = ["1034", "1290"];

/// Ends the process where a flush failed. The kernel may have dropped the pages it could not write, and the next flush would
/// succeed without them: only reading the file anew tells what is there.
///
/// Source: the fsync semantics of Linux, "Can applications recover from fsync failures?" (USENIX ATC 2020).
pub(crate) fn end_if_flush_failed(error: &DbErr) {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))
    | DbErr::Conn(RuntimeErr::SqlxError(cause))) = error
    else {
        return;
    };
    let code = cause.as_database_error().and_then(|error| error.code());
    if code.is_some_and(|code| FLUSH_FAILED.contains(&code.as_ref())) {
        tracing::error!(%error, "a flush to the disk failed: the process ends, because what was written is not known any more");
        std::process::abort();
    }
}
