//! Processes that serve this database.
use actix_web::http::StatusCode;
use tokenim_store::Node;
use tokenim_templates::{
    page::operator::{NodeRow, NodesPage},
    time::Utc,
};

use crate::{answer, routes::Answer, visit::Visit};

const MINUTE_MS: i64 = 60_000;
const MIB: i64 = 1 << 20;

pub(crate) async fn show(visit: &mut Visit<'_>) -> Answer {
    let nodes: Vec<_> = visit.console.store.list_nodes().await?.into_iter().map(row).collect();
    answer::page(StatusCode::OK, &NodesPage { frame: visit.frame(None), nodes: &nodes }, visit)
}

fn row(node: Node) -> NodeRow {
    let up_ms = (node.seen_ms - node.started_ms).max(1);
    NodeRow {
        id: node.id.to_string(),
        name: node.name,
        version: node.version,
        up_minutes: up_ms / MINUTE_MS,
        connections: node.connections,
        cpu_percent: node.cpu_ms.saturating_mul(100) / up_ms,
        rss_mib: node.rss_bytes / MIB,
        seen: Utc::from_ms(node.seen_ms),
        is_stale: node.is_stale,
    }
}
