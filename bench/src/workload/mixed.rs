//! Pairs, a group and users who come back to what they missed, all at the same time.

use super::{Found, Run, WARM_UP, catch_up::missed};
use crate::crowd::{Arrivals, Crowd};
use crate::failure::Failure;
use crate::progress::{self, tell};
use crate::report::{Offer, Phase};
use crate::tally::Tally;
use crate::tasks::Tasks;
use std::time::Instant;

/// Shares of the rate: messages between pairs, messages to the group, users who come back.
const SHARES: [f64; 3] = [0.8, 0.1, 0.1];
/// Shares of the connections: pairs, members of the group; the rest come back.
const CONNECTED: [usize; 2] = [2, 4];
/// Conversations and messages that who comes back has missed.
const CONVERSATIONS: usize = 5;

/// Runs it.
pub async fn run(run: &Run) -> Result<Found, Failure> {
    let (all, lasts, in_flight) = (run.options.connections(), run.options.lasts(), run.in_flight());
    let [pairs_rate, group_rate, back_rate] = SHARES.map(|share| share * run.options.rate());
    let [pairs, members] = CONNECTED.map(|part| (all / part).max(2));
    let coming = (back_rate * lasts.as_secs_f64()).round().max(1.0) as usize;
    tell(&format!("mixed: {} pairs, a group of {members}, {coming} who come back", pairs / 2));
    let mut pairs = Crowd::pairs(&run.target, pairs / 2, true).await?;
    let mut group = Crowd::group(&run.target, members, members).await?;
    let users = run.target.users(coming).await?;
    let heads = missed(&run.target, &users, CONVERSATIONS).await?;
    for (crowd, rate) in [(&mut pairs, pairs_rate), (&mut group, group_rate)] {
        crowd.tally.recording.set(true);
        crowd.send(rate, WARM_UP, in_flight).await?;
        crowd.tally.reset();
    }
    let each = (CONVERSATIONS * super::catch_up::MISSED) as u64;
    let arrivals = Arrivals { target: &run.target, users: &users, heads, missed: each };
    let (back, mut held) = (Tally::new(), Tasks::default());
    back.recording.set(true);
    let tallies = [pairs.tally.clone(), group.tally.clone(), back.clone()];
    let (metered, began) = (run.meter().await?, Instant::now());
    let work = async {
        tokio::try_join!(
            pairs.send(pairs_rate, lasts, in_flight),
            group.send(group_rate, lasts, in_flight),
            arrivals.come(back_rate, &back, &mut held)
        )
        .map(drop)
    };
    progress::watched("mixed", &tallies, work).await?;
    let seconds = began.elapsed().as_secs_f64();
    let phase = |name, unit, offer, tally: &Tally, due| Phase {
        deliveries_due: due,
        ..Phase::of(name, unit, Some(offer), seconds, tally)
    };
    let mut phases = vec![
        phase("pairs", "message", Offer::at(pairs_rate, lasts), &pairs.tally, pairs.due()),
        phase("group", "message", Offer::at(group_rate, lasts), &group.tally, group.due()),
        phase("coming back", "connect", Offer { count: coming as u64, lasts }, &back, back.acked.get() * each),
    ];
    let (accepted, delivered) =
        phases.iter().fold((0, 0), |(accepted, delivered), one| (accepted + one.accepted, delivered + one.delivered));
    // The process is one: what it spent is told once, for everything together.
    phases[0].server = metered.stop(run, accepted, delivered).await?;
    Ok(phases.into())
}
