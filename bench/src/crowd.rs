//! Connections that send messages to conversations, and those that receive them.

use crate::failure::Failure;
use crate::report::Offer;
use crate::schedule::Schedule;
use crate::sender::{Sender, receive};
use crate::stream::Address;
use crate::tally::Tally;
use crate::target::{Target, User};
use crate::tasks::Tasks;
use crate::websocket::{Connection, MESSAGE_PUSH};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long deliveries may still come after the last ack.
const TAIL: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(1);
/// Conversations with more members tell nobody who has not opened them (docs/PROTOCOL.md §4).
const OPEN_ABOVE: usize = 1_024;
/// The run's users are new, so their messages' ids need not differ from those of an earlier run.
const FIRST_RUN: u64 = 1;

/// Who sends and who receives.
pub struct Crowd {
    senders: Vec<Sender>,
    readers: Tasks<()>,
    /// What they count.
    pub tally: Rc<Tally>,
    /// Connections that are delivered each message.
    pub receivers: u64,
}

impl Crowd {
    /// Pairs of users, each with a direct conversation in which one sends and the other receives. `in_lane`: a connection's
    /// messages name each other.
    pub async fn pairs(target: &Target, pairs: usize, in_lane: bool) -> Result<Self, Failure> {
        let users = target.users(pairs * 2).await?;
        let lists = users.chunks(2).map(|pair| pair.iter().map(|user| user.id.clone()).collect()).collect();
        let conversations = target.conversations("direct", lists).await?;
        let tally = Tally::new();
        let (mut senders, mut readers) = (Vec::new(), Tasks::default());
        for (at, connection) in target.connect(&users).await?.into_iter().enumerate() {
            if at % 2 == 1 {
                readers.start(receive(connection, at as u64 / 2, tally.clone()));
                continue;
            }
            let sender = Sender::new(connection, &conversations[at / 2].id, FIRST_RUN, tally.clone());
            senders.push(if in_lane { sender } else { sender.without_lane() });
        }
        Ok(Crowd { senders, readers, tally, receivers: 1 })
    }

    /// A group with so many members, of whom so many are connected; one of these sends.
    pub async fn group(target: &Target, members: usize, connected: usize) -> Result<Self, Failure> {
        let users = target.users(connected.min(members)).await?;
        let absent = (users.len()..members).map(|number| format!("{}-m{number}", target.prefix));
        let everybody = users.iter().map(|user| user.id.clone()).chain(absent).collect();
        let group = target.conversations("group", vec![everybody]).await?.remove(0);
        let tally = Tally::new();
        let open = format!("\"open\":{{\"conversation\":\"{}\"}}", group.id);
        let (mut sender, mut readers) = (None, Tasks::default());
        for (at, mut connection) in target.connect(&users).await?.into_iter().enumerate() {
            if at == 0 {
                sender = Some(Sender::new(connection, &group.id, FIRST_RUN, tally.clone()));
                continue;
            }
            if members > OPEN_ABOVE {
                connection.ask(&open).await?;
            }
            readers.start(receive(connection, at as u64, tally.clone()));
        }
        let receivers = readers.len() as u64;
        Ok(Crowd { senders: sender.into_iter().collect(), readers, tally, receivers })
    }

    /// Sends so many messages a second, over all senders, and waits for what is due for them.
    pub async fn send(&mut self, per_second: f64, lasts: Duration, in_flight: usize) -> Result<(), Failure> {
        let (began, parts) = (Instant::now(), self.senders.len());
        let mut sending = Tasks::default();
        for (part, mut sender) in self.senders.drain(..).enumerate() {
            let schedule = Schedule::part(began, per_second, lasts, part, parts);
            sending.start(async move { sender.send_on(&schedule, in_flight).await.map(|()| sender) });
        }
        self.senders = sending.all().await?;
        self.delivered().await
    }

    /// Keeps so many messages of each sender in flight for so long, and waits for what is due for them.
    pub async fn saturate(&mut self, in_flight: usize, lasts: Duration) -> Result<(), Failure> {
        let mut sending = Tasks::default();
        for mut sender in self.senders.drain(..) {
            sending.start(async move { sender.keep_in_flight(in_flight).await.map(|()| sender) });
        }
        tokio::time::sleep(lasts).await;
        self.tally.stopping.set(true);
        self.senders = sending.all().await?;
        self.delivered().await
    }

    /// Deliveries that are due for what was accepted.
    pub fn due(&self) -> u64 {
        self.tally.acked.get() * self.receivers
    }

    /// Waits until everything that was accepted is delivered, or nothing more is to be hoped for.
    async fn delivered(&mut self) -> Result<(), Failure> {
        let since = Instant::now();
        while self.tally.delivered.get() < self.due() && since.elapsed() < TAIL {
            tokio::time::sleep(POLL).await;
        }
        self.readers.ended().map(drop)
    }
}

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
    receive(connection, user.number as u64, Tally::new()).await
}
