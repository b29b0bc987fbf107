//! `tokenim import`.

use super::{Failure, place, say, settings};
use crate::config::Config;
use clap::{Args, ValueEnum};
use tokenim_store::Progress;

/// Flags of `import`.
#[derive(Debug, Args)]
pub struct Flags {
    /// Where the data is: a SQLite file, the one in the data folder.
    #[arg(long)]
    from: Source,
    /// Where it goes: PostgreSQL, the database of the configuration's [database] url.
    #[arg(long)]
    to: Target,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Source {
    Sqlite,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Target {
    Postgres,
}

/// Moves everything, or nothing: the flags say which way, so that nobody expects the other.
pub async fn run(config: Config, Flags { from: Source::Sqlite, to: Target::Postgres }: Flags) -> Result<(), Failure> {
    let moved = tokenim_store::import(&settings(&config), |progress| {
        // A closed terminal must not stop half of a move: the last line tells what became of it.
        let _ = say(&line(&progress));
    })
    .await?;
    let rows: u64 = moved.iter().map(|table| table.done).sum();
    say(&format!("moved {rows} rows of {} tables; read back, every table holds the same rows", moved.len()))?;
    say(&format!("serve it with the same data folder: data in {}", place(&config)))
}

fn line(Progress { table, done, total }: &Progress) -> String {
    format!("{table}: {done} of {total}")
}
