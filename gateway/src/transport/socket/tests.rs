//! A socket over loopback, and a client of bare bytes.

use super::*;
use crate::encoded::Form;
use crate::tests::client::World;
use std::time::Instant;
use tokenim_domain::Error;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// An empty ping and the pong that answers it (RFC 6455 §5.5.2).
const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];
const PONG: [u8; 2] = [0x8A, 0];

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// How long the server takes to answer a ping.
async fn ping(client: &mut TcpStream) -> Duration {
    let (since, mut answer) = (Instant::now(), [0; PONG.len()]);
    client.write_all(&PING).await.unwrap();
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, PONG);
    since.elapsed()
}

#[test]
fn whoever_was_refused_by_a_busy_node_is_left_unread_for_a_moment_and_loses_nothing() {
    actix_rt::System::new().block_on(async {
        let node = World::new().node();
        let connection = node.accept(Form::default());
        let (mut client, server) = pair().await;
        let talk = async {
            ping(&mut client).await;
            node.refusal(&connection, 1, &Error::new(Code::Overloaded));
            let rested = ping(&mut client).await;
            assert!(rested >= OVERLOADED_REST, "read after {rested:?}");
            node.refusal(&connection, 2, &Error::new(Code::RateLimited));
            assert!(!connection.take_overload(), "the node is not busy");
            ping(&mut client).await;
            drop(client);
        };
        let served = serve(node.clone(), connection.clone(), Stream::Plain(server), BytesMut::new(), Bytes::new());
        tokio::join!(talk, served);
    });
}
