//! Samples of the pages about an org's plan.
use askama::Template;

use super::{AT_MS, HOSTILE};
use crate::{
    frame::Frame,
    page::plan::{Grant, PlanCard, PlanChangePage, PlanPage},
    problem::Problems,
    time::Utc,
};

pub(super) fn pages(frame: &Frame<'_>) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for may_change in [false, true] {
        let page = PlanPage {
            frame: frame.clone(),
            current: plan("basic", true, false),
            since: Utc::from_ms(AT_MS),
            plans: vec![plan("basic", true, false), plan("pro", false, true), plan("mini", false, false)],
            may_change,
        };
        pages.push((format!("plan {may_change}"), page.render().expect("renders")));
    }
    for (is_larger, problems) in
        [(true, Problems::none()), (false, Problems::of_code(frame.text, "email_unverified", None, 0))]
    {
        let (from, to) = (plan("basic", true, false), plan("pro", false, is_larger));
        let page = PlanChangePage { frame: frame.clone(), from, to, problems };
        pages.push((format!("plan-change {is_larger}"), page.render().expect("renders")));
    }
    pages
}

fn plan(code: &str, is_current: bool, is_larger: bool) -> PlanCard {
    let values = [("connections", Some(100), true), ("message_rate", None, true), ("msg_sent", Some(5_000_000), false)];
    let more = [("apps", Some(5), true), ("members", Some(3), true)];
    let grant = |(feature, value, is_hard)| Grant { feature, value, is_hard };
    let grants = values.into_iter().chain(more).map(grant).collect();
    PlanCard { code: code.into(), name: HOSTILE.into(), is_current, is_larger, grants }
}
