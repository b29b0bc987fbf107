//! The certificate of the public port: read at the start, looked at again while the process runs, exchanged without closing anything.

use crate::cli::Failure;
use crate::config;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;

/// How often the files are read again.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// Permissions a key file may not have: any for others, and writing for the group. Reading by the group is how a
/// distribution shares keys with its services.
const KEY_MODE_FORBIDDEN: u32 = 0o027;
/// What clients may choose by ALPN. Not HTTP/2: a WebSocket would then be a stream of another connection's.
const ALPN: &[u8] = b"http/1.1";

/// TLS of the public port.
pub struct Tls {
    files: Files,
    /// What the files held when they were last read, good or not.
    seen: Pair,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

struct Files {
    cert: PathBuf,
    key: PathBuf,
}

/// The texts of both files.
#[derive(PartialEq, Eq)]
struct Pair {
    cert: Vec<u8>,
    key: Vec<u8>,
}

/// The certificate that new connections are shown.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Tls {
    /// Reads certificate and key, if the configuration names them.
    ///
    /// Errors: one named without the other; a file that is missing, holds neither, or may be read by others; a key of another certificate.
    pub fn load(server: &config::Server) -> Result<Option<Self>, Failure> {
        let Some((cert, key)) = server.tls()? else { return Ok(None) };
        let files = Files { cert: cert.to_owned(), key: key.to_owned() };
        let seen = files.read()?;
        let current = Arc::new(Current(RwLock::new(Arc::new(files.certified(&seen)?))));
        let config = Arc::new(speak(current.clone()).map_err(|source| fault("TLS", source))?);
        Ok(Some(Tls { files, seen, current, config }))
    }

    /// How connections shake hands.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// Takes over what the files hold, as it changes or when asked; a pair that is no good is logged, and the old one stays.
    pub async fn watch(mut self, mut asked: Signal, stop: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        loop {
            let must = tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => false,
                _ = asked.recv() => true,
            };
            self = match tokio::task::spawn_blocking(move || self.look(must)).await {
                Ok(tls) => tls,
                // The runtime ends.
                Err(_) => return,
            };
        }
    }

    /// Reads the files again and takes a good new pair over. `must` also tells what has not changed.
    fn look(mut self, must: bool) -> Self {
        let read = match self.files.read() {
            Ok(read) if read == self.seen && !must => return self,
            Ok(read) => read,
            // Between the two renames of a renewal a file may be gone; what was seen is forgotten, so that it is told once.
            Err(_) if self.seen.is_missing() && !must => return self,
            Err(failure) => {
                tracing::error!(%failure, "the TLS certificate stays as it was");
                self.seen = Pair::missing();
                return self;
            }
        };
        match self.files.certified(&read) {
            Ok(fresh) => {
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
                tracing::info!(file = %self.files.cert.display(), "the TLS certificate was read again");
            }
            Err(failure) => tracing::error!(%failure, "the TLS certificate stays as it was"),
        }
        self.seen = read;
        self
    }
}

impl Pair {
    fn missing() -> Self {
        Pair { cert: Vec::new(), key: Vec::new() }
    }

    fn is_missing(&self) -> bool {
        self.cert.is_empty() && self.key.is_empty()
    }
}

impl Files {
    fn read(&self) -> Result<Pair, Failure> {
        let mode = fs::metadata(&self.key).map_err(|source| fault_of(&self.key, source))?.permissions().mode();
        if mode & KEY_MODE_FORBIDDEN != 0 {
            let why = format!("others may read or change it (mode {:o}); run chmod 600", mode & 0o777);
            return Err(fault_of(&self.key, why));
        }
        let read = |file: &Path| fs::read(file).map_err(|source| fault_of(file, source));
        Ok(Pair { cert: read(&self.cert)?, key: read(&self.key)? })
    }

    /// The pair as TLS uses it.
    fn certified(&self, pair: &Pair) -> Result<CertifiedKey, Failure> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pair.cert).collect();
        let chain = chain.map_err(|source| fault_of(&self.cert, source))?;
        if chain.is_empty() {
            return Err(fault_of(&self.cert, "holds no certificate in PEM"));
        }
        let key = PrivateKeyDer::from_pem_slice(&pair.key);
        let key = key.map_err(|source| fault_of(&self.key, format!("holds no private key in PEM: {source}")))?;
        let fits = CertifiedKey::from_der(chain, key, &default_provider());
        fits.map_err(|source| fault_of(&self.key, format!("does not fit {}: {source}", self.cert.display())))
    }
}

/// TLS 1.2 and 1.3. Sessions are resumed by tickets that the client keeps, so a reconnect storm costs no memory here.
fn speak(current: Arc<Current>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new()?;
    Ok(config)
}

fn fault_of(file: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    fault(&file.display().to_string(), source)
}

fn fault(what: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::Io { what: what.to_owned(), source: io::Error::other(source) }
}
