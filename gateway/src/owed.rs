//! Tells the log what connections said that they hold, beside everything else: until a word is committed it is owed.

use crate::appender::{Job, Origin};
use crate::connection::{Connection, Owed, Session};
use crate::gateway::Gateway;
use std::sync::Arc;
use std::time::Duration;
use tokenim_domain::Result;
use tokenim_domain::log::{Held, MessageLog, Outcome, Watermark, Write};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Connections whose words may wait. Beyond them a connection says its words with what it acknowledges.
const WAITING_MAX: usize = 32_768;
/// Connections whose words are told together, and words of one of them: no more than half a batch.
const DEBTORS_MAX: usize = 8;
const WORDS_MAX: usize = 16;
/// The part of the batcher's queue that may be full for words to be told: messages go first.
const QUEUE_PART: usize = 4;
/// How long nothing is told once there was no room, or a batch did not commit; twice as long each time, up to the most.
const REST_FIRST: Duration = Duration::from_millis(250);
const REST_MAX: Duration = Duration::from_secs(30);
/// How often in a row that may be before some connections are left to say their words with what they acknowledge: some 10 minutes.
const TRIES_MAX: u32 = 25;

/// The way of a connection that owes words to who tells them.
pub(crate) type Debtors = mpsc::Sender<Arc<Connection>>;

/// That way, and its end.
pub(crate) fn channel() -> (Debtors, mpsc::Receiver<Arc<Connection>>) {
    mpsc::channel(WAITING_MAX)
}

impl<L: MessageLog> Gateway<L> {
    /// Tells the words of connections that come until told to stop.
    pub(crate) async fn tell_owed(self, mut debtors: mpsc::Receiver<Arc<Connection>>, stop: CancellationToken) {
        let (mut some, mut tries, mut rest) = (Vec::new(), 0, REST_FIRST);
        let work = async {
            while fill(&mut some, &mut debtors).await {
                if self.tell_words(&some).await {
                    (tries, rest) = (0, REST_FIRST);
                } else if tries < TRIES_MAX {
                    tokio::time::sleep(rest).await;
                    (tries, rest) = (tries + 1, (rest * 2).min(REST_MAX));
                } else {
                    (some, tries, rest) = (Vec::new(), 0, REST_FIRST);
                }
                some.retain(|connection| connection.owes());
            }
        };
        stop.run_until_cancelled(work).await;
    }

    /// Tells some words of each; whether all of them were told.
    async fn tell_words(&self, debtors: &[Arc<Connection>]) -> bool {
        let (queued, most) = self.queued();
        if queued * QUEUE_PART > most {
            return false;
        }
        let mut told = Vec::new();
        for connection in debtors {
            let Some(session) = connection.registered() else { continue };
            for word in connection.owed(WORDS_MAX) {
                let outcome = self.tell_word(&session, &word);
                told.push((connection, word, outcome));
            }
        }
        let mut all = true;
        for (connection, word, outcome) in told {
            let is_settled = match outcome {
                Ok(outcome) => outcome.await.is_ok_and(|outcome| is_settled(&outcome)),
                Err(_) => false,
            };
            match is_settled {
                true => connection.settle(&word),
                false => all = false,
            }
        }
        all
    }

    fn tell_word(&self, session: &Session, word: &Owed) -> Result<oneshot::Receiver<Result<Outcome>>> {
        let identity = &session.identity;
        let (reaches, label) = (word.reaches.clone(), word.label.clone());
        let held = Held { device: session.device.clone(), reaches, label };
        let (app, user, conversation) = (identity.app, identity.user.clone(), word.conversation.clone());
        let received = Some(word.received);
        let write = Write::Move(Watermark { app, conversation, user, read: None, received, held: Some(held) });
        let (done, outcome) = oneshot::channel();
        self.inner.appender.submit(Job { write, origin: Origin::Call(done), place: None })?;
        Ok(outcome)
    }
}

/// Adds connections to those that owe words still, and waits for one where none does; whether there is any.
async fn fill(some: &mut Vec<Arc<Connection>>, debtors: &mut mpsc::Receiver<Arc<Connection>>) -> bool {
    if some.is_empty() {
        return debtors.recv_many(some, DEBTORS_MAX).await > 0;
    }
    while some.len() < DEBTORS_MAX
        && let Ok(connection) = debtors.try_recv()
    {
        some.push(connection);
    }
    true
}

/// Whether a word needs not be told again: it is committed, or refused for good.
fn is_settled(outcome: &Result<Outcome>) -> bool {
    outcome.as_ref().map_or_else(|error| !error.code.row().retryable, |_| true)
}
