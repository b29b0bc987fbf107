//! `tokenim health`.

use super::{Failure, say};
use crate::config::Config;
use clap::Args;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read; what `/readyz` says is far shorter.
const ANSWER_BYTES_MAX: u64 = 4_096;

/// Flags of `health`.
#[derive(Debug, Args)]
pub struct Flags {
    /// The server's private address, where it is not the one of the configuration.
    #[arg(long, value_name = "ADDRESS")]
    private_listen: Option<SocketAddr>,
}

/// Asks the server of this machine whether it may be sent traffic. For images without a shell, whose health check this is.
pub async fn run(config: Config, flags: Flags) -> Result<(), Failure> {
    let address = reachable(flags.private_listen.unwrap_or(config.server.private_listen));
    let fault = |source| Failure::Io { what: format!("asking http://{address}/readyz"), source };
    let answer =
        tokio::time::timeout(PATIENCE, ask(address)).await.map_err(io::Error::from).flatten().map_err(fault)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) == Some("200") {
        return say(body.trim_end());
    }
    Err(fault(io::Error::other(if body.is_empty() { "that is no answer of tokenim" } else { body.trim_end() })))
}

/// What listens on every address answers on loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

async fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_address_is_asked_on_loopback() {
        for (listens, asked) in
            [("0.0.0.0:8081", "127.0.0.1:8081"), ("[::]:8081", "[::1]:8081"), ("10.0.0.7:8081", "10.0.0.7:8081")]
        {
            assert_eq!(reachable(listens.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
