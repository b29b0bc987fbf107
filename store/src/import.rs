//! Moving a small service up: everything of a SQLite file into an empty PostgreSQL database, in one transaction.
//!
//! The transaction is read back before it commits: each table must hold as many rows as the file, and the same ones. So an
//! import that fails or is killed leaves the database as empty as it was, and may be repeated.

mod column;

use crate::db::Fence;
use crate::open::{Owner, lock_for_serving, sqlite_source};
use crate::{Settings, fault, sql};
use column::{Column, Kind, kinds};
use futures_util::TryStreamExt;
use sea_orm::sqlx::{self, AssertSqlSafe, Postgres, Row, Sqlite, Transaction};
use sea_orm::{ConnectionTrait, DbErr, RuntimeErr};
use std::collections::BTreeSet;
use tokenim_domain::secret::sha256;
use tokenim_domain::{Code, Error, Result};

/// Rows that are written at once.
const ROWS_MAX: usize = 500;
/// Rows between two tellings of how far a table is.
const TOLD_EVERY: u64 = 10_000;
/// Tables that a migrated database holds rows of before anybody used it; the file's rows replace them.
const SEEDED: [&str; 7] =
    ["change_clock", "entitlement", "log_epoch", "plan", "plan_version", "presence_clock", "usage_clock"];

/// How far a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The table.
    pub table: String,
    /// Rows written.
    pub done: u64,
    /// Rows there are.
    pub total: u64,
}

/// What a table holds: how many rows, and the sum of their hashes, which does not depend on their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Digest {
    rows: u64,
    sum: u128,
}

impl Digest {
    fn add(&mut self, row: &[u8]) {
        let hash = sha256(row);
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(hash[..16].try_into().expect("16 of 32 bytes")));
        self.rows += 1;
    }
}

/// A table and its columns, as PostgreSQL has them.
struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
}

/// Moves the data folder's SQLite file into the database of `settings.postgres`; `tell` hears how far it is.
///
/// Errors: `conflict` where the folder is served or the database holds anything; `internal` where the file is missing or
/// what was written is not what was read; `unavailable`. In each case the database is left as it was.
pub async fn import(settings: &Settings, mut tell: impl FnMut(Progress)) -> Result<Vec<Progress>> {
    let url = settings.postgres.as_ref().ok_or_else(|| {
        Error::new(Code::InvalidField).says("name the PostgreSQL database to move to in [database] url")
    })?;
    let _not_served = lock_for_serving(&settings.data)?;
    let source = sqlite_source(settings).await?;
    let owner = Owner::connect(url).await?;
    owner.migrate().await?;
    let tables = tables(&owner).await?;
    let mut from = source.get_sqlite_connection_pool().begin().await.map_err(broken)?;
    let mut to = owner.database().get_postgres_connection_pool().begin().await.map_err(broken)?;
    enter(&mut to).await?;
    prepare(&mut to, &tables).await?;
    let mut moved = Vec::with_capacity(tables.len());
    for table in &tables {
        let read = copy(table, &mut from, &mut to, &mut tell).await?;
        let written = read_back(table, &mut to).await?;
        if read != written {
            let message = format!("{}: {read:?} was read and {written:?} was written; nothing was kept", table.name);
            return Err(Error::internal(message));
        }
        moved.push(Progress { table: table.name.clone(), done: written.rows, total: read.rows });
    }
    to.commit().await.map_err(broken)?;
    owner.database().execute_unprepared("ANALYZE").await.map_err(fault::query)?;
    Ok(moved)
}

/// Every row of every org is written, whichever login does it.
async fn enter(to: &mut Transaction<'_, Postgres>) -> Result<()> {
    let (role, org) = Fence::Worker.setting();
    let enter = sqlx::query(crate::db::ENTER).bind(role).bind(org);
    enter.execute(&mut **to).await.map(drop).map_err(broken)
}

const TABLES: &str = "
SELECT c.relname::text AS name, a.attname::text AS col, a.atttypid::regtype::text AS kind
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname <> 'seaql_migrations'
ORDER BY c.relname, a.attnum";
const POINTERS: &str = "
SELECT c.relname::text AS child, p.relname::text AS parent FROM pg_constraint f
JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid
WHERE f.contype = 'f' AND c.relnamespace = current_schema()::regnamespace AND c.oid <> p.oid";

