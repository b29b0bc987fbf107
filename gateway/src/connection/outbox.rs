//! The outgoing queue of a connection: bounded by bytes, in lanes, and with a policy for a reader that is too slow.

use super::Chunk;
use crate::encoded::Form;
use bytes::Bytes;
use std::collections::VecDeque;
use tokenim_domain::name::Conversation;
use tokenim_domain::{Code, sabotage};
use tokenim_protocol::reply;

/// Bytes of live events that may be queued; replies are bounded by the open commands instead.
const EVENT_BYTES_MAX: usize = 512 * 1024;
/// Frames of live events that may be queued.
const EVENT_FRAMES_MAX: usize = 1_024;
/// Bytes of replies that may be queued: a client that asks for pages and never reads them is closed.
const REPLY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Share of the event budget above which pushes that may be dropped are.
const EPHEMERAL_BYTES_MAX: usize = EVENT_BYTES_MAX / 2;
/// Conversations that one overflow may name in `resync` pushes; beyond it the connection is closed.
const RESYNC_MAX: usize = 64;
/// Seconds after an overflow within which a second one closes the connection.
const OVERFLOW_SECONDS: u32 = 60;
/// Bytes handed to the socket for one write.
const WRITE_BYTES_MAX: usize = 128 * 1024;
/// Frames handed to the socket for one write; Linux takes 1,024 vectors.
const WRITE_FRAMES_MAX: usize = 128;

/// Frames that are queued for one socket.
#[derive(Debug, Default)]
pub struct Outbox {
    /// What the socket speaks.
    form: Form,
    replies: VecDeque<Bytes>,
    /// What a connect replays; bounded where it is read, so it is not counted against the live events behind it.
    backlog: VecDeque<Bytes>,
    events: VecDeque<Queued>,
    /// Pages of large bodies: who downloads one still hears at once what is said.
    bulk: VecDeque<Bytes>,
    reply_bytes: usize,
    event_bytes: usize,
    overflow_at: Option<u32>,
    /// Whether pushes that may be dropped were, after they were queued.
    has_shed: bool,
    /// The close frame; nothing is queued after it.
    last: Option<Bytes>,
    finishing: bool,
}

/// What is left in a queue after some of it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// More frames.
    More,
    /// Nothing for now.
    Nothing,
    /// Nothing, and the close frame was handed out: the socket may be shut.
    Finished,
    /// The connection is to end now, whatever is queued.
    Gone,
}

/// Where an answer waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Before all else.
    Replies,
    /// Behind all else.
    Bulk,
}

/// The reader is too slow to be helped: close it with `slow_consumer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow;

/// A queued frame of the event lane.
#[derive(Debug)]
pub struct Queued {
    /// The conversation to resync if it is dropped; `None` = it may just be dropped.
    conversation: Option<Conversation>,
    bytes: Bytes,
}

impl From<Chunk> for Queued {
    fn from(chunk: Chunk) -> Self {
        Queued { conversation: Some(chunk.conversation), bytes: chunk.bytes }
    }
}

impl Outbox {
    /// An empty queue of a socket that speaks this form.
    #[must_use]
    pub fn new(form: Form) -> Self {
        Outbox { form, ..Outbox::default() }
    }

    /// Queues a reply or a control push.
    ///
    /// Errors: [`TooSlow`].
    pub fn reply(&mut self, frame: Bytes) -> Result<(), TooSlow> {
        self.answer(frame, Lane::Replies)
    }

    /// Queues an answer in its lane; all answers have one budget.
    ///
    /// Errors: [`TooSlow`].
    pub fn answer(&mut self, frame: Bytes, lane: Lane) -> Result<(), TooSlow> {
        if self.finishing {
            return Ok(());
        }
        if self.reply_bytes + frame.len() > REPLY_BYTES_MAX {
            return Err(TooSlow);
        }
        self.reply_bytes += frame.len();
        match lane {
            Lane::Replies => self.replies.push_back(frame),
            Lane::Bulk => self.bulk.push_back(frame),
        }
        Ok(())
    }

    /// Queues the backlog of an attach, which has a budget of its own.
    pub fn backlog(&mut self, frames: Bytes) {
        if !self.finishing {
            self.backlog.push_back(frames);
        }
    }

