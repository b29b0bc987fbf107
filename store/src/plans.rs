//! Plans, what they grant, and which one an org has.

use crate::audit::Event;
use crate::entity::{entitlement, plan, plan_version, subscription};
use crate::scope::OrgScope;
use crate::{Store, fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use tokenim_domain::actor::Actor;
use tokenim_domain::id::OrgId;
use tokenim_domain::plan::{Entitlement, Entitlements, Feature, LimitMode};
use tokenim_domain::{Code, Error, Result};

/// Plans that are listed at once.
const PLANS_MAX: u64 = 100;
/// The state of a plan version that orgs may subscribe to.
const PUBLISHED: &str = "published";

/// A plan in its newest published version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its code, as scripts name it.
    pub code: String,
    /// Its name, as pages show it.
    pub name: String,
    /// The version.
    pub version: i64,
    /// Whether an org may choose it itself.
    pub is_public: bool,
    /// What it grants.
    pub entitlements: Entitlements,
}

/// What an org is subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The plan, in the version subscribed to.
    pub plan: Plan,
    /// Since when, milliseconds since 1970.
    pub from_ms: i64,
}

impl Store {
    /// The plans in their newest published versions, the smallest first.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn list_plans(&self) -> Result<Vec<Plan>> {
        let rows = plan::Entity::find().order_by_asc(plan::Column::Place).limit(PLANS_MAX).all(&self.readers).await;
        let mut plans = Vec::new();
        for row in rows.map_err(fault::query)? {
            let Some(version) = newest_version(&self.readers, &row.code).await? else { continue };
            plans.push(plan_of(&self.readers, row, version).await?);
        }
        Ok(plans)
    }
}

impl OrgScope<'_> {
    /// What the org is subscribed to.
    ///
    /// Errors: `not_found` where there is no such org; `unavailable`, `overloaded`.
    pub async fn subscription(&self) -> Result<Subscription> {
        let on = self.reader();
        let row = current(&on, self.org).await?;
        let plan = find_plan(&on, &row.plan).await?;
        Ok(Subscription { plan: plan_of(&on, plan, row.version).await?, from_ms: row.from_ms })
    }

    /// Subscribes the org to the newest published version of a plan, from now on; running nodes learn it. Subscribed to it
    /// already, nothing changes.
    ///
    /// Errors: `invalid_field` at `plan` for one that does not exist; `not_found`, `unavailable`, `overloaded`.
    pub async fn change_plan(self, code: &str, actor: &Actor) -> Result<Subscription> {
        let unknown = || Error::invalid("plan", format!("there is no plan `{code}`"));
        let change = self.begin(actor).await?;
        let found = plan::Entity::find_by_id(code).one(&change.tx).await.map_err(fault::query)?.ok_or_else(unknown)?;
        let version = newest_version(&change.tx, code).await?.ok_or_else(unknown)?;
        let before = current(&change.tx, self.org).await?;
        let plan = plan_of(&change.tx, found, version).await?;
        if before.plan == code && before.version == version {
            return Ok(Subscription { plan, from_ms: before.from_ms });
        }
        let from_ms = self.store.clock.now_ms().max(before.from_ms + 1);
        end(&change.tx, &before, from_ms).await?;
        let row = subscription::Model { org_id: self.org, from_ms, plan: code.to_owned(), version, until_ms: None };
        sql::insert(&change.tx, row).await?;
        let event = Event::new("subscription.changed", self.org)
            .before(json!({"plan": before.plan, "version": before.version}))
            .after(json!({"plan": code, "version": version}));
        change.commit_and_tell(event).await?;
        Ok(Subscription { plan, from_ms })
    }
}

/// What an org's plan grants of a feature, inside a change that needs it.
///
/// Errors: `not_found` where there is no such org; `unavailable`, `overloaded`.
pub(crate) async fn granted(on: &impl ConnectionTrait, org: OrgId, feature: Feature) -> Result<Entitlement> {
    Ok(entitlements_of(on, org).await?.of(feature))
}

/// What an org's plan grants.
pub(crate) async fn entitlements_of(on: &impl ConnectionTrait, org: OrgId) -> Result<Entitlements> {
    let row = current(on, org).await?;
    entitlements(on, &row.plan, row.version).await
}

/// The subscription that has no end.
async fn current(on: &impl ConnectionTrait, org: OrgId) -> Result<subscription::Model> {
    let row = subscription::Entity::find()
        .filter(subscription::Column::OrgId.eq(org))
        .filter(subscription::Column::UntilMs.is_null())
        .order_by_desc(subscription::Column::FromMs)
        .one(on)
        .await
        .map_err(fault::query)?;
    row.ok_or_else(|| Error::new(Code::NotFound).says("no such org"))
}

async fn end(on: &impl ConnectionTrait, row: &subscription::Model, at_ms: i64) -> Result<()> {
    subscription::Entity::update_many()
        .col_expr(subscription::Column::UntilMs, Expr::value(at_ms))
        .filter(subscription::Column::OrgId.eq(row.org_id))
        .filter(subscription::Column::UntilMs.is_null())
        .exec(on)
        .await
        .map(drop)
        .map_err(fault::query)
}

async fn find_plan(on: &impl ConnectionTrait, code: &str) -> Result<plan::Model> {
    let row = plan::Entity::find_by_id(code).one(on).await.map_err(fault::query)?;
    row.ok_or_else(|| Error::internal(format!("a subscription to the plan {code}, which is none")))
}

pub(crate) async fn newest_version(on: &impl ConnectionTrait, code: &str) -> Result<Option<i64>> {
    let row = plan_version::Entity::find()
        .filter(plan_version::Column::Plan.eq(code))
        .filter(plan_version::Column::State.eq(PUBLISHED))
        .order_by_desc(plan_version::Column::Version)
        .one(on)
        .await
        .map_err(fault::query)?;
    Ok(row.map(|row| row.version))
}

async fn plan_of(on: &impl ConnectionTrait, row: plan::Model, version: i64) -> Result<Plan> {
    let entitlements = entitlements(on, &row.code, version).await?;
    Ok(Plan { code: row.code, name: row.name, version, is_public: row.is_public, entitlements })
}

async fn entitlements(on: &impl ConnectionTrait, plan: &str, version: i64) -> Result<Entitlements> {
    let rows = entitlement::Entity::find()
        .filter(entitlement::Column::Plan.eq(plan))
        .filter(entitlement::Column::Version.eq(version))
        .all(on)
        .await
        .map_err(fault::query)?;
    let named = rows.into_iter().map(|row| {
        let unknown = || Error::internal(format!("unknown feature or mode of {plan}: {} {}", row.feature, row.mode));
        let feature = Feature::find(&row.feature).ok_or_else(unknown)?;
        let mode = LimitMode::find(&row.mode).ok_or_else(unknown)?;
        Ok((feature, Entitlement { value: row.value, mode }))
    });
    Ok(Entitlements::new(named.collect::<Result<Vec<_>>>()?))
}
