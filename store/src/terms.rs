//! The terms of an app: what its node must know before it lets traffic through.

use crate::apps::{App, logins_of, unknown_users_of};
use crate::db::Fence;
use crate::entity::{account, app, app_origin, org, org_member};
use crate::scope::OrgScope;
use crate::{Store, fault, plans, sql};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::HashMap;
use tokenim_domain::id::{AccountId, AppId};
use tokenim_domain::log::AppRef;
use tokenim_domain::meter::Meter;
use tokenim_domain::plan::{Entitlement, Feature, LimitMode, Limits};
use tokenim_domain::role::{Mode, OrgRole};
use tokenim_domain::terms::{Access, Answer, Block, Changes, TermBook, Terms};
use tokenim_domain::{Error, Result};

/// Origins of one app; whoever adds them keeps to it.
pub const ORIGINS_MAX: u64 = 100;

/// Message units that apps of an org have used since a time: the apps of one mode, or one app. Rolled-up hours and rows
/// not rolled up yet, in one statement, as [`crate::OrgScope::usage_hours`] reads them.
macro_rules! used_of {
    ($app:literal) => {
        concat!(
            "SELECT CAST(COALESCE(SUM(quantity), 0) AS BIGINT) AS used FROM (",
            "SELECT b.quantity FROM app a JOIN usage_bucket b ON b.app_id = a.id ",
            "WHERE a.org_id = $1 AND ",
            $app,
            " = $2 AND b.meter = 'msg_sent' AND b.hour_ms >= $3 ",
            "UNION ALL SELECT u.units FROM app a JOIN usage_append u ON u.app_id = a.id ",
            "WHERE a.org_id = $1 AND ",
            $app,
            " = $2 AND u.roll IS NULL AND u.event_ms >= $3) t"
        )
    };
}
const USED_BY_MODE: &str = used_of!("a.mode");
const USED_BY_APP: &str = used_of!("a.id");

/// The same of every app of an org, deleted ones too, in one statement: live apps since one time, test apps since another.
const USED_BY_ALL: &str = "
SELECT id, mode, CAST(SUM(quantity) AS BIGINT) AS used FROM (
    SELECT a.id, a.mode, b.quantity FROM app a JOIN usage_bucket b ON b.app_id = a.id
    WHERE a.org_id = $1 AND b.meter = 'msg_sent' AND b.hour_ms >= CASE a.mode WHEN 'live' THEN $2 ELSE $3 END
    UNION ALL
    SELECT a.id, a.mode, u.units FROM app a JOIN usage_append u ON u.app_id = a.id
    WHERE a.org_id = $1 AND u.roll IS NULL AND u.event_ms >= CASE a.mode WHEN 'live' THEN $2 ELSE $3 END
) AS used GROUP BY id, mode";

impl Store {
    async fn read_terms(&self, of: AppRef) -> Result<Option<Terms>> {
        let on = self.readers.within(Fence::of(of.org));
        let found = app::Entity::find_by_id((of.org, of.app)).one(&on).await.map_err(fault::query)?;
        let Some(app) = found else { return Ok(None) };
        let org = org::Entity::find_by_id(of.org).one(&on).await.map_err(fault::query)?;
        let org = org.ok_or_else(|| Error::internal("an app without its org"))?;
        let mode = Mode::find(&app.mode).ok_or_else(|| Error::internal("unknown app mode"))?;
        let now = self.clock.now_ms();
        let limits = match mode {
            Mode::Live => Limits::live(&plans::entitlements_of(&on, of.org).await?, now),
            Mode::Test => Limits::test(app.created_ms, self.org(of.org).has_verified_owner().await?, now),
        };
        let used = self.used_since(of, mode, limits.period.from_ms()).await?;
        let block = match (org.suspended_ms, app.suspended_ms.or(app.deleted_ms)) {
            (Some(_), _) => Some(Block::Org { reason: org.suspended_reason.map(Into::into) }),
            (None, Some(_)) => Some(Block::App),
            (None, None) => None,
        };
        let (logins, unknown_users) = (logins_of(&app)?, unknown_users_of(&app)?);
        let access = Access { block, origins: self.origins_of(of).await?, logins, unknown_users };
        Ok(Some(Terms { mode, limits, used, access }))
    }

    /// Units used in the open period by all that share it: live apps of an org do, a test app is alone.
    async fn used_since(&self, of: AppRef, mode: Mode, from_ms: i64) -> Result<i64> {
        let (text, named) = match mode {
            Mode::Live => (USED_BY_MODE, mode.as_str().into()),
            Mode::Test => (USED_BY_APP, of.app.into()),
        };
        let row =
            sql::row(&self.readers.within(Fence::of(of.org)), text, [of.org.into(), named, from_ms.into()]).await?;
        row.map_or(Ok(0), |row| sql::get(&row, "used"))
    }

