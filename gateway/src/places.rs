//! The apps this node knows: what each may do, what is counted together, and who waits for a place.

use crate::limits::Used;
use crate::recent::{Pace, Refusals};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use tokenim_domain::id::{AppId, OrgId};
use tokenim_domain::log::AppRef;
use tokenim_domain::login::{Logins, UnknownUsers};
use tokenim_domain::plan::quota::{Allowance, Mark, Quota};
use tokenim_domain::plan::rate::Rate;
use tokenim_domain::plan::{Feature, Limits};
use tokenim_domain::role::Mode;
use tokenim_domain::terms::{Access, Block, TermBook, Terms};
use tokenim_domain::{Code, Error, Result};
use tokenim_protocol::reply::Facts;
use tokio::sync::OnceCell;

/// Apps remembered without anybody connected; beyond it those that nobody uses are forgotten and read anew when asked for.
const IDLE_PLACES_MAX: usize = 10_000;
/// Milliseconds after which a connection that found no place is worth another try.
const CONNECTION_RETRY_MS: u64 = 10_000;

/// Who shares the limits of a pool: the live apps of an org do, a test app is alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scope {
    Org(OrgId),
    App(AppId),
}

/// What is counted together on this node.
#[derive(Debug)]
pub struct Pool {
    /// What its connections have used.
    pub(crate) used: Mutex<Used>,
    connections: AtomicI64,
    /// `i64::MAX` = without limit.
    connections_max: AtomicI64,
    rate: Rate,
    /// Messages per second, to tell; `i64::MAX` = without limit.
    rate_max: AtomicI64,
    quota: Mutex<Quota>,
    /// Bytes of one large body; `i64::MAX` = as many as the wire allows.
    large_body_max: AtomicI64,
}

impl Pool {
    fn new(terms: &Terms) -> Arc<Self> {
        let Limits { units, period, .. } = terms.limits;
        let pool = Pool {
            used: Mutex::default(),
            connections: AtomicI64::new(0),
            connections_max: AtomicI64::new(i64::MAX),
            rate: Rate::default(),
            rate_max: AtomicI64::new(i64::MAX),
            quota: Mutex::new(Quota::new(units, period, terms.used)),
            large_body_max: AtomicI64::new(i64::MAX),
        };
        pool.set(&terms.limits);
        Arc::new(pool)
    }

    fn set(&self, limits: &Limits) {
        self.connections_max.store(limits.connections.unwrap_or(i64::MAX), Ordering::Relaxed);
        self.rate_max.store(limits.message_rate.unwrap_or(i64::MAX), Ordering::Relaxed);
        self.rate.set(limits.message_rate);
        self.large_body_max.store(limits.large_body_bytes.unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    fn quota(&self) -> MutexGuard<'_, Quota> {
        self.quota.lock().expect("no holder panics")
    }

    /// Takes a connection's place; those that are open keep theirs when the limit sinks.
    ///
    /// Errors: `connection_limit`.
    pub fn enter(&self) -> Result<()> {
        let limit = self.connections_max.load(Ordering::Relaxed);
        let enter = |open: i64| (open < limit).then_some(open + 1);
        let entered = self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter);
        entered.map(drop).map_err(|open| {
            let feature = Some(Feature::Connections.as_str());
            let facts = Facts { feature, limit: Some(limit), used: Some(open), ..Facts::default() };
            Error::new(Code::ConnectionLimit).retry_after(CONNECTION_RETRY_MS).with(facts)
        })
    }

