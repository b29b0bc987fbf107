//! Opening PostgreSQL: its version and durability read back, migrations by the owner, and connections in narrow roles.

use super::{Pools, Settings};
use crate::db::{Db, gone};
use crate::{fault, sql};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::{self, ConnectOptions, Connection, PgConnection};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr, SqlxPostgresConnector};
use sea_orm_migration::MigratorTrait;
use std::str::FromStr;
use std::time::Duration;
use tokenim_domain::secret::Secret;
use tokenim_domain::{Code, Error, Result};
use tokenim_migrations::{Migrator, fence};

/// Connections that change what is not the log: changes of one org wait for each other, each with a connection.
const WRITERS_MAX: u32 = 6;
/// Connections of look-ups, which never wait for changes.
const READERS_MAX: u32 = 6;
/// Connections of the append, which has one batch in flight, and of new users.
const LOG_WRITERS_MAX: u32 = 3;
/// Connections that read the log for clients and faces.
const LOG_READERS_MAX: u32 = 4;
/// Reading connections of the delivery, so that busy faces can't hold up the fan-out.
const FAN_OUT_READERS_MAX: u32 = 1;

/// How long a first connection may take when a process starts.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long a connection is waited for, or made, before the caller is told `unavailable`.
const ACQUIRE_WAIT: Duration = Duration::from_secs(3);
/// How long a connection that comes back may take to finish what was left on it; then it is dropped.
const RELEASE_WAIT: Duration = Duration::from_secs(5);
/// Connections are made anew after this long, so that none outlives a change of the server's address or grants.
const LIFETIME_MAX: Duration = Duration::from_secs(30 * 60);
/// Milliseconds the server gives a statement; the append has no such limit, because a commit must not be cancelled.
const STATEMENT_TIMEOUT_MS: u32 = 5_000;
/// Milliseconds a transaction may idle before the server ends it: a node that is paused in one holds rows that others need.
const IDLE_IN_TRANSACTION_MS: u32 = 10_000;
/// The oldest server that works, as `server_version_num` tells it.
const VERSION_MIN: u32 = 150_000;
/// Advisory lock of migrations; the number is ours by chance.
const MIGRATION_LOCK: i64 = 0x70_6b_69_6d;
/// Advisory lock of the one server of a database.
const SERVE_LOCK: i64 = 0x70_6b_69_6e;
/// How long a lock of a server that died is waited for: the keepalives below end its connection sooner.
const SERVE_LOCK_WAIT: Duration = Duration::from_secs(15);
/// How often it is tried.
const SERVE_LOCK_LOOK: Duration = Duration::from_millis(250);

/// Whether a text is the URL of a PostgreSQL database.
#[must_use]
pub fn is_postgres_url(text: &str) -> bool {
    options(&Secret::new(text.to_owned())).is_ok()
}

/// Where a URL leads.
pub(crate) fn options(url: &Secret) -> Result<PgConnectOptions> {
    let known = ["postgres://", "postgresql://"].iter().any(|scheme| url.expose().starts_with(scheme));
    let parsed = PgConnectOptions::from_str(url.expose()).ok().filter(|_| known);
    let message = "the database URL is none of PostgreSQL: it looks like postgres://user:password@host:5432/name";
    Ok(parsed.ok_or_else(|| Error::internal(message))?.application_name("tokenim").disable_statement_logging())
}

/// The login itself, which owns the tables: migrations run as it, and nothing else.
pub(crate) struct Owner {
    database: DatabaseConnection,
}

impl Owner {
    /// Connects, checks the server, and waits until no other process migrates.
    pub(crate) async fn connect(url: &Secret) -> Result<Owner> {
        let options = options(url)?;
        let first = match tokio::time::timeout(CONNECT_WAIT, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(unreachable(DbErr::Conn(RuntimeErr::SqlxError(error.into())))),
            Err(_) => return Err(unreachable(gone("no answer to the connection"))),
        };
        let version = first.server_version_num().unwrap_or(0);
        first.close().await.map_err(|error| unreachable(DbErr::Conn(RuntimeErr::SqlxError(error.into()))))?;
        if version < VERSION_MIN {
            return Err(Error::internal(format!("PostgreSQL 15 or newer is needed, this server is {version}")));
        }
        let database = pool(options, 1).await?;
        sql::rows(&database, "SELECT pg_advisory_lock($1)", [MIGRATION_LOCK.into()]).await?;
        verify_durability(&database).await?;
        Ok(Owner { database })
    }

    /// Whether the database holds nothing of ours yet.
    pub(super) async fn is_empty(&self) -> Result<bool> {
        let row = sql::row(&self.database, "SELECT to_regclass('org') IS NULL AS empty", []).await?;
        sql::get(&row.ok_or_else(|| Error::internal("a look-up without a row"))?, "empty")
    }

    /// How many migrations are not applied.
    pub(super) async fn pending(&self) -> Result<usize> {
        Ok(Migrator::get_pending_migrations(&self.database).await.map_err(fault::query)?.len())
    }

    /// Applies what is pending; returns how many that were.
    pub(crate) async fn migrate(&self) -> Result<usize> {
        let pending = self.pending().await?;
        Migrator::up(&self.database, None).await.map_err(fault::query)?;
        Ok(pending)
    }

    /// The one connection.
    pub(crate) fn database(&self) -> &DatabaseConnection {
        &self.database
    }

