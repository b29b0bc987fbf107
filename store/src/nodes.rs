//! The processes that serve this database.

use crate::db::Fence;
use crate::entity::node;
use crate::{Store, fault};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use tokenim_domain::Result;
use tokenim_domain::id::NodeId;

/// A node that was not seen for this long is stale, in milliseconds: three of its beats are missing.
pub const NODE_STALE_MS: i64 = 15_000;
/// A stale node's row is kept for this long, in milliseconds, for an operator to see.
const KEPT_MS: i64 = 24 * 3_600_000;
/// Nodes listed at once.
const NODES_MAX: u64 = 200;

/// What a node tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Made at its start.
    pub id: NodeId,
    /// The machine's name.
    pub name: String,
    /// The running version.
    pub version: &'static str,
    /// When it started, milliseconds since 1970.
    pub started_ms: i64,
    /// Open sockets.
    pub connections: i64,
    /// Resident memory, bytes.
    pub rss_bytes: i64,
    /// CPU time used since its start, milliseconds.
    pub cpu_ms: i64,
}

/// A node, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Made at its start.
    pub id: NodeId,
    /// The machine's name.
    pub name: String,
    /// The running version.
    pub version: String,
    /// When it started, milliseconds since 1970.
    pub started_ms: i64,
    /// When it told of itself last, milliseconds since 1970.
    pub seen_ms: i64,
    /// Whether that is too long ago: it was killed, or can't reach the database.
    pub is_stale: bool,
    /// Open sockets then.
    pub connections: i64,
    /// Resident memory then, bytes.
    pub rss_bytes: i64,
    /// CPU time used until then, milliseconds.
    pub cpu_ms: i64,
}

impl Store {
    /// Notes that a node runs, and forgets those that have been stale for a day.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn beat(&self, beat: &Beat) -> Result<()> {
        let now = self.clock.now_ms();
        let row = node::Model {
            id: beat.id,
            name: beat.name.clone(),
            version: beat.version.to_owned(),
            started_ms: beat.started_ms,
            seen_ms: now,
            connections: beat.connections,
            rss_bytes: beat.rss_bytes,
            cpu_ms: beat.cpu_ms,
        };
        let moved = [node::Column::SeenMs, node::Column::Connections, node::Column::RssBytes, node::Column::CpuMs];
        node::Entity::insert(row.into_active_model())
            .on_conflict(OnConflict::column(node::Column::Id).update_columns(moved).to_owned())
            .exec_without_returning(&self.writer.within(Fence::Worker))
            .await
            .map_err(fault::query)?;
        let gone = node::Entity::delete_many().filter(node::Column::SeenMs.lt(now - KEPT_MS));
        gone.exec(&self.writer.within(Fence::Worker)).await.map(drop).map_err(fault::query)
    }

    /// Forgets a node that stops in order.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn forget_node(&self, id: NodeId) -> Result<()> {
        node::Entity::delete_by_id(id).exec(&self.writer.within(Fence::Worker)).await.map(drop).map_err(fault::query)
    }

    /// The nodes, the longest running first.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn list_nodes(&self) -> Result<Vec<Node>> {
        let rows = node::Entity::find().order_by_asc(node::Column::StartedMs).limit(NODES_MAX);
        let rows = rows.all(&self.readers.within(Fence::Worker)).await;
        let stale = self.clock.now_ms() - NODE_STALE_MS;
        let view = |row: node::Model| Node {
            id: row.id,
            name: row.name,
            version: row.version,
            started_ms: row.started_ms,
            seen_ms: row.seen_ms,
            is_stale: row.seen_ms < stale,
            connections: row.connections,
            rss_bytes: row.rss_bytes,
            cpu_ms: row.cpu_ms,
        };
        Ok(rows.map_err(fault::query)?.into_iter().map(view).collect())
    }
}
