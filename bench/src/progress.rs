//! A line on stderr each second, so that whoever waits sees that something happens.

use crate::failure::Failure;
use crate::tally::{Second, Tally};
use std::io::{Write, stderr};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Does some work and tells each second what its tallies count; the seconds of the first of them.
pub async fn watched(
    name: &str,
    tallies: &[Rc<Tally>],
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<Vec<Second>, Failure> {
    let (mut seconds, mut work) = (Vec::new(), pin!(work));
    let mut ticks = tokio::time::interval(SECOND);
    ticks.tick().await;
    loop {
        tokio::select! {
            done = &mut work => return done.map(|()| seconds),
            _ = ticks.tick() => {
                let ended: Vec<_> = tallies.iter().map(|tally| tally.end_second()).collect();
                seconds.extend(ended.first());
                let told: Vec<_> = ended.iter().zip(tallies).map(|(second, tally)| line(second, tally)).collect();
                tell(&format!("{name} {} s: {}", seconds.len(), told.join(" | ")));
            }
        }
    }
}

fn line(second: &Second, tally: &Tally) -> String {
    format!(
        "{} sent, {}/s accepted, p99 {:.1} ms, {} refused, {} delivered",
        second.sent,
        second.accepted,
        second.latency.p99_ms,
        tally.refusals(),
        tally.delivered.get()
    )
}

/// Says what is done now.
pub fn tell(line: &str) {
    // Nobody waits for it where stderr is closed.
    let _ = writeln!(stderr(), "{line}");
}
