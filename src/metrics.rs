//! Prometheus metrics: read from the gateway's own counters when they are asked for.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge, Registry, TextEncoder};
use tokenim_gateway::Gateway;
use tokenim_store::Store;

/// The metrics of a process. No label names an org or an app: that is what the monitoring API is for.
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Registers the metrics of a gateway.
    pub fn new(gateway: Gateway<Store>) -> Self {
        let registry = Registry::new();
        let collector = GatewayCollector::new(gateway).and_then(|collector| registry.register(Box::new(collector)));
        collector.expect("names are constants and registered once");
        Metrics { registry }
    }

    /// All metrics in the text format.
    pub fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

/// Copies the gateway's counters at each scrape: the hot path counts in plain atomics and knows no metrics library.
struct GatewayCollector {
    gateway: Gateway<Store>,
    connections: IntGauge,
    counters: [IntCounter; 4],
}

impl GatewayCollector {
    fn new(gateway: Gateway<Store>) -> prometheus::Result<Self> {
        Ok(GatewayCollector {
            gateway,
            connections: IntGauge::new("tokenim_connections", "Open sockets, authenticated or not.")?,
            counters: [
                IntCounter::new("tokenim_commits_total", "Batches handed to the log.")?,
                IntCounter::new("tokenim_writes_total", "Writes in those batches.")?,
                IntCounter::new("tokenim_refusals_total", "Writes that were refused or failed.")?,
                IntCounter::new("tokenim_deliveries_total", "Event chunks queued at connections.")?,
            ],
        })
    }
}

impl Collector for GatewayCollector {
    fn desc(&self) -> Vec<&Desc> {
        let counters = self.counters.iter().flat_map(Collector::desc);
        self.connections.desc().into_iter().chain(counters).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.connections.set(i64::try_from(self.gateway.connections()).unwrap_or(i64::MAX));
        let now = self.gateway.counters();
        for (counter, now) in self.counters.iter().zip([now.commits, now.writes, now.refusals, now.deliveries]) {
            counter.inc_by(now.saturating_sub(counter.get()));
        }
        let counters = self.counters.iter().flat_map(Collector::collect);
        self.connections.collect().into_iter().chain(counters).collect()
    }
}
