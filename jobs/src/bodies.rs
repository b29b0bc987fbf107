//! Sweeps up behind large bodies and attachments: what nobody committed, sent or can read any more, chunks that are one object now,
//! files that a crash left half written; and samples each hour what is kept.

use std::time::Duration;
use tokenim_domain::meter::hour_of;
use tokenim_store::Store;
use tokio_util::sync::CancellationToken;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(30);

/// Sweeps and samples until told to stop. Nobody waits for it; what could not be swept is swept the next time.
pub async fn run(store: Store, stop: CancellationToken) {
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut sampled, mut tidied) = (0, 0);
    while stop.run_until_cancelled(interval.tick()).await.is_some() {
        let hour = hour_of(store.clock().now_ms());
        if hour != sampled && note(store.sample_stored().await) {
            sampled = hour;
        }
        note(store.sweep_uploads().await);
        if hour != tidied && note(store.sweep_staged().await) {
            tidied = hour;
        }
    }
}

fn note(done: tokenim_domain::Result<()>) -> bool {
    if let Err(error) = &done {
        let source = std::error::Error::source(error);
        tracing::warn!(%error, ?source, "large bodies and attachments could not be swept up or sampled; it will be tried again");
    }
    done.is_ok()
}
