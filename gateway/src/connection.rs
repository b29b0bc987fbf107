//! One connection, as everybody but its socket sees it: phase, session, queue. No I/O: the socket task is woken and drains it.

pub mod bell;
mod chunk;
pub mod gate;
pub mod outbox;
mod owed;
mod session;
mod state;
mod unacknowledged;
mod withheld;

use crate::encoded::{Encoded, Form};
use crate::incoming::{Held, Message};
use crate::limits::{Guest, Limits, Used};
use atomic_waker::AtomicWaker;
use bell::Bell;
use bytes::Bytes;
pub use chunk::{Chunk, For, Given};
use gate::Waited;
use outbox::{Lane, Left, Outbox};
pub use owed::Owed;
pub use session::Session;
pub(crate) use session::seconds_left;
pub use state::Tick;
use state::{Phase, State};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::Waker;
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::name::Conversation;
use tokenim_domain::{Code, Error, sabotage};
use tokenim_protocol::envelope::{Cause, Malformed};
use tokenim_protocol::limits::OPEN_COMMANDS_MAX;
use tokenim_protocol::reply::close_reason;
use tokio::sync::oneshot;

/// Bytes of messages that may wait behind a `connect`. Until it is authenticated far fewer may come; from its reply on, until what waits
/// is handled, a prompt client may say much.
const HELD_BYTES_MAX: usize = 1024 * 1024;

/// How long nothing is read from whoever was refused because the node is too busy: what it sends meanwhile is read, and refused, in one
/// piece, which leaves the processors to what was accepted.
pub(crate) const OVERLOADED_PAUSE: Duration = Duration::from_millis(50);

/// A time of a clock as a number.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A client's connection.
#[derive(Debug)]
pub struct Connection {
    /// Unique on this node for as long as it runs.
    pub id: u64,
    /// What it speaks.
    pub form: Form,
    /// Wakes the task that drains it, where it has one of its own.
    waker: AtomicWaker,
    /// Where it rings instead, where its thread drains it.
    bell: OnceLock<(Arc<Bell>, u64)>,
    has_rung: AtomicBool,
    /// Until when nothing is read from it, nanoseconds of the node's monotonic clock: one of its commands was refused by a busy node.
    unread_until: AtomicU64,
    /// Second of the node's monotonic clock at which bytes came last.
    heard: AtomicU32,
    state: Mutex<State>,
}

