//! What operators see of the service as a whole: how much there is, and jobs that were given up.

use crate::audit::Event;
use crate::db::Fence;
use crate::entity::job;
use crate::{Store, fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use tokenim_domain::actor::Actor;
use tokenim_domain::id::{JobId, OrgId};
use tokenim_domain::{Code, Error, Result};

/// Dead jobs read at once: a page of 200, and one more that tells of another page.
const DEAD_READ_MAX: u64 = 201;

/// The service in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Orgs.
    pub orgs: i64,
    /// Orgs that are suspended.
    pub suspended: i64,
    /// Accounts.
    pub accounts: i64,
    /// Apps that are not deleted.
    pub apps: i64,
}

/// A job that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadJob {
    /// Its id.
    pub id: JobId,
    /// Which work it is.
    pub kind: String,
    /// The org it was for, if any.
    pub org: Option<OrgId>,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was enqueued, the last time, milliseconds since 1970.
    pub created_ms: i64,
    /// When it was given up.
    pub dead_ms: i64,
    /// Why.
    pub error: Option<String>,
}

const TOTALS: &str = "
SELECT (SELECT COUNT(*) FROM org) AS orgs, (SELECT COUNT(*) FROM org WHERE suspended_ms IS NOT NULL) AS suspended,
    (SELECT COUNT(*) FROM account) AS accounts, (SELECT COUNT(*) FROM app WHERE deleted_ms IS NULL) AS apps";
const BY_PLAN: &str = "SELECT plan, COUNT(*) AS orgs FROM subscription WHERE until_ms IS NULL GROUP BY plan";

impl Store {
    /// The service in numbers: for operators only.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn totals(&self) -> Result<Totals> {
        let row = sql::row(&self.readers.within(Fence::Worker), TOTALS, [])
            .await?
            .ok_or_else(|| Error::internal("a count without a row"))?;
        Ok(Totals {
            orgs: sql::get(&row, "orgs")?,
            suspended: sql::get(&row, "suspended")?,
            accounts: sql::get(&row, "accounts")?,
            apps: sql::get(&row, "apps")?,
        })
    }

    /// How many orgs have each plan, in any version: for operators only.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn count_orgs_by_plan(&self) -> Result<Vec<(String, i64)>> {
        let rows = sql::rows(&self.readers.within(Fence::Worker), BY_PLAN, []).await?;
        rows.iter().map(|row| Ok((sql::get(row, "plan")?, sql::get(row, "orgs")?))).collect()
    }

    /// Jobs that were given up, the oldest first, from above `after` where one is given: for operators only.
    ///
    /// Shapes: at most 201. Errors: `unavailable`, `overloaded`.
    pub async fn list_dead_jobs(&self, after: Option<JobId>, limit: u64) -> Result<Vec<DeadJob>> {
        let query = job::Entity::find().filter(job::Column::DeadMs.is_not_null());
        let query = sql::page(query, job::Column::Id, after, limit.min(DEAD_READ_MAX));
        let rows = query.all(&self.readers.within(Fence::Worker)).await;
        Ok(rows.map_err(fault::query)?.into_iter().map(dead).collect())
    }

    /// Puts a job that was given up back into the queue: it counts as enqueued now, and is tried as often as a new one.
    ///
    /// Errors: `not_found` where no such job was given up; `invalid_field` at `reason`; `unavailable`, `overloaded`.
    pub async fn revive_job(&self, actor: &Actor, id: JobId) -> Result<()> {
        let change = self.org(OrgId::SERVICE).begin(actor).await?;
        let found = job::Entity::find_by_id(id).filter(job::Column::DeadMs.is_not_null()).one(&change.tx).await;
        let row = found.map_err(fault::query)?.ok_or_else(|| Error::new(Code::NotFound).says("no such job"))?;
        let now = self.clock.now_ms();
        job::Entity::update_many()
            .col_expr(job::Column::DeadMs, Expr::value(None::<i64>))
            .col_expr(job::Column::Attempts, Expr::value(0))
            .col_expr(job::Column::RunAtMs, Expr::value(now))
            .col_expr(job::Column::CreatedMs, Expr::value(now))
            .filter(job::Column::Id.eq(id))
            .exec(&change.tx)
            .await
            .map_err(fault::query)?;
        let before =
            json!({"kind": row.kind, "org": row.org_id, "error": row.last_error, "created_ms": row.created_ms});
        change.commit(Event::new("job.retried", id).before(before)).await?;
        self.jobs_nudge.notify_one();
        Ok(())
    }
}

fn dead(row: job::Model) -> DeadJob {
    DeadJob {
        id: row.id,
        kind: row.kind,
        org: row.org_id,
        attempts: row.attempts,
        created_ms: row.created_ms,
        dead_ms: row.dead_ms.unwrap_or_default(),
        error: row.last_error,
    }
}
