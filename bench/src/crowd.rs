//! Connections that send messages to conversations, and those that receive them.

use crate::failure::Failure;
use crate::schedule::Schedule;
use crate::sender::{Sender, receive};
use crate::tally::Tally;
use crate::target::Target;
use crate::tasks::Tasks;
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
