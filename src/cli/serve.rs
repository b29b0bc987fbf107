//! `tokenim serve`.

use super::{Failure, open, place, say, settings};
use crate::app::{self, Listeners};
use crate::config::Config;
use crate::tls::Tls;
use crate::{lifecycle, telemetry};
use clap::Args;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

/// Flags of `serve`.
#[derive(Debug, Default, Args)]
pub struct Flags {
    /// Address of the console, the REST API and the gateway; port 0 takes any free port.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Address of /metrics, /healthz and /readyz.
    #[arg(long, value_name = "ADDRESS")]
    private_listen: Option<SocketAddr>,
    /// PEM file of the certificate and what leads to its root: the address speaks TLS only.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's key, readable to its owner only.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

pub async fn run(mut config: Config, flags: Flags) -> Result<(), Failure> {
    config.server.listen = flags.listen.unwrap_or(config.server.listen);
    config.server.private_listen = flags.private_listen.unwrap_or_else(|| default_private(&config));
    config.server.tls_cert = flags.tls_cert.unwrap_or(config.server.tls_cert);
    config.server.tls_key = flags.tls_key.unwrap_or(config.server.tls_key);
    telemetry::start(&config.log)?;
    let tls = Tls::load(&config.server)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let listeners = Listeners { public: bind(config.server.listen)?, private: bind(config.server.private_listen)? };
    let (public, private) = (address(&listeners.public)?, address(&listeners.private)?);
    let _serving = tokenim_store::lock_for_serving(&config.data.dir)?;
    let _alone = tokenim_store::lock_database(&settings(&config)).await?;
    let opened = open(&config).await?;
    let has_accounts = opened.store.has_accounts().await?;
    let app = app::build(&config, opened.store, listeners, tls)?;
    say(&format!("listening on {scheme}://{public}"))?;
    say(&format!("private on http://{private}"))?;
    say(&format!("data in {}", place(&config)))?;
    say(&next_step(has_accounts, &format!("{scheme}://{public}/"), &config))?;
    lifecycle::run_until_stopped(app, &config).await
}

/// Two servers on port 0 must not meet on the private port.
fn default_private(config: &Config) -> SocketAddr {
    let mut address = config.server.private_listen;
    if config.server.listen.port() == 0 {
        address.set_port(0);
    }
    address
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|source| Failure::Io {
        what: format!("listening on {address} failed; choose another with --listen or --private-listen"),
        source,
    })
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|source| Failure::Io { what: "reading the address".to_owned(), source })
}

fn next_step(has_accounts: bool, console: &str, config: &Config) -> String {
    if has_accounts {
        return format!("next: open {console} and sign in");
    }
    let data = config.data.dir.display();
    format!(
        "next: no account exists yet; make one in another terminal, in this folder, with\n  \
         cargo run --release -- admin bootstrap --email you@example.com --org Acme --app Chat --data {data}"
    )
}
