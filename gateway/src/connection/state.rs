//! What a connection's lock guards: its phase, session and queues, and what the node's tick does to them.

use super::Owed;
use super::gate::Gate;
use super::outbox::{Lane, Outbox, Queued};
use super::unacknowledged::Unacknowledged;
use super::withheld::{AllWithheld, UNKNOWN};
use super::{Chunk, For, Given, Session};
use crate::connection::seconds_left;
use crate::encoded::Form;
use crate::incoming::Held;
use crate::limits::{Guest, Used};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokenim_domain::Code;
use tokenim_domain::log::Since;
use tokenim_domain::name::Conversation;
use tokenim_domain::token::caps::Cap;
use tokenim_protocol::limits::{
    CONNECT_SECONDS_MAX, PING_GRACE_SECONDS, PING_HEADS_MAX, PING_INTERVAL_SECONDS, TOKEN_NOTICE_SECONDS, VIEWS_MAX,
};
use tokenim_protocol::{live, reply};
use tokio::sync::oneshot;

/// Seconds a closing connection is given to drain its queue and answer the close.
const CLOSING_SECONDS_MAX: u32 = 5;
/// Seconds an attach may take once its credential is there: what an SDK waits for an attempt.
const ATTACH_SECONDS_MAX: u64 = 15;
/// Milliseconds a client waits after an attach that took too long: the node is busy.
const ATTACH_RETRY_MS: u64 = 5_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    New,
    Attaching,
    Ready,
    Closing { since: u32 },
    Gone,
}

#[derive(Debug)]
pub(super) struct State {
    form: Form,
    pub(super) phase: Phase,
    /// The last second that was told.
    pub(super) now: u32,
    opened: u32,
    next_ping: u32,
    pub(super) open_commands: u32,
    /// Tries to attach so far.
    pub(super) attaches: u32,
    pub(super) session: Option<Arc<Session>>,
    /// When its session began, milliseconds since 1970: from then on it was sent what was committed.
    pub(super) since_ms: i64,
    /// Conversations whose backlog it was sent, and the seq above which all counts that it has of them.
    pub(super) resumed: Box<[(Conversation, i64)]>,
    /// What it said at its beginning that it holds and what is not committed yet: an acknowledgement in the conversation says it
    /// too.
    pub(super) owed: Vec<Owed>,
    /// The page that opened it, until it is connected.
    pub(super) origin: Option<Box<str>>,
    pub(super) outbox: Outbox,
    /// Shut from registration until the backlog is queued.
    pub(super) gate: Option<Box<Gate>>,
    /// Messages that came behind a `connect` that is not answered yet; bounded by the bytes allowed before authentication.
    pub(super) held: Option<VecDeque<Held>>,
    pub(super) held_bytes: usize,
    /// Heads of conversations that changed since the last ping: conversation, epoch, seq.
    pub(super) heads: Vec<(Conversation, i64, i64)>,
    heads_more: bool,
    /// Conversations it has opened (true) or made passive.
    pub(super) views: HashMap<Conversation, bool>,
    /// What was withheld from it.
    pub(super) withheld: AllWithheld,
    /// What was pushed since it acknowledged; none where that is nothing.
    pub(super) unacknowledged: Option<Box<Unacknowledged>>,
    /// Whether it was told that its token expires.
    pub(super) is_end_told: bool,
    /// Counts its address until it is connected.
    pub(super) guest: Option<Box<Guest>>,
    /// What its address has used, where that is counted.
    pub(super) address: Option<Arc<Mutex<Used>>>,
    /// What it has used.
    pub(super) used: Used,
    /// Requests that wait for the answer to their command, by its id.
    #[expect(clippy::box_collection, reason = "only streams have it: a connection carries a pointer, not a map")]
    pub(super) waiting: Option<Box<HashMap<u64, oneshot::Sender<String>>>>,
}

/// What the node's tick found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tick {
    /// Nothing to do.
    Nothing,
    /// Something was queued: wake the socket.
    Wake,
    /// Pushes that tell how things are were dropped, for it reads slowly: they are to be told again.
    Shed,
}

impl State {
    pub(super) fn new(id: u64, form: Form, now: u32) -> Self {
        State {
            form,
            phase: Phase::New,
            now,
            opened: now,
            // The id spreads the pings of connections that arrived together.
            next_ping: now + 1 + (id % PING_INTERVAL_SECONDS) as u32,
            open_commands: 0,
            attaches: 0,
            session: None,
            since_ms: 0,
            resumed: Box::default(),
            owed: Vec::new(),
            origin: None,
            outbox: Outbox::new(form),
            gate: None,
            held: None,
            held_bytes: 0,
            heads: Vec::new(),
            heads_more: false,
            views: HashMap::new(),
            withheld: AllWithheld::default(),
            unacknowledged: None,
            is_end_told: false,
            guest: None,
            address: None,
            used: Used::default(),
            waiting: None,
        }
    }

