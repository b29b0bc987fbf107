//! A server of our own on a data folder of our own: started, asked what it counted, stopped.

use crate::http::Rest;
use crate::process::{self, Memory};
use crate::report::Failure;
use crate::stream::{Address, Tls};
use clap::Args;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to listen or to stop.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Flags that every load takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The `tokenim` binary, a release build.
    #[arg(long, value_name = "FILE")]
    pub bin: PathBuf,
    /// Folder for databases, on the disk to measure; emptied by each run.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp/tokenim-load")]
    pub data: PathBuf,
    /// Over TLS.
    #[arg(long)]
    pub tls: bool,
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
pub fn bootstrap(bin: &Path, data: &Path) -> Result<Keys, Failure> {
    let arguments = ["admin", "bootstrap", "--email", "load@example.com", "--org", "Load", "--app", "Load", "--json"];
    let output = Command::new(bin).args(arguments).arg("--data").arg(data).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| Failure::new(format!("running {}: {error}", bin.display())))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let json: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap_or_default())
        .map_err(|error| Failure::new(format!("bootstrap printed no JSON: {error}")))?;
    let text = |path: &str| json.pointer(path).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    Ok(Keys { app: text("/app"), key: text("/key"), kid: text("/signing/kid"), secret: text("/signing/secret") })
}

/// Empties a folder for a run. Only a folder that a run made before, or a new one, is touched.
pub fn fresh_folder(folder: &Path) -> Result<(), Failure> {
    let marker = folder.join(".tokenim-load");
    if folder.exists() && !marker.exists() {
        return Err(Failure::new(format!("{} exists and is not a folder of an earlier run", folder.display())));
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    fs::write(marker, "made by tokenim-load; emptied by its next run\n")?;
    Ok(())
}

/// A running server.
pub struct Server {
    child: Child,
    log: PathBuf,
    /// Where it listens.
    pub address: Address,
    private: Address,
}

/// Limits that a load runs into.
const LIFTED: [&str; 5] = [
    "TOKENIM_LIMITS__USER_CONNECTIONS",
    "TOKENIM_LIMITS__USER_MESSAGES_PER_SECOND",
    "TOKENIM_LIMITS__CONNECTION_COMMANDS_PER_SECOND",
    "TOKENIM_LIMITS__CONNECTION_BYTES_PER_SECOND",
    "TOKENIM_LIMITS__KEY_REQUESTS_PER_SECOND",
];

impl Server {
    /// Starts `serve` on a bootstrapped folder. Its log goes to a file beside the data.
    pub async fn start(common: &Common, data: &Path) -> Result<Self, Failure> {
        let (out, log) = (data.join("serve.out"), data.join("serve.log"));
        let tls = common.tls.then(|| Tls::make(data)).transpose()?;
        let mut command = Command::new(&common.bin);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        if let Some(tls) = &tls {
            command.arg("--tls-cert").arg(&tls.cert).arg("--tls-key").arg(&tls.key);
        }
        // What is measured is the server, not what it refuses.
        command.envs(LIFTED.iter().map(|name| (name, "0")));
        let child = command.stdout(File::create(&out)?).stderr(File::create(&log)?).spawn()?;
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let (address, private) = (Address { at: unknown, tls }, Address { at: unknown, tls: None });
        let scheme = if common.tls { "https" } else { "http" };
        let listening = format!("listening on {scheme}://");
        let mut server = Server { child, log, address, private };
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            let text = fs::read_to_string(&out)?;
            let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)?.parse().ok());
            if let (Some(public), Some(private)) = (line(&listening), line("private on http://")) {
                (server.address.at, server.private.at) = (public, private);
                return Ok(server);
            }
            tokio::time::sleep(POLL).await;
        }
        Err(Failure::new(format!("the server does not listen; see {}", server.log.display())))
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its memory now.
    pub fn memory(&self) -> Result<Memory, Failure> {
        process::memory(self.pid())
    }

    /// What its gateway has counted: a metric of the private listener, by name.
    pub async fn counted(&self, metric: &str) -> Result<u64, Failure> {
        let text = Rest::connect(&self.private, "").await?.get("/metrics").await?;
        let value = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' ')?.parse::<f64>().ok());
        value.map(|value| value as u64).ok_or_else(|| Failure::new(format!("no metric {metric}")))
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
