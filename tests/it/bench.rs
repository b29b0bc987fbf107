//! `tokenim bench`: each workload for a second against a real server, and what it says where it can't run.

use crate::support::TestServer;
use crate::support::template::tokenim;
use crate::support::wait::within_at_most;
use serde_json::Value;
use std::fs;
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

/// How long one run may take; it makes two cores busy that others may keep busy too.
const PATIENCE: Duration = Duration::from_secs(120);

/// A run of the binary, on a thread of its own: the server's end is watched meanwhile.
async fn output(mut command: Command) -> Output {
    within_at_most(PATIENCE, tokio::task::spawn_blocking(move || command.output().unwrap())).await.unwrap()
}

fn bench(server: &TestServer, words: &[&str]) -> Command {
    let mut command = tokenim();
    command.args(["bench", "--url", &server.url, "--json", "--seconds", "1"]).args(words);
    command.env("TOKENIM_BENCH_KEY", &server.founded.key);
    command
}

/// The report of a run that came to its end: a busy machine may have made it invalid, but not wrong.
async fn report(command: Command) -> Value {
    let Output { status, stdout, stderr } = output(command).await;
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    let report: Value = serde_json::from_str(stdout.lines().last().unwrap_or_else(|| panic!("{stderr}"))).unwrap();
    let faults = report["faults"].as_array().unwrap();
    assert_eq!(
        (report["valid"].as_bool(), status.code()),
        (Some(faults.is_empty()), Some(if faults.is_empty() { 0 } else { 2 }))
    );
    assert!(faults.is_empty() || stderr.contains("the run is invalid"), "{stderr}");
    report["phases"].as_array().unwrap().iter().for_each(assert_adds_up);
    report
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

/// What was sent was answered somehow, and each acceptance has its latency.
fn assert_adds_up(phase: &Value) {
    let (sent, accepted) = (count(&phase["sent"]), count(&phase["accepted"]));
    let refused: u64 = phase["refused"].as_object().unwrap().values().map(|refused| count(&refused["count"])).sum();
    assert_eq!(sent, accepted + refused + count(&phase["unanswered"]), "{phase}");
    assert!(phase["offered"].as_u64().is_none_or(|offered| sent <= offered), "{phase}");
    assert!(accepted > 0, "{phase}");
    assert_eq!(count(&phase["latency"]["count"]), accepted, "{phase}");
    assert_eq!(count(&phase["lag"]["count"]), sent, "{phase}");
    assert_eq!(phase["delivered"], phase["deliveries_due"], "{phase}");
    let ms = |name: &str| phase["latency"][name].as_f64().unwrap();
    assert!(ms("p50_ms") <= ms("p99_ms") && ms("p99_ms") <= ms("max_ms"), "{phase}");
}

#[tokio::test]
async fn every_workload_accounts_for_what_it_sent() {
    let server = TestServer::spawn().await;
    for (words, phases, connected, deliveries) in [
        (&["idle", "--connections", "20", "--rate", "50"][..], 1, Some(20), 0),
        (&["direct", "--connections", "8", "--rate", "40"], 1, None, 1),
        (&["group", "--connections", "12", "--members", "15", "--rate", "10"], 1, None, 11),
        (&["catch-up", "--connections", "6", "--conversations", "4", "--rate", "20"], 1, Some(6), 12),
        (&["storm", "--connections", "20", "--rate", "50"], 1, Some(20), 0),
        (&["mixed", "--connections", "20", "--rate", "40"], 3, None, 1),
        (&["overload", "--connections", "8", "--factor", "2"], 4, None, 1),
    ] {
        let report = report(bench(&server, words)).await;
        assert_eq!(report["workload"], words[0]);
        let found = report["phases"].as_array().unwrap();
        assert_eq!(found.len(), phases, "{words:?}");
        // Whoever was to come, came; and of each thing accepted the right number was due.
        let first = &found[0];
        assert!(connected.is_none_or(|connected| count(&first["accepted"]) == connected), "{first}");
        assert_eq!(count(&first["deliveries_due"]), count(&first["accepted"]) * deliveries, "{first}");
        // A server elsewhere tells nothing of its process; what is left there is named.
        assert!(first["server"].is_null() && count(&report["left_behind"]["users"]) > 0, "{report}");
    }
}

#[tokio::test]
async fn a_group_beyond_the_bound_of_passive_ones_is_delivered_to_all_who_are_connected() {
    let server = TestServer::spawn().await;
    let report = report(bench(&server, &["group", "--connections", "5", "--members", "1100", "--rate", "10"])).await;
    let group = &report["phases"][0];
    assert_eq!(count(&group["deliveries_due"]), count(&group["accepted"]) * 4, "{group}");
}

#[tokio::test]
async fn a_local_run_measures_the_process_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let mut command = tokenim();
    command.args(["bench", "direct", "--local", "--json", "--seconds", "1", "--rate", "20", "--connections", "4"]);
    // Somebody's database is no place for a load.
    command.env("TMPDIR", folder.path()).env("TOKENIM_DATABASE__URL", "postgres://nobody@127.0.0.1:1/none");
    let report = report(command).await;
    let server = &report["phases"][0]["server"];
    assert!(
        count(&server["memory_after"]["rss_kb"]) > 1_000 && server["writes_per_commit"].as_f64().unwrap() >= 1.0,
        "{server}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn whoever_reads_along_sees_each_second_and_then_the_figures() {
    let server = TestServer::spawn().await;
    let mut command = tokenim();
    command.args(["bench", "direct", "--seconds", "2", "--connections", "8", "--rate", "40", "--url", &server.url]);
    command.env("TOKENIM_BENCH_KEY", &server.founded.key);
    let Output { status, stdout, stderr } = output(command).await;
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    let line_of = |start: &str| {
        stdout.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start:?}: {stdout}{stderr}"))
    };
    assert!(stdout.starts_with(&format!("direct against {}, tokenim ", server.url)), "{stdout}");
    let phase = line_of("direct, ");
    let (_, counts) = phase.split_once(" s: messages ").unwrap();
    let [offered, sent, accepted, refused, unanswered] = counts.split(", ").collect::<Vec<_>>()[..] else {
        panic!("{phase}")
    };
    let (accepted, per_second) = accepted.split_once(" accepted (").unwrap();
    assert_eq!((offered, sent), ("80 offered", format!("{accepted} sent").as_str()), "{phase}");
    assert!(per_second.ends_with("/s)") && refused == "0 refused" && unanswered == "0 unanswered", "{phase}");
    line_of(&format!("  delivered {accepted} of {accepted}"));
    assert!(line_of("  accepted  ").ends_with(&format!(" ms  ({accepted})")) && stdout.contains("  p99 "), "{stdout}");
    line_of("  generator lag ");
    line_of("left behind: 8 users and 4 conversations, ");
    let last = stdout.lines().last().unwrap();
    assert_eq!((last == "valid", last.starts_with("INVALID: ")), (status.success(), !status.success()), "{last}");
    // Said while it ran: that it prepares, and what the first second came to.
    assert!(stderr.starts_with("direct: connecting 4 pairs\ndirect 1 s: "), "{stderr}");
    let second = stderr.lines().nth(1).unwrap();
    for figure in [" sent, ", "/s accepted, p99 ", " ms, 0 refused, ", " delivered"] {
        assert!(second.contains(figure), "{second}");
    }
}

