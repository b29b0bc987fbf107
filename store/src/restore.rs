//! A backup becomes the database of a data folder: looked through first, readied in a folder of its own, then put in place.

use crate::backup::{Contents, bad, beside, copy_private, flush_folder_of, look};
use crate::keys::SEAL_PURPOSE;
use crate::open::{io_fault, lock_for_serving, read_master_key};
use crate::{Settings, Store, dump};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, ConnectOptions, Connection};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokenim_domain::clock::Clock;
use tokenim_domain::rng::Rng;
use tokenim_domain::secret::{MasterKey, Secret};
use tokenim_domain::{Code, Error, Result};

/// The folder, within the data folder, where a restore readies its files.
const READYING: &str = "restore-part";
/// What that folder is called once its files are being put in place. Where it is, a restore did not end.
pub(crate) const STAGING: &str = "restoring";
/// What SQLite keeps in and beside the database file.
const DATABASE_FILES: [&str; 3] = ["tokenim.db", "tokenim.db-wal", "tokenim.db-shm"];

/// Which backup, and what may be done for it.
#[derive(Debug, Clone)]
pub struct Restore {
    /// The backup.
    pub from: PathBuf,
    /// The master key it was made under; `None` = the one beside the backup (`FILE.key`), else the one in the data folder.
    pub key: Option<PathBuf>,
    /// Whether a database that is in the data folder may be set aside.
    pub replace: bool,
}

/// What a restore did.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What the backup holds.
    pub contents: Contents,
    /// The epoch that every log is in now.
    pub epoch: i64,
    /// Migrations that were applied to it.
    pub migrated: usize,
    /// Where the database that was there before is now.
    pub set_aside: Option<PathBuf>,
}

/// Makes a backup the database of a data folder, in a new epoch of every log, with every console session ended. With
/// PostgreSQL the backup is a dump, the database must be new, and the folder takes the master key.
///
/// Errors: `conflict` with what is wrong: a backup that is not whole or of another key, a folder that is served or holds a
/// database that may not be set aside; `not_found` where there is no key; `unavailable`; `internal` with the cause. What was
/// there is as it was then, unless the restore had begun to put things in place: no command opens the folder until it is
/// done again.
pub async fn restore(
    settings: &Settings,
    wanted: &Restore,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
) -> Result<Restored> {
    match &settings.postgres {
        None => to_file(settings, wanted, clock, rng).await,
        Some(url) => to_postgres(settings, url, wanted, clock, rng).await,
    }
}