    /// Gives a connection's place back.
    pub fn leave(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Takes a message from the bucket; `now_ns` is of the node's monotonic clock.
    ///
    /// Errors: `rate_limited`, with the time to wait.
    pub fn send(&self, now_ns: u64) -> Result<()> {
        self.rate.take(now_ns).map_err(|wait_ms| {
            let (feature, limit) = (Some(Feature::MessageRate.as_str()), self.rate_max.load(Ordering::Relaxed));
            let facts = Facts { feature, limit: Some(limit), ..Facts::default() };
            Error::new(Code::RateLimited).retry_after(wait_ms).with(facts)
        })
    }

    /// Asks that a body of so many bytes may be sent. Errors: `plan_limit`.
    pub fn admit_body(&self, bytes: i64) -> Result<()> {
        let limit = self.large_body_max.load(Ordering::Relaxed);
        if bytes <= limit {
            return Ok(());
        }
        let (feature, message) = (Feature::LargeBodyBytes.as_str(), format!("the plan allows {limit} bytes a message"));
        let facts = Facts { feature: Some(feature), limit: Some(limit), ..Facts::default() };
        Err(Error::new(Code::PlanLimit).says(message).at("bytes").with(facts))
    }

    /// What a batch may add; [`Pool::settle`] ends it.
    pub(crate) fn lend(&self, now_ms: i64) -> Allowance {
        self.quota().lend(now_ms)
    }

    pub(crate) fn count(&self, units: i64, at_ms: i64) {
        self.quota().count(units, at_ms);
    }

    pub(crate) fn settle(&self) {
        self.quota().settle();
    }

    pub(crate) fn refusal(&self, now_ms: i64) -> Error {
        self.quota().refusal(now_ms)
    }
}

/// An app that is in use on this node.
#[derive(Debug)]
pub struct Place {
    /// The app.
    pub app: AppRef,
    /// What it counts in.
    pub pool: Arc<Pool>,
    /// Messages of this app that were stored lately.
    pub pace: Pace,
    /// What was refused to this app lately.
    pub refusals: Refusals,
    /// What its connections have used.
    pub(crate) used: Mutex<Used>,
    access: Mutex<Arc<Access>>,
    /// Set where what is known may be wrong: it is read anew at the next look.
    doubtful: AtomicBool,
}

impl Place {
    /// Whether the app may be used, from a page of that origin where it is one.
    ///
    /// Errors: `org_suspended`, `app_suspended`, `origin_not_allowed`.
    pub fn admit(&self, origin: Option<&str>) -> Result<()> {
        let access = self.access.lock().expect("no holder panics").clone();
        access.admit(origin)
    }

    /// Which connections of a user a newer one ends.
    #[must_use]
    pub fn logins(&self) -> Logins {
        self.access.lock().expect("no holder panics").logins
    }

    /// Whether a valid token makes a user of somebody the app does not know.
    #[must_use]
    pub fn lets_in_unknown(&self) -> bool {
        self.access.lock().expect("no holder panics").unknown_users == UnknownUsers::Create
    }

    /// Has what is known read anew at the next look.
    pub(crate) fn doubt(&self) {
        self.doubtful.store(true, Ordering::Relaxed);
    }

    /// Takes a reading; false where what was used could not be told exactly, because messages were being stored.
    fn learn(&self, terms: Option<Terms>, mark: Mark) -> bool {
        let Some(Terms { limits, used, access, .. }) = terms else {
            self.see(Access { block: Some(Block::App), ..Access::default() });
            return true;
        };
        self.see(access);
        self.pool.set(&limits);
        self.pool.quota().learn(limits.units, limits.period, used, mark)
    }

    fn see(&self, access: Access) {
        *self.access.lock().expect("no holder panics") = Arc::new(access);
    }
}

type Cell = Arc<OnceCell<Arc<Place>>>;

/// Every app in use on this node. With the store out of reach, what was known last stands.
pub struct Places {
    book: Arc<dyn TermBook>,
    inner: Mutex<Inner>,
    /// How many times this node has learned of changes.
    generation: AtomicU64,
    /// Readings are taken one after the other, so that an older one never comes last.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Inner {
    places: HashMap<AppId, Cell>,
    pools: HashMap<Scope, Weak<Pool>>,
    sweep_at: usize,
}

impl Inner {
    /// Forgets what nobody uses, once there is as much of it again as was kept.
    fn sweep(&mut self) {
        if self.places.len() < self.sweep_at.max(IDLE_PLACES_MAX) {
            return;
        }
        let is_used = |place: &Arc<Place>| Arc::strong_count(place) > 1;
        self.places.retain(|_, cell| Arc::strong_count(cell) > 1 || cell.get().is_some_and(is_used));
        self.pools.retain(|_, pool| pool.strong_count() > 0);
        self.sweep_at = self.places.len() * 2;
    }
}

impl std::fmt::Debug for Places {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Places {{ {} }}", self.inner().places.len())
    }
}

