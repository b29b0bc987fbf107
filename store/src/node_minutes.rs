//! Minutes of a process: what it counted that has no durable cause, and that a minute is told whole.

use crate::db::Fence;
use crate::entity::{node_heartbeat, node_minute};
use crate::{Store, fault, sql};
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, IntoActiveModel};
use tokenim_domain::Result;
use tokenim_domain::id::NodeId;
use tokenim_domain::meter::{AppMinute, RULE_VERSION};

/// A minute that began longer ago than this is refused: it may be in a bill already. Milliseconds.
pub const MINUTE_AGE_MAX_MS: i64 = 15 * 60_000;
/// Rows of one statement.
const ROWS_MAX: usize = 1_000;

/// One minute of one start of a process, over all apps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeMinute {
    /// Which start.
    pub boot: NodeId,
    /// The machine's name.
    pub node: String,
    /// Start of the minute, milliseconds since 1970.
    pub minute_ms: i64,
    /// What it counted; an app with nothing has no row.
    pub apps: Vec<AppMinute>,
    /// Whether it is the last one: the process ends in order.
    pub is_last: bool,
}

impl Store {
    /// Keeps a minute, whole or not at all; one that is kept already stays as it is. False where it is too old.
    ///
    /// Errors: `unavailable`, `overloaded`, `outcome_unknown`; the same minute may be told again.
    pub async fn save_node_minute(&self, minute: &NodeMinute) -> Result<bool> {
        if self.clock.now_ms() - minute.minute_ms > MINUTE_AGE_MAX_MS {
            return Ok(false);
        }
        let tx = sql::begin_within(&self.writer, Fence::Worker).await?;
        let row = |app: &AppMinute| node_minute::Model {
            app_id: app.app,
            minute_ms: minute.minute_ms,
            boot: minute.boot,
            connections_open: app.connections_open,
            connections_started: app.connections_started,
            api_calls: app.api_calls,
            ephemeral: app.ephemeral,
            rule_version: i64::from(RULE_VERSION),
            roll: None,
        };
        let once = || OnConflict::new().do_nothing().to_owned();
        for apps in minute.apps.chunks(ROWS_MAX) {
            let rows = apps.iter().map(|app| row(app).into_active_model());
            let insert = node_minute::Entity::insert_many(rows).on_conflict(once());
            insert.exec_without_returning(&tx).await.map_err(fault::query)?;
        }
        let heartbeat = node_heartbeat::Model {
            boot: minute.boot,
            minute_ms: minute.minute_ms,
            node: minute.node.clone(),
            rows_told: minute.apps.len() as i64,
            is_last: minute.is_last,
        };
        let insert = node_heartbeat::Entity::insert(heartbeat.into_active_model()).on_conflict(once());
        insert.exec_without_returning(&tx).await.map_err(fault::query)?;
        sql::commit(tx).await?;
        Ok(true)
    }
}
