//! Messages between pairs of users, both connected, each acknowledged after its commit and delivered once.

use super::{Found, Run, WARM_UP};
use crate::crowd::Crowd;
use crate::failure::Failure;
use crate::progress::tell;
use crate::report::{Offer, Phase};

/// Runs it.
pub async fn run(run: &Run) -> Result<Found, Failure> {
    let pairs = run.options.connections() / 2;
    tell(&format!("direct: connecting {pairs} pairs"));
    let mut crowd = Crowd::pairs(&run.target, pairs, true).await?;
    Ok(vec![steady(run, "direct", &mut crowd, run.options.rate()).await?].into())
}

/// A crowd that sends at a steady rate, once it is warm.
pub async fn steady(run: &Run, name: &'static str, crowd: &mut Crowd, rate: f64) -> Result<Phase, Failure> {
    crowd.tally.recording.set(true);
    crowd.send(rate, WARM_UP, run.in_flight()).await?;
    let (tally, lasts) = (crowd.tally.clone(), run.options.lasts());
    let offer = Some(Offer::at(rate, lasts));
    let mut phase = run.measure((name, "message"), offer, &tally, crowd.send(rate, lasts, run.in_flight())).await?;
    phase.deliveries_due = crowd.due();
    Ok(phase)
}