impl Places {
    /// No app yet.
    pub fn new(book: Arc<dyn TermBook>) -> Self {
        let (inner, generation, reading) = (Mutex::default(), AtomicU64::new(0), tokio::sync::Mutex::new(()));
        Places { book, inner, generation, reading }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder panics")
    }

    /// The place of an app, read from the store where nobody has asked for it yet.
    ///
    /// Errors: `app_suspended` where there is no such app; the store's.
    pub async fn find(&self, app: AppRef) -> Result<Arc<Place>> {
        let generation = self.generation();
        let cell = {
            let mut inner = self.inner();
            if let Some(place) = inner.places.get(&app.app).and_then(|cell| cell.get()) {
                return Ok(place.clone());
            }
            inner.sweep();
            inner.places.entry(app.app).or_default().clone()
        };
        let place = cell.get_or_try_init(|| self.load(app)).await?.clone();
        // A change that was learned of during the reading may be missing from it, and passed by before there was a place.
        if self.generation() != generation {
            self.refresh(&place).await?;
        }
        Ok(place)
    }

    async fn load(&self, app: AppRef) -> Result<Arc<Place>> {
        let terms = self.book.terms(app).await?.ok_or(Code::AppSuspended)?;
        let scope = match terms.mode {
            Mode::Live => Scope::Org(app.org),
            Mode::Test => Scope::App(app.app),
        };
        let mut inner = self.inner();
        let pool = inner.pools.get(&scope).and_then(Weak::upgrade).unwrap_or_else(|| Pool::new(&terms));
        inner.pools.insert(scope, Arc::downgrade(&pool));
        let access = Mutex::new(Arc::new(terms.access));
        let (pace, refusals, used) = (Pace::default(), Refusals::default(), Mutex::default());
        Ok(Arc::new(Place { app, pool, pace, refusals, used, access, doubtful: AtomicBool::new(false) }))
    }

    /// The place of an app this node knows.
    pub(crate) fn known(&self, app: AppId) -> Option<Arc<Place>> {
        self.inner().places.get(&app).and_then(|cell| cell.get()).cloned()
    }

    /// Reads a place anew. Errors: the store's; it is tried again at the next look.
    pub(crate) async fn refresh(&self, place: &Place) -> Result<()> {
        let _turn = self.reading.lock().await;
        place.doubtful.store(false, Ordering::Relaxed);
        let mark = place.pool.quota().mark();
        let read = self.book.terms(place.app).await.inspect_err(|_| place.doubt())?;
        place.learn(read, mark);
        Ok(())
    }

    /// How many times this node has learned of changes.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Notes that changes are being learned; who began to ask before must look again.
    pub(crate) fn next_generation(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// The places of which `wanted` is true.
    pub(crate) fn filter(&self, wanted: impl Fn(&Place) -> bool) -> Vec<Arc<Place>> {
        let inner = self.inner();
        inner.places.values().filter_map(|cell| cell.get()).filter(|place| wanted(place)).cloned().collect()
    }

    /// The orgs of which something is doubtful.
    pub(crate) fn doubtful(&self) -> Vec<OrgId> {
        let doubtful = self.filter(|place| place.doubtful.load(Ordering::Relaxed));
        doubtful.iter().map(|place| place.app.org).collect()
    }

    pub(crate) fn book(&self) -> &dyn TermBook {
        &*self.book
    }
}
