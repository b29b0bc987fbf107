//! Structured logs on stderr.

use crate::cli::Failure;
use crate::config::{Fault, Format, Log};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

/// Starts logging for the life of the process.
///
/// Errors: a filter that can't be read.
pub fn start(log: &Log) -> Result<(), Failure> {
    let filter = filter(log)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(stderr().is_terminal());
    match log.format {
        Format::Text => lines.init(),
        Format::Json => lines.json().init(),
    }
    Ok(())
}

/// The filter of a configuration.
///
/// Errors: text that is none.
pub fn filter(log: &Log) -> Result<EnvFilter, Failure> {
    let fault = |error: tracing_subscriber::filter::ParseError| Fault::Content {
        origin: "log.filter".to_owned(),
        message: error.to_string(),
    };
    Ok(EnvFilter::try_new(&log.filter).map_err(fault)?)
}
