//! `tokenim backup`.

use super::{Failure, say, settings};
use crate::config::Config;
use clap::Args;
use std::path::PathBuf;
use tokenim_store::Contents;

/// Bytes of a MiB.
const MIB: f64 = 1_048_576.0;

/// Flags of `backup`.
#[derive(Debug, Args)]
pub struct Flags {
    /// The file to make; one that exists is not overwritten.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Put a copy of the master key beside it, as FILE.key. Whoever has both can read every secret.
    #[arg(long)]
    with_key: bool,
}

pub async fn run(config: Config, flags: Flags) -> Result<(), Failure> {
    let (data, to) = (config.data.dir.as_path(), flags.to.as_path());
    let mut unsaid = Ok(());
    let tell = |bytes: u64| {
        if unsaid.is_ok() {
            unsaid = say(&format!("written {:.1} MiB", bytes as f64 / MIB));
        }
    };
    let contents = tokenim_store::backup(&settings(&config), to, flags.with_key, tell).await?;
    unsaid?;
    say(&format!("backup   {} ({:.1} MiB)", to.display(), contents.bytes as f64 / MIB))?;
    say(&holds(&contents))?;
    say(&match flags.with_key {
        true => format!("key      {}.key; whoever has both files can read every secret", to.display()),
        false => format!(
            "key      not in it: keep a copy of {} elsewhere, without it no secret in the backup can be read",
            data.join("master.key").display()
        ),
    })
}

/// What a backup holds, in a line.
pub fn holds(contents: &Contents) -> String {
    let Contents { schema, orgs, apps, conversations, events, .. } = contents;
    format!(
        "holds    {orgs} orgs, {apps} apps, {conversations} conversations, {events} events; schema {schema}; looked through, whole"
    )
}
