//! `tokenim import`: a service on a file moves to PostgreSQL whole, or not at all. These tests run where a server is named
//! (see support/database.rs).

use crate::support::database::Database;
use crate::support::template::{run, tokenim};
use crate::support::{Client, TestServer, until, within};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

const WORDS: [&str; 5] = ["import", "--from", "sqlite", "--to", "postgres"];

fn import(server: &TestServer, database: &Database) -> Command {
    let mut command = tokenim();
    command.args(WORDS).arg("--data").arg(&server.data).env("TOKENIM_DATABASE__URL", database.url());
    command
}

/// Runs a command that must fail; returns what it said.
fn failure(command: &mut Command) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    assert_eq!(status.code(), Some(1), "{command:?}");
    String::from_utf8(stderr).unwrap()
}

/// A server on a file, with a log, usage that is rolled up and usage that is not, and an answer to repeat.
async fn filled() -> TestServer {
    let server = TestServer::spawn_on_file().await;
    server.group("c1", &["alice", "bob"]).await;
    for at in 0..30 {
        server.rest().send("c1", "alice", &format!("m{at}"), "h\u{e9} \u{1f44d}").await;
    }
    server
}

async fn stop(server: &mut TestServer) {
    server.terminate();
    assert!(server.ended().await.success());
}

#[tokio::test]
async fn a_service_on_a_file_moves_to_postgres_and_its_clients_go_on() {
    let Some(database) = Database::new(None) else { return };
    let mut server = filled().await;
    let bob = server.connect("bob").await;
    let session = bob.session().to_owned();
    let body = json!({"kind": "group", "members": ["alice"]});
    let once = server.rest().post_once("/v1/conversations", "k1", &body).await.ok();
    let (log, units) = (server.rest().log("c1").await, server.rest().units().await);
    assert!(failure(&mut import(&server, &database)).contains("another `tokenim serve` uses"));
    stop(&mut server).await;

    let said = run(&mut import(&server, &database));
    assert!(said.contains("message: 32 of 32"), "{said}");
    assert!(said.contains("every table holds the same rows"), "{said}");
    assert!(failure(&mut import(&server, &database)).contains("is not empty"));

    server.database_url = Some(database.url());
    server.start().await;
    assert_eq!((server.rest().log("c1").await, server.rest().units().await), (log, units));
    let again = server.rest().post_once("/v1/conversations", "k1", &body).await;
    assert_eq!((again.ok(), again.header("idempotent-replayed")), (once, "true"));
    let mut bob = Client::connect_with(&server, json!({"session": session, "heads": {"c1": [1, 30]}})).await;
    assert_eq!(bob.outcome("c1")["outcome"], "recovered");
    assert_eq!(bob.push().await["seq"], 31);
    let mut alice = server.connect("alice").await;
    assert_eq!(alice.send("c1", "m29", "h\u{e9} \u{1f44d}").await["seq"], 31, "a repeat is known");
    assert_eq!(alice.send("c1", "m30", "x").await["seq"], 32);
    assert_eq!(bob.push_of("message").await["seq"], 32);
    assert_eq!(database.query("SELECT count(*) FROM message"), "33");
}

#[tokio::test]
async fn an_import_that_is_killed_leaves_the_database_empty_and_may_be_repeated() {
    let Some(database) = Database::new(None) else { return };
    let mut server = filled().await;
    until(async || (server.rest().units().await == 30).then_some(())).await;
    stop(&mut server).await;
    run(tokenim().args(["migrate", "--data"]).arg(&server.data).env("TOKENIM_DATABASE__URL", database.url()));
    // Holds the import at its last table but one; what it does before is told.
    let mut lock = Command::new("psql")
        .args(["-Xq", &database.url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = lock.stdin.take().unwrap();
    stdin.write_all(b"BEGIN;\nLOCK TABLE message IN SHARE MODE;\n\\echo locked\n").unwrap();
    let mut locked = String::new();
    BufReader::new(lock.stdout.as_mut().unwrap()).read_line(&mut locked).unwrap();
    let mut child = import(&server, &database).stdout(Stdio::piped()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let reading =
        tokio::task::spawn_blocking(move || stdout.lines().any(|line| line.unwrap().starts_with("account: 2 of 2")));
    assert!(within(reading).await.unwrap(), "it wrote nothing");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(stdin);
    lock.wait().unwrap();

    let said = run(&mut import(&server, &database));
    assert!(said.contains("message: 31 of 31"), "{said}");
}

#[tokio::test]
async fn an_import_that_reads_back_something_else_keeps_nothing() {
    let Some(database) = Database::new(None) else { return };
    let mut server = filled().await;
    stop(&mut server).await;
    run(tokenim().args(["migrate", "--data"]).arg(&server.data).env("TOKENIM_DATABASE__URL", database.url()));
    database.query(
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.seq = 7 THEN NEW.body := '{}'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER spoil BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION spoil()",
    );
    let said = failure(&mut import(&server, &database));
    assert!(said.contains("message: ") && said.contains("nothing was kept"), "{said}");
    database.query("DROP TRIGGER spoil ON message");
    run(&mut import(&server, &database));
}

#[tokio::test]
async fn a_folder_without_a_file_is_refused() {
    let Some(database) = Database::new(None) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut command = tokenim();
    command.args(WORDS).arg("--data").arg(folder.path().join("none")).env("TOKENIM_DATABASE__URL", database.url());
    assert!(failure(&mut command).contains("tokenim.db"));
    let mut command = tokenim();
    command.args(WORDS).arg("--data").arg(folder.path());
    assert!(failure(&mut command).contains("[database] url"));
}
