//! `tokenim check`.

use super::{Failure, folder, place, say, serve, settings};
use crate::config::Config;
use crate::tls::Tls;
use std::fs::{self, File};
use std::path::Path;
use tokenim_store::Store;

/// By now the configuration has been read, so it is valid; what is left is to show it and to try the data folder.
pub async fn run(mut config: Config, flags: serve::Flags) -> Result<(), Failure> {
    flags.apply(&mut config);
    crate::telemetry::filter(&config.log)?;
    let tls = Tls::load(&config.server)?;
    tokenim_dashboard::check_public_origin(config.server.public_origin(), tls.is_some())?;
    try_folder(Path::new(&folder(&config)))?;
    say(&config.to_toml())?;
    let data = place(&config);
    say(&match Store::pending_migrations(&settings(&config)).await? {
        None => format!("# {data} holds no database yet; the first start makes it"),
        Some(0) => format!("# {data} opens, and its schema is up to date"),
        Some(pending) => format!("# {data} opens; the next start applies {pending} migrations to it"),
    })?;
    say("# the configuration is valid")
}

/// Whether a file can be made in the data folder, or in the nearest one above it that exists.
fn try_folder(wanted: &Path) -> Result<(), Failure> {
    let there = wanted.ancestors().find(|folder| folder.exists()).unwrap_or(wanted);
    let probe = there.join(format!(".tokenim-check-{}", std::process::id()));
    let tried = File::create_new(&probe).and_then(|_| fs::remove_file(&probe));
    let what = || format!("the data folder {} can't be written, because of {}", wanted.display(), there.display());
    tried.map_err(|source| Failure::Io { what: what(), source })
}
