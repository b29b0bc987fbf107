//! What a client that comes back says it holds moves its device's cursors, so that deliveries count whose word was lost.

use super::recover::{Found, Outcome, Recovery};
use crate::appender::{Job, Origin};
use crate::connection::{Connection, Owed, Session};
use crate::gateway::Gateway;
use std::collections::HashMap;
use tokenim_domain::Result;
use tokenim_domain::log::{Held, MessageLog, Reach, Since, Watermark, Write};
use tokio::sync::oneshot;

/// The part of the batcher's queue that may be full for cursors to be moved: messages go first. What is left out here is said
/// with what the connection acknowledges next in the conversation.
const QUEUE_PART: usize = 4;

impl<L: MessageLog> Gateway<L> {
    /// Notes since when a connection is sent what happens, and queues the cursors of its device that are behind what it holds: its
    /// word that it received that was lost. Nobody waits for them: they commit before whatever the connection says next.
    pub(super) async fn note_held(
        &self,
        (connection, session): (&Connection, &Session),
        since_ms: i64,
        recovery: &Recovery,
    ) -> Result<()> {
        let found = &recovery.found;
        let (mut resumed, mut owed) = (Vec::new(), Vec::new());
        if found.is_empty() {
            connection.begin(since_ms, resumed, owed);
            return Ok(());
        }
        let identity = &session.identity;
        let names = found.iter().map(|it| it.conversation.clone()).collect();
        let cursors =
            self.inner.log.cursors(identity.app, identity.user.clone(), session.device.clone(), names).await?;
        let cursors: HashMap<_, _> = cursors.into_iter().collect();
        for it in found {
            let cursor = cursors.get(&it.conversation).copied();
            let above = counts_above(it, cursor);
            if it.outcome == Outcome::Recovered && it.at < it.head {
                resumed.push((it.conversation.clone(), above));
            }
            let reaches = reaches(it, cursor.unwrap_or(0), above, since_ms);
            let word = Owed { conversation: it.conversation.clone(), received: it.at, reaches };
            if !word.reaches.is_empty() && !self.queue_held(session, &word) {
                owed.push(word);
            }
        }
        connection.begin(since_ms, resumed, owed);
        Ok(())
    }

    /// Queues a word where there is room; whether it did.
    fn queue_held(&self, session: &Session, word: &Owed) -> bool {
        let (queued, most) = self.queued();
        if queued * QUEUE_PART > most {
            return false;
        }
        let identity = &session.identity;
        let reaches = word.reaches.clone();
        let held = Held { device: session.device.clone(), reaches, label: identity.label.clone() };
        let (app, user, conversation) = (identity.app, identity.user.clone(), word.conversation.clone());
        let received = Some(word.received);
        let write = Write::Move(Watermark { app, conversation, user, read: None, received, held: Some(held) });
        let origin = Origin::Call(oneshot::channel().0);
        self.inner.appender.submit(Job { write, origin, place: None }).is_ok()
    }
}

/// The seq above which all counts that a device has. One with a cursor was sent what is above it, one without begins with what
/// it names: that is settled here, whatever begins its cursor until the word commits.
fn counts_above(it: &Found, cursor: Option<i64>) -> i64 {
    if cursor.is_some() { 0 } else { it.at }
}

/// The steps of a cursor to what a connect named, and where a conversation is too far behind, on to its head: what lies between is
/// not sent, so that it is passed and counts nothing.
fn reaches(it: &Found, cursor: i64, above: i64, since_ms: i64) -> Vec<Reach> {
    let named = (cursor < it.at).then_some(Reach { seq: it.at, since: Since::Above(above) });
    let is_passed = it.outcome == Outcome::TooFar && cursor < it.head;
    let passed = is_passed.then_some(Reach { seq: it.head, since: Since::Time(since_ms) });
    named.into_iter().chain(passed).collect()
}
