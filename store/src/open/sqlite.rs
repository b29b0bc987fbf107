//! Opening the SQLite file: durability asked for and read back.

use super::{Durability, Pools, folder};
use crate::db::Db;
use crate::{fault, sql};
use sea_orm::sqlx::{self, Connection, SqliteConnection};
use sea_orm::{ConnectOptions, Database};
use sea_orm_migration::MigratorTrait;
use std::path::Path;
use std::time::Duration;
use tokenim_domain::{Error, Result};
use tokenim_migrations::Migrator;

/// Reading connections of the delivery, so that busy faces can't hold up the fan-out.
const FAN_OUT_READERS_MAX: u32 = 1;
/// Reading connections; SQLite readers do not block each other or the writer in WAL mode.
const READERS_MAX: u32 = 4;
/// Pages of the file in the writer's own memory, KiB: the ends of the conversations that are written to, and the way there. What was
/// written once and is read by others is in the kernel's memory, which gives it back when it is short.
const WRITER_CACHE_KIB: u32 = 32 * 1024;
/// The same for each reader, which begins anew with every commit of the writer (SQLite drops a cache that the log has passed).
const READER_CACHE_KIB: u32 = 8 * 1024;
/// How long a connection is waited for before the caller is told `overloaded`.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for a lock another process holds (`tokenim admin` beside `tokenim serve`).
const BUSY_TIMEOUT_MS: u32 = 10_000;

/// Opens or makes the file and brings its schema up to date; returns how many migrations that took.
pub(super) async fn open(file: &Path, durability: Durability) -> Result<(Pools, usize)> {
    folder::make_private_file(file)?;
    let writer = connect(file, Use::Writes, durability).await?;
    let migrated = Migrator::get_pending_migrations(&writer).await.map_err(fault::query)?.len();
    Migrator::up(&writer, None).await.map_err(fault::query)?;
    let writer = Db::new(writer);
    verify_pragmas(&writer, durability).await?;
    let readers = Db::new(connect(file, Use::Reads(READERS_MAX), durability).await?);
    let fan_out = Db::new(connect(file, Use::Reads(FAN_OUT_READERS_MAX), durability).await?);
    let (log_writer, log_readers) = (writer.clone(), readers.clone());
    Ok((Pools { writer, readers, log_writer, log_readers, fan_out }, migrated))
}

/// Brings the file's schema up to date and leaves one connection to it.
pub(super) async fn source(file: &Path, durability: Durability) -> Result<sea_orm::DatabaseConnection> {
    let database = connect(file, Use::Writes, durability).await?;
    Migrator::up(&database, None).await.map_err(fault::query)?;
    Ok(database)
}

/// How many migrations the file lacks.
pub(super) async fn pending(file: &Path, durability: Durability) -> Result<usize> {
    let database = connect(file, Use::Writes, durability).await?;
    let pending = Migrator::get_pending_migrations(&database).await.map_err(fault::query)?.len();
    let database = Db::new(database);
    verify_pragmas(&database, durability).await?;
    database.close().await;
    Ok(pending)
}

/// What connections are for: transactions, by the one writer there is, or statements that read, each for itself.
#[derive(Clone, Copy)]
enum Use {
    Writes,
    Reads(u32),
}

async fn connect(file: &Path, to: Use, durability: Durability) -> Result<sea_orm::DatabaseConnection> {
    let (connections, cache_kib) = match to {
        Use::Writes => (1, WRITER_CACHE_KIB),
        Use::Reads(connections) => (connections, READER_CACHE_KIB),
    };
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rwc", file.display()));
    options.max_connections(connections).min_connections(1).sqlx_logging(false).acquire_timeout(ACQUIRE_TIMEOUT);
    // Local connections do not break, so none is tried before its use.
    options.test_before_acquire(false).idle_timeout(None).max_lifetime(None);
    if let Use::Writes = to {
        options.map_sqlx_sqlite_pool_opts(|pool| {
            pool.before_acquire(|connection, _| Box::pin(is_outside_transaction(connection)))
        });
    }
    options.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", durability.pragma())
            .pragma("busy_timeout", BUSY_TIMEOUT_MS.to_string())
            .pragma("foreign_keys", "ON")
            .pragma("cache_size", format!("-{cache_kib}"))
            .pragma("temp_store", "MEMORY")
    });
    Database::connect(options).await.map_err(fault::query)
}

/// Whether a pooled connection may be used again. When a COMMIT or ROLLBACK fails (disk full, I/O error), SQLite has rolled
/// back by itself but the driver still counts an open transaction: what is then begun on that connection is a savepoint,
/// and its commit flushes nothing. Such a connection is replaced. The ping waits for a rollback that is still under way.
async fn is_outside_transaction(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// The driver leaves the journal mode as it found it, and a build of SQLite may know other defaults: so read both back.
async fn verify_pragmas(writer: &Db, durability: Durability) -> Result<()> {
    let mode = sql::row(writer, "PRAGMA journal_mode", [])
        .await?
        .map(|row| sql::get::<String>(&row, "journal_mode"))
        .transpose()?;
    let level = sql::row(writer, "PRAGMA synchronous", [])
        .await?
        .map(|row| sql::get::<i64>(&row, "synchronous"))
        .transpose()?;
    if mode.as_deref() == Some("wal") && level == Some(durability.level()) {
        return Ok(());
    }
    Err(Error::internal(format!("the database is not durable: journal_mode={mode:?}, synchronous={level:?}")))
}
