//! Ordered schema changes: numbered SQL files, run by sea-orm-migration. Forward only in production.

use sea_orm_migration::prelude::*;

/// The list of migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![sqlite("m0001_first_slice", include_str!("../sql/sqlite/0001_first_slice.sql"))]
    }
}

fn sqlite(name: &'static str, sql: &'static str) -> Box<dyn MigrationTrait> {
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
        manager.get_connection().execute_unprepared(self.sql).await.map(drop)
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
