//! `tokenim-load`: the load of `tokenim bench` on a real server, and bare floors beside it in the same run.
//!
//! Every figure is printed as readable lines first and as one line of JSON last.

mod durable;
mod floor;
mod folder;
mod group;
mod history;
mod idle;
mod report;
mod resync;
mod tls;
mod token;

use clap::{Parser, Subcommand};
use report::Failure;
use std::io::{Write, stderr};
use std::process::ExitCode;

/// Loads a TokenIM server that it starts itself, on loopback.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Resident bytes of an idle, authenticated connection.
    Idle(idle::Flags),
    /// Durable messages per second, next to a bare SQLite writer of the same schema.
    Durable(durable::Flags),
    /// The last messages and the directory from a large database, next to bare queries.
    History(history::Flags),
    /// Server CPU per delivery of a large group, next to bare writes to as many sockets.
    Group(group::Flags),
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Idle(flags) => idle::run(flags).await,
        Command::Durable(flags) => durable::run(flags).await,
        Command::History(flags) => history::run(flags).await,
        Command::Group(flags) => group::run(flags).await,
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    match tokio::task::LocalSet::new().block_on(&runtime, run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell if stderr is closed.
            let _ = writeln!(stderr(), "tokenim-load: {failure}");
            ExitCode::FAILURE
        }
    }
}
