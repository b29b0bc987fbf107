//! The first half of what follows a commit: everybody who waits for it is answered. What is left is told to the others.

use super::Delivery;
use super::stream::Deltas;
use crate::appender::{Committed, Origin};
use crate::bus::Bus;
use crate::checkpoints::Step;
use crate::connection::Connection;
use crate::encoded::Encoded;
use crate::reply;
use std::sync::Arc;
use std::time::Duration;
use tokenim_domain::log::{AppRef, Event, EventBody, Grown, JoinRequest, Joined, MessageLog, Outcome, Watermark};
use tokenim_domain::name::Conversation;
use tokenim_domain::{Code, Result};

/// What is to be told of a batch whose origins are answered.
#[derive(Debug)]
pub(super) struct Rest {
    /// Each event, and the connection that said it.
    pub(super) events: Vec<(Arc<Event>, Option<u64>)>,
    pub(super) receipts: Vec<(Watermark, Option<u64>)>,
    pub(super) deltas: Deltas,
    pub(super) unknown: Vec<(AppRef, Conversation)>,
    /// Monotonic time of the hand-over to the log.
    pub(super) begun: Duration,
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.receipts.is_empty() && self.deltas.is_empty() && self.unknown.is_empty()
    }
}

impl<L: MessageLog, B: Bus> Delivery<L, B> {
    /// Answers everybody who waits for a batch; what is left is to tell the others.
    pub(super) fn answer_all(&mut self, committed: Committed) -> Rest {
        self.node.counters.commit(committed.results.len() as u64, committed.took);
        self.node.counters.begin_to_tell();
        let (mut events, mut receipts, mut deltas) = (Vec::new(), Vec::new(), Deltas::default());
        for ((origin, result), moved) in committed.results.into_iter().zip(committed.moves) {
            if let Some(watermark) = moved {
                acknowledge(&origin, &watermark, &result);
                if let Ok(Outcome::Moved(true)) = &result {
                    receipts.push((watermark, connection_of(&origin)));
                }
            }
            if let Some(event) = result.as_ref().ok().and_then(event_of) {
                if event.body.is_message() {
                    self.node.counters.message();
                }
                // Who said it has the reply instead; of a change of members only the push tells all.
                let is_own = !matches!(event.body, EventBody::Member { .. } | EventBody::Settings { .. });
                events.push((event.clone(), connection_of(&origin).filter(|_| is_own)));
            }
            match &result {
                Ok(Outcome::Joined(Joined::Requested(request))) => self.tell_moderators(request),
                Ok(Outcome::Grown(Grown { delta: Some(delta), .. })) => {
                    deltas.add(delta.clone(), connection_of(&origin))
                }
                Ok(_) | Err(_) => {}
            }
            self.answer(origin, result);
        }
        Rest { events, receipts, deltas, unknown: committed.unknown, begun: committed.begun }
    }

    /// Answers a batch that came while members are read. Without the store none is committed, and everybody hears so.
    pub(super) fn answer_early(&mut self, batch: Committed) {
        let rest = self.answer_all(batch);
        self.wake();
        if rest.is_empty() {
            self.node.counters.end_to_tell();
        } else {
            self.later.push_back(rest);
        }
    }

    fn answer(&mut self, origin: Origin, result: Result<Outcome>) {
        if let Err(error) = &result {
            self.node.counters.refuse(error.code);
        }
        match origin {
            Origin::Command { connection, id } => {
                let text = match &result {
                    Ok(outcome) => reply::outcome(id, outcome),
                    Err(error) => reply::error(id, error),
                };
                connection.answer(id, &text);
                match &result {
                    Ok(Outcome::Sent(_)) => self.note(&connection, Step::Sent),
                    Ok(_) => {}
                    Err(error) => connection.note_refusal(error.code, self.node.seconds.clock()),
                }
                self.touched.push(connection);
            }
            // The caller may have gone; what it asked for is done all the same.
            Origin::Call(caller) => drop(caller.send(result)),
        }
    }

    /// Tells those who decide on it that a user asks to be let in; who is away finds it in the list.
    fn tell_moderators(&mut self, request: &JoinRequest) {
        let text = tokenim_protocol::reply::join_request(request.conversation.as_str(), request.user.as_str());
        let push = Encoded::new(&text);
        for user in &request.moderators {
            self.node.registry.slot(request.app, user).each(|connection| {
                if connection.offer(&request.conversation, false, &push) {
                    self.touched.push(connection.clone());
                }
            });
        }
    }

    pub(super) fn note(&self, connection: &Connection, step: Step) {
        if self.node.checkpoints.is_watching()
            && let Some(session) = connection.session()
        {
            self.node.checkpoints.note(&session, step);
        }
    }
}

/// Takes what a watermark covers off what its connection was pushed and did not acknowledge; all of a conversation it is no
/// member of any more.
fn acknowledge(origin: &Origin, watermark: &Watermark, result: &Result<Outcome>) {
    let (Origin::Command { connection, .. }, Some(seq)) = (origin, watermark.read.max(watermark.received)) else {
        return;
    };
    match result {
        Ok(_) => connection.acknowledge(&watermark.conversation, seq),
        Err(error) if error.code == Code::NotFound => connection.forget(&watermark.conversation),
        Err(_) => {}
    }
}

fn connection_of(origin: &Origin) -> Option<u64> {
    match origin {
        Origin::Command { connection, .. } => Some(connection.id),
        Origin::Call(_) => None,
    }
}

fn event_of(outcome: &Outcome) -> Option<&Arc<Event>> {
    match outcome {
        Outcome::Sent(sent) => sent.event.as_ref(),
        Outcome::Created(_, event) | Outcome::Changed(event) | Outcome::Joined(Joined::Member(event)) => event.as_ref(),
        Outcome::Amended(amended) => amended.event.as_ref(),
        Outcome::Moved(_) | Outcome::Joined(Joined::Requested(_)) | Outcome::Listed(_) | Outcome::Grown(_) => None,
    }
}
