//! Where a server is and how it is spoken to: plain TCP, or TLS with a certificate made for the run.

use crate::report::Failure;
use rcgen::generate_simple_self_signed;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The name in the certificate.
const NAME: &str = "localhost";

/// A certificate of the run's own.
#[derive(Clone)]
pub struct Tls {
    /// File of the certificate.
    pub cert: PathBuf,
    /// File of its key.
    pub key: PathBuf,
    connector: TlsConnector,
}

impl Tls {
    /// Makes a certificate in a folder.
    pub fn make(folder: &Path) -> Result<Self, Failure> {
        let made = generate_simple_self_signed([NAME.to_owned()]).map_err(failed)?;
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        fs::write(&cert, made.cert.pem())?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&key)?;
        file.write_all(made.signing_key.serialize_pem().as_bytes())?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).map_err(failed)?;
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().map_err(failed)?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(Tls { cert, key, connector: TlsConnector::from(Arc::new(config)) })
    }
}

fn failed(error: impl std::error::Error) -> Failure {
    Failure::new(format!("TLS: {error}"))
}

/// An address to connect to.
#[derive(Clone)]
pub struct Address {
    /// Where.
    pub at: SocketAddr,
    /// How; `None` = plain.
    pub tls: Option<Tls>,
}

impl Address {
    /// Connects.
    pub async fn dial(&self) -> Result<Stream, Failure> {
        let tcp = TcpStream::connect(self.at).await?;
        tcp.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Stream::Plain(tcp)),
            Some(tls) => {
                let name = ServerName::try_from(NAME).map_err(failed)?;
                Ok(Stream::Tls(Box::new(tls.connector.connect(name, tcp).await?)))
            }
        }
    }
}

/// A connection's bytes.
pub enum Stream {
    /// As they are.
    Plain(TcpStream),
    /// Sealed.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(context, into),
            Stream::Tls(tls) => Pin::new(tls).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}
