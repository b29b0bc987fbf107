//! What the handlers share: the store, the gateway, looked-up keys, the OpenAPI document and the tracker of running POSTs.

use crate::auth::keys::Keys;
use crate::openapi;
use crate::rates::Rates;
use crate::reports::Reports;
use std::sync::Arc;
use tokenim_domain::clock::Clock;
use tokenim_domain::rng::Rng;
use tokenim_gateway::Gateway;
use tokenim_store::Store;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// The JSON face of one node; a clone is the same face.
#[derive(Clone)]
pub struct Api {
    pub(crate) store: Store,
    pub(crate) gateway: Gateway<Store>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) document: Arc<str>,
    /// The address of the page that explains the error codes.
    pub(crate) doc: Arc<str>,
    /// Where people reach this server, without a slash at the end.
    pub(crate) origin: Arc<str>,
    /// Requests, by address and by credential.
    pub(crate) rates: Arc<Rates>,
    /// Reports of leaked keys, by address.
    pub(crate) reports: Arc<Reports>,
    /// Requests with an `Idempotency-Key`: they run to their end although the caller has gone.
    pub(crate) tasks: TaskTracker,
    /// Where those run: not on the runtime of a worker, which ends with its sockets.
    pub(crate) core: Handle,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Api")
    }
}

impl Api {
    /// A face over the store and the gateway of this node; clock and randomness are the store's. `origin` is where people
    /// reach this server, without a slash at the end: its documentation is there.
    ///
    /// Must be called on the runtime that outlives the sockets.
    #[must_use]
    pub fn new(store: Store, gateway: Gateway<Store>, origin: &str) -> Self {
        let document = openapi::document(origin).to_json().expect("the document is made of strings and numbers");
        let (keys, reports) = (Arc::new(Keys::new(store.clone())), Arc::new(Reports::new()));
        let rates = Arc::new(Rates::new());
        let (tasks, core) = (TaskTracker::new(), Handle::current());
        let doc = format!("{origin}/docs/errors").into();
        Api { store, gateway, keys, document: document.into(), doc, origin: origin.into(), rates, reports, tasks, core }
    }

    /// Carries a request out on this worker, whether or not its caller stays: no commit is given up half way, and what was done is
    /// counted.
    pub fn outlive<T: 'static>(&self, request: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        self.tasks.spawn_local(request)
    }

    /// Waits until no request is under way; call it before the server stops, which waits for connections and not for requests that
    /// outlive theirs, and after that before the store is closed.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
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
