//! What live messages grew by: told before the events of its batch, so that an end comes last.

use super::{Delivery, LOAD_MAX};
use crate::bus::Bus;
use crate::connection::Connection;
use crate::encoded::Encoded;
use std::sync::Arc;
use tokenim_domain::log::{Delta, Event, EventBody, MessageLog};
use tokenim_protocol::live;

/// The deltas of a batch, those of one message joined, each beside the connection that wrote it.
#[derive(Debug, Default)]
pub(super) struct Deltas(Vec<(Delta, Option<u64>)>);

impl Deltas {
    /// Those of another node.
    pub(super) fn of(deltas: &[Delta]) -> Self {
        Deltas(deltas.iter().map(|delta| (delta.clone(), None)).collect())
    }

    /// Adds one, behind what it follows.
    pub(super) fn add(&mut self, mut delta: Delta, origin: Option<u64>) {
        for (known, by) in self.0.iter_mut().rev().filter(|(_, by)| *by == origin) {
            debug_assert_eq!(*by, origin);
            match known.join(delta) {
                Ok(()) => return,
                Err(other) => delta = other,
            }
        }
        self.0.push((delta, origin));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_deltas(self) -> Vec<Delta> {
        self.0.into_iter().map(|(delta, _)| delta).collect()
    }
}

impl<L: MessageLog, B: Bus> Delivery<L, B> {
    /// Offers them to members who are connected and may see the message; whoever misses one asks with `stream.get`.
    ///
    /// Where the same batch changes the members it is not known who was one at the time, so nobody is told.
    pub(super) async fn tell_deltas(&mut self, deltas: &Deltas, events: &[Arc<Event>]) {
        let changes = |event: &&Arc<Event>| matches!(event.body, EventBody::Member { .. });
        let changed: Vec<_> = events.iter().filter(changes).map(|event| (event.app, &event.conversation)).collect();
        let is_told = |(delta, _): &&(Delta, Option<u64>)| !changed.contains(&(delta.app, &delta.conversation));
        let told: Vec<_> = deltas.0.iter().filter(is_told).collect();
        for portion in told.chunks(LOAD_MAX) {
            self.know(portion.iter().map(|(delta, _)| (delta.app, delta.conversation.clone())).collect()).await;
            portion.iter().for_each(|(delta, origin)| self.tell_delta(delta, *origin));
        }
    }

    fn tell_delta(&mut self, delta: &Delta, origin: Option<u64>) {
        let Some(audience) = self.audiences.get(&(delta.app.app, delta.conversation.clone())) else { return };
        // Who was removed before the message began may be in a list that does not know of it yet.
        if audience.known() < delta.target {
            return;
        }
        let push = Encoded::new(&live::stream(&live::Delta {
            conversation: delta.conversation.as_str(),
            epoch: delta.epoch,
            target: delta.target,
            offset: delta.offset,
            text: &delta.text,
        }));
        let (is_large, touched) = (audience.is_large(), &mut self.touched);
        let mut offer = |connection: &Arc<Connection>| {
            if origin != Some(connection.id) && connection.offer(&delta.conversation, is_large, &push) {
                touched.push(connection.clone());
            }
        };
        let sees = |joined: i64| joined <= delta.target;
        if is_large {
            let open = audience.open.iter().filter(|(_, joined)| sees(*joined));
            open.for_each(|(connection, _)| offer(connection));
        } else {
            let members = audience.members.iter().filter(|(_, joined)| sees(*joined));
            members.for_each(|(slot, _)| slot.each(&mut offer));
        }
    }
}
