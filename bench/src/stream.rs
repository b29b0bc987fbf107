//! Where a server is and how it is spoken to: plain TCP or TLS, from one of several source addresses on loopback.

use crate::failure::Failure;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Sockets from one source address to one port: what a kernel's default range of ports has room for (28,232), with some to spare.
const SOCKETS_OF_A_SOURCE: usize = 20_000;
/// Source addresses on loopback, 127.0.0.1 and up.
const SOURCES_MAX: usize = 250;

/// An address to connect to.
#[derive(Clone)]
pub struct Address {
    /// Where.
    pub at: SocketAddr,
    /// The `host` header.
    pub host: Rc<str>,
    /// How; `None` = plain.
    pub tls: Option<Secured>,
    /// From where; `None` = as the kernel likes.
    source: Option<Ipv4Addr>,
}

/// TLS to a name.
#[derive(Clone)]
pub struct Secured {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Secured {
    /// Trusts these roots and expects this name. Errors: what is no name of a server.
    pub fn new(name: &str, roots: RootCertStore) -> Result<Self, Failure> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().map_err(failed)?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).map_err(failed)?;
        Ok(Secured { connector: TlsConnector::from(Arc::new(config)), name })
    }
}

fn failed(error: impl std::error::Error) -> Failure {
    Failure::new(format!("TLS: {error}"))
}

/// The roots that this machine trusts.
fn machine_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

impl Address {
    /// Plain, or with TLS to the name that it holds.
    #[must_use]
    pub fn new(at: SocketAddr, tls: Option<Secured>) -> Self {
        Address { at, host: at.to_string().into(), tls, source: None }
    }

    /// Reads `http://HOST[:PORT]` or `https://…` and looks the host up.
    ///
    /// Errors: what is no such URL, or a name nobody knows.
    pub async fn of_url(url: &str) -> Result<Self, Failure> {
        let (tls, host, port) = parts(url)?;
        let unknown = |why: String| Failure::new(format!("{url}: {host} was not found: {why}"));
        let at = lookup_host((host, port)).await.map_err(|error| unknown(error.to_string()))?.next();
        let at = at.ok_or_else(|| unknown("it has no address".to_owned()))?;
        let tls = tls.then(|| Secured::new(host, machine_roots())).transpose()?;
        let host = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Ok(Address { at, host: host.into(), tls, source: None })
    }

    /// The address as connection `number` takes it: beyond what one source has ports for, loopback is reached from its others.
    #[must_use]
    pub fn for_connection(&self, number: usize) -> Self {
        let source = number / SOCKETS_OF_A_SOURCE % SOURCES_MAX;
        let is_loopback = matches!(self.at.ip(), IpAddr::V4(ip) if ip.is_loopback());
        let source = (is_loopback && source > 0).then(|| Ipv4Addr::new(127, 0, 0, source as u8 + 1));
        Address { source, ..self.clone() }
    }

    /// Connects.
    pub async fn dial(&self) -> Result<Stream, Failure> {
        let dialled = match self.source {
            None => TcpStream::connect(self.at).await,
            Some(source) => {
                let socket = TcpSocket::new_v4()?;
                socket.bind((source, 0).into())?;
                socket.connect(self.at).await
            }
        };
        let tcp = dialled.map_err(|error| Failure::new(format!("connecting to {}: {error}", self.at)))?;
        tcp.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Stream::Plain(tcp)),
            Some(tls) => {
                let secured = tls.connector.connect(tls.name.clone(), tcp).await;
                let secured = secured.map_err(|error| Failure::new(format!("TLS with {}: {error}", self.host)))?;
                Ok(Stream::Tls(Box::new(secured)))
            }
        }
    }
}

/// Whether it is TLS, the host and the port of a URL.
fn parts(url: &str) -> Result<(bool, &str, u16), Failure> {
    let wrong = || Failure::new(format!("{url} is no address of a server; one looks like https://chat.example.com"));
    let (tls, rest) = match url.split_once("://") {
        Some(("http", rest)) => (false, rest),
        Some(("https", rest)) => (true, rest),
        _ => return Err(wrong()),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| wrong())?),
        _ => (rest, if tls { 443 } else { 80 }),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_host = !host.is_empty() && host.chars().all(|char| char.is_ascii_alphanumeric() || "-._:".contains(char));
    is_host.then_some((tls, host, port)).ok_or_else(wrong)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_scheme_a_host_and_perhaps_a_port() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", (false, "127.0.0.1", 8080)),
            ("https://chat.example.com/", (true, "chat.example.com", 443)),
            ("http://[::1]:81", (false, "::1", 81)),
            ("http://[::1]", (false, "::1", 80)),
        ] {
            assert_eq!(parts(url).unwrap(), expected, "{url}");
        }
        for wrong in
            ["", "chat.example.com", "ftp://a", "http://", "http://a:b", "http://a/path", "http://a b", "ws://a"]
        {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn loopback_is_reached_from_further_sources_where_one_has_no_more_ports() {
        let (here, there) = ("127.0.0.1:80".parse().unwrap(), "192.0.2.1:80".parse().unwrap());
        let source = |at, number| Address::new(at, None).for_connection(number).source;
        assert_eq!((source(here, 0), source(here, 19_999)), (None, None));
        assert_eq!(
            (source(here, 20_000), source(here, 40_001)),
            (Some([127, 0, 0, 2].into()), Some([127, 0, 0, 3].into()))
        );
        assert_eq!(source(there, 40_000), None);
    }
}