    /// Queues live events. Over budget first what may be dropped is, then everything queued is replaced by `resync` pushes.
    ///
    /// Errors: [`TooSlow`].
    /// Source: docs/PROTOCOL.md §7.
    pub fn event(&mut self, queued: Queued, now: u32) -> Result<(), TooSlow> {
        if self.finishing {
            return Ok(());
        }
        self.event_bytes += queued.bytes.len();
        self.events.push_back(queued);
        if self.is_over() {
            self.shed();
        }
        if self.is_over() { self.collapse(now) } else { Ok(()) }
    }

    fn is_over(&self) -> bool {
        self.event_bytes > EVENT_BYTES_MAX || self.events.len() > EVENT_FRAMES_MAX
    }

    /// Drops what may be dropped.
    fn shed(&mut self) {
        let before = self.events.len();
        let bytes = &mut self.event_bytes;
        self.events.retain(|queued| {
            let stays = queued.conversation.is_some();
            *bytes -= if stays { 0 } else { queued.bytes.len() };
            stays
        });
        self.has_shed |= self.events.len() < before;
    }

    /// Whether something that was queued has been dropped since this was asked.
    pub fn take_shed(&mut self) -> bool {
        std::mem::take(&mut self.has_shed)
    }

    /// Queues a push that may be dropped; false where it was.
    pub fn ephemeral(&mut self, bytes: Bytes) -> bool {
        let fits = !self.finishing
            && self.event_bytes + bytes.len() <= EPHEMERAL_BYTES_MAX
            && self.events.len() < EVENT_FRAMES_MAX / 2;
        if fits {
            self.event_bytes += bytes.len();
            self.events.push_back(Queued { conversation: None, bytes });
        }
        fits
    }

    /// Queues the close frame; what is queued already goes out before it, nothing after it.
    pub fn finish(&mut self, close: Bytes) {
        if !self.finishing {
            self.finishing = true;
            self.last = Some(close);
        }
    }

    /// Moves frames to `out`, lane by lane, up to one write's worth; gives memory back once empty.
    pub fn drain(&mut self, out: &mut Vec<Bytes>) -> Left {
        let mut bytes = 0;
        while out.len() < WRITE_FRAMES_MAX && bytes < WRITE_BYTES_MAX {
            let next = if let Some(frame) = self.replies.pop_front() {
                self.reply_bytes -= frame.len();
                frame
            } else if let Some(frames) = self.backlog.pop_front() {
                frames
            } else if let Some(queued) = self.events.pop_front() {
                self.event_bytes -= queued.bytes.len();
                queued.bytes
            } else if let Some(frame) = self.bulk.pop_front() {
                self.reply_bytes -= frame.len();
                frame
            } else if let Some(close) = self.last.take() {
                close
            } else {
                break;
            };
            bytes += next.len();
            out.push(next);
        }
        if !self.is_empty() || self.last.is_some() {
            return Left::More;
        }
        (self.replies, self.backlog, self.events, self.bulk) = Default::default();
        if self.finishing { Left::Finished } else { Left::Nothing }
    }

    fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.backlog.is_empty() && self.events.is_empty() && self.bulk.is_empty()
    }

    fn collapse(&mut self, now: u32) -> Result<(), TooSlow> {
        let again = self.overflow_at.is_some_and(|at| now.saturating_sub(at) < OVERFLOW_SECONDS);
        self.overflow_at = Some(now);
        let mut lost: Vec<Conversation> = Vec::new();
        for queued in std::mem::take(&mut self.events) {
            match queued.conversation {
                Some(conversation) if !lost.contains(&conversation) => lost.push(conversation),
                _ => {}
            }
            if lost.len() > RESYNC_MAX {
                break;
            }
        }
        self.event_bytes = 0;
        if again || lost.len() > RESYNC_MAX {
            return Err(TooSlow);
        }
        let form = self.form;
        let resync = |name: Conversation| form.encode(&reply::resync(name.as_str(), Code::SlowConsumer));
        lost.into_iter()
            .filter(|_| !sabotage::is("overflow_untold"))
            .map(resync)
            .try_for_each(|frame| self.reply(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(conversation: &str, bytes: usize) -> Queued {
        Queued { conversation: Some(Conversation::trusted(conversation)), bytes: Bytes::from(vec![b'x'; bytes]) }
    }

    fn drained(outbox: &mut Outbox) -> Vec<Bytes> {
        let mut out = Vec::new();
        outbox.drain(&mut out);
        out
    }

    #[test]
    fn replies_go_before_events_and_the_close_goes_last() {
        let mut outbox = Outbox::default();
        outbox.event(queued("a", 3), 0).unwrap();
        outbox.reply(Bytes::from_static(b"r")).unwrap();
        outbox.finish(Bytes::from_static(b"c"));
        outbox.reply(Bytes::from_static(b"late")).unwrap();
        let mut out = Vec::new();
        assert_eq!(outbox.drain(&mut out), Left::Finished);
        assert_eq!(out, ["r", "xxx", "c"].map(Bytes::from));
        assert!(drained(&mut outbox).is_empty());
    }

    #[test]
    fn pages_of_large_bodies_go_behind_events_and_before_the_close() {
        let mut outbox = Outbox::default();
        outbox.answer(Bytes::from_static(b"page"), Lane::Bulk).unwrap();
        outbox.event(queued("a", 3), 0).unwrap();
        outbox.reply(Bytes::from_static(b"r")).unwrap();
        outbox.finish(Bytes::from_static(b"c"));
        assert_eq!(drained(&mut outbox), ["r", "xxx", "page", "c"].map(Bytes::from));
        assert_eq!(outbox.reply_bytes, 0);
        let mut full = Outbox { reply_bytes: REPLY_BYTES_MAX, ..Outbox::default() };
        assert_eq!(full.answer(Bytes::from_static(b"p"), Lane::Bulk), Err(TooSlow), "of the budget of replies");
    }

    #[test]
    fn a_drain_takes_one_writes_worth_and_says_what_is_left() {
        let (mut outbox, mut out) = (Outbox::default(), Vec::new());
        assert_eq!(outbox.drain(&mut out), Left::Nothing);
        for _ in 0..=WRITE_FRAMES_MAX {
            outbox.event(queued("a", 1), 0).unwrap();
        }
        assert_eq!((outbox.drain(&mut out), out.len()), (Left::More, WRITE_FRAMES_MAX));
        outbox.finish(Bytes::from_static(b"c"));
        out.truncate(WRITE_FRAMES_MAX - 1);
        assert_eq!(outbox.drain(&mut out), Left::More, "the close is left");
        out.clear();
        assert_eq!((outbox.drain(&mut out), out.len()), (Left::Finished, 1));
    }

    #[test]
    fn a_slow_reader_is_told_to_resync_and_the_second_time_closed() {
        let mut outbox = Outbox::default();
        outbox.event(queued("a", 400 * 1024), 10).unwrap();
        outbox.event(queued("b", 200 * 1024), 10).unwrap();
        let out = drained(&mut outbox);
        assert_eq!(out.len(), 2);
        assert!(out.iter().all(|frame| frame.windows(6).any(|window| window == b"resync")));
        outbox.event(queued("a", 400 * 1024), 20).unwrap();
        assert_eq!(outbox.event(queued("a", 200 * 1024), 20), Err(TooSlow));
    }

    #[test]
    fn what_may_be_dropped_goes_before_any_event_does() {
        let mut outbox = Outbox::default();
        let large = Bytes::from(vec![b'e'; 200 * 1024]);
        assert!(outbox.ephemeral(large.clone()) && !outbox.ephemeral(large));
        outbox.event(queued("a", 300 * 1024), 0).unwrap();
        assert!(!outbox.take_shed());
        outbox.event(queued("a", 100 * 1024), 0).unwrap();
        assert!(outbox.take_shed() && !outbox.take_shed());
        let out: Vec<_> = drained(&mut outbox).iter().map(|frame| (frame[0], frame.len())).collect();
        assert_eq!(out, [(b'x', 300 * 1024)], "one write's worth");
        assert_eq!(drained(&mut outbox)[0].len(), 100 * 1024);
        assert_eq!(outbox.event_bytes, 0);
    }

    #[test]
    fn the_queue_is_bounded_in_frames_and_by_unread_replies() {
        let mut outbox = Outbox::default();
        for _ in 0..=EVENT_FRAMES_MAX {
            outbox.event(queued("a", 1), 0).unwrap();
        }
        assert!(outbox.events.is_empty(), "collapsed");
        let refused = (0..100).filter(|_| outbox.reply(Bytes::from(vec![0; 64 * 1024])).is_err()).count();
        assert!(outbox.reply_bytes <= REPLY_BYTES_MAX && refused > 0);
    }
}
