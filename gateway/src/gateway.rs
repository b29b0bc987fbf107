//! The gateway of one node: what every connection shares, and the tasks behind it.

use crate::appender::{self, Appender, Job, Origin};
use crate::bus::Bus;
use crate::checkpoints::Checkpoints;
use crate::connection::{Connection, Session, nanoseconds};
use crate::counters::{Counted, Counters};
use crate::delivery::{Delivery, Node};
use crate::encoded::{Encoded, Form};
use crate::limits::{self, Addresses, Guest, Limits, Use, refused};
use crate::live::{self, Heard};
use crate::metered::Metered;
use crate::owed::{self, Debtors};
use crate::places::{Place, Places};
use crate::presence::task::Shared;
use crate::recent::Times;
use crate::registry::{AppStats, Registry, Slot};
use crate::reply;
use crate::sweep::{self, Sweep};
use crate::ticker::{self, Minutes, Seconds};
use crate::verifier::Verifier;
use crate::watch::Watch;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::id::AppId;
use tokenim_domain::log::{AppRef, MessageLog, NewUpload, Outcome, Upload, Write};
use tokenim_domain::name::User;
use tokenim_domain::rng::Rng;
use tokenim_domain::terms::TermBook;
use tokenim_domain::{Code, Error, Result};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Milliseconds after which who comes while the node drains is told to come back, and as much again at random.
const DRAINING_RETRY_MS: u64 = 1_000;
/// How often the drain looks whether every connection has left.
const DRAIN_POLL: Duration = Duration::from_millis(20);
/// How long closing sockets are waited for after their close was sent.
const DRAIN_CLOSE_MAX: Duration = Duration::from_secs(5);

/// A node's gateway; cheap to clone.
pub struct Gateway<L> {
    pub(crate) inner: Arc<Inner<L>>,
}

impl<L> Clone for Gateway<L> {
    fn clone(&self) -> Self {
        Gateway { inner: self.inner.clone() }
    }
}

impl<L> std::fmt::Debug for Gateway<L> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Gateway {{ connections: {} }}", self.inner.registry.len())
    }
}

pub(crate) struct Inner<L> {
    pub(crate) counters: Arc<Counters>,
    delivery_times: Arc<Times>,
    pub(crate) log: Arc<L>,
    pub(crate) appender: Appender,
    /// What is said live, on its way to the delivery.
    pub(crate) live: mpsc::Sender<Heard>,
    /// Connections that owe words, on their way to who tells them.
    pub(crate) debtors: Debtors,
    pub(crate) presence: Shared,
    pub(crate) registry: Arc<Registry>,
    pub(crate) verifier: Verifier,
    pub(crate) places: Arc<Places>,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) seconds: Seconds,
    pub(crate) limits: Limits,
    addresses: Arc<Addresses>,
    minutes: Arc<Minutes>,
    pub(crate) metered: Arc<Metered>,
    tracker: TaskTracker,
    stop: CancellationToken,
    /// Cancelled when a task without which the node is none has ended, by a panic too.
    died: CancellationToken,
    draining: AtomicBool,
}

impl<L> Inner<L> {
    fn vital(&self, task: impl Future<Output = ()> + Send + 'static) {
        let guard = self.died.clone().drop_guard();
        self.tracker.spawn(async move {
            let _guard = guard;
            task.await;
        });
    }
}

/// What a gateway is made of.
pub struct Parts<L, B> {
    /// The message log.
    pub log: Arc<L>,
    /// The way to other nodes.
    pub bus: B,
    /// Verifies tokens.
    pub verifier: Verifier,
    /// Where apps stand: their terms.
    pub terms: Arc<dyn TermBook>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// What one address, user and connection may do.
    pub limits: Limits,
}

impl<L, B> std::fmt::Debug for Parts<L, B> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Parts")
    }
}

