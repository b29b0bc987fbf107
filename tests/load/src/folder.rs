//! The folder of a run and the server on it.

use crate::report::Failure;
use crate::tls;
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};
use tokenim_bench::{Keys, Local, Server, bootstrap};

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

impl Common {
    /// Makes an org and an app in an empty folder.
    pub fn bootstrap(&self, data: &Path) -> Result<Keys, Failure> {
        Ok(bootstrap(&self.local(data))?)
    }

    /// Starts a server on a bootstrapped folder.
    pub async fn start(&self, data: &Path) -> Result<Server, Failure> {
        let tls = self.tls.then(|| tls::certify(data)).transpose()?;
        Ok(Server::start(&self.local(data), tls.as_ref()).await?)
    }

    fn local(&self, data: &Path) -> Local {
        Local { bin: self.bin.clone(), data: data.to_owned(), env: Vec::new() }
    }
}

/// Empties a folder for a run. Only a folder that a run made before, or a new one, is touched.
pub fn fresh(folder: &Path) -> Result<(), Failure> {
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
