//! The plan of an org.

use crate::orgs::check_verified_owner;
use tokenim_domain::actor::{Acting, Action, Right};
use tokenim_domain::{Error, Result};
use tokenim_store::{Store, Subscription};

/// Subscribes an org to a plan, from now on; its nodes learn it within a second.
///
/// A raise and a lowering both work at once. What stands above a lowered limit stays (open connections, apps, members):
/// only more is refused. An org may choose public plans once an owner of it has verified an address; the service's
/// operators any plan for any org.
///
/// Errors: `forbidden`; `email_unverified`; `invalid_field` at `plan`; `not_found`, `unavailable`, `overloaded`.
pub async fn change_plan(store: &Store, acting: &Acting, plan: &str) -> Result<Subscription> {
    acting.allow(Action::ChangeBilling)?;
    check_verified_owner(store, acting).await?;
    if acting.right != Right::Service {
        let plans = store.list_plans().await?;
        if !plans.iter().any(|known| known.code == plan && known.is_public) {
            return Err(Error::invalid("plan", format!("there is no plan `{plan}` to choose")));
        }
    }
    store.org(acting.org).change_plan(plan, &acting.actor).await
}
