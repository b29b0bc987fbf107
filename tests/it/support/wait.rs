//! Waiting for an effect, with a deadline and never longer than needed.

use std::time::Duration;

/// The patience of one wait. Far above what anything takes, because the machine may be busy.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// How often [`until`] looks.
const LOOK: Duration = Duration::from_millis(20);

/// Awaits something that must happen soon.
pub async fn within<T>(what: impl Future<Output = T>) -> T {
    within_at_most(DEADLINE, what).await
}

/// Awaits something that must happen within a given time.
pub async fn within_at_most<T>(time: Duration, what: impl Future<Output = T>) -> T {
    tokio::time::timeout(time, what).await.unwrap_or_else(|_| panic!("it did not happen within {time:?}"))
}

/// Looks again and again until there is something to see.
pub async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    within(async {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            if let Some(seen) = look().await {
                return seen;
            }
        }
    })
    .await
}
