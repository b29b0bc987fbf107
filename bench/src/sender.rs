//! Senders: connections that keep a number of messages in flight, or send by the clock.

use crate::failure::{Failure, Refusal};
use crate::schedule::Schedule;
use crate::tally::Tally;
use crate::websocket::{Connection, MESSAGE_PUSH};
use serde::Deserialize;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What every message says.
pub const BODY: &str = r#"{"text":"The quick brown fox jumps over the lazy dog while the band plays on, and nobody in the room minds at all; it is late."}"#;
/// One receiver in so many measures latencies: looking into each frame would cost the generator more than reading it.
const SAMPLE: u64 = 16;
/// Messages that a receiver acknowledges together; a server pauses who does not at 1,000 (docs/PROTOCOL.md §7).
const ACKNOWLEDGE_EVERY: u64 = 128;
/// How long answers may still come once everything is sent.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// A sending connection.
pub struct Sender {
    connection: Connection,
    conversation: String,
    /// Makes its messages' ids differ from those of other senders and of earlier runs.
    run: u64,
    tally: Rc<Tally>,
    /// Sent and not answered: command id and when it was due.
    waiting: VecDeque<(u64, Instant)>,
    last_id: u64,
    prev: String,
    /// Each message names the one before, so that one that is refused takes along those behind it.
    is_lane: bool,
}

impl Sender {
    /// A sender to one conversation; `run` is unique per user and run.
    pub fn new(connection: Connection, conversation: &str, run: u64, tally: Rc<Tally>) -> Self {
        Sender {
            connection,
            conversation: conversation.to_owned(),
            run,
            tally,
            waiting: VecDeque::new(),
            last_id: 1,
            prev: String::new(),
            is_lane: true,
        }
    }

    /// Each message stands alone.
    #[must_use]
    pub fn without_lane(self) -> Self {
        Sender { is_lane: false, ..self }
    }

