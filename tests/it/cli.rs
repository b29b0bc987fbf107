//! The command line: what each command prints, and how a server begins and ends.

use crate::support::template::{Founded, bootstrap, bootstrap_on, run, tokenim};
use crate::support::{Client, TestServer, until};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    (folder, data)
}

fn command(words: &[&str], data: &Path) -> Command {
    let mut command = tokenim();
    command.args(words).arg("--data").arg(data);
    command
}

/// Runs a command that must fail; returns what it said.
fn failure(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert_eq!(status.code(), Some(1), "{command:?}: {}", String::from_utf8_lossy(&stdout));
    assert!(stdout.is_empty(), "{}", String::from_utf8_lossy(&stdout));
    String::from_utf8(stderr).unwrap()
}

#[test]
fn bootstrap_prints_ids_and_secrets_as_its_last_line() {
    let (_folder, data) = folder();
    let founded = bootstrap(&data, ("ada@example.com", "Ada", "Chat"));
    for (text, prefix) in [
        (&founded.account, "acc_"),
        (&founded.org, "org_"),
        (&founded.app, "app_"),
        (&founded.key, "tim_live_sk_"),
        (&founded.signing.kid, "key_"),
    ] {
        assert!(text.starts_with(prefix), "{text}");
    }
    assert!(founded.signing.secret.len() >= 43);
    assert_eq!(fs::metadata(data.join("master.key")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn bootstrap_without_a_given_password_shows_one_once_before_the_json() {
    let (_folder, data) = folder();
    let words = ["admin", "bootstrap", "--email", "ada@example.com", "--org", "Ada", "--app", "Chat", "--json"];
    let out = run(&mut command(&words, &data));
    assert!(out.contains("ada@example.com (shown once): "), "{out}");
    serde_json::from_str::<Founded>(out.lines().last().unwrap()).unwrap();
    let again = run(&mut command(&words, &data));
    assert!(!again.contains("shown once"), "an account that exists keeps its password: {again}");
}

#[test]
fn bootstrap_refuses_what_is_no_address_or_name() {
    let (_folder, data) = folder();
    for (email, org) in [("", "Ada"), ("no address", "Ada"), ("a@example.com", ""), ("a@example.com", "a\u{7}b")] {
        failure(&mut command(
            &["admin", "bootstrap", "--email", email, "--org", org, "--app", "Chat", "--json"],
            &data,
        ));
    }
}

/// Overwrites some bytes of a file that is in nobody's hands, as somebody with the disk could.
fn alter(file: &Path, from: &[u8], to: &[u8]) {
    let mut bytes = fs::read(file).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    fs::write(file, bytes).unwrap();
}

#[test]
fn verifying_the_audit_log_tells_intact_altered_and_undecided_apart() {
    let (_folder, data) = folder();
    let code = |words: &[&str]| {
        let Output { status, stderr, .. } = command(&[&["audit", "verify"], words].concat(), &data).output().unwrap();
        (status.code(), String::from_utf8(stderr).unwrap())
    };
    assert_eq!(code(&[]).0, Some(2), "no database");
    assert!(!data.exists(), "asking makes nothing");
    let founded = bootstrap(&data, ("ada@example.com", "Ada", "Chat"));
    assert_eq!(code(&[]), (Some(0), String::new()));
    assert_eq!(code(&["--org", &founded.org]).0, Some(0));
    for unknown in ["org_00000000000000000000000001", "nonsense"] {
        assert_eq!(code(&["--org", unknown]).0, Some(2), "{unknown}");
    }
    alter(&data.join("tokenim.db"), b"org.created", b"org.changed");
    for words in [&[][..], &["--org", &founded.org]] {
        let (status, said) = code(words);
        assert_eq!(status, Some(1));
        assert!(said.contains(&founded.org) && said.contains("event 1"), "{said}");
    }
}

#[test]
fn migrate_says_what_it_did() {
    let (_folder, data) = folder();
    assert!(run(&mut command(&["migrate"], &data)).contains("migration"));
    assert_eq!(run(&mut command(&["migrate"], &data)).trim(), "the schema is up to date");
}

#[test]
fn check_shows_what_is_in_force_and_makes_nothing() {
    let (folder, data) = folder();
    let file = folder.path().join("tokenim.toml");
    fs::write(&file, "[gateway]\ndrain_ms = 1234\n[log]\nfilter = \"debug\"\n").unwrap();
    let mut check = command(&["check"], &data);
    let out = run(check.arg("--config").arg(&file).env("TOKENIM_LOG__FILTER", "warn"));
    assert!(
        out.contains("drain_ms = 1234") && out.contains("filter = \"warn\""),
        "file over default, environment over file: {out}"
    );
    assert!(out.contains(&data.display().to_string()), "{out}");
    assert!(!data.exists());
    fs::create_dir(&data).unwrap();
    assert!(run(&mut command(&["check"], &data)).contains("no database yet"));
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
    bootstrap(&data, ("ada@example.com", "Ada", "Chat"));
    assert!(run(&mut command(&["check"], &data)).contains("up to date"));
    let shown = run(command(&["check"], &data).args(["--listen", "127.0.0.1:4711"]));
    assert!(shown.contains("listen = \"127.0.0.1:4711\""), "{shown}");
    let below_a_file = file.join("data");
    let said = failure(&mut command(&["check"], &below_a_file));
    assert!(said.contains("can't be written"), "{said}");
}

#[test]
fn only_bootstrap_and_serve_make_a_database_and_bootstrap_says_so() {
    let (_folder, data) = folder();
    for words in [&["admin", "operator-key", "list"][..], &["admin", "mail-test", "--queue", "--to", "a@example.com"]] {
        let said = failure(&mut command(words, &data));
        assert!(said.contains("holds no database") && said.contains(&data.display().to_string()), "{said}");
        assert!(!data.exists());
    }
    let words = ["admin", "bootstrap", "--email", "ada@example.com", "--org", "Ada", "--app", "Chat"];
    let parent = data.parent().unwrap();
    let made = run(tokenim().args(words).args(["--data", "data"]).current_dir(parent));
    assert!(made.contains("a new database was made in") && made.contains(&data.display().to_string()), "{made}");
    let again = run(tokenim().args(words).args(["--data", "data"]).current_dir(parent));
    assert!(!again.contains("a new database"), "{again}");
}

#[test]
fn a_master_key_of_another_database_is_refused() {
    let ((_one, ours), (_two, theirs)) = (folder(), folder());
    for data in [&ours, &theirs] {
        bootstrap(data, ("ada@example.com", "Ada", "Chat"));
    }
    fs::copy(theirs.join("master.key"), ours.join("master.key")).unwrap();
    let said = failure(&mut command(&["serve", "--listen", "127.0.0.1:0"], &ours));
    assert!(said.contains("master.key is not the one"), "{said}");
}

#[test]
fn an_unknown_key_or_a_wrong_value_is_an_error_that_names_it() {
    let (folder, data) = folder();
    let file = folder.path().join("tokenim.toml");
    for (text, named) in [
        ("[server]\nlistn = \"127.0.0.1:1\"", "server.listn"),
        ("[nonsense]\na = 1", "nonsense"),
        ("[server]\nworkers = \"many\"", "server.workers"),
        ("[gateway]\ndrain_ms = 999999999", "drain_ms"),
        ("# a comment\n[server", "tokenim.toml: line 2: "),
    ] {
        fs::write(&file, text).unwrap();
        for words in [["check"], ["serve"], ["migrate"]] {
            let said = failure(command(&words, &data).arg("--config").arg(&file));
            assert!(said.contains(named), "{words:?} {text:?}: {said}");
        }
    }
    for (variable, value, named) in [
        ("TOKENIM_SERVER__LISTN", "127.0.0.1:1", "TOKENIM_SERVER__LISTN"),
        ("TOKENIM_SERVER__WORKERS", "many", "TOKENIM_SERVER__WORKERS"),
        ("TOKENIM_SERVER__LISTEN", "nowhere", "server.listen"),
    ] {
        let said = failure(command(&["check"], &data).env(variable, value));
        assert!(said.contains(named), "{variable}: {said}");
    }
    let said = command(&["serve", "--listen", "8080"], &data).output().unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&said.stderr).contains("127.0.0.1:8080"),
        "a bare port is told how an address looks"
    );
    assert!(failure(command(&["check"], &data).args(["--config", "/nowhere.toml"])).contains("/nowhere.toml"));
}

#[test]
fn a_folder_that_others_may_read_into_is_refused() {
    let (_folder, data) = folder();
    bootstrap(&data, ("ada@example.com", "Ada", "Chat"));
    fs::set_permissions(data.join("master.key"), fs::Permissions::from_mode(0o644)).unwrap();
    for words in [&["serve", "--listen", "127.0.0.1:0"][..], &["check"], &["migrate"]] {
        let said = command(words, &data).output().unwrap();
        assert!(
            !said.status.success() && String::from_utf8_lossy(&said.stderr).contains("chmod 600"),
            "{words:?}: {said:?}"
        );
    }
}

#[tokio::test]
async fn two_servers_on_port_0_run_side_by_side() {
    let (one, two) = (TestServer::spawn().await, TestServer::spawn().await);
    let addresses = [&one.url, &one.private_url, &two.url, &two.private_url];
    assert!(addresses.iter().all(|address| address.starts_with("http://127.0.0.1:") && !address.ends_with(":0")));
    let mut distinct = addresses.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 4);
}

