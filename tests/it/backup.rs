//! The drill: a backup beside a running server, a crash, a restore, and clients that come back with what the backup lacks.

use crate::support::client::{seqs, text_message};
use crate::support::database::Database;
use crate::support::page::Console;
use crate::support::template::run;
use crate::support::{Client, TestServer, until, within};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tokio::task::JoinSet;

/// A device that keeps what it holds of one conversation, as docs/PROTOCOL.md §6 wants it.
struct Device {
    user: &'static str,
    conversation: &'static str,
    session: String,
    epoch: i64,
    log: Vec<Value>,
}

impl Device {
    /// Connects for the first time and reads everything.
    async fn new(server: &TestServer, user: &'static str, conversation: &'static str) -> Device {
        let mut client = server.connect(user).await;
        let session = client.session().to_owned();
        let mut device = Device { user, conversation, session, epoch: 1, log: Vec::new() };
        device.page(&mut client).await;
        device
    }

    fn seq(&self) -> i64 {
        self.log.len() as i64
    }

    /// Reads what is above its cursor.
    async fn page(&mut self, client: &mut Client) {
        loop {
            let ask = json!({"conversation": self.conversation, "after": self.seq(), "limit": 200});
            let page = client.ok("history", ask).await;
            self.epoch = page["epoch"].as_i64().unwrap();
            self.log.extend(page["items"].as_array().unwrap().iter().cloned());
            if self.seq() >= page["head"].as_i64().unwrap() {
                return;
            }
        }
    }

    /// Comes back with its session and its cursor and does what it is told; returns the connection and the outcome.
    async fn resume(&mut self, server: &TestServer) -> (Client, Value) {
        let heads = json!({self.conversation: [self.epoch, self.seq()]});
        let fields = json!({"session": self.session, "heads": heads});
        let mut client = Client::connect_with(server, fields).await;
        assert_eq!((&client.welcome["resumed"], &client.welcome["user"]), (&json!(true), &json!(self.user)));
        let outcome = client.outcome(self.conversation);
        if outcome["outcome"] == "epoch_changed" {
            self.log.truncate(outcome["epoch_first"].as_u64().unwrap() as usize - 1);
            self.page(&mut client).await;
        }
        (client, outcome)
    }
}

/// Runs a command that must succeed beside whatever else runs.
async fn command(server: &TestServer, words: &[&str]) -> String {
    let mut command = server.tokenim();
    command.args(words).arg("--data").arg(&server.data);
    within(tokio::task::spawn_blocking(move || run(&mut command))).await.unwrap()
}

/// Runs a command that must fail; returns what it said.
fn refusal(server: &TestServer, words: &[&str]) -> String {
    let said = server.tokenim().args(words).arg("--data").arg(&server.data).output().unwrap();
    assert_eq!(said.status.code(), Some(1), "{words:?}: {said:?}");
    String::from_utf8(said.stderr).unwrap()
}

async fn backup(server: &TestServer, name: &str) -> PathBuf {
    let file = server.data.with_file_name(name);
    let said = command(server, &["backup", "--to", file.to_str().unwrap()]).await;
    assert!(said.contains("looked through, whole") && said.contains("master.key"), "{said}");
    file
}

/// Restores what a server had that is down: over its file, or into another database; returns the epoch.
async fn restore(server: &mut TestServer, file: &Path) -> i64 {
    let mut words = vec!["restore", "--from", file.to_str().unwrap()];
    match Database::new(None) {
        Some(new) => {
            server.database_url = Some(new.url());
            server.database = Some(new);
        }
        None => words.push("--replace"),
    }
    let said = command(server, &words).await;
    let line = said.lines().find_map(|line| line.strip_prefix("epoch    ")).unwrap_or_else(|| panic!("{said}"));
    line.split(':').next().unwrap().parse().unwrap()
}