async fn to_file(settings: &Settings, wanted: &Restore, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Result<Restored> {
    let data = &settings.data;
    let _not_served = lock_for_serving(data)?;
    let contents = look(&wanted.from).await?;
    let key = key_of(data, wanted)?;
    check_key(&wanted.from, &read_master_key(&key)?).await?;
    if data.join(DATABASE_FILES[0]).exists() && !wanted.replace {
        let message = format!("{} holds a database; --replace sets it aside", data.display());
        return Err(Error::new(Code::Conflict).says(message));
    }
    let part = make_part(data, &key)?;
    copy_private(&wanted.from, &part.join(DATABASE_FILES[0]))?;
    let (epoch, migrated) = begin(Settings { data: part, ..settings.clone() }, clock.clone(), rng).await?;
    let staging = mark(data)?;
    let set_aside = set_aside(data, clock.now_ms())?;
    put_in_place(data, &staging, &["master.key", DATABASE_FILES[0]])?;
    Ok(Restored { contents, epoch, migrated, set_aside })
}

async fn to_postgres(
    settings: &Settings,
    url: &Secret,
    wanted: &Restore,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
) -> Result<Restored> {
    let data = &settings.data;
    if wanted.replace {
        let message = "--replace is for a file; with PostgreSQL restore into a new database";
        return Err(Error::new(Code::Conflict).says(message));
    }
    let key = key_of(data, wanted)?;
    let master = read_master_key(&key)?;
    let there = data.join("master.key");
    if there.exists() && fs::read(&there).ok() != fs::read(&key).ok() {
        return Err(bad(&there, "it is another master key than the backup's; restore to another data folder"));
    }
    dump::read_through(&wanted.from).await?;
    dump::check_empty(url).await?;
    let _not_served = lock_for_serving(data)?;
    make_part(data, &key)?;
    let staging = mark(data)?;
    let contents = dump::read(url, &wanted.from, &master).await?;
    let (epoch, migrated) = begin(Settings { data: staging.clone(), ..settings.clone() }, clock, rng).await?;
    put_in_place(data, &staging, &["master.key"])?;
    Ok(Restored { contents, epoch, migrated, set_aside: None })
}

/// Readies a database that was put back: its schema, the new epoch, no session; returns the epoch and the migrations applied.
async fn begin(staged: Settings, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Result<(i64, usize)> {
    let opened = Store::open(&staged, clock, rng).await?;
    let epoch = opened.store.raise_epoch().await?;
    opened.store.end_sessions().await?;
    opened.store.close().await;
    Ok((epoch, opened.migrated))
}

/// Makes the folder where files are readied, with the key in it.
fn make_part(data: &Path, key: &Path) -> Result<PathBuf> {
    let part = data.join(READYING);
    make_anew(&part)?;
    copy_private(key, &part.join("master.key"))?;
    Ok(part)
}

/// From here on no command opens the data folder, until its files are in place. What an earlier restore left is dropped.
fn mark(data: &Path) -> Result<PathBuf> {
    let staging = data.join(STAGING);
    let fail = |error| io_fault(&staging, error);
    for left in fs::read_dir(&staging).into_iter().flatten() {
        fs::remove_file(left.map_err(fail)?.path()).map_err(fail)?;
    }
    fs::rename(data.join(READYING), &staging).map_err(fail)?;
    flush_folder_of(&staging)?;
    Ok(staging)
}

fn key_of(data: &Path, wanted: &Restore) -> Result<PathBuf> {
    let likely = [beside(&wanted.from, "key"), data.join("master.key")];
    let found = wanted.key.clone().or_else(|| likely.into_iter().find(|file| file.exists()));
    found.ok_or_else(|| {
        let message =
            "the master key that the backup was made under is needed: name it with --key, or put it beside the backup";
        Error::new(Code::NotFound).says(message)
    })
}

/// Whether the key opens what is sealed in the backup; one value stands for all.
async fn check_key(file: &Path, key: &MasterKey) -> Result<()> {
    let options =
        SqliteConnectOptions::new().filename(file).read_only(true).immutable(true).disable_statement_logging();
    let mut on = SqliteConnection::connect_with(&options).await.map_err(Error::internal)?;
    let sealed = sqlx::query_scalar("SELECT sealed_secret FROM signing_key WHERE sealed_secret IS NOT NULL LIMIT 1");
    let sealed: Option<Vec<u8>> = sealed.fetch_optional(&mut on).await.map_err(Error::internal)?;
    on.close().await.map_err(Error::internal)?;
    match sealed.map(|sealed| key.open(SEAL_PURPOSE, &sealed)) {
        Some(Err(_)) => Err(Error::new(Code::Conflict).says("the backup was made under another master key")),
        Some(Ok(_)) | None => Ok(()),
    }
}

fn make_anew(folder: &Path) -> Result<()> {
    let gone = if folder.exists() { fs::remove_dir_all(folder) } else { Ok(()) };
    gone.and_then(|()| fs::create_dir(folder)).map_err(|error| io_fault(folder, error))
}

/// Moves what is there out of the way, never deletes it.
fn set_aside(data: &Path, now_ms: i64) -> Result<Option<PathBuf>> {
    let old: Vec<_> = DATABASE_FILES.iter().filter(|name| data.join(name).exists()).collect();
    if old.is_empty() {
        return Ok(None);
    }
    let aside = data.join(format!("replaced-{now_ms}"));
    make_anew(&aside)?;
    for name in old {
        fs::rename(data.join(name), aside.join(name)).map_err(|error| io_fault(&aside, error))?;
    }
    // Copied, because a crash must not leave it here only: the restore that is done again may need it.
    let key = data.join("master.key");
    if key.exists() {
        copy_private(&key, &aside.join("master.key"))?;
    }
    Ok(Some(aside))
}

/// The key first: a database without its key would be the worse half.
fn put_in_place(data: &Path, staging: &Path, names: &[&str]) -> Result<()> {
    for name in names {
        fs::rename(staging.join(name), data.join(name)).map_err(|error| io_fault(data, error))?;
    }
    flush_folder_of(staging)?;
    fs::remove_dir_all(staging).map_err(|error| io_fault(staging, error))
}
