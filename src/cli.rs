//! The commands of `tokenim` (docs/PROTOCOL.md §12): what each prints and returns.

mod audit;
mod backup;
mod bench;
mod bootstrap;
mod check;
mod health;
mod import;
mod mail_test;
mod migrate;
mod operator_key;
mod restore;
mod serve;

use crate::config::Config;
use clap::{Args, Parser, Subcommand};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokenim_domain::clock::SystemClock;
use tokenim_domain::rng::SystemRng;
use tokenim_domain::{Code, Error};
use tokenim_store::{DatabaseLock, Durability, Opened, ServeLock, Settings, Store};

/// Real-time messaging cloud in one binary: gateway, REST API and console.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the console, the REST API and the gateway (the default).
    Serve(serve::Flags),
    /// Administration from the machine the data is on.
    #[command(subcommand)]
    Admin(Admin),
    /// The audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// Move everything of the data folder's SQLite file into an empty PostgreSQL database, all or nothing. The server of the
    /// data folder must be stopped.
    Import(import::Flags),
    /// Bring the database's schema up to date and exit.
    Migrate,
    /// Copy the database to a file, beside a running server too.
    Backup(backup::Flags),
    /// Make a backup the database of a data folder that nothing serves.
    Restore(restore::Flags),
    /// Check the configuration and the data folder, print what is in force, and exit.
    Check(serve::Flags),
    /// Ask the server of this machine whether it is ready; exits with 0 or 1. For health checks.
    Health(health::Flags),
    /// Load a server and measure it: latencies from the moment each thing was due, CPU and memory where it is local. Exits with
    /// 2 where the figures may not be believed.
    Bench(tokenim_bench::Options),
}

#[derive(Debug, Subcommand)]
enum Admin {
    /// Make an org with its operator, an app and the app's first keys. Works before `serve` ever ran, and beside it.
    Bootstrap(bootstrap::Flags),
    /// Keys of the provisioning API for the whole service.
    #[command(subcommand)]
    OperatorKey(operator_key::Verb),
    /// Begin a new epoch of every log: after a database was put in place by other means than `restore`.
    RaiseEpoch,
    /// Send a test mail as the server would, and say what the mail server answered.
    MailTest(mail_test::Flags),
}

#[derive(Debug, Subcommand)]
enum Audit {
    /// Check that the log is what was written: exits with 0 where it is, with 1 and the first event that is not, and with 2
    /// where it can't tell.
    Verify(audit::Flags),
}

/// Flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
struct Common {
    /// Configuration file; see `tokenim check` for the keys.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the database and the master key.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Why a command failed, as the person at the terminal reads it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] crate::config::Fault),
    /// The work failed.
    #[error("{}", explain(.0))]
    Domain(#[from] Error),
    /// An audit log is not what was written.
    #[error("the audit log of {org} is not what was written, from event {seq} on")]
    Altered {
        /// Whose log.
        org: tokenim_domain::id::OrgId,
        /// The first event that is missing, altered or one too many.
        seq: i64,
    },
    /// A question has no answer.
    #[error("can't tell: {0}")]
    Undecided(String),
    /// A mail was not sent.
    #[error("the mail was not sent: {0}")]
    Mail(String),
    /// A load run did not come to its end.
    #[error("{0}")]
    Bench(String),
    /// The machine refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the machine said.
        source: io::Error,
    },
}

impl Failure {
    /// What the process exits with.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Failure::Undecided(_) => 2,
            _ => 1,
        }
    }
}

/// At the terminal the cause may be told: whoever runs the binary owns the machine.
fn explain(error: &Error) -> String {
    match std::error::Error::source(error).map(ToString::to_string) {
        // A fault of ours tells the person who runs the binary nothing but its cause.
        Some(cause) if error.message == error.code.row().meaning => cause,
        Some(cause) if !error.message.contains(&cause) => format!("{} ({cause})", error.message),
        _ => error.message.to_string(),
    }
}

