//! `tokenim serve`.

use super::{Failure, folder, open, place, say, settings};
use crate::app::{self, Listeners};
use crate::config::Config;
use crate::lifecycle::Signals;
use crate::tls::Tls;
use crate::{lifecycle, telemetry};
use clap::Args;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

/// Flags of `serve`.
#[derive(Debug, Default, Args)]
pub struct Flags {
    /// Address of the console, the REST API and the gateway; port 0 takes any free port.
    #[arg(long, value_name = "ADDRESS", value_parser = socket_address)]
    listen: Option<SocketAddr>,
    /// Address of /metrics, /healthz and /readyz.
    #[arg(long, value_name = "ADDRESS", value_parser = socket_address)]
    private_listen: Option<SocketAddr>,
    /// PEM file of the certificate and what leads to its root: the address speaks TLS only.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's key, readable to its owner only.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// Reads an address; says how one looks, since a bare port or a name is the common mistake.
fn socket_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "an IP address and a port, like 127.0.0.1:8080 (this machine) or 0.0.0.0:8080 (all)")
}

impl Flags {
    /// Puts the flags over what the configuration says.
    pub fn apply(self, config: &mut Config) {
        config.server.listen = self.listen.unwrap_or(config.server.listen);
        config.server.private_listen = self.private_listen.unwrap_or_else(|| default_private(config));
        if let (Some(cert), Some(key)) = (self.tls_cert, self.tls_key) {
            (config.server.tls_cert, config.server.tls_key) = (cert, key);
        }
    }
}

pub async fn run(mut config: Config, flags: Flags) -> Result<(), Failure> {
    flags.apply(&mut config);
    telemetry::start(&config.log)?;
    let tls = Tls::load(&config.server)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let listeners = Listeners { public: bind(config.server.listen)?, private: bind(config.server.private_listen)? };
    let (public, private) = (address(&listeners.public)?, address(&listeners.private)?);
    let _serving = tokenim_store::lock_for_serving(&config.data.dir)?;
    let _alone = tokenim_store::lock_database(&settings(&config)).await?;
    let console = app::origin(&config, &listeners.public, tls.as_ref())?;
    let opened = open(&config).await?;
    let has_accounts = opened.store.has_accounts().await?;
    let app = app::build(&config, opened.store, listeners, tls)?;
    // Whoever reads that it listens may stop it at once.
    let signals = Signals::new(app.tls.is_some())?;
    let shows_mail = config.mail.outbox(&config.data.dir).is_some() && config.server.public_origin().is_none();
    if shows_mail {
        tracing::warn!(
            "mails are not sent: /dev/mail shows them, with the links in them, to whoever asks from this machine, as a \
             proxy does for everybody; set server.public_origin behind one"
        );
    }
    say(&format!("listening on {scheme}://{public}"))?;
    say(&format!("private on http://{private}"))?;
    say(&format!("data in {}", place(&config)))?;
    if !public.ip().is_loopback() && config.server.public_origin().is_none() {
        say("note: the console answers on this machine only, until server.public_origin is the address people open")?;
    }
    if shows_mail {
        say(&format!("mail is not sent but written to files; read it at {console}/dev/mail on this machine"))?;
    }
    say(&next_step(has_accounts, &console, &config))?;
    lifecycle::run_until_stopped(app, &config, signals).await
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
    let program = std::env::args().next().unwrap_or_else(|| "tokenim".to_owned());
    let data = folder(config);
    format!(
        "next: open {console}/sign-up\n  \
         who operates the service makes that account in another terminal instead:\n  \
         {program} admin bootstrap --email you@example.com --org Acme --app Chat --data {data}"
    )
}
