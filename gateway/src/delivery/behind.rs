//! Conversations that may be further than what was delivered here: their last event is taken as if the bus had brought it.

use super::Delivery;
use crate::bus::Bus;
use tokenim_domain::log::{AppRef, MessageLog};
use tokenim_domain::name::Conversation;

/// Where a conversation stands in the log.
#[derive(Debug)]
pub(crate) struct Behind {
    pub(crate) app: AppRef,
    pub(crate) conversation: Conversation,
    /// Seq of its last event.
    pub(crate) seq: i64,
}

impl<L: MessageLog, B: Bus> Delivery<L, B> {
    /// Delivers what was not. What can't be read is found by the next sweep again.
    pub(super) async fn catch_up(&mut self, found: Vec<Behind>) {
        for Behind { app, conversation, seq } in found {
            let key = (app.app, conversation.clone());
            if self.audiences.get(&key).is_some_and(|audience| audience.delivered >= Some(seq)) {
                continue;
            }
            let Some(last) = self.read_gap(app, &conversation, seq - 1, seq + 1).await else { continue };
            // Whom a change of members names is told of it; a message is read by those who were told to look.
            let is_message = last.iter().all(|item| item.event.body.is_message());
            if is_message && self.audiences.get(&key).is_some_and(|audience| audience.covers(seq)) {
                continue;
            }
            self.fan_out(last.into_iter().map(|item| (item.event, None)).collect()).await;
            self.wake();
        }
    }
}
