//! Senders: connections that keep a number of messages in flight, or send by the clock.

use crate::floor::append::BODY;
use crate::histogram::Histogram;
use crate::report::Failure;
use crate::websocket::{Connection, MESSAGE_PUSH};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// One receiver in so many measures latencies: looking into each frame would cost the generator more than reading it.
const SAMPLE: u64 = 16;

/// What all connections of a run count, on one thread.
pub struct Tally {
    base: Instant,
    /// Acks and deliveries are counted while this is set.
    pub recording: Cell<bool>,
    /// Senders finish what is in flight and end.
    pub stopping: Cell<bool>,
    /// Messages acknowledged while recording.
    pub acked: Cell<u64>,
    /// From writing a message, or from the moment it was due, to its ack.
    pub ack_latency: RefCell<Histogram>,
    /// Messages delivered while recording.
    pub delivered: Cell<u64>,
    /// Reads that brought them.
    pub reads: Cell<u64>,
    /// From the moment a message was due to its arrival at a sampled receiver.
    pub delivery_latency: RefCell<Histogram>,
    /// Bytes of the last delivered text.
    pub text_bytes: Cell<usize>,
}

impl Tally {
    /// Counts nothing yet.
    pub fn new() -> Rc<Self> {
        Rc::new(Tally {
            base: Instant::now(),
            recording: Cell::new(false),
            stopping: Cell::new(false),
            acked: Cell::new(0),
            ack_latency: RefCell::default(),
            delivered: Cell::new(0),
            reads: Cell::new(0),
            delivery_latency: RefCell::default(),
            text_bytes: Cell::new(0),
        })
    }

    fn ack(&self, due: Instant) {
        if self.recording.get() {
            self.acked.set(self.acked.get() + 1);
            self.ack_latency.borrow_mut().record(due.elapsed());
        }
    }

    fn deliver(&self, text: &str, sampled: bool) {
        self.delivered.set(self.delivered.get() + 1);
        self.text_bytes.set(text.len());
        if sampled && let Some(due) = self.due_of(text) {
            self.delivery_latency.borrow_mut().record(due.elapsed());
        }
    }

    /// When the message was due: the last 12 digits of its `client_msg_id`, microseconds since the tally began.
    fn due_of(&self, text: &str) -> Option<Instant> {
        let id = text.split("\"client_msg_id\":\"").nth(1)?.get(24..36)?;
        Some(self.base + Duration::from_micros(u64::from_str_radix(id, 16).ok()?))
    }
}

/// A sending connection.
pub struct Sender {
    connection: Connection,
    conversation: String,
    /// Makes its messages' ids differ from those of other senders and of earlier runs.
    run: u64,
    tally: Rc<Tally>,
    /// Sent and not acknowledged: command id and when it was due.
    waiting: VecDeque<(u64, Instant)>,
    last_id: u64,
    prev: String,
}

impl Sender {
    /// A sender to one conversation; `run` is unique per user and run.
    pub fn new(connection: Connection, conversation: &str, run: u64, tally: Rc<Tally>) -> Self {
        let conversation = conversation.to_owned();
        Sender { connection, conversation, run, tally, waiting: VecDeque::new(), last_id: 1, prev: String::new() }
    }

    /// Closed loop: keeps that many messages in flight until told to stop. As fast as the acks come, so its latencies
    /// say how long a batch takes, not how a server fares whose clients don't wait.
    pub async fn keep_in_flight(mut self, window: usize) -> Result<(), Failure> {
        loop {
            while !self.tally.stopping.get() && self.waiting.len() < window {
                self.queue(Instant::now());
            }
            if self.waiting.is_empty() {
                return Ok(());
            }
            self.turn().await?;
        }
    }

    /// Open loop: so many messages a second, each due at its own moment whether or not earlier ones were answered.
    pub async fn send_at_rate(mut self, per_second: u32) -> Result<(), Failure> {
        let (began, mut sent) = (Instant::now(), 0);
        while !self.tally.stopping.get() {
            let due = began + Duration::from_secs(1) * sent / per_second;
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {
                    self.queue(due);
                    sent += 1;
                    self.connection.flush().await?;
                }
                done = self.turn() => done?,
            }
        }
        while !self.waiting.is_empty() {
            self.turn().await?;
        }
        Ok(())
    }

    fn queue(&mut self, due: Instant) {
        self.last_id += 1;
        let (id, conversation) = (self.last_id, &self.conversation);
        let due_us = due.duration_since(self.tally.base).as_micros() as u64;
        let own = format!("{:08x}-{:04x}-7000-8000-{due_us:012x}", self.run & 0xFFFF_FFFF, id & 0xFFFF);
        let prev = if self.waiting.is_empty() { String::new() } else { format!(",\"prev\":\"{}\"", self.prev) };
        self.connection.queue(&format!(
            "{{\"id\":{id},\"send\":{{\"conversation\":\"{conversation}\",\"client_msg_id\":\"{own}\",\"kind\":\"text\",\"body\":{BODY}{prev}}}}}"
        ));
        self.prev = own;
        self.waiting.push_back((id, due));
    }

    /// Writes what is queued and reads once. May be dropped while it waits.
    async fn turn(&mut self) -> Result<(), Failure> {
        self.connection.flush().await?;
        let (waiting, tally, mut wrong) = (&mut self.waiting, &self.tally, None);
        self.connection
            .read(|text| match (waiting.pop_front(), acked_id(text)) {
                (Some((id, due)), Some(acked)) if id == acked => tally.ack(due),
                _ => wrong = wrong.take().or_else(|| Some(text.to_owned())),
            })
            .await?;
        wrong.map_or(Ok(()), |text| Err(Failure::new(format!("not the next ack in order: {text}"))))
    }
}

/// The command id of an ok reply.
fn acked_id(text: &str) -> Option<u64> {
    let (id, _) = text.strip_prefix("{\"id\":")?.split_once(",\"ok\"")?;
    id.parse().ok()
}

/// Reads deliveries until the connection is dropped; `number` picks those that measure latency.
pub async fn receive(mut connection: Connection, number: u64, tally: Rc<Tally>) -> Result<(), Failure> {
    let sampled = number.is_multiple_of(SAMPLE);
    loop {
        let mut messages = 0;
        connection
            .read(|text| {
                if tally.recording.get() && text.starts_with(MESSAGE_PUSH) {
                    messages += 1;
                    tally.deliver(text, sampled);
                }
            })
            .await?;
        tally.reads.set(tally.reads.get() + u64::from(messages > 0));
        connection.flush().await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_due_moment_survives_the_wire() {
        let tally = Tally::new();
        let text = "{\"client_msg_id\":\"00000001-0002-7000-8000-0000000f4240\",\"kind\"";
        assert_eq!(tally.due_of(text), Some(tally.base + Duration::from_secs(1)));
        assert_eq!((acked_id("{\"id\":12,\"ok\":{}}"), acked_id("{\"id\":12,\"error\":{}}")), (Some(12), None));
    }
}