/// Sends one message after another, each acknowledged before the next, until told to stop; counts them.
async fn keep_sending(mut client: Client, stop: Arc<AtomicBool>, sent: Arc<AtomicI64>) {
    while !stop.load(Ordering::SeqCst) {
        let at = sent.load(Ordering::SeqCst);
        client.send("c1", &format!("m{at}"), &format!("text {at}")).await;
        sent.store(at + 1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn clients_end_up_with_the_log_of_the_backup_and_go_on() {
    let mut server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob", "carol"]).await;
    let before = Console::sign_in(&server, &server.founded).await;
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let mut sending = JoinSet::new();
    sending.spawn(keep_sending(server.connect("alice").await, stop.clone(), sent.clone()));
    until(async || (sent.load(Ordering::SeqCst) > 20).then_some(())).await;
    let (low, file) = (sent.load(Ordering::SeqCst), backup(&server, "drill.db").await);
    let high = sent.load(Ordering::SeqCst);
    // Carol leaves somewhere before, bob after what the backup has.
    until(async || (sent.load(Ordering::SeqCst) > high + 20).then_some(())).await;
    let mut bob = Device::new(&server, "bob", "c1").await;
    let mut carol = Device::new(&server, "carol", "c1").await;
    carol.log.truncate(5);
    until(async || (sent.load(Ordering::SeqCst) as usize > bob.log.len() + 20).then_some(())).await;
    stop.store(true, Ordering::SeqCst);
    within(sending.join_all()).await;
    let original = server.rest().log("c1").await;
    assert_eq!(original.len() as i64, sent.load(Ordering::SeqCst) + 1);

    server.kill();
    let epoch = restore(&mut server, &file).await;
    assert!(epoch > 1);
    server.start().await;

    let restored = server.rest().log("c1").await;
    let head = restored.len();
    assert!((low + 1..=high + 2).contains(&(head as i64)), "of one moment of the backup: {low} ≤ {head} ≤ {high}");
    assert_eq!(restored, original[..head], "the log as it was, up to its head");
    assert_eq!(server.rest().units().await, head as i64 - 1, "the bill is the log's");

    let (mut bobs, outcome) = bob.resume(&server).await;
    assert_eq!(
        outcome,
        json!({"conversation": "c1", "outcome": "epoch_changed", "epoch": epoch, "head": head, "first": 1, "epoch_first": head + 1})
    );
    let (_, outcome) = carol.resume(&server).await;
    assert_eq!((&outcome["outcome"], &outcome["epoch_first"]), (&json!("epoch_changed"), &json!(head + 1)));
    for device in [&bob, &carol] {
        assert_eq!(device.log, restored, "{}", device.user);
        assert_eq!(device.epoch, epoch);
    }

    let mut alice = server.connect("alice").await;
    let kept = alice.send("c1", "m3", "text 3").await;
    assert_eq!((&kept["duplicate"], &kept["seq"], &kept["epoch"]), (&json!(true), &json!(5), &json!(1)));
    // The first lost message is sent again, as an SDK does that still has it, and then others.
    let lost = format!("m{}", head - 1);
    for (at, id) in [lost.as_str(), "n1", "n2"].into_iter().enumerate() {
        let ok = alice.send("c1", id, id).await;
        assert_eq!((&ok["duplicate"], &ok["seq"], &ok["epoch"]), (&json!(false), &json!(head + 1 + at), &json!(epoch)));
        let push = bobs.push().await;
        assert_eq!((&push["seq"], &push["epoch"], &push["client_msg_id"]), (&ok["seq"], &json!(epoch), &json!(id)));
    }
    let (mut carols, outcome) = carol.resume(&server).await;
    assert_eq!(outcome["outcome"], "recovered", "within the epoch it is as ever");
    assert_eq!(seqs(&carols.events_so_far().await), (head as i64 + 1..=head as i64 + 3).collect::<Vec<_>>());
    let whole = server.rest().log("c1").await;
    assert_eq!(seqs(&whole), (1..=head as i64 + 3).collect::<Vec<_>>());
    assert_eq!(server.rest().units().await, head as i64 + 2);

    let signed_in = crate::support::Rest::new(&server.url, "");
    let page = signed_in.request(reqwest::Method::GET, "/account").header("cookie", before.cookie());
    let answer = crate::support::rest::answer(page).await;
    assert!(!answer.text.contains("ada@example.com"), "the session of before has ended: {}", answer.text);
}

#[tokio::test]
async fn a_cursor_of_an_epoch_that_was_lost_starts_over() {
    let mut server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    server.rest().send("c1", "alice", "m1", "kept").await;
    let file = backup(&server, "twice.db").await;
    server.kill();
    restore(&mut server, &file).await;
    server.start().await;
    for at in 0..3 {
        server.rest().send("c1", "alice", &format!("lost{at}"), "lost with the first restore's epoch").await;
    }
    // A conversation that the backup does not have, known to bob under its name.
    server.group("c2", &["alice", "bob"]).await;
    let mut bob = Device::new(&server, "bob", "c1").await;
    let mut other = Device::new(&server, "bob", "c2").await;
    server.kill();
    let epoch = restore(&mut server, &file).await;
    assert!(epoch > bob.epoch && bob.epoch > 1);
    server.start().await;
    for at in 0..9 {
        server.rest().send("c1", "alice", &format!("new{at}"), "beyond bob's cursor").await;
    }
    let (_, outcome) = bob.resume(&server).await;
    assert_eq!((&outcome["outcome"], &outcome["epoch_first"]), (&json!("epoch_changed"), &json!(1)));
    assert_eq!(bob.log, server.rest().log("c1").await);
    let (_, outcome) = other.resume(&server).await;
    assert_eq!(outcome["outcome"], "not_member");
    server.group("c2", &["bob", "alice"]).await;
    server.rest().send("c2", "bob", "m1", "another conversation of this name").await;
    let (_, outcome) = other.resume(&server).await;
    assert_eq!((&outcome["outcome"], &outcome["epoch_first"]), (&json!("epoch_changed"), &json!(1)));
    assert_eq!(other.log, server.rest().log("c2").await);
}

#[tokio::test]
async fn sync_tells_the_epoch_too() {
    let mut server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let file = backup(&server, "sync.db").await;
    server.rest().send("c1", "alice", "m1", "lost").await;
    server.kill();
    let epoch = restore(&mut server, &file).await;
    server.start().await;
    let mut alice = server.connect("alice").await;
    let list = alice.ok("sync", json!({"heads": {"c1": [1, 2]}})).await;
    let entry = &list["conversations"][0];
    assert_eq!(
        (&entry["outcome"], &entry["epoch"], &entry["epoch_first"], &entry["head"]),
        (&json!("epoch_changed"), &json!(epoch), &json!(2), &json!(1))
    );
    alice.ok("send", text_message("c1", "m1", "again")).await;
}

#[tokio::test]
async fn a_copy_made_by_other_means_gets_its_epoch_by_command() {
    let mut server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    refusal(&server, &["admin", "raise-epoch"]);
    server.kill();
    let said = command(&server, &["admin", "raise-epoch"]).await;
    server.start().await;
    let mut alice = server.connect("alice").await;
    let ok = alice.send("c1", "m1", "x").await;
    assert!(said.contains(&format!("epoch    {}:", ok["epoch"])) && ok["seq"] == 2, "{said}{ok}");
}

#[tokio::test]
async fn a_folder_that_is_served_or_in_use_is_not_restored_to() {
    let mut server = TestServer::spawn().await;
    let file = backup(&server, "refused.db").await;
    let from = file.to_str().unwrap();
    refusal(&server, &["restore", "--from", from]);
    refusal(&server, &["restore", "--replace", "--from", from]);
    let new = Database::new(None);
    if let Some(new) = &new {
        let used = server.database_url.replace(new.url());
        assert!(refusal(&server, &["restore", "--from", from]).contains("another `tokenim serve`"));
        server.database_url = used;
    }
    assert!(refusal(&server, &["backup", "--to", from]).contains("nothing is overwritten"));
    server.connect("alice").await.ok("ping", json!({})).await;
}

/// What only a database on PostgreSQL can meet.
#[tokio::test]
async fn a_dump_is_restored_whole_into_a_new_database_or_not_at_all() {
    let (mut server, Some(new)) = (TestServer::spawn().await, Database::new(None)) else { return };
    let none = server.data.with_file_name("none.dump");
    let words = ["backup", "--to", none.to_str().unwrap(), "--data", server.data.to_str().unwrap()];
    let said = server.tokenim().env("PATH", "/nowhere").args(words).output().unwrap();
    let text = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1), "{text}");
    assert!(text.contains("pg_dump can't be run") && text.contains("client programs"), "{text}");
    let left = std::fs::read_dir(none.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.into_iter().any(|name| name.to_string_lossy().starts_with("none.dump")), "no part is left");

    let file = backup(&server, "whole.dump").await;
    server.kill();
    assert!(refusal(&server, &["restore", "--from", file.to_str().unwrap()]).contains("holds tables"));
    server.database_url = Some(new.url());
    let cut = file.with_file_name("cut.dump");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() - bytes.len() / 4]).unwrap();
    assert!(refusal(&server, &["restore", "--from", cut.to_str().unwrap()]).contains("pg_restore"));
    let other = file.with_file_name("other.key");
    std::fs::write(&other, [7; 32]).unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).unwrap();
    let words = ["restore", "--from", file.to_str().unwrap(), "--key", other.to_str().unwrap()];
    assert!(refusal(&server, &words).contains("another master key"));
    assert_eq!(new.query("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"), "0");
    // The roles of its fences are made where the server has none yet, and the fences stand.
    command(&server, &["restore", "--from", file.to_str().unwrap()]).await;
    assert_eq!(new.query("SET ROLE tim_app; SELECT count(*) FROM org"), "0");
    assert_eq!(new.query("SET ROLE tim_worker; SELECT count(*) FROM org"), "2");
    assert!(refusal(&server, &["restore", "--from", file.to_str().unwrap()]).contains("holds tables"));

    // A folder without a key believes the one it is given, until the restored secrets say otherwise.
    let third = Database::new(None).unwrap();
    (server.database_url, server.data) = (Some(third.url()), server.data.with_file_name("elsewhere"));
    assert!(refusal(&server, &words).contains("was made under another master key"));
    assert!(refusal(&server, &["admin", "raise-epoch"]).contains("run `tokenim restore` again"));
}
