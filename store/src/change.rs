//! A change of an org's data: what it writes, its audit event and its number for the nodes commit together or not at all.
//!
//! Locks are taken in one order, so that no two transactions wait for each other: rows of an account, the org's row, rows of
//! the org, the change clock, heads of audit chains by their org, the service's own last.

use crate::audit::{self, Event};
use crate::db::Fence;
use crate::entity::{change, org};
use crate::members::enter_orgs_of;
use crate::scope::OrgScope;
use crate::{Store, fault, sql};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokenim_domain::actor::Actor;
use tokenim_domain::id::{AccountId, OrgId};
use tokenim_domain::terms::Changes;
use tokenim_domain::{Code, Error, Result};

/// Changes read at once; a node that is further behind reads again.
const CHANGES_MAX: u64 = 1_000;
/// How long a change is kept for nodes to learn, in milliseconds; one that is further behind learns everything anew.
const KEPT_MS: i64 = 3_600_000;

/// What a caller is told whose change may have been made or not.
const UNKNOWN: &str =
    "the answer of the database to the commit was lost: look whether the change was made before you repeat it";

/// An open change of one org.
pub(crate) struct Change<'a> {
    /// What the change writes with.
    pub tx: DatabaseTransaction,
    /// The org.
    pub scope: OrgScope<'a>,
    /// By whom.
    pub actor: &'a Actor,
}

impl<'a> OrgScope<'a> {
    /// Begins a change by that actor, which holds the org's row: one change of an org sees what the one before it left.
    /// Dropped without a commit, it never was.
    ///
    /// Errors: `invalid_field` at `reason` where an operator gives none; `not_found` where there is no such org.
    pub(crate) async fn begin(self, actor: &'a Actor) -> Result<Change<'a>> {
        actor.check_reason()?;
        let tx = sql::begin_within(&self.store.writer, Fence::of(self.org)).await?;
        let change = Change { tx, scope: self, actor };
        // The service is no org and has no row.
        if self.org != OrgId::SERVICE {
            change.lock_org().await?;
        }
        Ok(change)
    }

    /// Goes on as a change of this org with a transaction that began with look-ups before it.
    pub(crate) async fn go_on(self, tx: DatabaseTransaction, actor: &'a Actor) -> Result<Change<'a>> {
        sql::enter(&tx, Fence::of(self.org)).await?;
        Ok(Change { tx, scope: self, actor })
    }
}

impl Change<'_> {
    /// The org's row, locked. `not_found` where there is none.
    pub(crate) async fn lock_org(&self) -> Result<org::Model> {
        let found = sql::lock(&self.tx, org::Entity::find_by_id(self.scope.org));
        let found = found.one(&self.tx).await.map_err(fault::query)?;
        found.ok_or_else(|| Error::new(Code::NotFound).says("no such org"))
    }

    /// Commits with the event in the org's audit log; what an operator does is in the service's own log as well.
    ///
    /// Errors: `outcome_unknown`; `unavailable`, `overloaded`: nothing was changed.
    pub(crate) async fn commit(self, event: Event) -> Result<()> {
        let Change { tx, scope, actor } = self;
        let copy = Event { object: format!("{} {}", scope.org, event.object), ..event.clone() };
        audit::append(scope.store, &tx, scope.org, actor, event).await?;
        if actor.is_operator() && scope.org != OrgId::SERVICE {
            sql::enter(&tx, Fence::of(OrgId::SERVICE)).await?;
            audit::append(scope.store, &tx, OrgId::SERVICE, actor, copy).await?;
        }
        sql::commit(tx).await.map_err(|error| error.says(UNKNOWN))
    }

    /// The same for what nodes must learn soon: keys, plans, origins, suspensions, and who the owners are.
    pub(crate) async fn commit_and_tell(self, event: Event) -> Result<()> {
        tell(self.scope.store, &self.tx, self.scope.org).await?;
        self.commit(event).await
    }
}

/// Numbers a change of an org, for [`tokenim_domain::terms::TermBook`].
pub(crate) async fn tell(store: &Store, tx: &DatabaseTransaction, org: OrgId) -> Result<()> {
    let row = sql::row(tx, "UPDATE change_clock SET last = last + 1 WHERE id = 1 RETURNING last", []).await?;
    let number: i64 = sql::get(&row.ok_or_else(|| Error::internal("the change clock is missing"))?, "last")?;
    sql::insert(tx, change::Model { number, org_id: org, at_ms: store.clock.now_ms() }).await
}

/// Numbers a change of every org an account is in: what its orgs may do hangs on it.
pub(crate) async fn tell_orgs_of(store: &Store, tx: &DatabaseTransaction, account: AccountId) -> Result<()> {
    for org in enter_orgs_of(tx, account).await? {
        tell(store, tx, org).await?;
    }
    Ok(())
}

impl Store {
    /// The orgs that changed after number `after`, at most 1,000 changes at once.
    pub(crate) async fn read_changes(&self, after: i64) -> Result<Changes> {
        let newest = self.last_change().await?;
        let rows = change::Entity::find()
            .filter(change::Column::Number.gt(after))
            .order_by_asc(change::Column::Number)
            .limit(CHANGES_MAX)
            .all(&self.readers)
            .await
            .map_err(fault::query)?;
        // Numbers are dense: what does not begin with the next one, or ends before the newest, has been forgotten in part.
        let is_cut = rows.first().map_or(newest > after, |row| row.number > after + 1);
        let last = rows.last().map_or(newest.max(after), |row| row.number);
        let mut orgs: Vec<_> = rows.into_iter().map(|row| row.org_id).collect();
        orgs.sort_unstable();
        orgs.dedup();
        Ok(Changes { last, orgs, is_cut })
    }

    /// Forgets changes that every node has learned or learns by reading everything anew; returns how many.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn forget_changes(&self) -> Result<u64> {
        let gone = change::Entity::delete_many()
            .filter(change::Column::AtMs.lt(self.clock.now_ms() - KEPT_MS))
            .exec(&self.writer.within(Fence::Worker))
            .await
            .map_err(fault::query)?;
        Ok(gone.rows_affected)
    }

    /// The number of the newest change: where a node that starts begins to listen.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn last_change(&self) -> Result<i64> {
        let row = sql::row(&self.readers, "SELECT last FROM change_clock WHERE id = 1", []).await?;
        sql::get(&row.ok_or_else(|| Error::internal("the change clock is missing"))?, "last")
    }
}
