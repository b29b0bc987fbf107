//! TLS as a client sees it: an authority of the test's own, the certificate it gave the server, and connections that trust it.

use super::wait::within;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, crypto::aws_lc_rs};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A stream of bytes, whatever carries it.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}
pub type Bytes = Box<dyn Duplex>;

/// A server's files, and the authority that vouches for it.
pub struct Identity {
    pub cert: PathBuf,
    pub key: PathBuf,
    authority: Issuer<'static, KeyPair>,
    roots: Arc<RootCertStore>,
}

impl Identity {
    /// Writes a first certificate and its key into a folder.
    pub fn new(folder: &Path) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let mut roots = RootCertStore::empty();
        roots.add(params.self_signed(&key).unwrap().der().clone()).unwrap();
        let identity = Identity {
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
            authority: Issuer::new(params, key),
            roots: Arc::new(roots),
        };
        identity.renew();
        identity
    }

    /// A fresh certificate and its key, in PEM.
    pub fn issue(&self) -> (String, String, CertificateDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.authority).unwrap();
        (cert.pem(), key.serialize_pem(), cert.der().clone())
    }

    /// Puts a fresh pair in the place of the old one; returns the certificate.
    pub fn renew(&self) -> CertificateDer<'static> {
        let (cert, key, der) = self.issue();
        write(&self.key, &key);
        write(&self.cert, &cert);
        der
    }

    /// Shakes hands.
    pub async fn connect(&self, tcp: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connect_as(tcp, rustls::ALL_VERSIONS, &["http/1.1"]).await
    }

    /// Shakes hands with some versions and protocols only.
    pub async fn connect_as(
        &self,
        tcp: TcpStream,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&str],
    ) -> io::Result<TlsStream<TcpStream>> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_protocol_versions(versions).unwrap().with_root_certificates(self.roots.clone());
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        within(TlsConnector::from(Arc::new(config)).connect(name, tcp)).await
    }
}

/// Writes a file as renewals do: whole under another name, then renamed.
pub fn write(file: &Path, text: &str) {
    let fresh = file.with_extension("new");
    fs::write(&fresh, text).unwrap();
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&fresh, file).unwrap();
}
