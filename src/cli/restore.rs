//! `tokenim restore`.

use super::{Failure, backup, open, place, say, settings};
use crate::config::Config;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use tokenim_domain::clock::SystemClock;
use tokenim_domain::rng::SystemRng;
use tokenim_store::Restore;

/// Flags of `restore`.
#[derive(Debug, Args)]
pub struct Flags {
    /// The backup.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The master key it was made under. Without: the one beside the backup (FILE.key), else the one in the data folder.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Set a database that is in the data folder aside; not with PostgreSQL, where the database must be new.
    #[arg(long)]
    replace: bool,
}

pub async fn run(config: Config, flags: Flags) -> Result<(), Failure> {
    let wanted = Restore { from: flags.from, key: flags.key, replace: flags.replace };
    let done =
        tokenim_store::restore(&settings(&config), &wanted, Arc::new(SystemClock::new()), Arc::new(SystemRng)).await?;
    say(&format!("restored {} to {}", wanted.from.display(), place(&config)))?;
    say(&backup::holds(&done.contents))?;
    if done.migrated > 0 {
        say(&format!("schema   {} migrations applied", done.migrated))?;
    }
    if let Some(aside) = &done.set_aside {
        say(&format!("before   what was there is in {}", aside.display()))?;
    }
    say(&format!("epoch    {}: clients drop what the backup lacks and go on from there", done.epoch))?;
    say("next     revoke again what was revoked since the backup; every console session has ended")
}

/// `tokenim admin raise-epoch`: what `restore` does to the logs and sessions, for a database that is in place already.
pub async fn raise_epoch(config: Config) -> Result<(), Failure> {
    let _not_served = tokenim_store::lock_for_serving(&config.data.dir)?;
    let _alone = tokenim_store::lock_database(&settings(&config)).await?;
    let store = open(&config).await?.store;
    let epoch = store.raise_epoch().await?;
    store.end_sessions().await?;
    store.close().await;
    say(&format!("epoch    {epoch}: clients drop what the database lacks and go on from there"))
}
