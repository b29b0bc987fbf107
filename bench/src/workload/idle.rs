//! Connections that say nothing: how fast they come in, and the memory of each.

use super::{Found, Run};
use crate::crowd::Arrivals;
use crate::failure::Failure;
use crate::progress::tell;
use crate::tally::Tally;
use crate::tasks::Tasks;
use std::time::Duration;

/// Connections that come and go before, so that what the server makes once counts for none.
const GUESTS: usize = 50;
/// How long the server is left alone before its memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// Runs it.
pub async fn run(run: &Run) -> Result<Found, Failure> {
    let count = run.options.connections();
    tell(&format!("idle: making {count} users"));
    let users = run.target.users(count).await?;
    drop(run.target.connect(&users[..GUESTS.min(count)]).await?);
    tokio::time::sleep(SETTLE).await;
    let arrivals = Arrivals { target: &run.target, users: &users, heads: String::new(), missed: 0 };
    let (rate, tally, mut held) = (run.options.rate(), Tally::new(), Tasks::default());
    let work = arrivals.come(rate, &tally, &mut held);
    let mut phase = run.measure(("idle", "connect"), Some(arrivals.offer(rate)), &tally, work).await?;
    tell(&format!("idle: holding them for {} s", run.options.seconds));
    tokio::time::sleep(run.options.lasts()).await;
    // Those that were closed meanwhile have ended with a failure.
    held.ended()?;
    if let (Some(server), Some(watched)) = (&mut phase.server, &run.target.watched) {
        server.memory_after = watched.memory()?;
        let more = server.memory_after.rss_kb as f64 - server.memory_before.rss_kb as f64;
        server.bytes_per_connection = Some(more * 1024.0 / phase.accepted.max(1) as f64);
    }
    Ok(vec![phase].into())
}
