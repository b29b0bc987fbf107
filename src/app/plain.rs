//! Requests that ask for an upgrade we do not speak (HTTP/2 over plain TCP, as Java's client does) are answered as if they

//! had not asked (RFC 9110 §7.8: a server may ignore Upgrade).

use actix_codec::Framed;
use actix_http::body::{BoxBody, MessageBody};
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, Response};
use futures_util::SinkExt;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use tokenim_gateway::transport::Stream;
use tokio::io::AsyncWriteExt;

/// Writes an answer and ends the connection: the dispatcher that would have kept it is gone. The codec is a fresh one,
/// because the old one has noted the wish for an upgrade and would repeat it in the answer.
///
/// Errors: the peer has left.
pub async fn answer(response: Response<BoxBody>, handed: Framed<Stream, Codec>) -> io::Result<()> {
    let mut framed = Framed::new(handed.into_parts().io, Codec::default());
    let (mut head, body) = response.into_parts();
    head.head_mut().set_connection_type(ConnectionType::Close);
    framed.send(Message::Item((head, body.size()))).await?;
    let mut body = pin!(body);
    while let Some(chunk) = poll_fn(|context| body.as_mut().poll_next(context)).await {
        let chunk = chunk.map_err(|error| io::Error::other(error.to_string()))?;
        framed.send(Message::Chunk(Some(chunk))).await?;
    }
    framed.send(Message::Chunk(None)).await?;
    framed.io_mut().shutdown().await
}
