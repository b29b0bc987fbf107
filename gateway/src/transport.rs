//! The transport: actix parses the handshake, then the stream, TCP or TLS, belongs to one task of ours.

mod handshake;
mod socket;
mod stream;
mod tls;
mod worker;

use crate::gateway::Gateway;
use actix_codec::Framed;
use actix_http::{Request, h1};
use handshake::Verdict;
use std::net::IpAddr;
pub use stream::Stream;
pub use tls::accept;
use tokenim_domain::log::MessageLog;

/// A request that asked for an upgrade, and the connection it came on.
pub type Handed = (Request, Framed<Stream, h1::Codec>);

/// Takes over a connection whose request asked for an upgrade; `address` is its client's.
///
/// The HTTP dispatcher is gone when this returns; what it had read already is kept.
/// Errors: the request and its connection, unless it asks for a WebSocket on our path.
/// Source: docs/ARCHITECTURE.md.
#[expect(
    clippy::disallowed_methods,
    reason = "a connection's task ends with its connection, which the drain waits for"
)]
#[expect(clippy::result_large_err, reason = "what is given back is what was handed over")]
pub fn upgrade<L: MessageLog>(
    gateway: Gateway<L>,
    (request, framed): Handed,
    address: Option<IpAddr>,
) -> Result<(), Handed> {
    if !handshake::asks_for_websocket(&request) {
        return Err((request, framed));
    }
    let verdict = handshake::judge(&request);
    drop(request);
    let parts = framed.into_parts();
    let early = parts.read_buf;
    match verdict {
        Verdict::Accept { response, form, refuse, origin } => {
            let connection = gateway.accept(form);
            if let Some(origin) = origin {
                connection.set_origin(origin);
            }
            gateway.admit(&connection, address);
            if let Some(code) = refuse {
                gateway.close(&connection, code);
            }
            actix_rt::spawn(socket::serve(gateway, connection, parts.io, early, response));
        }
        Verdict::Reject { response } => {
            actix_rt::spawn(socket::reject(parts.io, response));
        }
    }
    Ok(())
}