/// All tables, each behind those its rows point to.
async fn tables(owner: &Owner) -> Result<Vec<Table>> {
    let mut unsorted: Vec<Table> = Vec::new();
    for row in sql::rows(owner.database(), TABLES, []).await? {
        let (name, column, kind): (String, String, String) =
            (sql::get(&row, "name")?, sql::get(&row, "col")?, sql::get(&row, "kind")?);
        let kind =
            kinds(&kind).ok_or_else(|| Error::internal(format!("{name}.{column} is of an unknown type {kind}")))?;
        match unsorted.last_mut().filter(|table| table.name == name) {
            Some(table) => table.columns.push((column, kind)),
            None => unsorted.push(Table { name, columns: vec![(column, kind)] }),
        }
    }
    let mut pointers: Vec<(String, String)> = Vec::new();
    for row in sql::rows(owner.database(), POINTERS, []).await? {
        pointers.push((sql::get(&row, "child")?, sql::get(&row, "parent")?));
    }
    let (mut sorted, mut done): (Vec<Table>, BTreeSet<String>) = (Vec::new(), BTreeSet::new());
    while !unsorted.is_empty() {
        let waits =
            |table: &Table| pointers.iter().any(|(child, parent)| *child == table.name && !done.contains(parent));
        let (later, now): (Vec<_>, Vec<_>) = unsorted.into_iter().partition(waits);
        if now.is_empty() {
            return Err(Error::internal("tables that point to each other in a circle"));
        }
        done.extend(now.iter().map(|table| table.name.clone()));
        sorted.extend(now);
        unsorted = later;
    }
    Ok(sorted)
}

/// Refuses a database that holds anything, and takes out what migrations put in.
async fn prepare(to: &mut Transaction<'_, Postgres>, tables: &[Table]) -> Result<()> {
    for table in tables.iter().rev() {
        let seeded = SEEDED.contains(&table.name.as_str());
        let text = if seeded { "DELETE FROM" } else { "SELECT 1 FROM" };
        let text = format!("{text} \"{}\"", table.name);
        let rows = sqlx::query(AssertSqlSafe(text)).fetch_optional(&mut **to).await.map_err(broken)?;
        if rows.is_some() && !seeded {
            let message =
                format!("the PostgreSQL database is not empty: {} has rows; import into a new one", table.name);
            return Err(Error::new(Code::Conflict).says(message));
        }
    }
    Ok(())
}

impl Table {
    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    }

    fn select(&self) -> AssertSqlSafe<String> {
        AssertSqlSafe(format!("SELECT {} FROM \"{}\"", self.names(), self.name))
    }

    fn insert(&self) -> AssertSqlSafe<String> {
        let lists = self.columns.iter().enumerate().map(|(at, (_, kind))| format!("${}::{}[]", at + 1, kind.word()));
        let lists = lists.collect::<Vec<_>>().join(", ");
        AssertSqlSafe(format!("INSERT INTO \"{}\" ({}) SELECT * FROM unnest({lists})", self.name, self.names()))
    }

    fn empty(&self) -> Vec<Column> {
        self.columns.iter().map(|(_, kind)| kind.list()).collect()
    }
}

/// Copies a table; returns what was read.
async fn copy(
    table: &Table,
    from: &mut Transaction<'_, Sqlite>,
    to: &mut Transaction<'_, Postgres>,
    tell: &mut impl FnMut(Progress),
) -> Result<Digest> {
    let count = AssertSqlSafe(format!("SELECT count(*) FROM \"{}\"", table.name));
    let total = sqlx::query(count).fetch_one(&mut **from).await.map_err(broken)?;
    let total = u64::try_from(total.try_get::<i64, _>(0).map_err(broken)?).unwrap_or(0);
    let mut told = |done| tell(Progress { table: table.name.clone(), done, total });
    let (mut digest, mut lists) = (Digest::default(), table.empty());
    let mut rows = sqlx::query(table.select()).fetch(&mut **from);
    while let Some(row) = rows.try_next().await.map_err(broken)? {
        let mut bytes = Vec::new();
        for (at, list) in lists.iter_mut().enumerate() {
            list.push(&row, at, &mut bytes).map_err(broken)?;
        }
        digest.add(&bytes);
        if digest.rows % ROWS_MAX as u64 == 0 {
            write(table, std::mem::replace(&mut lists, table.empty()), to).await?;
        }
        if digest.rows % TOLD_EVERY == 0 && digest.rows < total {
            told(digest.rows);
        }
    }
    write(table, lists, to).await?;
    told(digest.rows);
    Ok(digest)
}

async fn write(table: &Table, lists: Vec<Column>, to: &mut Transaction<'_, Postgres>) -> Result<()> {
    if lists.first().is_none_or(Column::is_empty) {
        return Ok(());
    }
    let insert = lists.into_iter().fold(sqlx::query(table.insert()), |query, list| list.bind(query));
    insert.execute(&mut **to).await.map(drop).map_err(broken)
}

/// What the database holds now.
async fn read_back(table: &Table, to: &mut Transaction<'_, Postgres>) -> Result<Digest> {
    let mut digest = Digest::default();
    let mut rows = sqlx::query(table.select()).fetch(&mut **to);
    while let Some(row) = rows.try_next().await.map_err(broken)? {
        let mut bytes = Vec::new();
        for (at, (_, kind)) in table.columns.iter().enumerate() {
            kind.list().push(&row, at, &mut bytes).map_err(broken)?;
        }
        digest.add(&bytes);
    }
    Ok(digest)
}

fn broken(error: sqlx::Error) -> Error {
    fault::query(DbErr::Query(RuntimeErr::SqlxError(error.into())))
}
