//! What a client that comes back says it holds moves its device's cursors, so that deliveries count whose word was lost.

use super::recover::{Outcome, Recovery};
use crate::appender::{Job, Origin};
use crate::connection::{Connection, Session};
use crate::gateway::Gateway;
use std::collections::HashMap;
use tokenim_domain::Result;
use tokenim_domain::log::{Held, MessageLog, Since, Watermark, Write};
use tokenim_domain::name::Conversation;
use tokio::sync::oneshot;

/// The part of the batcher's queue that may be full for cursors to be moved: messages go first. What is left out here goes
/// before what the connection acknowledges next in the conversation.
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
        let is_resumed = |it: &&super::recover::Found| it.outcome == Outcome::Recovered && it.at < it.head;
        let resumed: Vec<_> = found.iter().filter(is_resumed).map(|it| (it.conversation.clone(), it.at)).collect();
        let mut owed = Vec::new();
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
            let at = cursors.get(&it.conversation).copied().unwrap_or(0);
            if at < it.at && !self.queue_held(session, &it.conversation, (Some(it.at), it.at), Since::Seq(it.at)) {
                owed.push((it.conversation.clone(), it.at, Since::Seq(it.at)));
            }
            // It is not sent what lies between: that passes its cursor and counts nothing.
            if it.outcome == Outcome::TooFar && at < it.head {
                let is_behind = owed.last().is_some_and(|(of, ..)| *of == it.conversation);
                let since = Since::Time(since_ms);
                if is_behind || !self.queue_held(session, &it.conversation, (None, it.head), since) {
                    owed.push((it.conversation.clone(), it.head, since));
                }
            }
        }
        connection.begin(since_ms, resumed, owed);
        Ok(())
    }

    /// Queues the moves that go before one up to `seq`. They are owed until that is committed: repeated they change nothing.
    ///
    /// Errors: those of any write that is queued.
    pub(super) fn acknowledge_before(
        &self,
        (connection, session): (&Connection, &Session),
        conversation: &Conversation,
        seq: i64,
    ) -> Result<()> {
        let before = connection.moves_before(conversation, seq);
        before.into_iter().try_for_each(|(to, since)| self.queue_move(session, conversation, (None, to), since))
    }

    /// Queues a move where there is room; whether it did.
    fn queue_held(&self, session: &Session, of: &Conversation, word: (Option<i64>, i64), since: Since) -> bool {
        let (queued, most) = self.queued();
        queued * QUEUE_PART <= most && self.queue_move(session, of, word, since).is_ok()
    }

    /// Queues a move: the user's word of what it received, where there is one, and the device's cursor.
    fn queue_move(
        &self,
        session: &Session,
        conversation: &Conversation,
        (received, seq): (Option<i64>, i64),
        since: Since,
    ) -> Result<()> {
        let identity = &session.identity;
        let held = Held { device: session.device.clone(), seq, since, label: identity.label.clone() };
        let (app, user, conversation) = (identity.app, identity.user.clone(), conversation.clone());
        let write = Write::Move(Watermark { app, conversation, user, read: None, received, held: Some(held) });
        let origin = Origin::Call(oneshot::channel().0);
        self.inner.appender.submit(Job { write, origin, place: None })
    }
}
