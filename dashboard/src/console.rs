//! What the console's handlers share: the store, the live counters, static files, limits and the board of live feeds.
use std::{
    sync::{Arc, Mutex, atomic::AtomicI64},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokenim_domain::{
    Error,
    clock::Clock,
    id::AppId,
    log::{Outcome, Write},
    rng::Rng,
};
use tokenim_gateway::{checkpoints::Steps, recent::Refused};
use tokenim_jobs::mail::Outbox;
use tokenim_store::Store;
use tokenim_templates::{assets::Assets, docs::Docs};
use tokio_util::sync::CancellationToken;

use crate::{
    attempts::Attempts,
    docs::Pages,
    site::Site,
    stream::{board::Board, seats::Seats},
};

/// What the console asks of this node's gateway; the root implements it.
pub trait Live: Send + Sync + 'static {
    /// Authenticated connections of an app that are open on this node now.
    fn connections(&self, app: AppId) -> u64;
    /// The first steps of an app on this node; asking goes on recording them for an hour.
    fn steps(&self, app: AppId) -> Steps;
    /// Commits one write through the batcher, as sockets do. Errors: why it was refused; `overloaded`; `outcome_unknown`.
    fn write(&self, write: Write) -> BoxFuture<'_, Result<Outcome, Error>>;
    /// Authenticated connections of all apps that are open on this node now.
    fn all_connections(&self) -> u64;
    /// What this node saw of an app lately.
    fn lately(&self, app: AppId) -> Lately;
    /// How this node serves.
    fn health(&self) -> Health;
}

/// What a node saw of an app lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lately {
    /// Messages stored in the last [`PACE_SECONDS`](tokenim_gateway::recent::PACE_SECONDS) seconds.
    pub messages: u64,
    /// What was refused in the last [`REFUSAL_HOURS`](tokenim_gateway::recent::REFUSAL_HOURS) hours, by code.
    pub refused: Vec<Refused>,
}

/// How a node serves, over the last [`TIMES_MINUTES`](tokenim_gateway::recent::TIMES_MINUTES) minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether it sends its connections away to stop.
    pub draining: bool,
    /// What 99 of 100 REST requests did not take longer than; none where there was none.
    pub api: Option<Duration>,
    /// The same of messages, from the hand-over to the log until they were queued at every connection.
    pub delivery: Option<Duration>,
}

/// What the root hands to the console.
pub struct Ports {
    /// The store, which also brings clock and randomness.
    pub store: Store,
    /// Live figures.
    pub live: Arc<dyn Live>,
    /// Scheme, host and port under which people open the console, e.g. `https://console.example`.
    /// None: on loopback addresses only.
    pub public_origin: Option<String>,
    /// Whether this process speaks TLS itself.
    pub tls: bool,
    /// The folder that mails are written to, where they are not sent.
    pub outbox: Option<Outbox>,
    /// Cancelled when the process stops; live streams end then.
    pub stop: CancellationToken,
}

/// The shared state of all console handlers.
pub struct Console {
    pub(crate) store: Store,
    pub(crate) live: Arc<dyn Live>,
    pub(crate) site: Site,
    pub(crate) outbox: Option<Outbox>,
    pub(crate) stop: CancellationToken,
    pub(crate) assets: Assets,
    pub(crate) docs: Docs,
    pub(crate) pages: Pages,
    pub(crate) attempts: Mutex<Attempts>,
    /// When a report about the content security policy was last logged.
    pub(crate) csp_logged_ms: AtomicI64,
    pub(crate) board: Board,
    pub(crate) seats: Arc<Seats>,
}

impl Console {
    /// Prepares the console; compresses the static files and renders the documentation once.
    ///
    /// Errors: `invalid_field` where the public origin is not an origin, or is plain HTTP where it may not be.
    pub fn new(ports: Ports) -> Result<Self, Error> {
        Ok(Self {
            site: Site::new(ports.public_origin, ports.tls)?,
            store: ports.store,
            live: ports.live,
            outbox: ports.outbox,
            stop: ports.stop,
            assets: Assets::embedded(),
            docs: Docs::embedded(),
            pages: Pages::default(),
            attempts: Mutex::new(Attempts::new()),
            csp_logged_ms: AtomicI64::default(),
            board: Board::default(),
            seats: Arc::default(),
        })
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &**self.store.clock()
    }

    pub(crate) fn rng(&self) -> &dyn Rng {
        &**self.store.rng()
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock().now_ms()
    }
}
