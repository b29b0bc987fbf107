//! Sweeps up behind large bodies: uploads nobody committed, chunks that are one body now, bodies of messages that are gone.

use std::time::Duration;
use tokenim_store::Store;
use tokio_util::sync::CancellationToken;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(30);

/// Sweeps until told to stop. Nobody waits for it; what could not be swept is swept the next time.
pub async fn run(store: Store, stop: CancellationToken) {
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(interval.tick()).await.is_some() {
        if let Err(error) = store.sweep_uploads().await {
            let source = std::error::Error::source(&error);
            tracing::warn!(%error, ?source, "large bodies could not be swept up; it will be tried again");
        }
    }
}
