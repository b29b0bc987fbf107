//! Ordered schema changes: numbered SQL files, run by sea-orm-migration. Forward only in production.

mod dialect;
pub mod fence;

use dialect::Engine;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// The list of migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            file("m0001_first_slice", include_str!("../sql/0001_first_slice.sql")),
            file("m0002_front_door", include_str!("../sql/0002_front_door.sql")),
            file("m0003_jobs", include_str!("../sql/0003_jobs.sql")),
            file("m0010_org_idempotency", include_str!("../sql/0010_org_idempotency.sql")),
            file("m0011_nodes", include_str!("../sql/0011_nodes.sql")),
            file("m0012_signing_key_successor", include_str!("../sql/0012_signing_key_successor.sql")),
            file("m0020_log_epoch", include_str!("../sql/0020_log_epoch.sql")),
            file("m0030_enterprise_by_operators", include_str!("../sql/0030_enterprise_by_operators.sql")),
            file("m0031_announcements", include_str!("../sql/0031_announcements.sql")),
            file("m0040_amendments", include_str!("../sql/0040_amendments.sql")),
            file("m0042_groups", include_str!("../sql/0042_groups.sql")),
            file("m0044_presence", include_str!("../sql/0044_presence.sql")),
            file("m0048_deliveries", include_str!("../sql/0048_deliveries.sql")),
            file("m0049_node_minutes", include_str!("../sql/0049_node_minutes.sql")),
            file("m0050_live_messages", include_str!("../sql/0050_live_messages.sql")),
            file("m0052_large_bodies", include_str!("../sql/0052_large_bodies.sql")),
            file("m0053_stored_hours", include_str!("../sql/0053_stored_hours.sql")),
            file("m0054_logins", include_str!("../sql/0054_logins.sql")),
            file("m0056_receipt_tally", include_str!("../sql/0056_receipt_tally.sql")),
            file("m0057_attachments", include_str!("../sql/0057_attachments.sql")),
            file("m0058_unknown_users", include_str!("../sql/0058_unknown_users.sql")),
        ]
    }
}

fn file(name: &'static str, sql: &'static str) -> Box<dyn MigrationTrait> {
    Box::new(SqlFile { name, sql })
}

struct SqlFile {
    name: &'static str,
    sql: &'static str,
}

impl MigrationName for SqlFile {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for SqlFile {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = match manager.get_database_backend() {
            DbBackend::Postgres => [fence::LIFT, &Engine::Postgres.translate(self.sql), &fence::raise()].concat(),
            _ => Engine::Sqlite.translate(self.sql),
        };
        manager.get_connection().execute_unprepared(&sql).await.map(drop)
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
