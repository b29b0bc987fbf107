//! Connections over both engines: how long a statement may take, and inside which fence it runs.

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use std::time::Duration;
use tokenim_domain::id::OrgId;
use tokenim_migrations::fence;

/// How long PostgreSQL's answer to one statement is waited for. Its own limit ends a statement sooner; this is for a server
/// that is stopped or out of reach.
const ANSWER_WAIT: Duration = Duration::from_secs(8);
/// How long the connections are given to close.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// A pool of connections.
#[derive(Debug, Clone)]
pub(crate) struct Db(DatabaseConnection);

/// What a statement may see on PostgreSQL (docs/ARCHITECTURE.md, fences). SQLite has no such fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fence {
    /// Rows of one org.
    Org(OrgId),
    /// Every row: work that spans orgs.
    Worker,
}

impl Fence {
    /// The fence of an org's work; the service itself spans orgs.
    pub(crate) fn of(org: OrgId) -> Self {
        if org == OrgId::SERVICE { Fence::Worker } else { Fence::Org(org) }
    }

    /// The role, and the org as `tim.org` holds it.
    pub(crate) fn setting(self) -> (&'static str, String) {
        match self {
            Fence::Org(org) => (fence::APP, org.0.to_string()),
            Fence::Worker => (fence::WORKER, String::new()),
        }
    }
}

impl Db {
    pub(crate) fn new(pool: DatabaseConnection) -> Self {
        Db(pool)
    }

    /// The pool itself, for what only one engine has.
    #[cfg(test)]
    pub(crate) fn pool(&self) -> &DatabaseConnection {
        &self.0
    }

    /// Whether the engine is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        self.get_database_backend() == DbBackend::Postgres
    }

    /// A connection whose statements run inside a fence, each for itself.
    pub(crate) fn within(&self, fence: Fence) -> Fenced<'_> {
        Fenced { db: self, fence }
    }

    /// A write transaction. It takes SQLite's write lock at once: a deferred one could fail at its first write.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        self.wait(self.0.begin_with_options(options)).await
    }

    /// Closes the connections; those that can't be reached are left behind.
    pub(crate) async fn close(&self) {
        match tokio::time::timeout(CLOSE_WAIT, self.0.close_by_ref()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "closing the database"),
            Err(_) => tracing::warn!("the database did not answer the close"),
        }
    }

    /// What a statement answers, if it answers in time. A file answers or fails by itself.
    async fn wait<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        if !self.is_postgres() {
            return work.await;
        }
        match tokio::time::timeout(ANSWER_WAIT, work).await {
            // Which of the two it is can't be told here: no connection is free, or none can be made.
            Ok(Err(DbErr::ConnectionAcquire(_))) => {
                Err(gone("no connection to the database was free or could be made"))
            }
            Ok(answer) => answer,
            Err(_) => Err(gone("the database did not answer")),
        }
    }
}

/// The database can't be reached.
pub(crate) fn gone(message: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(message.to_owned()))
}

#[async_trait]
impl ConnectionTrait for Db {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.wait(self.0.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.wait(self.0.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.wait(self.0.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.wait(self.0.query_all_raw(statement)).await
    }
}

/// A connection inside a fence: on PostgreSQL each statement has a transaction of its own that names the fence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fenced<'a> {
    db: &'a Db,
    fence: Fence,
}

impl Fenced<'_> {
    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let tx = self.db.begin().await?;
        self.db.wait(enter(&tx, self.fence)).await?;
        Ok(tx)
    }
}

#[async_trait]
impl ConnectionTrait for Fenced<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.db.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        if !self.db.is_postgres() {
            return self.db.execute_raw(statement).await;
        }
        let tx = self.begin().await?;
        let done = self.db.wait(tx.execute_raw(statement)).await?;
        self.db.wait(tx.commit()).await.map(|()| done)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        if !self.db.is_postgres() {
            return self.db.execute_unprepared(sql).await;
        }
        let tx = self.begin().await?;
        let done = self.db.wait(tx.execute_unprepared(sql)).await?;
        self.db.wait(tx.commit()).await.map(|()| done)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        if !self.db.is_postgres() {
            return self.db.query_one_raw(statement).await;
        }
        let tx = self.begin().await?;
        let found = self.db.wait(tx.query_one_raw(statement)).await?;
        self.db.wait(tx.commit()).await.map(|()| found)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if !self.db.is_postgres() {
            return self.db.query_all_raw(statement).await;
        }
        let tx = self.begin().await?;
        let found = self.db.wait(tx.query_all_raw(statement)).await?;
        self.db.wait(tx.commit()).await.map(|()| found)
    }
}

/// Binds the role and the org of [`Fence::setting`].
pub(crate) const ENTER: &str = "SELECT set_config('role', $1, true), set_config('tim.org', $2, true)";

/// Puts the rest of a transaction inside a fence; it ends with the transaction.
pub(crate) async fn enter(tx: &DatabaseTransaction, fence: Fence) -> Result<(), DbErr> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let (role, org) = fence.setting();
    tx.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, ENTER, [role.into(), org.into()]))
        .await
        .map(drop)
}
