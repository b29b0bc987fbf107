//! Plans as data: read only, a published version never changes.
use std::collections::HashMap;

use actix_web::http::StatusCode;
use tokenim_domain::plan::{Entitlements, Feature, LimitMode};
use tokenim_templates::page::operator::{GrantRow, PlanRow, PlansPage};

use crate::{answer, routes::Answer, visit::Visit};

pub(crate) async fn show(visit: &mut Visit<'_>) -> Answer {
    let store = &visit.console.store;
    let orgs: HashMap<_, _> = store.count_orgs_by_plan().await?.into_iter().collect();
    let plans: Vec<_> = store
        .list_plans()
        .await?
        .into_iter()
        .map(|plan| PlanRow {
            orgs: orgs.get(&plan.code).copied().unwrap_or_default(),
            code: plan.code,
            name: plan.name,
            version: plan.version,
            is_public: plan.is_public,
            grants: grants(&plan.entitlements, |_| None),
        })
        .collect();
    answer::page(StatusCode::OK, &PlansPage { frame: visit.frame(None), plans: &plans }, visit)
}

/// What is granted of every feature, beside what is used of it where that is known.
pub(crate) fn grants(entitlements: &Entitlements, used: impl Fn(Feature) -> Option<i64>) -> Vec<GrantRow> {
    let row = |feature: &Feature| GrantRow {
        feature: feature.as_str().to_owned(),
        value: entitlements.of(*feature).value,
        is_hard: entitlements.of(*feature).mode == LimitMode::Hard,
        used: used(*feature),
    };
    Feature::ALL.iter().map(row).collect()
}
