//! Users who come one after the other, each at its moment, and perhaps are told what they missed.

use crate::failure::Failure;
use crate::report::Offer;
use crate::schedule::Schedule;
use crate::stream::Address;
use crate::tally::Tally;
use crate::target::{Target, User};
use crate::tasks::Tasks;
use crate::websocket::{Connection, MESSAGE_PUSH};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long they may still be on their way once the last was due.
const TAIL: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(1);

/// Users who come, one after the other.
pub struct Arrivals<'a> {
    /// Where to.
    pub target: &'a Target,
    /// Who.
    pub users: &'a [User],
    /// What each knows already, as the JSON of `heads`; empty = nothing.
    pub heads: String,
    /// Messages that each is told of because it missed them.
    pub missed: u64,
}

impl Arrivals<'_> {
    /// So many a second, all of them.
    pub fn offer(&self, per_second: f64) -> Offer {
        let count = self.users.len() as u64;
        Offer { count, lasts: Duration::from_secs_f64(count as f64 / per_second) }
    }

    /// Each connects at its moment, so many a second, and stays in `held`; it has come when it was told what it missed.
    ///
    /// Errors: a connection fails for another reason than a refusal.
    pub async fn come(&self, per_second: f64, tally: &Rc<Tally>, held: &mut Tasks<()>) -> Result<(), Failure> {
        let (began, before) = (Instant::now(), tally.acked.get() + tally.refusals());
        let lasts = self.offer(per_second).lasts;
        let schedule = Schedule::part(began, per_second, lasts, 0, 1);
        for (at, user) in self.users.iter().enumerate() {
            // Rounding may have made the schedule one shorter.
            let due = schedule.due(at as u64).unwrap_or_else(|| schedule.ends());
            let address = self.target.address.for_connection(user.number);
            held.start(arrive(address, user.clone(), self.heads.clone(), self.missed, due, tally.clone()));
        }
        let wanted = before + self.users.len() as u64;
        while tally.acked.get() + tally.refusals() < wanted && began.elapsed() < lasts + TAIL {
            tokio::time::sleep(POLL).await;
            held.ended()?;
        }
        tally.unanswered.set(wanted.saturating_sub(tally.acked.get() + tally.refusals()));
        Ok(())
    }
}

async fn arrive(
    address: Address,
    user: User,
    heads: String,
    missed: u64,
    due: Instant,
    tally: Rc<Tally>,
) -> Result<(), Failure> {
    tokio::time::sleep_until(due.into()).await;
    tally.send(due);
    let mut came = 0;
    let mut count = |text: &str| came += u64::from(text.starts_with(MESSAGE_PUSH));
    let mut connection = match Connection::open_with(&address, &user.token, &heads, &mut count).await {
        Ok(connection) => connection,
        Err(Failure { refusal: Some(refusal), .. }) => {
            tally.refuse(refusal);
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    while came < missed {
        let mut more = 0;
        connection.read(|text| more += u64::from(text.starts_with(MESSAGE_PUSH))).await?;
        came += more;
    }
    tally.ack(due);
    tally.delivered.set(tally.delivered.get() + came);
    connection.hold().await
}
