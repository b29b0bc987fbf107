//! A socket over loopback, and a client of bare bytes.

use super::*;
use crate::connection::OVERLOADED_PAUSE;
use crate::encoded::Form;
use crate::model::ModelLog;
use crate::tests::client::World;
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

async fn say_ping(client: &mut TcpStream) {
    client.write_all(&PING).await.unwrap();
}

async fn hear_pong(client: &mut TcpStream) {
    let mut answer = [0; PONG.len()];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, PONG);
}

/// Serves a connection while `talk` is under way, of whose client it is.
fn serve_while<T: Future<Output = ()>>(talk: impl FnOnce(World, Gateway<ModelLog>, Arc<Connection>, TcpStream) -> T) {
    actix_rt::System::new().block_on(async {
        let world = World::new();
        let node = world.node();
        let connection = node.accept(Form::default());
        let (client, server) = pair().await;
        let served = serve(node.clone(), connection.clone(), Stream::Plain(server), BytesMut::new(), Bytes::new());
        tokio::join!(talk(world, node, connection, client), served);
    });
}

#[test]
fn whoever_is_refused_by_a_busy_node_is_left_unread_for_a_moment_and_loses_nothing() {
    serve_while(async |world, node, connection, mut client| {
        node.refusal(&connection, 1, &Error::new(Code::Overloaded));
        say_ping(&mut client).await;
        // The clock stands: it can't come to be read.
        tokio::time::sleep(OVERLOADED_PAUSE * 2).await;
        assert_eq!(client.try_read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        connection.control(frame::encode_pong(&[]));
        connection.wake();
        hear_pong(&mut client).await;
        world.clock.advance(OVERLOADED_PAUSE);
        hear_pong(&mut client).await;
    });
}

#[test]
fn a_refusal_of_before_or_by_a_node_that_is_not_busy_leaves_nobody_unread() {
    serve_while(async |world, node, connection, mut client| {
        node.refusal(&connection, 1, &Error::new(Code::Overloaded));
        world.clock.advance(OVERLOADED_PAUSE);
        node.refusal(&connection, 2, &Error::new(Code::RateLimited));
        say_ping(&mut client).await;
        hear_pong(&mut client).await;
    });
}
