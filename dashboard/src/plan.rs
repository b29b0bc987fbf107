//! The plan page, and the change of the plan: a question first, then a form that works once.
use actix_web::http::StatusCode;
use tokenim_control::plans;
use tokenim_domain::{
    actor::Action,
    plan::{Entitlements, Feature, LimitMode},
};
use tokenim_store::{Plan, Subscription};
use tokenim_templates::{
    flash::Flash,
    page::plan::{Grant, PlanCard, PlanChangePage, PlanPage},
    problem::Problems,
    time::Utc,
};

use crate::{
    answer,
    fault::Fault,
    form::Form,
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] = &[
    get(PATH, Who::May(Action::ReadBilling), |visit| Box::pin(show(visit))),
    get(CHANGE, Who::May(Action::ChangeBilling), |visit| Box::pin(ask(visit))).fresh(),
    post(CHANGE, Who::May(Action::ChangeBilling), |visit, form| Box::pin(change(visit, form))).fresh().once(),
];

/// The page's path.
pub(crate) const PATH: &str = "/console/plan";
const CHANGE: &str = "/console/plan/{plan}";

/// What the org has, and what it may choose, the smallest first.
struct Choice {
    subscription: Subscription,
    plans: Vec<Plan>,
}

impl Choice {
    async fn read(visit: &Visit<'_>) -> Result<Self, Fault> {
        let subscription = visit.org()?.subscription().await?;
        let plans = visit.console.store.list_plans().await?.into_iter().filter(|plan| plan.is_public).collect();
        Ok(Choice { subscription, plans })
    }

    fn place(&self, code: &str) -> Option<usize> {
        self.plans.iter().position(|plan| plan.code == code)
    }

    /// A plan that is not on the list stands above all of it: it was given by an operator.
    fn card(&self, plan: &Plan) -> PlanCard {
        let current = &self.subscription.plan.code;
        let is_larger = match (self.place(&plan.code), self.place(current)) {
            (Some(place), Some(current)) => place > current,
            _ => false,
        };
        PlanCard {
            code: plan.code.clone(),
            name: plan.name.clone(),
            is_current: plan.code == *current,
            is_larger,
            grants: grants(&plan.entitlements),
        }
    }
}

fn grants(entitlements: &Entitlements) -> Vec<Grant> {
    let grant = |feature: &Feature| {
        let entitlement = entitlements.of(*feature);
        Grant { feature: feature.as_str(), value: entitlement.value, is_hard: entitlement.mode == LimitMode::Hard }
    };
    Feature::ALL.iter().map(grant).collect()
}

async fn show(visit: &mut Visit<'_>) -> Answer {
    let choice = Choice::read(visit).await?;
    let page = PlanPage {
        frame: visit.frame(None),
        current: choice.card(&choice.subscription.plan),
        since: Utc::from_ms(choice.subscription.from_ms),
        plans: choice.plans.iter().map(|plan| choice.card(plan)).collect(),
        may_change: visit.member()?.role.may(Action::ChangeBilling),
    };
    answer::page(StatusCode::OK, &page, visit)
}

async fn ask(visit: &mut Visit<'_>) -> Answer {
    question(visit, StatusCode::OK, Problems::none()).await
}

async fn question(visit: &Visit<'_>, status: StatusCode, problems: Problems) -> Answer {
    let choice = Choice::read(visit).await?;
    let code: String = visit.path("plan")?;
    let to = choice.plans.iter().find(|plan| plan.code == code).ok_or(Fault::NotFound)?;
    if to.code == choice.subscription.plan.code {
        return Ok(answer::see_other(PATH));
    }
    let (from, to) = (choice.card(&choice.subscription.plan), choice.card(to));
    answer::page(status, &PlanChangePage { frame: visit.frame(None), from, to, problems }, visit)
}

async fn change(visit: &mut Visit<'_>, _: &Form) -> Answer {
    let code: String = visit.path("plan")?;
    match plans::change_plan(&visit.console.store, &visit.acting()?, &code).await {
        Ok(_) => Ok(answer::done(visit, Flash::Saved, PATH)),
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            question(visit, status, problems).await
        }
    }
}
