//! A way to a database that can be cut: connections refused and broken, or open and silent.

use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the way does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Passes everything.
    Open,
    /// Breaks every connection and takes no new one.
    Cut,
    /// Takes connections and passes nothing, as a stopped machine does.
    Silent,
}

/// A proxy on a port of this machine, before a PostgreSQL server's socket. It ends with its value.
pub struct Proxy {
    pub port: u16,
    way: Arc<watch::Sender<Way>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Starts it, open.
    pub async fn start(socket: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let way = Arc::new(watch::Sender::new(Way::Open));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, socket, way.subscribe()));
        Proxy { port, way, _tasks: tasks }
    }

    /// Changes what it does, for open connections too.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn accept(listener: TcpListener, socket: String, mut way: watch::Receiver<Way>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Dropped at once where the way is cut: the client reads an end.
                if let (Ok((client, _)), false) = (accepted, *way.borrow() == Way::Cut) {
                    connections.spawn(pass(client, socket.clone(), way.clone()));
                }
            }
            changed = way.changed() => {
                if changed.is_err() {
                    return;
                }
                if *way.borrow_and_update() == Way::Cut {
                    connections.abort_all();
                }
            }
        }
    }
}

async fn pass(mut client: TcpStream, socket: String, mut way: watch::Receiver<Way>) {
    let Ok(mut server) = UnixStream::connect(socket).await else { return };
    loop {
        if way.wait_for(|way| *way == Way::Open).await.is_err() {
            return;
        }
        // What was read when the way falls silent is lost with the copy; a connection that loses bytes ends.
        let silent = async {
            let mut way = way.clone();
            way.wait_for(|way| *way != Way::Open).await.is_err()
        };
        tokio::select! {
            biased;
            _ = silent => {}
            _ = copy_bidirectional(&mut client, &mut server) => return,
        }
    }
}
