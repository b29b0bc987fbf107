//! A server process per test, on free ports and a fresh copy of the template; it ends with the test.

use super::client::Client;
use super::database::Database;
use super::rest::{Rest, answer};
use super::template::{self, Founded, run, template, tokenim};
use super::tls::{Bytes, Identity};
use super::token::user_token;
use super::wait::{DEADLINE, until, within};
use serde::Deserialize;
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Limits that tests of other things would run into; tests/interop/test_limits.py is about these.
const LIFTED: [&str; 8] = [
    "TOKENIM_LIMITS__USER_CONNECTIONS",
    "TOKENIM_LIMITS__USER_MESSAGES_PER_SECOND",
    "TOKENIM_LIMITS__USER_CONNECTS_PER_SECOND",
    "TOKENIM_LIMITS__USER_COMMANDS_PER_SECOND",
    "TOKENIM_LIMITS__USER_BYTES_PER_SECOND",
    "TOKENIM_LIMITS__CONNECTION_COMMANDS_PER_SECOND",
    "TOKENIM_LIMITS__CONNECTION_BYTES_PER_SECOND",
    "TOKENIM_LIMITS__KEY_REQUESTS_PER_SECOND",
];

/// A running server and its data.
pub struct TestServer {
    /// Console, REST and gateway.
    pub url: String,
    /// Metrics and health.
    pub private_url: String,
    /// The org most tests use.
    pub founded: Founded,
    /// Another one.
    pub other: Founded,
    pub data: PathBuf,
    /// The window in which connections are sent away; for the next start.
    pub drain_ms: u32,
    /// Who it is over TLS; without, it speaks plain HTTP.
    pub tls: Option<Identity>,
    /// More variables of the process; for the next start.
    pub env: Vec<(&'static str, String)>,
    /// Whether the test makes the server log errors.
    pub may_log_errors: bool,
    log: PathBuf,
    process: Option<Process>,
    /// Where the data is, if not in the folder.
    pub database: Option<Database>,
    /// The way there, for the next start.
    pub database_url: Option<String>,
    _folder: TempDir,
}

/// A key of the provisioning API.
#[derive(Debug, Clone, Deserialize)]
pub struct ManagementKey {
    pub id: String,
    pub secret: String,
}

struct Process {
    child: Child,
    /// Kept open: a server whose output nobody takes would fail to print.
    stdout: BufReader<ChildStdout>,
}

impl TestServer {
    /// Starts a server with its two orgs.
    pub async fn spawn() -> TestServer {
        Self::spawn_with(|_| None).await
    }

    /// Starts one that speaks TLS on its public port.
    pub async fn spawn_tls() -> TestServer {
        Self::spawn_with(|folder| Some(Identity::new(folder))).await
    }

    /// Starts one on a SQLite file, whatever the engine of the run.
    pub async fn spawn_on_file() -> TestServer {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let orgs = template::ORGS.map(|names| template::bootstrap(&data, names));
        Self::spawn_over(folder, data, None, orgs, None).await
    }

    async fn spawn_with(tls: impl FnOnce(&Path) -> Option<Identity>) -> TestServer {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        template().copy_to(&data);
        let tls = tls(folder.path());
        Self::spawn_over(folder, data, template().database(), template().orgs.clone(), tls).await
    }

    async fn spawn_over(
        folder: TempDir,
        data: PathBuf,
        database: Option<Database>,
        [founded, other]: [Founded; 2],
        tls: Option<Identity>,
    ) -> TestServer {
        let log = folder.path().join("server.log");
        let mut server = TestServer {
            url: String::new(),
            private_url: String::new(),
            founded,
            other,
            data,
            drain_ms: 300,
            tls,
            env: Vec::new(),
            may_log_errors: false,
            log,
            process: None,
            database_url: database.as_ref().map(Database::url),
            database,
            _folder: folder,
        };
        server.start().await;
        server
    }

    /// Starts the process again on the same data; the ports are others.
    pub async fn start(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = self.tokenim();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&self.data).stdout(Stdio::piped()).stderr(log);
        if let Some(identity) = &self.tls {
            command.arg("--tls-cert").arg(&identity.cert).arg("--tls-key").arg(&identity.key);
        }
        command.envs(LIFTED.iter().map(|name| (name, "0")));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let mut child = command.env("TOKENIM_GATEWAY__DRAIN_MS", self.drain_ms.to_string()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let read = tokio::task::spawn_blocking(move || {
            let lines = ["listening on ", "private on "].map(|start| line_after(&mut stdout, start));
            (stdout, lines)
        });
        let (stdout, [url, private_url]) = within(read).await.unwrap();
        (self.url, self.private_url) = (url, private_url);
        self.process = Some(Process { child, stdout });
    }

