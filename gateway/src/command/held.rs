//! What a client that comes back says it holds moves its device's cursors, so that deliveries count whose word was lost.

use super::recover::{Found, Outcome, Recovery};
use crate::connection::{Connection, Owed, Session};
use crate::gateway::Gateway;
use std::collections::HashMap;
use std::sync::Arc;
use tokenim_domain::Result;
use tokenim_domain::log::{MessageLog, Reach, Since};

impl<L: MessageLog> Gateway<L> {
    /// Notes since when a connection is sent what happens, and what it holds beyond the cursors of its device: its word that it
    /// received that was lost. It owes these words until they are committed, and nobody waits for that.
    pub(super) async fn note_held(
        &self,
        (connection, session): (&Arc<Connection>, &Session),
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
            let (conversation, label) = (it.conversation.clone(), identity.label.clone());
            let word = Owed { conversation, received: it.at, reaches, label };
            if !word.reaches.is_empty() {
                owed.push(word);
            }
        }
        let is_owing = !owed.is_empty();
        connection.begin(since_ms, resumed, owed);
        if is_owing {
            // Where too many wait it says them with what it acknowledges.
            let _ = self.inner.debtors.try_send(connection.clone());
        }
        Ok(())
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
