//! A copy of the database that is made beside a running server, and the look into a copy of a SQLite file that says whether
//! it is good. PostgreSQL's is in `dump.rs`.

use crate::open::{check_private, io_fault};
use crate::{Settings, dump};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, ConnectOptions, Connection};
use sea_orm_migration::MigratorTrait;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokenim_domain::{Code, Error, Result};
use tokenim_migrations::Migrator;

/// How long a copy waits for a lock that another process holds; in WAL mode a reader meets one only while a database is opened.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the caller hears how far a copy is.
const TELL_INTERVAL: Duration = Duration::from_secs(1);

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The newest migration that it has.
    pub schema: String,
    /// Orgs.
    pub orgs: i64,
    /// Apps.
    pub apps: i64,
    /// Conversations.
    pub conversations: i64,
    /// Events of all logs.
    pub events: i64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Copies the database to a file, and with `key` the master key beside it (`FILE.key`). A server may run and write meanwhile:
/// the copy is the database at one moment after the call. It is flushed and looked through before it gets its name. `tell`
/// hears how many bytes are written.
///
/// Errors: `conflict` where the file exists, or what is wrong with the copy; `not_found` where there is no database, or no
/// `pg_dump` for one in PostgreSQL; `unavailable`; `internal` with the cause.
pub async fn backup(settings: &Settings, to: &Path, key: bool, mut tell: impl FnMut(u64)) -> Result<Contents> {
    let (part, key_file) = (beside(to, "part"), beside(to, "key"));
    if let Some(file) = [to, &key_file].into_iter().find(|file| file.exists()) {
        return Err(Error::new(Code::Conflict).says(format!("{} exists; nothing is overwritten", file.display())));
    }
    make_empty(&part)?;
    let written = async {
        let contents = match &settings.postgres {
            None => copy(&settings.data, &part, &mut tell).await?,
            Some(url) => dump::write(url, &part, &mut tell).await?,
        };
        flush(&part).map(|()| contents)
    };
    let contents = written.await.inspect_err(|_| drop(fs::remove_file(&part)))?;
    if key {
        copy_private(&settings.data.join("master.key"), &key_file)?;
    }
    fs::rename(&part, to).map_err(|error| io_fault(to, error))?;
    flush_folder_of(to)?;
    Ok(contents)
}

/// Copies the file of a data folder, and looks the copy through.
async fn copy(data: &Path, part: &Path, tell: &mut impl FnMut(u64)) -> Result<Contents> {
    let source = data.join("tokenim.db");
    if !source.exists() {
        return Err(Error::new(Code::NotFound).says(format!("{} holds no database", data.display())));
    }
    vacuum_into(&source, part, tell).await?;
    look(part).await
}

/// The name of a file that belongs to a backup.
pub(crate) fn beside(backup: &Path, what: &str) -> PathBuf {
    let mut name = backup.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}

/// Looks a backup through: SQLite's own check of every page and index, that its schema is one we know, and that each log is
/// dense up to its head.
///
/// Errors: `conflict` with what is wrong.
pub async fn look(file: &Path) -> Result<Contents> {
    let bytes = fs::metadata(file).map_err(|error| io_fault(file, error))?.len();
    let wal = beside(file, "").with_file_name(format!("{}-wal", file.file_name().unwrap_or_default().display()));
    if fs::metadata(wal).is_ok_and(|wal| wal.len() > 0) {
        return Err(bad(file, "it is a live database; `tokenim backup` makes a copy that is whole"));
    }
    let options =
        SqliteConnectOptions::new().filename(file).read_only(true).immutable(true).disable_statement_logging();
    let unreadable = |error: sqlx::Error| bad(file, &error.to_string());
    let mut on = SqliteConnection::connect_with(&options).await.map_err(unreadable)?;
    let contents = async {
        let check: String =
            sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut on).await.map_err(unreadable)?;
        if check != "ok" {
            return Err(bad(file, &check));
        }
        let schema = schema(file, &mut on).await?;
        let ragged: i64 = sqlx::query_scalar(RAGGED).fetch_one(&mut on).await.map_err(unreadable)?;
        if ragged > 0 {
            return Err(bad(file, &format!("the logs of {ragged} conversations are not whole")));
        }
        let (orgs, apps, conversations, events) =
            sqlx::query_as(COUNTS).fetch_one(&mut on).await.map_err(unreadable)?;
        Ok(Contents { schema, orgs, apps, conversations, events, bytes })
    };
    let contents = contents.await;
    on.close().await.map_err(unreadable)?;
    contents
}