impl<L: MessageLog> Gateway<L> {
    /// Starts the batcher, the delivery and the ticker on the current runtime.
    pub fn start<B: Bus>(parts: Parts<L, B>) -> Self {
        let (appender, jobs) = Appender::new();
        let (out, committed) = appender::committed();
        let (live, said) = live::channel();
        let (debtors, owing) = owed::channel();
        let presence = Shared::new(parts.clock.clone());
        let registry = Arc::new(Registry::default());
        let seconds = Seconds::new(parts.clock.clone());
        let node = u64::from_le_bytes(parts.rng.bytes());
        let counters = Arc::new(Counters::default());
        let metered = Arc::<Metered>::default();
        let checkpoints = Checkpoints::new(parts.clock.clone());
        let times = Arc::new(Times::default());
        let places = Arc::new(Places::new(parts.terms));
        let (stop, died) = (CancellationToken::new(), CancellationToken::new());
        let inner = Arc::new(Inner {
            counters: counters.clone(),
            delivery_times: times.clone(),
            log: parts.log.clone(),
            appender: appender.clone(),
            live,
            debtors,
            presence: presence.clone(),
            registry: registry.clone(),
            verifier: parts.verifier.clone(),
            places: places.clone(),
            checkpoints: checkpoints.clone(),
            clock: parts.clock.clone(),
            rng: parts.rng,
            seconds: seconds.clone(),
            limits: parts.limits,
            addresses: Addresses::new(parts.limits),
            minutes: Arc::default(),
            metered: metered.clone(),
            tracker: TaskTracker::new(),
            stop: stop.clone(),
            died: died.clone(),
            draining: AtomicBool::new(false),
        });
        let (verifier, watched) = (parts.verifier, registry.clone());
        let watch = Watch { places, verifier, registry: watched, seconds: seconds.clone() };
        let (here, halt) = (registry.clone(), stop.clone());
        let (bus, lost) = (Arc::new(parts.bus), Arc::new(Notify::new()));
        let (found, behind) = sweep::channel();
        let (log, clock, around) = (parts.log.clone(), parts.clock.clone(), registry.clone());
        let sweep = Sweep { log, bus: bus.clone(), registry: around, clock, lost: lost.clone(), found };
        let here = Node { id: node, registry: here, seconds, counters, metered, times, checkpoints, lost, stop: halt };
        let delivery = Delivery::new(parts.log.clone(), bus, here, committed);
        inner.vital(presence.clone().tell(registry.clone(), stop.clone()));
        inner.vital(presence.save(parts.log.clone(), stop.clone()));
        inner.vital(appender.run(parts.log, parts.clock.clone(), jobs, out, stop.clone()));
        inner.vital(delivery.run(said, behind));
        inner.vital(sweep.run(stop.clone()));
        inner.vital(watch.run(stop.clone()));
        inner.vital(ticker::run((registry, inner.presence.clone()), inner.minutes.clone(), parts.clock, stop.clone()));
        let gateway = Gateway { inner };
        gateway.inner.vital(gateway.clone().end_idle(stop.clone()));
        gateway.inner.vital(gateway.clone().tell_owed(owing, stop));
        gateway
    }

    /// Commits one write through the batcher, as sockets do.
    ///
    /// Errors: why it was refused; `org_suspended`, `app_suspended`; `overloaded`; `outcome_unknown` where the commit's answer was lost.
    pub async fn write(&self, write: Write) -> Result<Outcome> {
        let place = self.place(write.app()).await?;
        place.admit(None)?;
        let place = write.is_paced().then_some(place);
        let turn = self.take_turn(place.as_deref().filter(|_| !write.is_repeat_only()));
        turn.inspect_err(|error| self.inner.counters.refuse(error.code))?;
        let (done, outcome) = oneshot::channel();
        let job = Job { write, origin: Origin::Call(done), place };
        self.inner.appender.submit(job).inspect_err(|error| self.inner.counters.refuse(error.code))?;
        outcome.await.unwrap_or_else(|_| Err(Code::OutcomeUnknown.into()))
    }

    /// Begins a body that comes in chunks, or goes on with it.
    ///
    /// Errors: `org_suspended`, `app_suspended`; `plan_limit`; as [`MessageLog::begin_upload`].
    pub async fn begin_upload(&self, new: NewUpload) -> Result<Upload> {
        let place = self.place(new.app).await?;
        place.admit(None)?;
        place.pool.admit_body(new.bytes)?;
        self.inner.log.begin_upload(new).await
    }

    /// Queues a command's write, or answers at once that the queue is full or the app too fast.
    pub(crate) fn submit(&self, write: Write, call: (&Arc<Connection>, &Session, u64)) -> Result<(), Error> {
        let (connection, session, id) = call;
        let place = write.is_paced().then(|| session.place.clone());
        if place.is_some() {
            self.take_turn_of_user(session)?;
        }
        self.take_turn(place.as_deref().filter(|_| !write.is_repeat_only()))?;
        let job = Job { write, origin: Origin::Command { connection: connection.clone(), id }, place };
        self.inner.appender.submit(job)
    }

    /// Takes a message from the bucket of its app. Errors: `rate_limited`.
    pub(crate) fn take_turn(&self, place: Option<&Place>) -> Result<()> {
        let Some(place) = place else { return Ok(()) };
        place.pool.send(self.now_ns())
    }