#[tokio::test]
async fn a_folder_is_served_by_one_process_at_a_time() {
    let mut server = TestServer::spawn().await;
    let second = &["serve", "--listen", "127.0.0.1:0"];
    let said = failure(&mut command(second, &server.data));
    assert!(said.contains("another `tokenim serve`"), "{said}");
    server.kill();
    server.start().await;
    server.rest().get("/v1/stats").await.ok();
}

#[test]
fn check_refuses_what_serve_would() {
    let (_folder, data) = folder();
    for (variable, value) in
        [("TOKENIM_LOG__FILTER", "tokenim=loudly"), ("TOKENIM_SERVER__PUBLIC_ORIGIN", "http://chat.example")]
    {
        for words in [&["check"][..], &["serve", "--listen", "127.0.0.1:0"]] {
            let said = command(words, &data).env(variable, value).output().unwrap();
            assert_eq!(said.status.code(), Some(1), "{words:?} {variable}: {said:?}");
        }
    }
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let server = TestServer::spawn().await;
    let (_folder, data) = folder();
    let said = failure(&mut command(&["serve", "--listen", &server.url["http://".len()..]], &data));
    assert!(said.contains(&server.port().to_string()), "{said}");
}

#[tokio::test]
async fn health_and_metrics_are_on_the_private_port_only() {
    let server = TestServer::spawn().await;
    let mut client = server.connect("alice").await;
    let private = crate::support::Rest::new(&server.private_url, "");
    assert_eq!(private.get("/healthz").await.status, 200);
    assert_eq!(private.get("/readyz").await.text, "ready\n");
    let metrics = private.get("/metrics").await.text;
    assert!(metrics.lines().any(|line| line == "tokenim_connections 1"), "{metrics}");
    for secret in [server.founded.org.as_str(), server.founded.app.as_str(), "alice"] {
        assert!(!metrics.contains(secret));
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(server.rest().get(path).await.status, 404);
    }
    client.ok("ping", json!({})).await;
}