    async fn origins_of(&self, of: AppRef) -> Result<Vec<Box<str>>> {
        let rows = app_origin::Entity::find()
            .filter(app_origin::Column::AppId.eq(of.app))
            .order_by_asc(app_origin::Column::Origin)
            .limit(ORIGINS_MAX)
            .all(&self.readers.within(Fence::of(of.org)))
            .await
            .map_err(fault::query)?;
        Ok(rows.into_iter().map(|row| row.origin.into()).collect())
    }
}

/// Message units that the apps of an org have used.
#[derive(Debug, Default)]
struct Used {
    /// All live apps, deleted ones too.
    live: i64,
    by_test_app: HashMap<AppId, i64>,
}

/// What is used of a quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaState {
    /// The test app it is of; `None` = of the org's live apps together.
    pub app: Option<App>,
    /// What is counted.
    pub meter: Meter,
    /// How much there may be, and what happens there.
    pub entitlement: Entitlement,
    /// How much there is: the same rows as the usage page.
    pub used: i64,
    /// When it begins anew, milliseconds since 1970; `None` = never.
    pub resets_at_ms: Option<i64>,
}

impl OrgScope<'_> {
    /// The quotas of the org: of its live apps together, then of each test app.
    ///
    /// Errors: `not_found` where there is no such org; `unavailable`, `overloaded`.
    pub async fn quotas(&self) -> Result<Vec<QuotaState>> {
        let now = self.store.clock.now_ms();
        let entitlements = plans::entitlements_of(&self.reader(), self.org).await?;
        let period = Limits::live(&entitlements, now).period;
        let is_verified = self.has_verified_owner().await?;
        // A trial counts all that its app has ever sent.
        let test_from_ms = if is_verified { period.from_ms() } else { 0 };
        let used = self.used(period.from_ms(), test_from_ms).await?;
        let mut quotas = vec![QuotaState {
            app: None,
            meter: Meter::MsgSent,
            entitlement: entitlements.of(Feature::MsgSent),
            used: used.live,
            resets_at_ms: period.resets_at_ms(),
        }];
        for app in self.list_apps().await?.into_iter().filter(|app| app.mode == Mode::Test) {
            let limits = Limits::test(app.created_ms, is_verified, now);
            quotas.push(QuotaState {
                meter: Meter::MsgSent,
                entitlement: Entitlement { value: limits.units, mode: LimitMode::Hard },
                used: used.by_test_app.get(&app.id).copied().unwrap_or(0),
                resets_at_ms: limits.period.resets_at_ms(),
                app: Some(app),
            });
        }
        Ok(quotas)
    }

    async fn used(&self, live_from_ms: i64, test_from_ms: i64) -> Result<Used> {
        let values = [self.org.into(), live_from_ms.into(), test_from_ms.into()];
        let mut used = Used::default();
        for row in sql::rows(&self.reader(), USED_BY_ALL, values).await? {
            let (mode, units) = (sql::get::<String>(&row, "mode")?, sql::get::<i64>(&row, "used")?);
            match Mode::find(&mode) {
                Some(Mode::Live) => used.live += units,
                Some(Mode::Test) => drop(used.by_test_app.insert(sql::get(&row, "id")?, units)),
                None => return Err(Error::internal("unknown app mode")),
            }
        }
        Ok(used)
    }

    /// Whether an owner of the org has verified an address.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn has_verified_owner(&self) -> Result<bool> {
        let owners = org_member::Entity::find()
            .select_only()
            .column(org_member::Column::AccountId)
            .filter(org_member::Column::OrgId.eq(self.org))
            .filter(org_member::Column::Role.eq(OrgRole::Owner.as_str()));
        let verified = account::Entity::find()
            .select_only()
            .column(account::Column::Id)
            .filter(account::Column::Id.in_subquery(sea_orm::QueryTrait::into_query(owners)))
            .filter(account::Column::VerifiedMs.is_not_null())
            .into_tuple::<AccountId>()
            .one(&self.reader())
            .await
            .map_err(fault::query)?;
        Ok(verified.is_some())
    }
}

impl TermBook for Store {
    fn terms(&self, of: AppRef) -> Answer<'_, Option<Terms>> {
        Box::pin(self.read_terms(of))
    }

    fn changes_since(&self, after: i64) -> Answer<'_, Changes> {
        Box::pin(self.read_changes(after))
    }
}