    /// Takes a message from the bucket of its sender. Errors: `rate_limited`.
    pub(crate) fn take_turn_of_user(&self, session: &Session) -> Result<()> {
        let rate = self.inner.limits.user_messages_per_second;
        let taken = session.slot.take(rate, self.now_ns());
        taken.map_err(|wait_ms| refused(Code::RateLimited, "user_messages_per_second", rate, wait_ms))
    }

    /// Takes so many bytes that nobody answers from what their connection may say: what others say can't close it for a pong.
    ///
    /// Errors: `rate_limited`.
    pub(crate) fn take_unanswered(&self, connection: &Connection, bytes: usize) -> Result<()> {
        connection.take(&self.inner.limits, bytes, self.now_ns()).map(drop)
    }

    /// Takes a command of so many bytes from what its connection may say, the user, the app, the org and the address.
    ///
    /// Errors: `rate_limited`.
    pub(crate) fn take_command(&self, connection: &Connection, bytes: usize) -> Result<()> {
        let (limits, now_ns) = (&self.inner.limits, self.now_ns());
        let address = connection.take(limits, bytes, now_ns)?;
        if let Some(session) = connection.session() {
            limits::take(limits, &session.slot, &session.place, Use::Command(bytes), now_ns)?;
        }
        address.map_or(Ok(()), |used| self.inner.addresses.take(&used, bytes, now_ns))
    }

    /// Takes a connect from what the user, the app and the org may. Errors: `rate_limited`.
    pub(crate) fn take_connect(&self, slot: &Slot, place: &Place) -> Result<()> {
        limits::take(&self.inner.limits, slot, place, Use::Connect, self.now_ns())
    }

    /// Nanoseconds of the node's monotonic clock.
    pub(crate) fn now_ns(&self) -> u64 {
        nanoseconds(self.inner.clock.monotonic())
    }

    /// What one address, user and connection may do.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// An app as this node knows it: its limits, and who may use it.
    ///
    /// Errors: `app_suspended` where there is no such app; the store's, where nothing is known yet.
    pub async fn place(&self, app: AppRef) -> Result<Arc<Place>> {
        self.inner.places.find(app).await
    }

    /// Counts a refusal; the reply that tells it.
    pub(crate) fn refusal(&self, connection: &Connection, id: u64, error: &Error) -> String {
        self.inner.counters.refuse(error.code);
        connection.note_refusal(error.code, &*self.inner.clock);
        reply::error(id, error)
    }

