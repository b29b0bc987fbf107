//! Prepared statements by their text, for the queries that an entity can't say; transactions from begin to commit.

use crate::db::{Db, Fence};
use crate::fault;
use sea_orm::sea_query::{LockType, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    IntoActiveModel, ModelTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait, Select, Statement,
    Value,
};
use std::time::Duration;
use tokenim_domain::{Code, Error, Result};

/// How long PostgreSQL's answer to COMMIT is waited for; beyond it the outcome is unknown. The commit is never cancelled.
const COMMIT_WAIT: Duration = Duration::from_secs(10);

/// A statement with its values, for the engine it runs on; the driver keeps it prepared under its text, so texts must not
/// vary with the data. Placeholders are `$1`, `$2`: both engines take them.
pub(crate) fn statement(on: &impl ConnectionTrait, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(on.get_database_backend(), sql, values)
}

/// All rows of a query.
pub(crate) async fn rows(
    on: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>> {
    on.query_all_raw(statement(on, sql, values)).await.map_err(fault::query)
}

/// The first row of a query.
pub(crate) async fn row(
    on: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<QueryResult>> {
    on.query_one_raw(statement(on, sql, values)).await.map_err(fault::query)
}

/// Runs a statement; returns how many rows it touched.
pub(crate) async fn run(
    on: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, DbErr> {
    on.execute_raw(statement(on, sql, values)).await.map(|done| done.rows_affected())
}

/// Inserts a whole row; keys are made by us or by apps, so nothing is read back.
pub(crate) async fn insert<M, A, E>(on: &impl ConnectionTrait, row: M) -> Result<()>
where
    M: IntoActiveModel<A> + ModelTrait<Entity = E>,
    A: ActiveModelTrait<Entity = E>,
    E: EntityTrait<Model = M>,
{
    E::insert(row.into_active_model()).exec_without_returning(on).await.map(drop).map_err(fault::query)
}

/// Inserts a whole row, or nothing where another row has the same value in `unique`.
pub(crate) async fn insert_once<M, A, E>(on: &impl ConnectionTrait, row: M, unique: E::Column) -> Result<()>
where
    M: IntoActiveModel<A> + ModelTrait<Entity = E>,
    A: ActiveModelTrait<Entity = E>,
    E: EntityTrait<Model = M>,
{
    let insert = E::insert(row.into_active_model()).on_conflict(OnConflict::column(unique).do_nothing().to_owned());
    insert.exec_without_returning(on).await.map(drop).map_err(fault::query)
}

/// A write transaction outside any org: look-ups that precede it, then perhaps [`enter`].
pub(crate) async fn begin(writer: &Db) -> Result<DatabaseTransaction> {
    writer.begin().await.map_err(fault::query)
}

/// A write transaction inside a fence.
pub(crate) async fn begin_within(writer: &Db, fence: Fence) -> Result<DatabaseTransaction> {
    let tx = begin(writer).await?;
    enter(&tx, fence).await?;
    Ok(tx)
}

/// Commits a transaction. An error from COMMIT itself does not tell whether it was done: the answer may be what was lost.
///
/// Errors: `outcome_unknown`.
pub(crate) async fn commit(tx: DatabaseTransaction) -> Result<()> {
    let answer = match tx.get_database_backend() {
        // A file answers or fails by itself.
        DbBackend::Sqlite => tx.commit().await,
        _ => match tokio::time::timeout(COMMIT_WAIT, tx.commit()).await {
            Ok(answer) => answer,
            Err(_) => Err(crate::db::gone("no answer to COMMIT in time")),
        },
    };
    answer.map_err(|error| {
        fault::end_if_flush_failed(&error);
        Error::new(Code::OutcomeUnknown).retry_after(fault::FAULT_RETRY_MS).because(error)
    })
}

/// Puts the rest of a transaction inside a fence.
pub(crate) async fn enter(tx: &DatabaseTransaction, fence: Fence) -> Result<()> {
    crate::db::enter(tx, fence).await.map_err(fault::query)
}

/// A statement that each engine says in its own way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl Text {
    /// The text for the engine of a connection.
    pub(crate) fn on(self, on: &impl ConnectionTrait) -> &'static str {
        match on.get_database_backend() {
            DbBackend::Postgres => self.postgres,
            _ => self.sqlite,
        }
    }
}

/// The rows of a query from above `after`, where one is given, in the order of `id`.
pub(crate) fn page<E: EntityTrait>(
    query: Select<E>,
    id: E::Column,
    after: Option<impl Into<Value>>,
    limit: u64,
) -> Select<E> {
    query.apply_if(after, |query, after| query.filter(id.gt(after))).order_by_asc(id).limit(limit)
}

/// The same query, locking the rows it finds until the transaction ends. A row that refers to one of them can still be
/// written: the key it refers to never changes. SQLite has one writer and no row locks.
pub(crate) fn lock<E: EntityTrait>(tx: &DatabaseTransaction, found: Select<E>) -> Select<E> {
    match tx.get_database_backend() {
        DbBackend::Sqlite => found,
        _ => found.lock(LockType::NoKeyUpdate),
    }
}

/// One column of a row. A missing column or wrong type is a bug of the query, told as `unavailable` with its source.
pub(crate) fn get<T: sea_orm::TryGetable>(row: &QueryResult, column: &str) -> Result<T> {
    row.try_get("", column).map_err(fault::query)
}