#[tokio::test]
async fn the_process_of_a_server_on_this_machine_is_measured_when_it_is_named() {
    let server = TestServer::spawn().await;
    let pid = server.pid().to_string();
    let report = report(bench(&server, &["idle", "--connections", "4", "--rate", "20", "--pid", &pid])).await;
    assert!(report["phases"][0]["server"]["bytes_per_connection"].is_f64(), "{report}");
}

#[tokio::test]
async fn what_keeps_a_run_from_beginning_is_said_clearly() {
    let server = TestServer::spawn().await;
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("key");
    fs::write(&key, "tim_live_sk_nobody\n").unwrap();
    let told = async |words: &[&str], env: Option<&str>| {
        let mut command = tokenim();
        command.args(["bench"]).args(words).envs(env.map(|key| ("TOKENIM_BENCH_KEY", key)));
        let Output { status, stderr, stdout } = output(command).await;
        assert_eq!(status.code(), Some(1), "{words:?}");
        assert!(stdout.is_empty());
        String::from_utf8(stderr).unwrap()
    };
    let (url, right) = (server.url.as_str(), Some(server.founded.key.as_str()));
    let wrong_key = told(&["direct", "--url", url, "--key", key.to_str().unwrap()], None).await;
    assert!(wrong_key.contains("the key is refused"), "{wrong_key}");
    let no_key = told(&["direct", "--url", url], None).await;
    assert!(no_key.contains("TOKENIM_BENCH_KEY"), "{no_key}");
    let no_url = told(&["direct", "--url", "chat.example.com"], right).await;
    assert!(no_url.contains("one looks like https://"), "{no_url}");
    let nobody = told(&["direct", "--url", "http://127.0.0.1:1"], right).await;
    assert!(nobody.contains("connecting to 127.0.0.1:1"), "{nobody}");
    let elsewhere = told(&["direct", "--url", &server.private_url], right).await;
    assert!(elsewhere.contains("is the URL right?"), "{elsewhere}");
    let gone = told(&["direct", "--url", url, "--pid", "4194304"], right).await;
    assert!(gone.contains("process id"), "{gone}");
}

#[tokio::test]
async fn too_few_open_files_are_told_before_anything_is_started() {
    let mut command = Command::new("sh");
    let program = tokenim().get_program().to_owned();
    command.args(["-c", "ulimit -n 300 && exec \"$0\" bench idle --local --connections 500"]).arg(program);
    let Output { status, stderr, .. } = output(command).await;
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("500 connections need 600 open files, and 300 are allowed"), "{stderr}");
}
