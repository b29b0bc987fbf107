//! Every connection is cut at once, and all come back, as after a node or a network that failed.

use super::{Found, Run};
use crate::crowd::Arrivals;
use crate::failure::Failure;
use crate::progress::tell;
use crate::tally::Tally;
use crate::tasks::Tasks;

/// Runs it.
pub async fn run(run: &Run) -> Result<Found, Failure> {
    let count = run.options.connections();
    tell(&format!("storm: connecting {count} users"));
    let users = run.target.users(count).await?;
    let open = run.target.connect(&users).await?;
    let arrivals = Arrivals { target: &run.target, users: &users, heads: String::new(), missed: 0 };
    let (rate, tally, mut held) = (run.options.rate(), Tally::new(), Tasks::default());
    let work = async {
        drop(open);
        arrivals.come(rate, &tally, &mut held).await?;
        held.ended().map(drop)
    };
    Ok(vec![run.measure(("storm", "connect"), Some(arrivals.offer(rate)), &tally, work).await?].into())
}