    /// The port of the public address.
    pub fn port(&self) -> u16 {
        self.url.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// Ends the process as a power cut would.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.child.kill().unwrap();
        process.child.wait().unwrap();
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().child.id()
    }

    /// Asks the process to end.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends the process a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.pid();
        run(Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")));
    }

    /// A connection to the public port, shaken hands with where it speaks TLS.
    pub async fn dial(&self) -> Bytes {
        self.wrap(within(TcpStream::connect(("127.0.0.1", self.port()))).await.unwrap()).await
    }

    /// The same over a TCP connection that is there already.
    pub async fn wrap(&self, tcp: TcpStream) -> Bytes {
        match &self.tls {
            Some(identity) => Box::new(identity.connect(tcp).await.unwrap()),
            None => Box::new(tcp),
        }
    }

    /// Waits for the process to end by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        within(tokio::task::spawn_blocking(move || {
            let status = process.child.wait();
            let mut rest = String::new();
            process.stdout.read_to_string(&mut rest).unwrap();
            status
        }))
        .await
        .unwrap()
        .unwrap()
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// REST with the app's server key.
    pub fn rest(&self) -> Rest {
        self.rest_as(&self.founded.key)
    }

    /// REST with any credential.
    pub fn rest_as(&self, credential: &str) -> Rest {
        Rest::new(&self.url, credential)
    }

    /// The binary, told where the data is if not in the folder.
    pub fn tokenim(&self) -> Command {
        let mut command = tokenim();
        command.envs(self.database_url.as_ref().map(|url| ("TOKENIM_DATABASE__URL", url)));
        command
    }

    /// REST with a new key of the service's operator.
    pub fn operator(&self) -> Rest {
        let words = ["admin", "operator-key", "create", "--name", "tests", "--json", "--data"];
        let made = run(self.tokenim().args(words).arg(&self.data));
        let operator: ManagementKey = serde_json::from_str(&made).unwrap();
        self.rest_as(&operator.secret)
    }

    /// A new management key of an org, in the role of an owner.
    pub async fn manager(&self, of: &Founded) -> ManagementKey {
        let path = format!("/v1/manage/management-keys?org={}", of.org);
        let new = self.operator().request(reqwest::Method::POST, &path).header("x-reason", "a test");
        let answer = answer(new.json(&json!({"name": "tests", "role": "owner"}))).await.ok();
        serde_json::from_value(json!({"id": answer["id"], "secret": answer["secret"]})).unwrap()
    }

    /// A token for a user.
    pub fn token(&self, user: &str) -> String {
        user_token(&self.founded, user)
    }

    /// A connected client of a user, on a device that the server names.
    pub async fn connect(&self, user: &str) -> Client {
        Client::connect(self, &self.token(user)).await
    }

    /// Makes a group whose creation nobody is still to hear of; the first member owns it.
    pub async fn group(&self, id: &str, members: &[&str]) {
        self.rest().create_group(id, members).await;
        self.settled().await;
    }

    /// Waits until everything answered so far is told as well: a write is answered before it is fanned out, so whoever
    /// connects at once could still hear of it.
    pub async fn settled(&self) {
        until(async || (self.sample("tokenim_untold_batches").await == 0.0).then_some(())).await;
    }

    /// A metric of the server, by its name and labels as the text format has them.
    pub async fn sample(&self, name: &str) -> f64 {
        let text = Rest::new(&self.private_url, "").get("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no sample {name}:\n{text}")).parse().unwrap()
    }
}

/// Reads lines up to one with that start; returns what follows it.
fn line_after(stdout: &mut impl BufRead, start: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(
            stdout.read_line(&mut line).unwrap() > 0,
            "the server ended before it printed {start:?}; patience is {DEADLINE:?}"
        );
        if let Some(rest) = line.trim_end().strip_prefix(start) {
            return rest.to_owned();
        }
    }
}

impl Drop for TestServer {
    #[expect(clippy::print_stderr, reason = "whoever reads a failure needs the server's side of it")]
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended already.
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{log}---");
        } else {
            let errors: Vec<_> =
                log.lines().filter(|line| line.contains(" ERROR ") || line.contains("panicked at")).collect();
            assert!(errors.is_empty() || self.may_log_errors, "the server logged errors: {errors:#?}");
        }
    }
}
