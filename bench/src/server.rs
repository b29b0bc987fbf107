//! A server of our own on a data folder of our own: started, asked what it counted, stopped.

use crate::failure::Failure;
use crate::meter::Watched;
use crate::stream::{Address, Secured};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to listen or to stop.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// What is started.
#[derive(Debug, Clone)]
pub struct Local {
    /// The `tokenim` binary.
    pub bin: PathBuf,
    /// Its data folder.
    pub data: PathBuf,
    /// Variables of its processes.
    pub env: Vec<(&'static str, String)>,
}

/// A certificate for a server of a run's own: its two files, and how clients check it.
#[derive(Clone)]
pub struct Certified {
    /// File of the certificate.
    pub cert: PathBuf,
    /// File of its key.
    pub key: PathBuf,
    /// The clients' side.
    pub clients: Secured,
}

/// Ids and secrets of the app that is loaded.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The app's id.
    pub app: String,
    /// The app's server key.
    pub key: String,
    /// The signing key's id.
    pub kid: String,
    /// The signing secret.
    pub secret: String,
}

/// Makes an org and an app in an empty folder.
pub fn bootstrap(local: &Local) -> Result<Keys, Failure> {
    let arguments = ["admin", "bootstrap", "--email", "load@example.com", "--org", "Load", "--app", "Load", "--json"];
    let mut command = Command::new(&local.bin);
    command.args(arguments).arg("--data").arg(&local.data).envs(local.env.iter().cloned()).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| Failure::new(format!("running {}: {error}", local.bin.display())))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let json: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap_or_default())
        .map_err(|error| Failure::new(format!("bootstrap printed no JSON: {error}")))?;
    let text = |path: &str| json.pointer(path).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    Ok(Keys { app: text("/app"), key: text("/key"), kid: text("/signing/kid"), secret: text("/signing/secret") })
}

/// A running server.
pub struct Server {
    child: Child,
    log: PathBuf,
    /// Where it listens.
    pub address: Address,
    /// Its process and its private address.
    pub watched: Watched,
}

/// Limits that a load runs into.
const LIFTED: [&str; 14] = [
    "TOKENIM_LIMITS__USER_CONNECTIONS",
    "TOKENIM_LIMITS__USER_MESSAGES_PER_SECOND",
    "TOKENIM_LIMITS__USER_CONNECTS_PER_SECOND",
    "TOKENIM_LIMITS__USER_COMMANDS_PER_SECOND",
    "TOKENIM_LIMITS__USER_BYTES_PER_SECOND",
    "TOKENIM_LIMITS__APP_CONNECTS_PER_SECOND",
    "TOKENIM_LIMITS__APP_COMMANDS_PER_SECOND",
    "TOKENIM_LIMITS__APP_BYTES_PER_SECOND",
    "TOKENIM_LIMITS__ORG_CONNECTS_PER_SECOND",
    "TOKENIM_LIMITS__ORG_COMMANDS_PER_SECOND",
    "TOKENIM_LIMITS__ORG_BYTES_PER_SECOND",
    "TOKENIM_LIMITS__CONNECTION_COMMANDS_PER_SECOND",
    "TOKENIM_LIMITS__CONNECTION_BYTES_PER_SECOND",
    "TOKENIM_LIMITS__KEY_REQUESTS_PER_SECOND",
];

impl Server {
    /// Starts `serve` on a bootstrapped folder. Its log goes to a file beside the data.
    ///
    /// Errors: it does not listen in time; the failure says where its log is, and its last line.
    pub async fn start(local: &Local, tls: Option<&Certified>) -> Result<Self, Failure> {
        let (out, log) = (local.data.join("serve.out"), local.data.join("serve.log"));
        let mut command = Command::new(&local.bin);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&local.data);
        if let Some(tls) = tls {
            command.arg("--tls-cert").arg(&tls.cert).arg("--tls-key").arg(&tls.key);
        }
        // What is measured is the server, not what it refuses.
        command.envs(LIFTED.iter().map(|name| (name, "0"))).envs(local.env.iter().cloned());
        let child = command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&log)?).spawn()?;
        let unknown = Address::new(SocketAddr::from(([127, 0, 0, 1], 0)), None);
        let mut server = Server { watched: Watched { pid: child.id(), private: None }, child, log, address: unknown };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listening = format!("listening on {scheme}://");
        let since = Instant::now();
        while since.elapsed() < PATIENCE && server.child.try_wait()?.is_none() {
            let text = fs::read_to_string(&out)?;
            let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)?.parse().ok());
            if let (Some(public), Some(private)) = (line(&listening), line("private on http://")) {
                server.address = Address::new(public, tls.map(|tls| tls.clients.clone()));
                server.watched.private = Some(Address::new(private, None));
                return Ok(server);
            }
            tokio::time::sleep(POLL).await;
        }
        let said = fs::read_to_string(&server.log)?.lines().last().unwrap_or_default().to_owned();
        Err(Failure::new(format!("the server does not listen; see {}: {said}", server.log.display())))
    }

    /// The process's id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.watched.pid
    }

    /// Stops it as an operator would, so that the next start finds its files in order.
    pub async fn stop(mut self) -> Result<(), Failure> {
        // The standard library sends no SIGTERM; `kill` does, to this one process.
        Command::new("kill").arg(self.pid().to_string()).status()?;
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(Failure::new("the server does not stop"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already after a stop; on a failed run nothing better can be done.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
