//! Opening the SQLite file: durability asked for and read back, the master key, migrations.

use crate::restore::STAGING;
use crate::{Store, sql};
use sea_orm::sqlx::{self, Connection, SqliteConnection};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use sea_orm_migration::MigratorTrait;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::rng::Rng;
use tokenim_domain::secret::MasterKey;
use tokenim_domain::{Code, Error, Result};
use tokenim_migrations::Migrator;

/// Reading connections of the delivery, so that busy faces can't hold up the fan-out.
const FAN_OUT_READERS_MAX: u32 = 1;
/// Reading connections; SQLite readers do not block each other or the writer in WAL mode.
const READERS_MAX: u32 = 4;
/// How long a connection is waited for before the caller is told `overloaded`.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for a lock another process holds (`tokenim admin` beside `tokenim serve`).
const BUSY_TIMEOUT_MS: u32 = 10_000;

/// Where the data is and how hard it is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of the database file and the master key; made if absent.
    pub data: PathBuf,
    /// What an ack means on this machine.
    pub durability: Durability,
}

/// SQLite's `synchronous`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is flushed to the disk before it returns; the only setting the product runs with.
    Full,
    /// Commits reach the page cache only. Exists so that the durability test can be seen to fail.
    #[cfg(feature = "sabotage")]
    Off,
}

/// A store, and what opening it did.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Migrations that were applied now.
    pub migrated: usize,
}

impl Store {
    /// Opens or makes the database of a data folder, checks its durability and brings its schema up to date.
    ///
    /// Errors: `unavailable` or `internal` with the cause: folder not writable, file not a database, key file readable by others.
    /// Source: docs/ARCHITECTURE.md, invariants.
    pub async fn open(settings: &Settings, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Result<Opened> {
        make_private_folder(&settings.data).map_err(|error| unusable(&settings.data, &error))?;
        refuse_half_restored(&settings.data)?;
        let turn = take_turn(&settings.data.join("open.lock")).await?;
        let (file, key) = (settings.data.join("tokenim.db"), settings.data.join("master.key"));
        if !file.exists() {
            make_master_key(&key, rng.as_ref())?;
        }
        let master = read_master_key(&key)?;
        make_private_file(&file)?;
        let writer = connect(&file, 1, settings.durability).await?;
        let migrated = Migrator::get_pending_migrations(&writer).await.map_err(crate::fault::query)?.len();
        Migrator::up(&writer, None).await.map_err(crate::fault::query)?;
        verify_pragmas(&writer, settings.durability).await?;
        let readers = connect(&file, READERS_MAX, settings.durability).await?;
        let fan_out = connect(&file, FAN_OUT_READERS_MAX, settings.durability).await?;
        drop(turn);
        let in_flight = Arc::new(AtomicI64::new(i64::MAX));
        let jobs_nudge = Arc::default();
        Ok(Opened { store: Store { writer, readers, fan_out, in_flight, jobs_nudge, clock, rng, master }, migrated })
    }

    /// How many migrations a data folder's database lacks, applying none; `None` where there is no database yet.
    ///
    /// Errors: as [`Store::open`].
    pub async fn pending_migrations(settings: &Settings) -> Result<Option<usize>> {
        let (file, key) = (settings.data.join("tokenim.db"), settings.data.join("master.key"));
        refuse_half_restored(&settings.data)?;
        if !file.exists() {
            return Ok(None);
        }
        check_private(&file)?;
        read_master_key(&key)?;
        let _turn = take_turn(&settings.data.join("open.lock")).await?;
        let database = connect(&file, 1, settings.durability).await?;
        let pending = Migrator::get_pending_migrations(&database).await.map_err(crate::fault::query)?.len();
        verify_pragmas(&database, settings.durability).await?;
        database.close().await.map_err(crate::fault::query)?;
        Ok(Some(pending))
    }

    /// Whether the database answers a read.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn ping(&self) -> Result<()> {
        sql::row(&self.readers, "SELECT last FROM usage_clock", []).await.map(drop)
    }

    /// Closes every connection; the last one checkpoints the write-ahead log.
    pub async fn close(&self) {
        for pool in [&self.readers, &self.fan_out, &self.writer] {
            if let Err(error) = pool.close_by_ref().await {
                tracing::warn!(%error, "closing the database");
            }
        }
    }
}

async fn connect(file: &Path, connections: u32, durability: Durability) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rwc", file.display()));
    options.max_connections(connections).min_connections(1).sqlx_logging(false).acquire_timeout(ACQUIRE_TIMEOUT);
    // Local connections do not break, so none is tried before its use.
    options.test_before_acquire(false).idle_timeout(None).max_lifetime(None);
    options.map_sqlx_sqlite_pool_opts(|pool| {
        pool.before_acquire(|connection, _| Box::pin(is_outside_transaction(connection)))
    });
    options.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", durability.pragma())
            .pragma("busy_timeout", BUSY_TIMEOUT_MS.to_string())
            .pragma("foreign_keys", "ON")
            .pragma("cache_size", "-65536")
            .pragma("temp_store", "MEMORY")
    });
    Database::connect(options).await.map_err(crate::fault::query)
}