/// The newest migration; all of them must be ours.
async fn schema(file: &Path, on: &mut SqliteConnection) -> Result<String> {
    let applied = sqlx::query_scalar(MIGRATIONS).fetch_all(on).await;
    newest(file, &applied.map_err(|_| bad(file, "it is no database of tokenim"))?)
}

/// The last of the migrations that a copy has, in their order.
pub(crate) fn newest(file: &Path, applied: &[String]) -> Result<String> {
    let known: BTreeSet<String> = Migrator::migrations().iter().map(|known| known.name().to_owned()).collect();
    if let Some(unknown) = applied.iter().find(|name| !known.contains(*name)) {
        return Err(bad(file, &format!("it was made by a newer tokenim: this one does not know {unknown}")));
    }
    applied.last().cloned().ok_or_else(|| bad(file, "it holds no schema"))
}

/// One statement, so one moment; readers do not hold up the writer.
async fn vacuum_into(source: &Path, part: &Path, tell: &mut impl FnMut(u64)) -> Result<()> {
    check_private(source)?;
    let options = SqliteConnectOptions::new().filename(source).busy_timeout(BUSY_TIMEOUT).disable_statement_logging();
    let mut on = SqliteConnection::connect_with(&options).await.map_err(Error::internal)?;
    let name = part.to_str().ok_or_else(|| bad(part, "its name is no UTF-8"))?;
    let copied = telling(part, tell, sqlx::query("VACUUM INTO $1").bind(name).execute(&mut on)).await;
    copied.map_err(|error| bad(part, &error.to_string()))?;
    on.close().await.map_err(Error::internal)
}

/// Does the work, and tells meanwhile how large its file is.
pub(crate) async fn telling<T>(part: &Path, tell: &mut impl FnMut(u64), work: impl Future<Output = T>) -> T {
    let mut ticks = tokio::time::interval(TELL_INTERVAL);
    ticks.tick().await;
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => tell(fs::metadata(part).map_or(0, |part| part.len())),
        }
    }
}

fn make_empty(file: &Path) -> Result<()> {
    let _ = fs::remove_file(file);
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    made.map(drop).map_err(|error| io_fault(file, error))
}

/// Copies a file that only its owner may read, and flushes it.
pub(crate) fn copy_private(from: &Path, to: &Path) -> Result<()> {
    make_empty(to)?;
    fs::copy(from, to).map_err(|error| io_fault(from, error))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o600)).map_err(|error| io_fault(to, error))?;
    flush(to)
}

pub(crate) fn flush(file: &Path) -> Result<()> {
    fs::File::open(file).and_then(|file| file.sync_all()).map_err(|error| io_fault(file, error))
}

/// Flushes the names in a file's folder.
pub(crate) fn flush_folder_of(file: &Path) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    flush(folder)
}

pub(crate) fn bad(file: &Path, why: &str) -> Error {
    Error::new(Code::Conflict).says(format!("{}: {why}", file.display()))
}

pub(crate) const MIGRATIONS: &str = "SELECT version FROM seaql_migrations ORDER BY version";

pub(crate) const COUNTS: &str = "
SELECT (SELECT count(*) FROM org), (SELECT count(*) FROM app), (SELECT count(*) FROM conversation), (SELECT count(*) FROM message)";

pub(crate) const RAGGED: &str = "
SELECT count(*) FROM conversation c LEFT JOIN (
    SELECT app_id, conversation_id, count(*) AS events, max(seq) AS last FROM message GROUP BY app_id, conversation_id
) m ON m.app_id = c.app_id AND m.conversation_id = c.id
WHERE c.last_seq <> coalesce(m.events, 0) OR c.last_seq <> coalesce(m.last, 0)";
