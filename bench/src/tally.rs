//! What all connections of a run count, on one thread.

use crate::failure::Refusal;
use crate::histogram::{Histogram, Quantiles};
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Refusals of one code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// How many.
    pub count: u64,
    /// Of them, those that did not say when to try again.
    pub without_retry_after: u64,
}

/// What a second saw.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Second {
    /// Sent so far.
    pub sent: u64,
    /// Accepted in this second.
    pub accepted: u64,
    /// How long that took.
    pub latency: Quantiles,
}

/// What is counted.
pub struct Tally {
    base: Instant,
    /// Answers and deliveries are counted while this is set.
    pub recording: Cell<bool>,
    /// A closed loop finishes what is in flight and ends.
    pub stopping: Cell<bool>,
    /// Sent, or begun.
    pub sent: Cell<u64>,
    /// From the moment something was due to the moment it was sent: what the generator itself adds.
    pub lag: RefCell<Histogram>,
    /// Acknowledged.
    pub acked: Cell<u64>,
    /// From the moment a message was due to its ack.
    pub ack_latency: RefCell<Histogram>,
    /// The same of the second that is under way.
    second: RefCell<Histogram>,
    /// Refused, by code.
    pub refused: RefCell<BTreeMap<String, Refused>>,
    /// Sent, and not answered in time.
    pub unanswered: Cell<u64>,
    /// Messages delivered.
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
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::new(Tally {
            base: Instant::now(),
            recording: Cell::new(false),
            stopping: Cell::new(false),
            sent: Cell::new(0),
            lag: RefCell::default(),
            acked: Cell::new(0),
            ack_latency: RefCell::default(),
            second: RefCell::default(),
            refused: RefCell::default(),
            unanswered: Cell::new(0),
            delivered: Cell::new(0),
            reads: Cell::new(0),
            delivery_latency: RefCell::default(),
            text_bytes: Cell::new(0),
        })
    }

    /// Forgets what was counted; what was sent before is over by then.
    pub fn reset(&self) {
        self.stopping.set(false);
        for count in [&self.sent, &self.acked, &self.unanswered, &self.delivered, &self.reads] {
            count.set(0);
        }
        for histogram in [&self.lag, &self.ack_latency, &self.second, &self.delivery_latency] {
            histogram.take();
        }
        self.refused.take();
    }

    /// Something that was due then is sent now.
    pub fn send(&self, due: Instant) {
        if self.recording.get() {
            self.sent.set(self.sent.get() + 1);
            self.lag.borrow_mut().record(due.elapsed());
        }
    }

    /// Something that was due then was accepted now.
    pub fn ack(&self, due: Instant) {
        if self.recording.get() {
            let latency = due.elapsed();
            self.acked.set(self.acked.get() + 1);
            self.ack_latency.borrow_mut().record(latency);
            self.second.borrow_mut().record(latency);
        }
    }

    /// Something was refused.
    pub fn refuse(&self, refusal: Refusal) {
        if self.recording.get() {
            let mut refused = self.refused.borrow_mut();
            let of_code = refused.entry(refusal.code).or_default();
            of_code.count += 1;
            of_code.without_retry_after += u64::from(refusal.retry_after_ms.is_none());
        }
    }

    /// How many were refused.
    pub fn refusals(&self) -> u64 {
        self.refused.borrow().values().map(|refused| refused.count).sum()
    }

    /// A message came. `sampled`: its latency counts.
    pub fn deliver(&self, text: &str, sampled: bool) {
        self.delivered.set(self.delivered.get() + 1);
        self.text_bytes.set(text.len());
        if sampled && let Some(due) = self.due_of(text) {
            self.delivery_latency.borrow_mut().record(due.elapsed());
        }
    }

    /// Ends the second that is under way.
    pub fn end_second(&self) -> Second {
        let ended = self.second.take();
        Second { sent: self.sent.get(), accepted: ended.count(), latency: ended.quantiles() }
    }

    /// The moment as a message's id carries it: microseconds since the tally began.
    pub fn stamp(&self, due: Instant) -> u64 {
        due.saturating_duration_since(self.base).as_micros() as u64
    }

    /// When the message was due: the last 12 digits of its `client_msg_id`.
    fn due_of(&self, text: &str) -> Option<Instant> {
        let id = text.split("\"client_msg_id\":\"").nth(1)?.get(24..36)?;
        Some(self.base + Duration::from_micros(u64::from_str_radix(id, 16).ok()?))
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
        assert_eq!(tally.stamp(tally.base + Duration::from_secs(1)), 0xf_4240);
    }

    #[test]
    fn refusals_are_counted_by_code_and_a_reset_forgets_them() {
        let tally = Tally::new();
        let refuse = |code: &str, retry_after_ms| tally.refuse(Refusal { code: code.to_owned(), retry_after_ms });
        refuse("before", None);
        tally.recording.set(true);
        refuse("overloaded", Some(5));
        refuse("overloaded", None);
        assert_eq!(tally.refused.borrow()["overloaded"], Refused { count: 2, without_retry_after: 1 });
        assert_eq!(tally.refusals(), 2);
        tally.reset();
        assert_eq!(tally.refusals(), 0);
    }
}
