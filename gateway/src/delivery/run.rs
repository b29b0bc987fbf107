//! Consecutive events on their way to the members of one conversation.

use crate::connection::{Chunk, Connection, For, Given};
use crate::encoded::{Encoded, Form};
use bytes::{Bytes, BytesMut};
use std::sync::{Arc, OnceLock};
use tokenim_domain::log::Event;

/// One event on its way to its members.
pub(super) struct Item {
    pub(super) event: Arc<Event>,
    pub(super) push: Encoded,
    /// The connection that sent it and has the ack instead.
    pub(super) origin: Option<u64>,
}

/// Consecutive events, put together once for each form that somebody speaks: one reference and one write per connection.
pub(super) struct Run<'a> {
    items: &'a [Item],
    first: &'a Item,
    last: &'a Item,
    messages: u32,
    joined: [OnceLock<Bytes>; Form::COUNT],
}

impl<'a> Run<'a> {
    /// `None` where there are no events.
    pub(super) fn new(items: &'a [Item]) -> Option<Self> {
        let (first, last) = (items.first()?, items.last()?);
        let messages = items.iter().filter(|item| item.event.body.is_message()).count() as u32;
        Some(Run { items, first, last, messages, joined: Default::default() })
    }

    /// What a connection gets that speaks this form.
    pub(super) fn chunk(&self, form: Form) -> Chunk {
        let bytes = match self.items {
            [only] => only.push.bytes(form),
            items => self.joined[form as usize].get_or_init(|| join(items, form)),
        };
        let Item { event, .. } = self.first;
        Chunk {
            conversation: event.conversation.clone(),
            epoch: event.epoch,
            first: event.seq,
            last: self.last.event.seq,
            messages: self.messages,
            bytes: bytes.clone(),
        }
    }
}

fn join(items: &[Item], form: Form) -> Bytes {
    let mut joined = BytesMut::with_capacity(items.iter().map(|item| item.push.bytes(form).len()).sum());
    items.iter().for_each(|item| joined.extend_from_slice(item.push.bytes(form)));
    joined.freeze()
}

/// For a connection that sees only some of the items: what stands together goes together. `is_behind` where it was not given one.
pub(super) fn deliver_singly(
    connection: &Connection,
    items: &[Item],
    joined: i64,
    to: For,
    now: u32,
    is_behind: &mut bool,
) -> Given {
    let theirs = |item: &Item| item.origin != Some(connection.id) && item.event.seq >= joined;
    let mut given = Given::Quiet;
    for part in items.chunk_by(|a, b| theirs(a) == theirs(b)).filter(|part| theirs(&part[0])) {
        if let Some(run) = Run::new(part) {
            let one = connection.deliver(run.chunk(connection.form), to, now);
            *is_behind |= one == Given::Passive;
            given = given.max(one);
        }
    }
    given
}
