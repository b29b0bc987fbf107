//! The console's view of the gateway and of the REST face beside it.

use crate::metrics;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tokenim_dashboard::{Health, Lately, Live};
use tokenim_domain::clock::Clock;
use tokenim_domain::id::AppId;
use tokenim_domain::log::{Outcome, Write};
use tokenim_gateway::Gateway;
use tokenim_gateway::checkpoints::Steps;
use tokenim_store::Store;

/// What the console sees of the gateway.
pub(super) struct ConsoleGateway {
    pub(super) gateway: Gateway<Store>,
    pub(super) requests: Arc<metrics::Requests>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Live for ConsoleGateway {
    fn connections(&self, app: AppId) -> u64 {
        self.gateway.stats(app).connections
    }

    fn steps(&self, app: AppId) -> Steps {
        self.gateway.checkpoints().watch(app)
    }

    fn write(&self, write: Write) -> BoxFuture<'_, tokenim_domain::Result<Outcome>> {
        Box::pin(self.gateway.write(write))
    }

    fn all_connections(&self) -> u64 {
        u64::try_from(self.gateway.connections()).unwrap_or(u64::MAX)
    }

    fn lately(&self, app: AppId) -> Lately {
        let now_ms = self.clock.now_ms();
        let place = self.gateway.known(app);
        place.map_or_else(Lately::default, |place| Lately {
            messages: place.pace.count(now_ms),
            refused: place.refusals.read(now_ms),
        })
    }

    fn health(&self) -> Health {
        let now_ms = self.clock.now_ms();
        Health {
            draining: self.gateway.is_draining(),
            api: self.requests.api_times.p99(now_ms),
            delivery: self.gateway.delivery_times().p99(now_ms),
        }
    }
}
