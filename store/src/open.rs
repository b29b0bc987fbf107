//! Opening the database, a SQLite file or PostgreSQL: the data folder, the master key, migrations, connections.

mod folder;
mod postgres;
mod sqlite;

pub use folder::{ServeLock, lock_for_serving};
pub(crate) use folder::{check_private, io_fault, make_private_folder, read_master_key, unusable};
#[cfg(test)]
pub(crate) use postgres::check_role;
pub use postgres::{DatabaseLock, is_postgres_url, lock_database};
pub(crate) use postgres::{Owner, options};

use crate::db::Db;
use crate::log::upload::SEALS_MAX;
use crate::objects::Objects;
use crate::{Store, sql};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use tokenim_domain::Result;
use tokenim_domain::clock::Clock;
use tokenim_domain::rng::Rng;
use tokenim_domain::secret::Secret;
use tokio::sync::Semaphore;

/// Where the data is and how hard it is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of the master key and, without PostgreSQL, of the database file; made if absent.
    pub data: PathBuf,
    /// URL of a PostgreSQL database (`postgres://user:password@host/name?sslmode=verify-full`); `None` = a SQLite file.
    pub postgres: Option<Secret>,
    /// What an ack means on this machine, where the database is a file.
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

/// Connections by what they are for. On SQLite there is one writer, and a reader reads anything.
pub(crate) struct Pools {
    /// Writes of everything but the log.
    pub writer: Db,
    /// Reads of everything but the log.
    pub readers: Db,
    /// The append, and the users it names.
    pub log_writer: Db,
    /// Reads of the log for clients and faces.
    pub log_readers: Db,
    /// Reads of members and gaps for the delivery.
    pub fan_out: Db,
}

/// The file of a data folder, brought up to date, for reading it whole.
///
/// Errors: `internal` where there is none.
pub(crate) async fn sqlite_source(settings: &Settings) -> Result<sea_orm::DatabaseConnection> {
    let file = settings.data.join("tokenim.db");
    check_private(&file)?;
    read_master_key(&settings.data.join("master.key"))?;
    sqlite::source(&file, settings.durability).await
}

impl Store {
    /// Opens or makes the database, checks its durability and brings its schema up to date.
    ///
    /// Errors: `unavailable` or `internal` with the cause: folder not writable, file not a database, key file readable by
    /// others, PostgreSQL out of reach; `conflict` for another database's key file. Source: docs/ARCHITECTURE.md, invariants.
    pub async fn open(settings: &Settings, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Result<Opened> {
        make_private_folder(&settings.data).map_err(|error| unusable(&settings.data, &error))?;
        folder::refuse_half_restored(&settings.data)?;
        let turn = folder::take_turn(&settings.data.join("open.lock")).await?;
        let (file, key) = (settings.data.join("tokenim.db"), settings.data.join("master.key"));
        let (pools, migrated, master) = match &settings.postgres {
            None => {
                if !file.exists() {
                    folder::make_master_key(&key, rng.as_ref())?;
                }
                let master = read_master_key(&key)?;
                let (pools, migrated) = sqlite::open(&file, settings.durability).await?;
                (pools, migrated, master)
            }
            Some(url) => {
                let owner = Owner::connect(url).await?;
                if owner.is_empty().await? {
                    folder::make_master_key(&key, rng.as_ref())?;
                }
                let master = read_master_key(&key)?;
                let migrated = owner.migrate().await?;
                owner.close().await?;
                (postgres::open(url).await?, migrated, master)
            }
        };
        drop(turn);
        let in_flight = Arc::new(AtomicI64::new(i64::MAX));
        let Pools { writer, readers, log_writer, log_readers, fan_out } = pools;
        let jobs_nudge = Arc::default();
        let (objects, seals) = (Objects::folder(settings.data.join("objects")), Arc::new(Semaphore::new(SEALS_MAX)));
        let store = Store {
            writer,
            readers,
            log_writer,
            log_readers,
            fan_out,
            in_flight,
            jobs_nudge,
            clock,
            rng,
            master,
            objects,
            seals,
        };
        store.check_master().await?;
        Ok(Opened { store, migrated })
    }

    /// How many migrations the database lacks, applying none; `None` where there is no database yet.
    ///
    /// Errors: as [`Store::open`].
    pub async fn pending_migrations(settings: &Settings) -> Result<Option<usize>> {
        let (file, key) = (settings.data.join("tokenim.db"), settings.data.join("master.key"));
        folder::refuse_half_restored(&settings.data)?;
        if let Some(url) = &settings.postgres {
            let owner = Owner::connect(url).await?;
            if owner.is_empty().await? {
                return Ok(None);
            }
            read_master_key(&key)?;
            return owner.pending().await.map(Some);
        }
        if !file.exists() {
            return Ok(None);
        }
        check_private(&file)?;
        read_master_key(&key)?;
        let _turn = folder::take_turn(&settings.data.join("open.lock")).await?;
        sqlite::pending(&file, settings.durability).await.map(Some)
    }

    /// Whether the database answers a read.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn ping(&self) -> Result<()> {
        sql::row(&self.readers, "SELECT last FROM change_clock", []).await.map(drop)
    }

    /// Closes every connection; the last one checkpoints SQLite's write-ahead log.
    pub async fn close(&self) {
        for pool in [&self.readers, &self.log_readers, &self.fan_out, &self.log_writer, &self.writer] {
            pool.close().await;
        }
    }
}

impl Durability {
    pub(crate) const fn pragma(self) -> &'static str {
        match self {
            Durability::Full => "FULL",
            #[cfg(feature = "sabotage")]
            Durability::Off => "OFF",
        }
    }

    /// The number SQLite answers with (sqlite.org/pragma.html#pragma_synchronous).
    pub(crate) const fn level(self) -> i64 {
        match self {
            Durability::Full => 2,
            #[cfg(feature = "sabotage")]
            Durability::Off => 0,
        }
    }
}
