//! Where conversations stand, for connections that are passive in them: once a second, however much happens.

use super::Delivery;
use crate::audience::Key;
use crate::bus::Bus;
use crate::connection::{Chunk, For, Given};
use crate::encoded::Encoded;
use std::collections::BTreeMap;
use std::time::Duration;
use tokenim_domain::log::{AppRef, Event, MessageLog};
use tokenim_protocol::live;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often a head is told.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Members told before other tasks get their turn, and those who wait for an ack.
const TURN_MEMBERS: usize = 10_000;

/// Where a conversation stands.
#[derive(Debug, Clone, Copy)]
struct Head {
    app: AppRef,
    epoch: i64,
    seq: i64,
    msg_no: i64,
    /// Whether it was large at any of the events that were withheld.
    was_large: bool,
}

/// The heads that moved since they were told, by conversation: as many as had events within a second.
#[derive(Debug, Default)]
pub(super) struct Heads(BTreeMap<Key, Head>);

impl Heads {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes that passive connections are behind this event.
    pub(super) fn note(&mut self, key: &Key, event: &Event, is_large: bool) {
        let was_large = is_large || self.0.get(key).is_some_and(|head| head.was_large);
        let head = Head { app: event.app, epoch: event.epoch, seq: event.seq, msg_no: event.msg_no, was_large };
        self.0.insert(key.clone(), head);
    }
}

/// The seconds at which heads are told; the first head after a quiet second is told at once.
pub(super) fn seconds() -> Interval {
    let mut seconds = interval(TELL_EVERY);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    seconds
}

impl<L: MessageLog, B: Bus> Delivery<L, B> {
    /// Tells the heads that moved. Each is written once, whoever is told.
    pub(super) async fn tell_heads(&mut self) {
        for (key, head) in std::mem::take(&mut self.heads.0) {
            self.know(vec![(head.app, key.1.clone())]).await;
            let push = Encoded::new(&live::head(key.1.as_str(), head.epoch, head.seq, head.msg_no));
            let chunk = |form| Chunk {
                conversation: key.1.clone(),
                epoch: head.epoch,
                first: head.seq,
                last: head.seq,
                messages: 0,
                bytes: push.bytes(form).clone(),
            };
            let mut at = 0;
            while let Some(audience) = self.audiences.get(&key)
                && at < audience.members.len()
            {
                let portion = &audience.members[at..audience.members.len().min(at + TURN_MEMBERS)];
                let (to, now) =
                    (For::Passive { is_large: head.was_large || audience.is_large() }, self.node.seconds.now());
                at += portion.len();
                for (slot, _) in portion.iter().filter(|(_, joined)| *joined <= head.seq) {
                    slot.each(|connection| {
                        if connection.deliver(chunk(connection.form), to, now) == Given::Queued {
                            self.touched.push(connection.clone());
                        }
                    });
                }
                self.wake();
                self.meanwhile(tokio::task::yield_now()).await;
            }
        }
    }
}
