//! The roll-up worker: every second, usage rows that no hour holds yet are added to theirs.

use std::time::Duration;
use tokenim_store::Store;
use tokio_util::sync::CancellationToken;

/// How often rows are looked for.
const EVERY: Duration = Duration::from_secs(1);

/// Rolls up until told to stop. Readings add what is not rolled up yet, so a late roll-up changes no figure.
pub async fn run(store: Store, stop: CancellationToken) {
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(interval.tick()).await.is_some() {
        if let Err(error) = catch_up(&store, &stop).await {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "usage could not be rolled up; it will be tried again");
        }
    }
}

async fn catch_up(store: &Store, stop: &CancellationToken) -> tokenim_domain::Result<()> {
    while store.roll_up_usage().await? == Store::ROLL_ROWS_MAX {
        if stop.is_cancelled() {
            break;
        }
    }
    Ok(())
}