    /// Runs a command's task; the drain waits for it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner.tracker.spawn(task);
    }

    /// Waits until one of the node's own tasks has ended. Before a drain that is a fault, and the process should end too.
    pub async fn died(&self) {
        self.inner.died.cancelled().await;
    }

    /// Lets a user in whom nobody may know yet: as a user of its app from now on, or not, as the app decides.
    ///
    /// Errors: `forbidden`; the store's.
    pub(crate) async fn let_in(&self, slot: &Slot, place: &Place) -> Result<()> {
        let (log, app, user) = (&self.inner.log, slot.app, slot.user.clone());
        if slot.is_stored() {
            return Ok(());
        }
        if place.lets_in_unknown() {
            log.ensure_users(app, vec![user]).await?;
        } else if !log.is_user(app, user).await? {
            let wrong = "the app lets in no user it does not know: get the token from `POST /v1/tokens`, or add the user to a conversation";
            return Err(Error::new(Code::Forbidden).says(wrong));
        }
        slot.note_stored();
        Ok(())
    }

    /// Asks that a user with a valid token may come to an app that may refuse whom it does not know.
    ///
    /// Errors: `forbidden`; the store's.
    pub async fn admit_user(&self, app: AppRef, user: &User, place: &Place) -> Result<()> {
        if place.lets_in_unknown() {
            return Ok(());
        }
        self.let_in(&self.inner.registry.visit(app, user), place).await
    }

    /// Registers a connection that was just accepted. While draining it is closed again at once, with a code a browser can read, and
    /// told to come back once the next process may be there.
    #[must_use]
    pub fn accept(&self, form: Form) -> Arc<Connection> {
        let connection = self.inner.registry.accept(form, self.inner.seconds.now());
        if self.inner.draining.load(Ordering::Relaxed) {
            let retry_after_ms = DRAINING_RETRY_MS + self.inner.rng.below(DRAINING_RETRY_MS);
            connection.close(Code::Draining, Some(retry_after_ms), self.inner.seconds.now());
        }
        connection
    }

    /// Counts a connection of that address until it is connected; one too many is closed, with a code a browser can read.
    pub fn admit(&self, connection: &Connection, address: Option<IpAddr>) {
        match self.guest(address) {
            Ok(guest) => connection.set_guest(guest),
            Err(error) => connection.close(error.code, error.retry_after_ms, self.inner.seconds.now()),
        }
    }

    /// A place among the connections of an address that are not connected yet. Errors: `address_limit`.
    pub(crate) fn guest(&self, address: Option<IpAddr>) -> Result<Option<Guest>> {
        let guest = self.inner.addresses.admit(address, self.now_ns());
        guest.inspect_err(|error| self.inner.counters.refuse(error.code))
    }

    /// Forgets a connection whose socket ended.
    pub fn remove(&self, connection: &Connection) {
        self.inner.registry.remove(connection);
        self.inner.presence.lock().leave(connection.id, self.inner.clock.now_ms());
    }

    /// The second of the node's monotonic clock.
    #[must_use]
    pub fn now_seconds(&self) -> u32 {
        self.inner.seconds.now()
    }

    /// Closes a connection after what is queued.
    pub fn close(&self, connection: &Connection, code: Code) {
        connection.close(code, None, self.inner.seconds.now());
    }

    /// Connections and users of an app, now.
    #[must_use]
    pub fn stats(&self, app: AppId) -> AppStats {
        self.inner.registry.stats(app)
    }

    /// Open sockets of all apps, authenticated or not.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.inner.registry.len()
    }

    /// What this node has counted since it started.
    #[must_use]
    pub fn counters(&self) -> Counted {
        self.inner.counters.read()
    }

    /// How long messages took lately, from the hand-over to the log until they were queued at every connection.
    #[must_use]
    pub fn delivery_times(&self) -> &Times {
        &self.inner.delivery_times
    }

    /// Whether it sends its connections away to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Relaxed)
    }

    /// An app this node knows, because it was in use here.
    #[must_use]
    pub fn known(&self, app: AppId) -> Option<Arc<Place>> {
        self.inner.places.known(app)
    }

    /// Writes that wait for their batch, and how many may.
    #[must_use]
    pub fn queued(&self) -> (usize, usize) {
        self.inner.appender.queued()
    }

    /// Authenticated connections of each app that has any, now.
    #[must_use]
    pub fn connections_by_app(&self) -> Vec<(AppId, u64)> {
        self.inner.registry.connections_by_app()
    }

    /// What is counted of each app until its minute is told.
    #[must_use]
    pub fn metered(&self) -> &Metered {
        &self.inner.metered
    }

    /// Open connections of an app at second 0 of the last minutes, oldest first.
    #[must_use]
    pub fn connection_series(&self, app: AppId) -> Vec<(i64, u64)> {
        self.inner.minutes.of(app)
    }

    /// The first steps of apps somebody watches.
    #[must_use]
    pub fn checkpoints(&self) -> &Checkpoints {
        &self.inner.checkpoints
    }

    /// The verifier, shared with the other faces.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.inner.verifier
    }

    /// Stops the tasks that wait for time; those that wait for a port never hear of it again.
    #[cfg(test)]
    pub(crate) fn kill(&self) {
        self.inner.stop.cancel();
    }

    /// Sends everybody away and stops: a `drain` push with a random wait within the window, then close 4001, then the
    /// queued writes are committed and the tasks end.
    ///
    /// Source: docs/PROTOCOL.md §5, §7.
    pub async fn drain(&self, window: Duration) {
        self.inner.draining.store(true, Ordering::Relaxed);
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        for connection in self.inner.registry.all() {
            let text = tokenim_protocol::reply::drain(self.inner.rng.below(window_ms.max(1)));
            connection.push(&Encoded::new(&text));
            connection.wake();
        }
        self.wait_empty(window).await;
        for connection in self.inner.registry.all() {
            let retry_after_ms = Some(self.inner.rng.below(window_ms.max(1)));
            connection.close(Code::Draining, retry_after_ms, self.inner.seconds.now());
        }
        self.wait_empty(DRAIN_CLOSE_MAX).await;
        self.inner.stop.cancel();
        self.inner.tracker.close();
        self.inner.tracker.wait().await;
    }

    async fn wait_empty(&self, at_most: Duration) {
        let empty = async {
            while !self.inner.registry.is_empty() {
                tokio::time::sleep(DRAIN_POLL).await;
            }
        };
        // A connection that stays is closed by the next step.
        let _ = tokio::time::timeout(at_most, empty).await;
    }
}
