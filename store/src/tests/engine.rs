//! The engine the tests run on: a SQLite file each, or, where `TIM_TEST_POSTGRES` holds the URL of a PostgreSQL server, a
//! database of its own each, cloned from one that was migrated once. `scripts/postgres` starts such a server.

use crate::{Durability, Settings, Store};
use sea_orm::sqlx::{self, Connection, PgConnection};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokenim_domain::clock::SystemClock;
use tokenim_domain::rng::SystemRng;
use tokenim_domain::secret::Secret;
use tokio::sync::OnceCell;

/// The server that was asked for. Absence is a failure where `TIM_TEST_REQUIRE` is `postgres`: a run that is meant for
/// PostgreSQL must not pass on SQLite.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
pub fn server() -> Option<String> {
    let url = std::env::var("TIM_TEST_POSTGRES").ok();
    let required = std::env::var("TIM_TEST_REQUIRE").is_ok_and(|engine| engine == "postgres");
    assert!(url.is_some() || !required, "TIM_TEST_POSTGRES must name a server: run the tests under scripts/postgres");
    url
}

/// A database of one test; gone with it.
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// A fresh, migrated database, if the tests run on PostgreSQL.
    pub async fn fresh() -> Option<Database> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let server = server()?;
        let template = TEMPLATE.get_or_init(|| make_template(&server)).await;
        let name = format!("{template}_{}", NUMBER.fetch_add(1, Ordering::SeqCst));
        run(&server, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Some(Database { server, name })
    }

    /// An empty database, if the tests run on PostgreSQL.
    pub async fn empty(name: &str) -> Option<Database> {
        let server = server()?;
        let name = format!("tim_test_{}_{name}", std::process::id());
        run(&server, &format!("CREATE DATABASE {name}")).await;
        Some(Database { server, name })
    }

    pub fn url(&self) -> Secret {
        Secret::new(url_of(&self.server, &self.name))
    }
}

impl Drop for Database {
    #[expect(clippy::disallowed_methods, reason = "drop can't await, and the test's runtime may be gone")]
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(&server, &format!("DROP DATABASE {name} WITH (FORCE)")));
        });
        assert!(dropped.join().is_ok() || std::thread::panicking(), "the test's database was not dropped");
    }
}

/// The database all tests of this process are cloned from; its server is thrown away, so it is never dropped.
async fn make_template(server: &str) -> String {
    let name = format!("tim_test_{}", std::process::id());
    run(server, &format!("CREATE DATABASE {name}")).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Some(Secret::new(url_of(server, &name))));
    Store::open(&settings, Arc::new(SystemClock::new()), Arc::new(SystemRng)).await.unwrap().store.close().await;
    name
}

/// Settings of a data folder under `folder`, with a master key where the database has tables already.
pub fn settings(folder: &Path, postgres: Option<Secret>) -> Settings {
    Settings { data: folder.join("data"), postgres, durability: Durability::Full }
}

/// Makes the master key that a cloned database lacks.
pub fn make_master_key(settings: &Settings) {
    use std::io::Write;
    std::fs::create_dir_all(&settings.data).unwrap();
    let file = settings.data.join("master.key");
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).unwrap();
    file.write_all(&[7; 32]).unwrap();
}

fn url_of(server: &str, name: &str) -> String {
    let (before, query) = server.split_once('?').map_or((server, ""), |(before, query)| (before, query));
    let (host, _) = before.rsplit_once('/').expect("a URL with a database");
    format!("{host}/{name}?{query}")
}

async fn run(server: &str, sql: &str) {
    let mut connection = PgConnection::connect(server).await.unwrap_or_else(|error| panic!("{server}: {error}"));
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().await.unwrap();
}
