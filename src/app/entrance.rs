//! How an accepted TCP connection becomes the byte stream that HTTP is spoken on.

use actix_http::Protocol;
use actix_http::error::DispatchError;
use rustls::ServerConfig;
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokenim_gateway::transport::{self, Stream};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// How long a client may take for the TLS handshake, its turn included.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// TLS handshakes under way in the process; more wait for their turn.
const HANDSHAKES_MAX: usize = 4_096;

/// The way in, the same for all workers.
#[derive(Clone)]
pub struct Entrance {
    /// How TLS is spoken; `None` = it is not.
    tls: Option<Arc<ServerConfig>>,
    turns: Arc<Semaphore>,
    /// How long a peer may leave unread what it was sent; `None` = as long as TCP's own patience.
    unread: Option<Duration>,
}

impl Entrance {
    pub fn new(tls: Option<Arc<ServerConfig>>, unread: Option<Duration>) -> Self {
        Entrance { tls, turns: Arc::new(Semaphore::new(HANDSHAKES_MAX)), unread }
    }

    /// Readies a connection for HTTP.
    ///
    /// Errors: a TLS handshake that failed or took too long; the connection is closed.
    pub async fn enter(self, tcp: TcpStream) -> Result<(Stream, Protocol, Option<SocketAddr>), DispatchError> {
        tcp.set_nodelay(true)?;
        // RFC 5482: without it a peer that answers but never reads would keep its place for as long as it likes.
        SockRef::from(&tcp).set_tcp_user_timeout(self.unread)?;
        let peer = tcp.peer_addr().ok();
        let stream = match self.tls {
            None => Stream::Plain(tcp),
            Some(config) => {
                let handshake = async {
                    let _turn = self.turns.acquire().await.map_err(io::Error::other)?;
                    transport::accept(tcp, config).await
                };
                let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await;
                let tls = shaken.unwrap_or_else(|late| Err(late.into()));
                let tls = tls.inspect_err(|error| tracing::debug!(?peer, %error, "a TLS handshake failed"))?;
                Stream::Tls(Box::new(tls))
            }
        };
        Ok((stream, Protocol::Http1, peer))
    }
}