#[tokio::test]
async fn sigterm_sends_everybody_away_and_exits_0() {
    let mut server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let mut alice = server.connect("alice").await;
    let mut unauthenticated = Client::open(&server).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(server.connect("bob").await);
    }
    alice.send("c1", "m1", "last words").await;
    server.terminate();
    clients.push(alice);
    // Told one time, all would come back at once.
    let mut waits = BTreeSet::new();
    for client in &mut clients {
        waits.insert(client.push_of("drain").await["retry_after_ms"].as_u64().unwrap());
        let closed = client.closed().await;
        assert_eq!((closed.code, closed.why().as_str()), (4001, "draining"));
    }
    assert!(waits.len() > 10 && waits.iter().all(|ms| *ms < 300), "{waits:?}");
    assert_eq!(unauthenticated.closed().await.code, 4001);
    assert_eq!(server.ended().await.code(), Some(0));
    server.start().await;
    assert_eq!(server.rest().log("c1").await.len(), 2);
}

#[tokio::test]
async fn a_draining_server_is_not_ready_and_commits_what_was_sent() {
    let mut server = TestServer::spawn().await;
    // The window is the time in which all of it has to be committed.
    server.kill();
    server.drain_ms = 3_000;
    server.start().await;
    server.group("c1", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    let mut ids = Vec::new();
    for at in 0..50 {
        ids.push(alice.start("send", crate::support::client::text_message("c1", &format!("m{at}"), "x")).await);
    }
    server.terminate();
    let mut acked = 0;
    for id in ids {
        let reply = alice.reply(id).await;
        acked += i64::from(reply.get("ok").is_some());
    }
    assert_eq!(alice.closed().await.code, 4001);
    assert_eq!(server.ended().await.code(), Some(0));
    server.start().await;
    assert_eq!((acked, server.rest().log("c1").await.len()), (50, 51));
}

#[tokio::test]
async fn bootstrap_works_beside_a_running_server() {
    let server = TestServer::spawn().await;
    let founded = bootstrap_on(&server.data, server.database.as_ref(), ("eve@example.com", "Eve", "Late"));
    let rest = server.rest_as(&founded.key);
    until(async || (rest.get("/v1/stats").await.status == 200).then_some(())).await;
    rest.create_group("c1", &["eve"]).await;
    let mut eve = Client::connect(&server, &crate::support::token::user_token(&founded, "eve")).await;
    assert_eq!(eve.send("c1", "m1", "hello").await["seq"], 2);
}