    /// Closed loop: keeps that many messages in flight until told to stop. As fast as the acks come, so its latencies
    /// say how long a batch takes, not how a server fares whose clients don't wait.
    pub async fn keep_in_flight(&mut self, window: usize) -> Result<(), Failure> {
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

    /// Open loop: each message is due at its moment whether or not earlier ones were answered, and its latency counts from
    /// there. With `in_flight` unanswered it waits, and sends what became due meanwhile as soon as it can; what the end of
    /// the schedule overtakes is not sent, nor counted as sent.
    pub async fn send_on(&mut self, schedule: &Schedule, in_flight: usize) -> Result<(), Failure> {
        let mut next = 0;
        while let Some(due) = schedule.due(next)
            && Instant::now() < schedule.ends()
        {
            tokio::select! {
                () = tokio::time::sleep_until(due.into()), if self.waiting.len() < in_flight => {
                    self.queue(due);
                    next += 1;
                }
                () = tokio::time::sleep_until(schedule.ends().into()), if self.waiting.len() >= in_flight => break,
                done = self.turn() => done?,
            }
        }
        let answered = async {
            while !self.waiting.is_empty() {
                self.turn().await?;
            }
            Ok(())
        };
        if let Ok(done) = tokio::time::timeout(ANSWERS_WITHIN, answered).await {
            return done;
        }
        self.tally.unanswered.set(self.tally.unanswered.get() + self.waiting.len() as u64);
        self.waiting.clear();
        Ok(())
    }

    fn queue(&mut self, due: Instant) {
        self.last_id += 1;
        self.tally.send(due);
        let (id, conversation, stamp) = (self.last_id, &self.conversation, self.tally.stamp(due));
        let own = format!("{:08x}-{:04x}-7000-8000-{stamp:012x}", self.run & 0xFFFF_FFFF, id & 0xFFFF);
        let is_behind = self.is_lane && !self.waiting.is_empty();
        let prev = if is_behind { format!(",\"prev\":\"{}\"", self.prev) } else { String::new() };
        self.connection.queue(&format!(
            "{{\"id\":{id},\"send\":{{\"conversation\":\"{conversation}\",\"client_msg_id\":\"{own}\",\"kind\":\"text\",\"body\":{BODY}{prev}}}}}"
        ));
        self.prev = own;
        self.waiting.push_back((id, due));
    }

    /// Writes what is queued and reads once. May be dropped while it waits.
    async fn turn(&mut self) -> Result<(), Failure> {
        let (waiting, tally, last_id, mut wrong) = (&mut self.waiting, &self.tally, self.last_id, None);
        self.connection
            .read(|text| match answered(text) {
                Some((id, answer)) if id <= last_id => {
                    // One that nobody waits for any more was counted as unanswered.
                    let at = waiting.iter().position(|(waits, _)| *waits == id);
                    match (at.and_then(|at| waiting.remove(at)), answer) {
                        (Some((_, due)), None) => tally.ack(due),
                        (Some(_), Some(refusal)) => tally.refuse(refusal),
                        (None, _) => {}
                    }
                }
                None if text.starts_with("{\"push\":") => {}
                _ => wrong = wrong.take().or_else(|| Some(text.to_owned())),
            })
            .await?;
        wrong.map_or(Ok(()), |text| Err(Failure::new(format!("the server said what was not asked: {text}"))))
    }
}

/// A reply that says no.
#[derive(Deserialize)]
struct Refused {
    error: Refusal,
}

/// The command that a reply answers, and why it was refused, if it was.
fn answered(text: &str) -> Option<(u64, Option<Refusal>)> {
    let (id, rest) = text.strip_prefix("{\"id\":")?.split_once(',')?;
    let id = id.parse().ok()?;
    if rest.starts_with("\"ok\"") {
        return Some((id, None));
    }
    let refused: Refused = serde_json::from_str(text).ok()?;
    Some((id, Some(refused.error)))
}

/// Reads deliveries until the connection is dropped, and acknowledges them; `number` picks those that measure latency.
pub async fn receive(mut connection: Connection, number: u64, tally: Rc<Tally>) -> Result<(), Failure> {
    let sampled = number.is_multiple_of(SAMPLE);
    // Readers of one group do not all acknowledge at once.
    let (mut unacknowledged, mut last) = (number % ACKNOWLEDGE_EVERY, String::new());
    loop {
        let mut messages = 0;
        connection
            .read(|text| {
                if text.starts_with(MESSAGE_PUSH) {
                    unacknowledged += 1;
                    if unacknowledged >= ACKNOWLEDGE_EVERY {
                        text.clone_into(&mut last);
                    }
                    if tally.recording.get() {
                        messages += 1;
                        tally.deliver(text, sampled);
                    }
                } else if matches!(answered(text), Some((_, Some(_)))) {
                    // Refused for now: said again with the next message.
                    unacknowledged += ACKNOWLEDGE_EVERY;
                }
            })
            .await?;
        if !last.is_empty() {
            connection.tell(&received(&last)?);
            last.clear();
            unacknowledged = 0;
        }
        tally.reads.set(tally.reads.get() + u64::from(messages > 0));
    }
}

/// The acknowledgement of a message, and so of those before it.
fn received(push: &str) -> Result<String, Failure> {
    let Pushed { push: Place { conversation, seq } } =
        serde_json::from_str(push).map_err(|error| Failure::new(format!("a push was no message ({error}): {push}")))?;
    Ok(format!("\"received\":{{\"conversation\":\"{conversation}\",\"seq\":{seq}}}"))
}

#[derive(Deserialize)]
struct Pushed {
    push: Place,
}

#[derive(Deserialize)]
struct Place {
    conversation: String,
    seq: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_an_ack_or_a_refusal() {
        assert_eq!(answered("{\"id\":12,\"ok\":{}}"), Some((12, None)));
        let refused = answered(
            "{\"id\":12,\"error\":{\"code\":\"overloaded\",\"message\":\"\",\"retryable\":true,\"retry_after_ms\":7}}",
        );
        assert_eq!(refused, Some((12, Some(Refusal { code: "overloaded".to_owned(), retry_after_ms: Some(7) }))));
        assert_eq!(answered("{\"push\":{\"type\":\"ping\"}}"), None);
    }
}
