//! The engine under the servers of these tests: a SQLite file in the data folder, or, where `TIM_TEST_POSTGRES` holds the
//! URL of a PostgreSQL server (`scripts/postgres` starts one), a database of their own.

use super::template::run;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The server that was asked for. Absence is a failure where `TIM_TEST_REQUIRE` is `postgres`: a run that is meant for
/// PostgreSQL must not pass on SQLite.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
fn server() -> Option<String> {
    let url = std::env::var("TIM_TEST_POSTGRES").ok();
    let required = std::env::var("TIM_TEST_REQUIRE").is_ok_and(|engine| engine == "postgres");
    assert!(url.is_some() || !required, "TIM_TEST_POSTGRES must name a server: run the tests under scripts/postgres");
    url
}

/// A PostgreSQL database; gone with its value.
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// An empty database, or a copy of one that nobody is connected to; `None` where the tests run on SQLite.
    pub fn new(template: Option<&Database>) -> Option<Database> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let server = server()?;
        let name = format!("tim_it_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        let copied = template.map_or(String::new(), |template| format!(" TEMPLATE {}", template.name));
        psql(&server, &format!("CREATE DATABASE {name}{copied}"));
        Some(Database { server, name })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        let (before, query) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let (host, _) = before.rsplit_once('/').unwrap();
        format!("{host}/{}?{query}", self.name)
    }

    /// The socket its server listens on.
    pub fn socket(&self) -> String {
        let (_, folder) = self.server.split_once("host=").expect("a server on a socket, as scripts/postgres starts it");
        format!("{folder}/.s.PGSQL.5432")
    }

    /// Where it is, over a port of this machine.
    pub fn url_over(&self, port: u16) -> String {
        format!("postgres://tokenim@127.0.0.1:{port}/{}?sslmode=disable", self.name)
    }

    /// What a query answers, without headers, columns apart by `|`.
    pub fn query(&self, sql: &str) -> String {
        psql(&self.url(), sql).trim().to_owned()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        psql(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn psql(url: &str, sql: &str) -> String {
    run(Command::new("psql").args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql, url]))
}
