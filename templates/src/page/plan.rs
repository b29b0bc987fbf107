//! The plan page: what the org has, what there is beside it, and the question before a change.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    number::grouped,
    problem::Problems,
    text::Text,
    time::Utc,
};

/// A plan, as the pages compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanCard {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Whether the org has it.
    pub is_current: bool,
    /// Whether it stands above the org's; below it, some limits sink.
    pub is_larger: bool,
    /// What it grants: one per feature, in one order for all plans.
    pub grants: Vec<Grant>,
}

/// What a plan grants of one feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The feature's name.
    pub feature: &'static str,
    /// How much; none = without limit.
    pub value: Option<i64>,
    /// Whether more is refused, not counted on.
    pub is_hard: bool,
}

impl Grant {
    fn label(&self, text: &Text) -> String {
        text.get(match self.feature {
            "connections" => "plan-feature-connections",
            "message_rate" => "plan-feature-message-rate",
            "msg_sent" => "plan-feature-msg-sent",
            "apps" => "plan-feature-apps",
            "large_body_bytes" => "plan-feature-large-body-bytes",
            _ => "plan-feature-members",
        })
    }

    fn shown(&self, text: &Text) -> String {
        match (self.value, self.is_hard) {
            (None, _) => text.get("plan-unlimited"),
            (Some(value), true) => grouped(value),
            (Some(value), false) => text.with("plan-counted-on", "value", grouped(value)),
        }
    }
}

/// The page.
#[derive(Template)]
#[template(path = "plan.html")]
pub struct PlanPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The org's plan.
    pub current: PlanCard,
    /// Since when it has it.
    pub since: Utc,
    /// The plans it may choose, the smallest first.
    pub plans: Vec<PlanCard>,
    /// Whether the viewer may change it.
    pub may_change: bool,
}

/// The question before a change.
#[derive(Template)]
#[template(path = "plan-change.html")]
pub struct PlanChangePage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The org's plan.
    pub from: PlanCard,
    /// The plan it would have.
    pub to: PlanCard,
    /// Why it was refused.
    pub problems: Problems,
}