    /// Queues a reply or a control push; a reader that leaves too many unread is closed.
    pub(super) fn reply(&mut self, frame: Bytes) {
        self.queue(frame, Lane::Replies);
    }

    fn queue(&mut self, frame: Bytes, lane: Lane) {
        if self.outbox.answer(frame, lane).is_err() {
            self.close(Code::SlowConsumer, None, self.now);
        }
    }

    /// Gives an answer to the request that waits for it, else queues it.
    pub(super) fn answer(&mut self, id: u64, text: &str, frame: Bytes, lane: Lane) {
        match self.waiting.as_mut().and_then(|waiting| waiting.remove(&id)) {
            // A request that has gone needs no answer.
            Some(request) => drop(request.send(text.to_owned())),
            None => self.queue(frame, lane),
        }
    }

    pub(super) fn may_read(&self, conversation: &Conversation) -> bool {
        self.session.as_ref().is_none_or(|session| session.identity.allows(conversation.as_str(), Cap::Read))
    }

    /// Whether a conversation's events come to it: where it did not say, those of small ones do.
    pub(super) fn is_open(&self, conversation: &Conversation, is_large: bool) -> bool {
        self.views.get(conversation).copied().unwrap_or(!is_large)
    }

    /// Whether a chunk is for it now. Errors: what became of one that is not.
    pub(super) fn admit(&mut self, chunk: &Chunk, to: For, now: u32) -> Result<(), Given> {
        let conversation = &chunk.conversation;
        if !self.may_read(conversation) {
            return Err(Given::Quiet);
        }
        match to {
            For::Open { is_large } if !self.is_open(conversation, is_large) => {
                self.withheld.withhold(conversation, UNKNOWN);
                return Err(Given::Passive);
            }
            For::Open { .. } if self.is_paused() => return Err(self.miss(chunk, now)),
            For::Open { .. } => self.withheld.resume(conversation, chunk.first - 1),
            For::Passive { is_large } if !self.is_open(conversation, is_large) => {
                self.withheld.withhold(conversation, UNKNOWN);
            }
            // Heads stand for the events it is not sent; what it missed is noted.
            For::Passive { .. } if self.is_paused() => {}
            For::Passive { .. } => return Err(Given::Quiet),
            For::All => {}
        }
        Ok(())
    }

    /// Whether it acknowledges too little to be sent more.
    pub(super) fn is_paused(&self) -> bool {
        self.unacknowledged.as_ref().is_some_and(|it| it.is_paused())
    }

    /// Notes that it is not sent a chunk because it is paused.
    fn miss(&mut self, chunk: &Chunk, now: u32) -> Given {
        self.withheld.withhold(&chunk.conversation, chunk.first);
        if self.unacknowledged.get_or_insert_default().miss(&chunk.conversation) {
            return Given::Passive;
        }
        self.close(Code::SlowConsumer, None, now);
        Given::Queued
    }

    /// Whether it is registered and not on its way out.
    pub(super) fn is_registered(&self) -> bool {
        matches!(self.phase, Phase::Attaching | Phase::Ready)
    }

    /// Notes that what it held of a conversation at its beginning is committed.
    pub(super) fn settle(&mut self, conversation: &Conversation) {
        self.owed.retain(|it| it.conversation != *conversation);
        if self.owed.is_empty() {
            self.owed = Vec::new();
        }
    }

    /// Notes an acknowledgement that is committed.
    pub(super) fn acknowledge(&mut self, conversation: &Conversation, seq: i64) {
        self.settle(conversation);
        self.withheld.settle(conversation, seq);
        let missed = self.unacknowledged.as_mut().map(|it| it.acknowledge(conversation, seq));
        self.look_at(missed.unwrap_or_default());
    }

    /// Notes that it may read less than it could, of one conversation or by its token.
    pub(super) fn forget(&mut self, gone: Option<&Conversation>) {
        let mut owed = std::mem::take(&mut self.owed);
        owed.retain(|it| Some(&it.conversation) != gone && self.may_read(&it.conversation));
        self.owed = owed;
        let Some(mut unacknowledged) = self.unacknowledged.take() else { return };
        let missed = unacknowledged.forget(|conversation| Some(conversation) != gone && self.may_read(conversation));
        self.unacknowledged = Some(unacknowledged);
        self.look_at(missed);
    }

    /// A pause is over: tells where something was missed.
    fn look_at(&mut self, missed: Vec<Conversation>) {
        for conversation in missed {
            self.reply(self.form.encode(&reply::resync(conversation.as_str(), Code::SlowConsumer)));
        }
    }

