//! Load on a TokenIM server over its public wire, and what came of it: the generator behind `tokenim bench` and `tests/load`.
//!
//! One thread makes all the load, so that the machine's other cores are the server's. The loops are open: what is due is
//! decided beforehand, and a latency counts from that moment, so that a server which stalls can't hide it.

mod crowd;
mod failure;
mod histogram;
mod http;
mod meter;
mod options;
pub mod process;
mod progress;
mod report;
mod schedule;
mod sender;
mod server;
#[cfg(test)]
mod stall;
mod stream;
mod tally;
mod target;
mod tasks;
mod websocket;
mod workload;

pub use failure::{Failure, Refusal};
pub use histogram::{Histogram, Quantiles};
pub use http::Rest;
pub use meter::{Cost, Meter, Watched};
pub use options::{Options, Workload};
pub use report::{LeftBehind, Phase, Refusals, Report};
pub use schedule::Schedule;
pub use sender::{BODY, Sender, receive};
pub use server::{Certified, Keys, Local, Server, bootstrap};
pub use stream::{Address, Secured, Stream};
pub use tally::{Refused, Second, Tally};
pub use websocket::{Connection, MESSAGE_PUSH};

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use target::Target;
use tempfile::TempDir;
use tokio::task::LocalSet;
use workload::Run;

/// Files that are open beside connections: the runtime's, the log, REST calls.
const FILES_BESIDE: u64 = 100;

/// What a run needs beside its options.
pub struct Means {
    /// The `tokenim` binary that `--local` starts.
    pub binary: PathBuf,
    /// The server key, where the server is not local.
    pub key: String,
}

/// Loads a server and reports. It runs on the calling thread and takes as long as the options say, and what preparing takes.
///
/// Errors: the server can't be reached or refuses, the machine's limits are too low, or the run was interrupted. A run that
/// came to its end but may not be believed is a report that says so.
pub fn run(options: Options, means: Means) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        tokio::select! {
            done = load(options, means) => done,
            _ = tokio::signal::ctrl_c() => Err(Failure::new("interrupted")),
        }
    })
}

async fn load(options: Options, means: Means) -> Result<Report, Failure> {
    enough_files(&options)?;
    let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let prefix = format!("bench-{made:x}-{:x}", std::process::id());
    let (target, local) = match &options.url {
        Some(url) => {
            let watched = options.pid.map(|pid| Watched { pid, private: None });
            (Target::new(Address::of_url(url).await?, means.key, watched, prefix), None)
        }
        None => {
            let own = OwnServer::start(means.binary).await?;
            let (address, key, watched) =
                (own.server.address.clone(), own.keys.key.clone(), own.server.watched.clone());
            (Target::new(address, key, Some(watched), prefix), Some(own))
        }
    };
    let run = Run { options, target };
    let found = run.go().await?;
    let faults: Vec<_> = found.phases.iter().flat_map(Phase::faults).collect();
    let report = Report {
        workload: run.options.workload.name(),
        version: env!("CARGO_PKG_VERSION"),
        url: run.options.url.clone().unwrap_or_else(|| format!("http://{}", run.target.address.at)),
        local: local.is_some(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        valid: faults.is_empty(),
        faults,
        phases: found.phases,
        findings: found.findings,
        left_behind: run.target.left_behind(),
    };
    if let Some(own) = local {
        own.server.stop().await?;
    }
    Ok(report)
}

/// A server of the run's own, on a folder that goes with it.
struct OwnServer {
    server: Server,
    keys: Keys,
    // Behind the server, which ends before its folder goes.
    _folder: TempDir,
}

impl OwnServer {
    async fn start(bin: PathBuf) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("tokenim-bench-").tempdir()?;
        // Whatever database the environment names, it is not this run's to load.
        let env = vec![("TOKENIM_DATABASE__URL", String::new())];
        let local = Local { bin, data: folder.path().to_owned(), env };
        let keys = bootstrap(&local)?;
        Ok(OwnServer { server: Server::start(&local, None).await?, keys, _folder: folder })
    }
}

/// Every connection is an open file, here and in the server.
fn enough_files(options: &Options) -> Result<(), Failure> {
    let needed = options.connections() as u64 + FILES_BESIDE;
    let (soft, hard) = process::open_files_max()?;
    if needed <= soft {
        return Ok(());
    }
    let how = if needed <= hard { format!("ulimit -n {needed}") } else { format!("it can't be more than {hard} here") };
    Err(Failure::new(format!(
        "{} connections need {needed} open files, and {soft} are allowed: {how}",
        options.connections()
    )))
}