/// Whether a pooled connection may be used again. When a COMMIT or ROLLBACK fails (disk full, I/O error), SQLite has rolled
/// back by itself but the driver still counts an open transaction: what is then begun on that connection is a savepoint,
/// and its commit flushes nothing. Such a connection is replaced. The ping waits for a rollback that is still under way.
async fn is_outside_transaction(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// The driver leaves the journal mode as it found it, and a build of SQLite may know other defaults: so read both back.
async fn verify_pragmas(writer: &DatabaseConnection, durability: Durability) -> Result<()> {
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

impl Durability {
    const fn pragma(self) -> &'static str {
        match self {
            Durability::Full => "FULL",
            #[cfg(feature = "sabotage")]
            Durability::Off => "OFF",
        }
    }

    /// The number SQLite answers with (sqlite.org/pragma.html#pragma_synchronous).
    const fn level(self) -> i64 {
        match self {
            Durability::Full => 2,
            #[cfg(feature = "sabotage")]
            Durability::Off => 0,
        }
    }
}

fn make_private_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

/// A restore that did not end has left a folder without its database, or with the old one: it is done again.
fn refuse_half_restored(data: &Path) -> Result<()> {
    if data.join(STAGING).exists() {
        let message = format!("a restore to {} did not end; run `tokenim restore` again", data.display());
        return Err(Error::new(Code::Conflict).says(message));
    }
    Ok(())
}

/// Waits until no other process opens this folder. Without turns two first starts meet in the switch to WAL, where SQLite
/// does not wait, and in the migrations. The lock ends with the file handle, also when the process dies.
async fn take_turn(file: &Path) -> Result<fs::File> {
    let fail = |error| io_fault(file, error);
    let lock = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file).map_err(fail)?;
    let locked = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await.map_err(Error::internal)?;
    locked.map_err(fail)
}

/// Held by the one process that serves a data folder; ends with the value, also when the process dies.
#[derive(Debug)]
pub struct ServeLock(#[expect(dead_code, reason = "the lock lives as long as the handle")] fs::File);

/// Takes the right to serve a data folder: live events go from process to process over no bus yet, so two would each
/// miss the other's. Administration beside a serving process needs no such right.
///
/// Errors: `conflict` where another process has it; `internal` where the folder can't be used.
pub fn lock_for_serving(data: &Path) -> Result<ServeLock> {
    make_private_folder(data).map_err(|error| unusable(data, &error))?;
    let file = data.join("serve.lock");
    let lock = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&file);
    let lock = lock.map_err(|error| io_fault(&file, error))?;
    match lock.try_lock() {
        Ok(()) => Ok(ServeLock(lock)),
        Err(fs::TryLockError::WouldBlock) => {
            let message = format!(
                "another `tokenim serve` uses {}; stop it, or choose another folder with --data",
                data.display()
            );
            Err(Error::new(Code::Conflict).says(message))
        }
        Err(fs::TryLockError::Error(error)) => Err(io_fault(&file, error)),
    }
}

/// Makes the database file, for its owner only; SQLite gives the files beside it the same mode.
fn make_private_file(file: &Path) -> Result<()> {
    if !file.exists() {
        let made = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file);
        made.map_err(|error| io_fault(file, error))?;
    }
    check_private(file)
}

pub(crate) fn check_private(file: &Path) -> Result<()> {
    let mode = fs::metadata(file).map_err(|error| io_fault(file, error))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Error::internal(format!(
            "{} is readable by others (mode {:o}); run chmod 600",
            file.display(),
            mode & 0o777
        )));
    }
    Ok(())
}

/// Makes the master key where there is none yet. It is written whole under another name first: a crash leaves no half key.
fn make_master_key(file: &Path, rng: &dyn Rng) -> Result<()> {
    if file.exists() {
        return Ok(());
    }
    let fail = |error| io_fault(file, error);
    let fresh = file.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(fail)?;
    out.write_all(&rng.bytes::<{ MasterKey::BYTES }>()).and_then(|()| out.sync_all()).map_err(fail)?;
    fs::rename(&fresh, file).map_err(fail)
}

pub(crate) fn read_master_key(file: &Path) -> Result<MasterKey> {
    if !file.exists() {
        let message = format!("{} is missing; without it the database beside it can't be read", file.display());
        return Err(Error::internal(message));
    }
    let fail = |error| io_fault(file, error);
    check_private(file)?;
    let bytes = fs::read(file).map_err(fail)?;
    let bytes = bytes
        .try_into()
        .map_err(|_| Error::internal(format!("{} is not a key of {} bytes", file.display(), MasterKey::BYTES)))?;
    Ok(MasterKey::new(&bytes))
}

pub(crate) fn io_fault(path: &Path, error: io::Error) -> Error {
    let message = format!("{}: {error}", path.display());
    Error::internal(error).says(message)
}

fn unusable(data: &Path, error: &io::Error) -> Error {
    let message = format!("the data folder {} can't be used: {error}; choose another with --data", data.display());
    Error::internal(error.to_string()).says(message)
}