    /// Since when it was sent what happens in a conversation up to a seq: after what was withheld, else from where it resumed, else
    /// from its beginning.
    pub(super) fn since(&self, conversation: &Conversation, seq: i64) -> Since {
        let resumed = || self.resumed.iter().find(|(name, _)| name == conversation).map(|(_, seq)| Since::Above(*seq));
        self.withheld.since(conversation, seq).or_else(resumed).unwrap_or(Since::Time(self.since_ms))
    }

    pub(super) fn set_view(&mut self, conversation: &Conversation, is_open: bool) -> bool {
        let may = self.views.len() < VIEWS_MAX || self.views.contains_key(conversation);
        if may {
            self.views.insert(conversation.clone(), is_open);
        }
        may
    }

    pub(super) fn deliver(&mut self, chunk: Chunk, now: u32) {
        if let Some(head) = self.heads.iter_mut().find(|head| head.0 == chunk.conversation) {
            (head.1, head.2) = (chunk.epoch, chunk.last);
        } else if self.heads.len() < PING_HEADS_MAX {
            self.heads.push((chunk.conversation.clone(), chunk.epoch, chunk.last));
        } else {
            self.heads_more = true;
        }
        if chunk.messages > 0 {
            let unacknowledged = self.unacknowledged.get_or_insert_default();
            if let Some(messages) = unacknowledged.push(chunk.conversation.clone(), chunk.last, chunk.messages) {
                self.reply(self.form.encode(&live::unacknowledged(messages)));
            }
        }
        if self.outbox.event(Queued::from(chunk), now).is_err() {
            self.close(Code::SlowConsumer, None, now);
        }
    }

    fn ping(&mut self, now: u32) {
        let heads = self.heads.iter().map(|(conversation, epoch, seq)| (conversation.as_str(), *epoch, *seq));
        let text = reply::ping(heads, self.heads_more);
        (self.heads, self.heads_more) = (Vec::new(), false);
        self.unacknowledged.take_if(|it| it.is_idle());
        self.next_ping = now + PING_INTERVAL_SECONDS as u32;
        self.reply(self.form.encode(&text));
    }

    pub(super) fn tick(&mut self, now: u32, wall_ms: i64, silent: u32) -> Tick {
        self.now = now;
        let open = u64::from(now.saturating_sub(self.opened));
        match self.phase {
            Phase::New if open > CONNECT_SECONDS_MAX => self.close(Code::Unauthenticated, None, now),
            Phase::Attaching if open > ATTACH_SECONDS_MAX => {
                self.close(Code::InsufficientState, Some(ATTACH_RETRY_MS), now)
            }
            Phase::New | Phase::Attaching => return Tick::Nothing,
            Phase::Closing { since } if now.saturating_sub(since) >= CLOSING_SECONDS_MAX => self.phase = Phase::Gone,
            Phase::Closing { .. } | Phase::Gone => return Tick::Nothing,
            Phase::Ready if let Some(code) = self.ended(wall_ms) => self.close(code, None, now),
            Phase::Ready if u64::from(silent) > PING_INTERVAL_SECONDS + PING_GRACE_SECONDS => {
                self.close(Code::Silent, None, now);
            }
            Phase::Ready => return self.tell(now, wall_ms),
        }
        Tick::Wake
    }

    /// Tells what is due: that the token expires, heads.
    fn tell(&mut self, now: u32, wall_ms: i64) -> Tick {
        let left = self.session.as_ref().map(|session| seconds_left(session.ends().0, wall_ms));
        let is_ending = !self.is_end_told && left.is_some_and(|left| left <= TOKEN_NOTICE_SECONDS);
        if let Some(left) = left.filter(|_| is_ending) {
            self.is_end_told = true;
            self.reply(self.form.encode(&live::token_expiring(left)));
        }
        let is_due = now >= self.next_ping;
        if is_due {
            self.ping(now);
        }
        if self.outbox.take_shed() {
            return Tick::Shed;
        }
        if is_ending || is_due { Tick::Wake } else { Tick::Nothing }
    }

    /// How the session ended, where it has.
    fn ended(&self, wall_ms: i64) -> Option<Code> {
        let (ends_ms, code) = self.session.as_ref()?.ends();
        (ends_ms <= wall_ms).then_some(code)
    }

    pub(super) fn close(&mut self, code: Code, retry_after_ms: Option<u64>, now: u32) {
        self.finish(code, &reply::close_reason(code, None, retry_after_ms), now);
    }

    /// Closes with that reason; the first one stands.
    pub(super) fn finish(&mut self, code: Code, reason: &str, now: u32) {
        if matches!(self.phase, Phase::Closing { .. } | Phase::Gone) {
            return;
        }
        self.phase = Phase::Closing { since: now };
        self.gate = None;
        self.held = None;
        self.outbox.finish(self.form.close(code.row().close, reason));
    }
}