impl Connection {
    /// A connection that was just accepted; `now` is the second of the node's monotonic clock.
    #[must_use]
    pub fn new(id: u64, form: Form, now: u32) -> Arc<Self> {
        Arc::new(Connection {
            id,
            form,
            waker: AtomicWaker::new(),
            bell: OnceLock::new(),
            has_rung: AtomicBool::new(false),
            unread_until: AtomicU64::new(0),
            heard: AtomicU32::new(now),
            state: Mutex::new(State::new(id, form, now)),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// Registers the task that drains it, to be woken by [`Connection::wake`].
    pub fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Has it ring a bell for its seat instead of waking a task; the first one stands.
    pub fn sit(&self, bell: Arc<Bell>, seat: u64) {
        // A socket sits down once.
        let _ = self.bell.set((bell, seat));
    }

    /// Has what is queued drained.
    pub fn wake(&self) {
        match self.bell.get() {
            Some((bell, seat)) if !self.has_rung.swap(true, Ordering::AcqRel) => bell.ring(*seat),
            Some(_) => {}
            None => self.waker.wake(),
        }
    }

    /// Notes that its ring is answered: what is queued from now on makes it ring again.
    pub fn answer_ring(&self) {
        self.has_rung.store(false, Ordering::Release);
    }

    /// Notes that one of its commands was refused: whoever watches its app sees it, and a node that is too busy leaves it unread for a
    /// moment.
    pub(crate) fn note_refusal(&self, code: Code, clock: &dyn Clock) {
        if code == Code::Overloaded {
            self.unread_until.store(nanoseconds(clock.monotonic() + OVERLOADED_PAUSE), Ordering::Relaxed);
        }
        if let Some(session) = self.session() {
            session.place.refusals.note(clock.now_ms(), code);
        }
    }

    /// How long nothing is to be read from it yet; `now_ns` is of the node's monotonic clock.
    pub(crate) fn unread_for(&self, now_ns: u64) -> Option<Duration> {
        let left = self.unread_until.load(Ordering::Relaxed).saturating_sub(now_ns);
        (left > 0).then(|| Duration::from_nanos(left))
    }

    /// Notes that bytes came.
    pub fn hear(&self, now: u32) {
        self.heard.store(now, Ordering::Relaxed);
    }

    /// The session, once attached.
    #[must_use]
    pub fn session(&self) -> Option<Arc<Session>> {
        let state = self.state();
        matches!(state.phase, Phase::Ready).then(|| state.session.clone()).flatten()
    }

    /// The session of a connection that is registered and not on its way out, its backlog still to come or not.
    pub(crate) fn registered(&self) -> Option<Arc<Session>> {
        let state = self.state();
        state.is_registered().then(|| state.session.clone()).flatten()
    }

    /// Whether nothing may be read from it any more.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        matches!(self.state().phase, Phase::Closing { .. } | Phase::Gone)
    }

    /// Whether it has no session yet.
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        matches!(self.state().phase, Phase::New | Phase::Attaching)
    }

    /// Keeps the origin of the page that opened it until it is connected.
    pub fn set_origin(&self, origin: Box<str>) {
        self.state().origin = Some(origin);
    }

    /// Has its address counted until it is connected, or has ended.
    pub fn set_guest(&self, guest: Option<Guest>) {
        let mut state = self.state();
        state.address = guest.as_ref().map(Guest::used);
        state.guest = guest.map(Box::new);
    }

    /// Takes a command of so many bytes from what it may say; gives what its address has used. Errors: `rate_limited`.
    pub(crate) fn take(&self, limits: &Limits, bytes: usize, now_ns: u64) -> Result<Option<Arc<Mutex<Used>>>, Error> {
        let mut state = self.state();
        state.used.take_of_connection(limits, bytes, now_ns)?;
        Ok(state.address.clone())
    }

    /// The origin of the page that opened it, while it is not connected.
    #[must_use]
    pub fn origin(&self) -> Option<Box<str>> {
        self.state().origin.clone()
    }

    /// Takes the right to attach: the number of this try, `None` where it is attached or attaching.
    pub fn begin_attach(&self) -> Option<u32> {
        let mut state = self.state();
        if state.phase != Phase::New {
            return None;
        }
        state.phase = Phase::Attaching;
        // A try that failed may have left messages, this `connect` having been one of them.
        state.held.get_or_insert_default();
        state.attaches += 1;
        Some(state.attaches)
    }

    /// Keeps a message that came while the connection attaches, so that it is handled after the reply to `connect`; false
    /// where it may be handled now. One that says too much before is closed.
    pub fn hold(&self, message: Message<'_>) -> bool {
        let mut state = self.state();
        let Some(held) = &mut state.held else { return false };
        let bytes = message.len();
        held.push_back(message.into());
        state.held_bytes += bytes;
        if state.held_bytes > HELD_BYTES_MAX {
            let now = state.now;
            state.close(Code::InsufficientState, None, now);
        }
        true
    }

    /// The next message kept by that try to attach. With the last one taken, those that come are handled as they come;
    /// with a later try begun, what is left is for that one to take.
    pub fn next_held(&self, attach: u32) -> Option<Held> {
        let mut state = self.state();
        if state.attaches != attach {
            return None;
        }
        let next = state.held.as_mut()?.pop_front();
        match &next {
            Some(held) => state.held_bytes -= held.message().len(),
            None => state.held = None,
        }
        next
    }

    /// Gives the right to attach back: the client may try again within its deadline.
    pub fn abandon_attach(&self) {
        let mut state = self.state();
        if state.phase == Phase::Attaching {
            state.phase = Phase::New;
        }
    }

    /// Sets the session with the gate shut: live events wait from now on. False where the connection is closing.
    pub fn shut_gate(&self, session: Arc<Session>) -> bool {
        let mut state = self.state();
        if state.phase != Phase::Attaching {
            return false;
        }
        state.session = Some(session);
        state.gate = Some(Box::default());
        true
    }

    /// Queues the reply to `connect`, which holds a token and is never compressed, and the backlog, then what waited at the gate above it, and opens the gate.
    ///
    /// `heads` holds, per conversation of the backlog, the seq it was read up to: waiting events up to it are in the backlog.
    pub fn open_gate(&self, reply: &str, backlog: Vec<Bytes>, heads: &[(Conversation, i64)], now: u32) {
        let reply = self.form.plain().encode(reply);
        let mut state = self.state();
        if state.phase != Phase::Attaching {
            return;
        }
        let gate = state.gate.take().unwrap_or_default();
        (state.origin, state.guest) = (None, None);
        state.open_commands = state.open_commands.saturating_sub(1);
        state.reply(reply);
        backlog.into_iter().for_each(|frames| state.outbox.backlog(frames));
        match gate.above(heads) {
            Some(Waited { chunks, pushes }) => {
                state.phase = Phase::Ready;
                pushes.into_iter().for_each(|push| state.reply(push));
                chunks.into_iter().for_each(|chunk| state.deliver(chunk, now));
            }
            None => state.close(Code::InsufficientState, None, now),
        }
        drop(state);
        self.wake();
    }

    /// Notes an acknowledgement that is committed, which may end a pause. The caller wakes the socket.
    pub fn acknowledge(&self, conversation: &Conversation, seq: i64) {
        self.state().acknowledge(conversation, seq);
    }

    /// Notes that it may not read a conversation any more: nobody waits for its acknowledgement. The caller wakes the socket.
    pub fn forget(&self, conversation: &Conversation) {
        self.state().forget(Some(conversation));
    }

    /// Replaces the session by one of a newer token of the same user; of two refreshes the one that lives longer stands.
    pub fn renew(&self, session: Arc<Session>) {
        let mut state = self.state();
        if state.session.as_ref().is_some_and(|old| old.ends().0 <= session.ends().0) {
            state.session = Some(session);
            state.is_end_told = false;
            state.forget(None);
        }
    }

    /// Counts a command as unanswered; false at the limit.
    pub fn open_command(&self) -> bool {
        let mut state = self.state();
        let may = state.open_commands < OPEN_COMMANDS_MAX;
        state.open_commands += u32::from(may);
        may
    }

    /// Queues the one answer of a command. The caller wakes the socket.
    pub fn answer(&self, id: u64, text: &str) {
        self.answer_in(Lane::Replies, self.form, id, text);
    }

    /// [`Connection::answer`] with a token in it: it is never compressed, so that its length tells nothing.
    pub fn answer_secret(&self, id: u64, text: &str) {
        self.answer_in(Lane::Replies, self.form.plain(), id, text);
    }

    /// [`Connection::answer`] with a page of a large body, which lets all else pass.
    pub fn answer_bulk(&self, id: u64, text: &str) {
        self.answer_in(Lane::Bulk, self.form, id, text);
    }

    fn answer_in(&self, lane: Lane, form: Form, id: u64, text: &str) {
        let frame = form.encode(text);
        let mut state = self.state();
        state.open_commands = state.open_commands.saturating_sub(1);
        state.answer(id, text, frame, lane);
    }

    /// Queues an envelope that answers no open command (refusals over the limit).
    pub fn reply(&self, id: u64, text: &str) {
        let frame = self.form.encode(text);
        self.state().answer(id, text, frame, Lane::Replies);
    }

    /// Has the answer to a command handed to its request instead of the queue; `None` where one with this id waits already.
    /// Who waits hears nothing where the connection ends before.
    pub fn expect_answer(&self, id: u64) -> Option<oneshot::Receiver<String>> {
        let mut state = self.state();
        let waiting = state.waiting.get_or_insert_default();
        if waiting.contains_key(&id) {
            return None;
        }
        let (answer, receiver) = oneshot::channel();
        waiting.insert(id, answer);
        Some(receiver)
    }

    /// Queues a control frame of the transport (pongs).
    pub fn control(&self, frame: Bytes) {
        self.state().reply(frame);
    }

    /// Queues sequenced events, or a head, where they are for it.
    pub fn deliver(&self, chunk: Chunk, to: For, now: u32) -> Given {
        let mut state = self.state();
        if let Err(given) = state.admit(&chunk, to, now) {
            return given;
        }
        if let Some(gate) = state.gate.as_mut().filter(|_| !sabotage::is("no_gate")) {
            gate.wait(chunk);
            return Given::Quiet;
        }
        if state.phase != Phase::Ready {
            return Given::Quiet;
        }
        state.deliver(chunk, now);
        Given::Queued
    }

    /// Opens a conversation or makes it passive; false where it has switched as many as it may.
    pub fn set_view(&self, conversation: &Conversation, is_open: bool) -> bool {
        self.state().set_view(conversation, is_open)
    }

    /// Notes that it was sent nothing up to a seq since it became passive, and is sent what is above.
    pub fn resume(&self, conversation: &Conversation, above: i64) {
        let mut state = self.state();
        // While it is paused it is sent nothing: the first chunk afterwards says from where on it is.
        if !state.is_paused() {
            state.withheld.resume(conversation, above);
        }
    }

    /// Whether a conversation's events come to it.
    #[must_use]
    pub fn is_open(&self, conversation: &Conversation, is_large: bool) -> bool {
        self.state().is_open(conversation, is_large)
    }

    /// Queues a push of a conversation that may be dropped (receipts, typing); true where the socket must be woken.
    pub fn offer(&self, conversation: &Conversation, is_large: bool, push: &Encoded) -> bool {
        let mut state = self.state();
        let is_wanted = state.may_read(conversation) && state.is_open(conversation, is_large);
        state.phase == Phase::Ready && is_wanted && state.outbox.ephemeral(push.bytes(self.form).clone())
    }

    /// Queues a push of no conversation that may be dropped; false where it was.
    pub fn offer_any(&self, push: &str) -> bool {
        let frame = self.form.encode(push);
        let mut state = self.state();
        state.phase == Phase::Ready && state.outbox.ephemeral(frame)
    }

    /// Queues a push that must arrive, like `drain`. At the gate it waits, as events do.
    pub fn push(&self, push: &Encoded) {
        let mut state = self.state();
        let frame = push.bytes(self.form);
        if let Some(gate) = &mut state.gate {
            gate.push(frame.clone());
        } else if state.phase == Phase::Ready {
            state.reply(frame.clone());
        }
    }

    /// Closes after what is queued; the first code stands.
    pub fn close(&self, code: Code, retry_after_ms: Option<u64>, now: u32) {
        self.state().close(code, retry_after_ms, now);
        self.wake();
    }

    /// Closes for a message that was no envelope.
    pub fn close_malformed(&self, cause: Cause, now: u32) {
        self.state().finish(Malformed::CODE, &close_reason(Malformed::CODE, Some(cause), None), now);
        self.wake();
    }

    /// The peer closed: answer it and stop.
    pub fn close_by_peer(&self, now: u32) {
        let mut state = self.state();
        if !matches!(state.phase, Phase::Closing { .. } | Phase::Gone) {
            state.outbox.finish(self.form.close(1000, ""));
            state.phase = Phase::Closing { since: now };
        }
    }

    /// Ends it: whatever is queued is dropped. Returns the session it had.
    pub fn end(&self) -> Option<Arc<Session>> {
        let mut state = self.state();
        state.phase = Phase::Gone;
        state.outbox = Outbox::default();
        state.gate = None;
        state.held = None;
        state.heads = Vec::new();
        (state.views, state.withheld, state.unacknowledged, state.owed) = Default::default();
        (state.waiting, state.guest) = (None, None);
        state.session.take()
    }

    /// Moves queued frames to `out`, up to one write's worth, and tells what is left.
    pub fn drain(&self, out: &mut Vec<Bytes>) -> Left {
        let mut state = self.state();
        if state.phase == Phase::Gone { Left::Gone } else { state.outbox.drain(out) }
    }

    /// Whether it is to end now, whatever is queued.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.state().phase == Phase::Gone
    }

    /// The node's tick, once a second; `now` may be a second older than the connection. Deadlines, silence, expiry, and the server's ping.
    pub fn tick(&self, now: u32, wall_ms: i64) -> Tick {
        let silent = now.saturating_sub(self.heard.load(Ordering::Relaxed));
        self.state().tick(now, wall_ms, silent)
    }
}