/// Runs a command.
///
/// Errors: what to print before exiting with its code.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    #[cfg(feature = "sabotage")]
    tokenim_domain::sabotage::choose(&crate::config::sabotage().unwrap_or_default())?;
    let mut config = Config::load(cli.common.config.as_deref())?;
    if let Some(data) = cli.common.data {
        config.data.dir = data;
    }
    match cli.command.unwrap_or(Command::Serve(serve::Flags::default())) {
        Command::Serve(flags) => serve::run(config, flags).await,
        Command::Admin(Admin::Bootstrap(flags)) => bootstrap::run(config, flags).await,
        Command::Admin(Admin::OperatorKey(verb)) => operator_key::run(config, verb).await,
        Command::Admin(Admin::RaiseEpoch) => restore::raise_epoch(config).await,
        Command::Audit(Audit::Verify(flags)) => audit::verify(config, flags).await,
        Command::Import(flags) => import::run(config, flags).await,
        Command::Admin(Admin::MailTest(flags)) => mail_test::run(config, flags).await,
        Command::Migrate => migrate::run(config).await,
        Command::Backup(flags) => backup::run(config, flags).await,
        Command::Restore(flags) => restore::run(config, flags).await,
        Command::Check(flags) => check::run(config, flags).await,
        Command::Health(flags) => health::run(config, flags).await,
        Command::Bench(options) => bench::run(options).await,
    }
}

/// Prints a failure; the exit code of a command that failed.
pub fn fail(message: &str, code: u8) -> ExitCode {
    // Nobody is left to tell if stderr is closed.
    let _ = writeln!(io::stderr(), "tokenim: {message}");
    ExitCode::from(code)
}

/// Prints a line of the command's result. Scripts read these, so each goes out at once.
fn say(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|source| Failure::Io { what: "writing to stdout".to_owned(), source })
}

/// Where the data is, as the person at the terminal reads it.
fn place(config: &Config) -> String {
    let folder = folder(config);
    match config.database.url.postgres() {
        None => folder.to_string(),
        Some(_) => format!("{}, its master key in {folder}", config.database.url),
    }
}

fn settings(config: &Config) -> Settings {
    Settings { data: config.data.dir.clone(), postgres: config.database.url.postgres(), durability: durability() }
}

async fn open(config: &Config) -> Result<Opened, Failure> {
    let opened = Store::open(&settings(config), Arc::new(SystemClock::new()), Arc::new(SystemRng)).await?;
    Ok(Opened { store: config.objects.of(opened.store)?, ..opened })
}

/// Opens the store where somebody else may serve it. What the schema lacks is applied only where nobody does: a server of an
/// older release would go on to write what the newer schema does not expect.
async fn open_beside(config: &Config) -> Result<Opened, Failure> {
    let pending = Store::pending_migrations(&settings(config)).await?.unwrap_or_default();
    open_pending(config, pending).await
}

async fn open_pending(config: &Config, pending: usize) -> Result<Opened, Failure> {
    let _not_served = if pending > 0 { Some(refuse_served(config, pending).await?) } else { None };
    open(config).await
}

/// Takes the right to serve, to hold it while the schema is brought up to date.
async fn refuse_served(config: &Config, pending: usize) -> Result<(ServeLock, Option<DatabaseLock>), Failure> {
    let locked = async {
        let folder = tokenim_store::lock_for_serving(&config.data.dir)?;
        tokenim_store::lock_database(&settings(config)).await.map(|database| (folder, database))
    };
    locked.await.map_err(|error: Error| match error.code {
        Code::Conflict => {
            let message = format!(
                "{} lacks {pending} of this release's migrations, and an older release serves it now: stop it first",
                place(config)
            );
            error.says(message).into()
        }
        _ => error.into(),
    })
}

/// The whole path of the data folder, so that whoever stands in the wrong one sees it.
fn folder(config: &Config) -> String {
    let folder = std::path::absolute(&config.data.dir).unwrap_or_else(|_| config.data.dir.clone());
    folder.display().to_string()
}

/// The store of a data folder that holds one already: a command that only reads or changes it makes none by mistake.
async fn open_existing(config: &Config) -> Result<Opened, Failure> {
    let Some(pending) = Store::pending_migrations(&settings(config)).await? else {
        let missing = format!("{} holds no database; name the right folder with --data", place(config));
        return Err(Error::new(Code::NotFound).says(missing).into());
    };
    open_pending(config, pending).await
}

#[cfg(not(feature = "sabotage"))]
fn durability() -> Durability {
    Durability::Full
}

/// The durability test runs once against a store that forgets to flush, to see the test fail.
#[cfg(feature = "sabotage")]
fn durability() -> Durability {
    if tokenim_domain::sabotage::is("synchronous_off") { Durability::Off } else { Durability::Full }
}