    /// Lets other processes have their turn.
    pub(super) async fn close(self) -> Result<()> {
        self.database.close().await.map_err(fault::query)
    }
}

/// Held by the one process that serves a database, for as long as its connection lasts.
#[derive(Debug)]
pub struct DatabaseLock(#[expect(dead_code, reason = "the lock lives as long as the connection")] PgConnection);

/// Takes the right to serve a database, as [`super::lock_for_serving`] does for a data folder. A file needs no more than that.
///
/// The lock ends with its connection: a server whose database was restarted goes on without it.
/// Errors: `conflict` where another process has it; `unavailable`.
pub async fn lock_database(settings: &Settings) -> Result<Option<DatabaseLock>> {
    let Some(url) = &settings.postgres else { return Ok(None) };
    let failed = |error: sqlx::Error| unreachable(DbErr::Conn(RuntimeErr::SqlxError(error.into())));
    let alive = [("tcp_keepalives_idle", "5"), ("tcp_keepalives_interval", "2"), ("tcp_keepalives_count", "3")];
    let options = options(url)?.options(alive);
    let mut connection = PgConnection::connect_with(&options).await.map_err(failed)?;
    let take = async {
        loop {
            let query = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(SERVE_LOCK);
            if query.fetch_one(&mut connection).await.map_err(failed)? {
                return Ok::<_, Error>(());
            }
            tokio::time::sleep(SERVE_LOCK_LOOK).await;
        }
    };
    match tokio::time::timeout(SERVE_LOCK_WAIT, take).await {
        Ok(taken) => taken.map(|()| Some(DatabaseLock(connection))),
        Err(_) => Err(Error::new(Code::Conflict).says("another `tokenim serve` uses this database; stop it first")),
    }
}

/// The connections of a server, each kind in its own role.
pub(super) async fn open(url: &Secret) -> Result<Pools> {
    let narrow = |role: &str, statement_ms: u32| -> Result<PgConnectOptions> {
        Ok(options(url)?.options([
            ("role", role.to_owned()),
            ("statement_timeout", statement_ms.to_string()),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_MS.to_string()),
        ]))
    };
    // The log is read and written by key only. Without statistics, as in a new database, the planner may think otherwise.
    let log = |statement_ms: u32| -> Result<PgConnectOptions> {
        let by_key = ["enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"].map(|name| (name, "off"));
        Ok(narrow(fence::LOG, statement_ms)?.options(by_key))
    };
    let writer = pool(narrow(fence::AUTH, STATEMENT_TIMEOUT_MS)?, WRITERS_MAX).await?;
    check_role(&writer, fence::AUTH).await?;
    Ok(Pools {
        readers: Db::new(pool(narrow(fence::AUTH, STATEMENT_TIMEOUT_MS)?, READERS_MAX).await?),
        writer: Db::new(writer),
        log_writer: Db::new(pool(log(0)?, LOG_WRITERS_MAX).await?),
        log_readers: Db::new(pool(log(STATEMENT_TIMEOUT_MS)?, LOG_READERS_MAX).await?),
        fan_out: Db::new(pool(log(STATEMENT_TIMEOUT_MS)?, FAN_OUT_READERS_MAX).await?),
    })
}

/// What is between (a pooler) may drop the options of a connection, and then it would work as the login, which sees every row.
pub(crate) async fn check_role(on: &impl ConnectionTrait, role: &str) -> Result<()> {
    let row = sql::row(on, "SELECT current_user::text AS name", []).await?;
    let name: String = sql::get(&row.ok_or_else(|| Error::internal("a look-up without a row"))?, "name")?;
    if name != role {
        let message = format!(
            "a connection to PostgreSQL works as {name} and not as {role}: what is between drops its startup options; \
             let [database] url lead to the server itself"
        );
        return Err(Error::internal(message));
    }
    Ok(())
}

async fn pool(options: PgConnectOptions, connections: u32) -> Result<DatabaseConnection> {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_WAIT)
        .max_lifetime(LIFETIME_MAX)
        .idle_timeout(None)
        // A restarted server leaves broken connections behind; each is tried before its use.
        .test_before_acquire(true)
        .after_release(|connection, _| {
            Box::pin(async move {
                let left = tokio::time::timeout(RELEASE_WAIT, connection.ping());
                left.await.map_err(|_| sqlx::Error::PoolTimedOut)?.map(|()| true)
            })
        })
        .connect_with(options)
        .await
        .map_err(|error| unreachable(DbErr::Conn(RuntimeErr::SqlxError(error.into()))))?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

/// As with SQLite's pragmas: what an ack rests on is read back.
async fn verify_durability(database: &DatabaseConnection) -> Result<()> {
    let text = "SELECT current_setting('synchronous_commit') AS commit, current_setting('fsync') AS fsync";
    let row = sql::row(database, text, []).await?.ok_or_else(|| Error::internal("settings without a row"))?;
    let (commit, fsync): (String, String) = (sql::get(&row, "commit")?, sql::get(&row, "fsync")?);
    if commit == "off" {
        let message =
            "PostgreSQL acknowledges commits before they are durable (synchronous_commit = off); set it to on";
        return Err(Error::internal(message));
    }
    if fsync == "off" {
        tracing::warn!("PostgreSQL runs with fsync = off: a crash of its machine can lose acknowledged messages");
    }
    Ok(())
}

fn unreachable(error: DbErr) -> Error {
    let message = format!("the PostgreSQL database can't be used: {error}; see [database] url");
    fault::query(error).says(message)
}
