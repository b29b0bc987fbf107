//! The binary: parses the command line and runs one command.

mod app;
mod cli;
mod config;
mod lifecycle;
mod metrics;
mod minutes;
mod node;
mod private;
mod proxies;
mod telemetry;
mod tls;

use clap::Parser;
use std::process::ExitCode;

/// Fragments far less than the C library's (docs/adr/0018-memory-comes-from-jemalloc.md).
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Threads of the runtime that commits and fans out; sockets have their own workers.
const CORE_THREADS: usize = 2;

fn main() -> ExitCode {
    // Before anything that might speak TLS. It fails only where one is installed already, and nothing ran before this.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(CORE_THREADS).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cli::fail(&format!("the runtime could not start: {error}"), 1),
    };
    match runtime.block_on(cli::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::fail(&error.to_string(), error.exit_code()),
    }
}
