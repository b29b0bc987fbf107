//! `tokenim bench`.

use super::{Failure, say};
use crate::config;
use std::path::Path;
use tokenim_bench::{Means, Options};

/// Bytes of a key's file.
const KEY_BYTES_MAX: u64 = 1_024;

/// Loads a server and prints what came of it.
///
/// Errors: what kept the run from its end; exit code 2 where it came there, but may not be believed.
pub async fn run(options: Options) -> Result<(), Failure> {
    let key = if options.local { String::new() } else { key(options.key.as_deref())? };
    let binary = std::env::current_exe();
    let binary = binary.map_err(|source| Failure::Io { what: "finding this program's own file".to_owned(), source })?;
    let as_json = options.json;
    // One thread makes the load, with a runtime of its own.
    let loading = tokio::task::spawn_blocking(move || tokenim_bench::run(options, Means { binary, key }));
    let report = loading.await.map_err(|error| Failure::Bench(error.to_string()))?;
    let report = report.map_err(|failure| Failure::Bench(failure.to_string()))?;
    if as_json {
        say(&serde_json::to_string(&report).map_err(|error| Failure::Bench(error.to_string()))?)?;
    } else {
        say(&report.to_string())?;
    }
    if report.valid {
        Ok(())
    } else {
        Err(Failure::Undecided(format!("the run is invalid: {}", report.faults.join("; "))))
    }
}

/// The server key, from a file or the environment: a command line is there for everybody of the machine to read.
fn key(file: Option<&Path>) -> Result<String, Failure> {
    let Some(file) = file else {
        let missing = "name the file of a server key with --key, or put the key into TOKENIM_BENCH_KEY";
        return config::bench_key().ok_or_else(|| Failure::Bench(missing.to_owned()));
    };
    let fault = |source| Failure::Io { what: format!("reading the server key in {}", file.display()), source };
    let size = std::fs::metadata(file).map_err(fault)?.len();
    if size > KEY_BYTES_MAX {
        return Err(Failure::Bench(format!("{} is no file of a server key", file.display())));
    }
    Ok(std::fs::read_to_string(file).map_err(fault)?.trim().to_owned())
}
