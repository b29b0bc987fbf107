//! `tokenim audit verify`: recomputes the audit logs' chains.

use super::{Failure, open_beside, say, settings};
use crate::config::Config;
use clap::Args;
use tokenim_domain::id::OrgId;
use tokenim_store::{AuditVerdict, Store};

/// Orgs read at once.
const ORGS_PAGE: u64 = 100;

/// Flags of `audit verify`.
#[derive(Debug, Args)]
pub struct Flags {
    /// The org; without it, every org's log and the service's own.
    #[arg(long, value_name = "ID")]
    org: Option<String>,
}

/// Errors: [`Failure::Altered`] names the first event that is not what was written; [`Failure::Undecided`] where a chain
/// could not be read.
pub async fn verify(config: Config, flags: Flags) -> Result<(), Failure> {
    let undecided = |error: tokenim_domain::Error| Failure::Undecided(super::explain(&error));
    let org = match flags.org.as_deref().map(str::parse) {
        None => None,
        Some(Ok(org)) => Some(org),
        Some(Err(())) => return Err(Failure::Undecided("--org takes an org's id: org_…".to_owned())),
    };
    if Store::pending_migrations(&settings(&config)).await.map_err(undecided)? != Some(0) {
        return Err(Failure::Undecided("there is no database of this version's schema".to_owned()));
    }
    let store = open_beside(&config).await.map_err(|failure| Failure::Undecided(failure.to_string()))?.store;
    let done = match org {
        Some(org) => verify_known(&store, org).await,
        None => verify_all(&store).await,
    };
    store.close().await;
    done.map_err(undecided)?
        .map_or_else(|| say("intact; whoever can write the whole database could have cut off the newest events"), Err)
}

async fn verify_known(store: &Store, org: OrgId) -> tokenim_domain::Result<Option<Failure>> {
    if org != OrgId::SERVICE && store.org(org).find().await?.is_none() {
        return Ok(Some(Failure::Undecided("there is no such org".to_owned())));
    }
    verify_one(store, org).await
}

async fn verify_all(store: &Store) -> tokenim_domain::Result<Option<Failure>> {
    let mut found = verify_one(store, OrgId::SERVICE).await?;
    let mut after = None;
    while found.is_none() {
        let page = store.search_orgs("", after, ORGS_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.org.id);
        for org in page {
            found = found.or(verify_one(store, org.org.id).await?);
        }
    }
    Ok(found)
}

async fn verify_one(store: &Store, org: OrgId) -> tokenim_domain::Result<Option<Failure>> {
    Ok(match store.org(org).verify_audit().await? {
        AuditVerdict::Intact { .. } => None,
        AuditVerdict::Broken { seq } => Some(Failure::Altered { org, seq }),
    })
}
