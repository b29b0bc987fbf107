//! Backups of PostgreSQL: its own programs write and read them; what they hold, their key and the new epoch are our part.

use crate::backup::{COUNTS, Contents, MIGRATIONS, RAGGED, bad, newest, telling};
use crate::fault;
use crate::keys::SEAL_PURPOSE;
use crate::open::{io_fault, options};
use percent_encoding::percent_decode_str;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, PgConnection};
use sea_orm::{DbErr, RuntimeErr};
use std::fs;
use std::path::Path;
use std::process::Command;
use tokenim_domain::secret::{MasterKey, Secret};
use tokenim_domain::{Code, Error, Result};
use tokenim_migrations::fence;
use url::Url;

/// Writes the database as it is at one moment, which is looked through before; the file is read to its end afterwards.
/// `tell` hears how many bytes are written.
///
/// Errors: `not_found` where `pg_dump` is not installed; `conflict` with what is wrong; `unavailable`.
pub(crate) async fn write(url: &Secret, part: &Path, tell: &mut impl FnMut(u64)) -> Result<Contents> {
    let mut on = connect(url).await?;
    run(&mut on, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    // It idles while the dump is written.
    run(&mut on, "SET LOCAL idle_in_transaction_session_timeout = 0").await?;
    // A login without the rights of its roles would see no row, and dump none.
    let sees_all = sqlx::query_scalar("SELECT pg_has_role(current_user, $1, 'USAGE')").bind(fence::WORKER);
    if !sees_all.fetch_one(&mut on).await.map_err(broken)? {
        return Err(bad(
            part,
            "the database's login does not inherit from its role tim_worker, so it can't read every row",
        ));
    }
    let snapshot: String =
        sqlx::query_scalar("SELECT pg_export_snapshot()").fetch_one(&mut on).await.map_err(broken)?;
    let contents = look(part, &mut on).await?;
    let mut dump = program("pg_dump", url)?;
    dump.args(["--format=custom", "--enable-row-security", "--snapshot"]).arg(snapshot).arg("--file").arg(part);
    telling(part, tell, done(dump)).await?;
    on.close().await.map_err(broken)?;
    read_through(part).await?;
    let bytes = fs::metadata(part).map_err(|error| io_fault(part, error))?.len();
    Ok(Contents { bytes, ..contents })
}

/// Whether a dump can be read to its end.
///
/// Errors: `not_found` where `pg_restore` is not installed; `conflict` with what is wrong.
pub(crate) async fn read_through(from: &Path) -> Result<()> {
    let mut read = Command::new("pg_restore");
    read.arg("--file=/dev/null").arg(from);
    done(read).await
}

/// Whether a database holds no table of ours.
///
/// Errors: `conflict` where it does; `unavailable`.
pub(crate) async fn check_empty(url: &Secret) -> Result<()> {
    let mut on = connect(url).await?;
    let empty = sqlx::query_scalar("SELECT to_regclass('seaql_migrations') IS NULL AND to_regclass('org') IS NULL");
    let empty: bool = empty.fetch_one(&mut on).await.map_err(broken)?;
    on.close().await.map_err(broken)?;
    if !empty {
        let message =
            "the database holds tables of tokenim; restore into a new one, and drop this one when all is well";
        return Err(Error::new(Code::Conflict).says(message));
    }
    Ok(())
}

/// Puts a dump into an empty database, whole or not at all; then looks it through, and whether the key opens what is sealed in it.
///
/// Errors: `conflict` with what is wrong; `unavailable`.
pub(crate) async fn read(url: &Secret, from: &Path, key: &MasterKey) -> Result<Contents> {
    let mut on = connect(url).await?;
    run(&mut on, fence::ROLES).await?;
    let mut restore = program("pg_restore", url)?;
    restore.args(["--no-owner", "--exit-on-error", "--single-transaction"]).arg(from);
    done(restore).await?;
    let contents = look(from, &mut on).await?;
    let sealed = sqlx::query_scalar("SELECT sealed_secret FROM signing_key WHERE sealed_secret IS NOT NULL LIMIT 1");
    let sealed: Option<Vec<u8>> = sealed.fetch_optional(&mut on).await.map_err(broken)?;
    on.close().await.map_err(broken)?;
    if sealed.is_some_and(|sealed| key.open(SEAL_PURPOSE, &sealed).is_err()) {
        let why = "it was made under another master key; drop the database, make it anew and restore with that key";
        return Err(bad(from, why));
    }
    Ok(contents)
}

/// What the database of a connection holds, and whether each log is dense up to its head.
async fn look(file: &Path, on: &mut PgConnection) -> Result<Contents> {
    let applied: Vec<String> = sqlx::query_scalar(MIGRATIONS).fetch_all(&mut *on).await.map_err(broken)?;
    let schema = newest(file, &applied)?;
    let ragged: i64 = sqlx::query_scalar(RAGGED).fetch_one(&mut *on).await.map_err(broken)?;
    if ragged > 0 {
        return Err(bad(file, &format!("the logs of {ragged} conversations are not whole")));
    }
    let (orgs, apps, conversations, events) = sqlx::query_as(COUNTS).fetch_one(on).await.map_err(broken)?;
    let bytes = fs::metadata(file).map_or(0, |file| file.len());
    Ok(Contents { schema, orgs, apps, conversations, events, bytes })
}

async fn connect(url: &Secret) -> Result<PgConnection> {
    PgConnection::connect_with(&options(url)?).await.map_err(broken)
}

async fn run(on: &mut PgConnection, text: &'static str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(on).await.map(drop).map_err(broken)
}

/// A program of PostgreSQL's, told where the database is. The password goes by its environment, which only this user can read.
fn program(name: &str, url: &Secret) -> Result<Command> {
    let mut place = Url::parse(url.expose()).map_err(Error::internal)?;
    let named = place.query_pairs().find(|(name, _)| name == "password").map(|(_, password)| password.into_owned());
    let before_host = || place.password().map(|password| percent_decode_str(password).decode_utf8_lossy().into_owned());
    let mut program = Command::new(name);
    program.envs(named.or_else(before_host).map(|password| ("PGPASSWORD", password)));
    let rest: Option<Vec<_>> =
        place.query().map(|query| query.split('&').filter(|pair| !pair.starts_with("password=")).collect());
    let rest = rest.filter(|rest| !rest.is_empty()).map(|rest| rest.join("&"));
    place.set_query(rest.as_deref());
    // It fails where there is no host, and then there is no password before it.
    let _ = place.set_password(None);
    program.arg("--no-password").arg("--dbname").arg(place.as_str());
    Ok(program)
}

/// Runs a program to its end.
async fn done(mut program: Command) -> Result<()> {
    let name = program.get_program().display().to_string();
    let ended = tokio::task::spawn_blocking(move || program.output()).await.map_err(Error::internal)?;
    let ended = ended.map_err(|error| {
        let message = format!(
            "{name} can't be run: {error}; install PostgreSQL's client programs, no older than its server, or make the \
             copy where they are (docs/OPERATIONS.md)"
        );
        Error::new(Code::NotFound).says(message)
    })?;
    match ended.status.success() {
        true => Ok(()),
        false => {
            Err(Error::new(Code::Conflict).says(format!("{name}: {}", String::from_utf8_lossy(&ended.stderr).trim())))
        }
    }
}

fn broken(error: sqlx::Error) -> Error {
    let message = format!("the PostgreSQL database can't be used: {error}; see [database] url");
    fault::query(DbErr::Query(RuntimeErr::SqlxError(error.into()))).says(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_are_told_where_the_database_is_and_the_password_by_their_environment() {
        let place = "postgres://ann@db.example:5433/im?sslmode=verify-full&sslrootcert=/etc/ca.pem";
        let before = place.replace("ann@", "ann:s3%3Acr%40t@");
        for url in [format!("{place}&password=s3%3Acr%40t"), before] {
            let program = program("pg_dump", &Secret::new(url)).unwrap();
            let said: Vec<_> = program.get_args().map(|word| word.to_str().unwrap()).collect();
            assert_eq!(said, ["--no-password", "--dbname", place]);
            let set: Vec<_> = program.get_envs().collect();
            assert_eq!(set, [("PGPASSWORD".as_ref(), Some("s3:cr@t".as_ref()))]);
        }
    }
}
