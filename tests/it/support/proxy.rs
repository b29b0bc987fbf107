//! A way to a database that can be cut: connections refused and broken, or open and silent.

use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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

/// The text whose transaction loses the answer to its COMMIT, until one did.
type Fatal = Arc<Mutex<Option<&'static str>>>;

/// A proxy on a port of this machine, before a PostgreSQL server's socket. It ends with its value.
pub struct Proxy {
    pub port: u16,
    way: Arc<watch::Sender<Way>>,
    fatal: Fatal,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Starts it, open.
    pub async fn start(socket: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let way = Arc::new(watch::Sender::new(Way::Open));
        let (fatal, mut tasks) = (Arc::default(), JoinSet::new());
        tasks.spawn(accept(listener, socket, way.subscribe(), Arc::clone(&fatal)));
        Proxy { port, way, fatal, _tasks: tasks }
    }

    /// Breaks one connection between a COMMIT and its answer: the first that said this text before.
    pub fn lose_commit_after(&self, text: &'static str) {
        *self.fatal.lock().unwrap() = Some(text);
    }

    /// Whether that has happened.
    pub fn has_lost_it(&self) -> bool {
        self.fatal.lock().unwrap().is_none()
    }

    /// Changes what it does, for open connections too.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn accept(listener: TcpListener, socket: String, mut way: watch::Receiver<Way>, fatal: Fatal) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Dropped at once where the way is cut: the client reads an end.
                if let (Ok((client, _)), false) = (accepted, *way.borrow() == Way::Cut) {
                    connections.spawn(pass(client, socket.clone(), way.clone(), Arc::clone(&fatal)));
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

async fn pass(mut client: TcpStream, socket: String, mut way: watch::Receiver<Way>, fatal: Fatal) {
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
            _ = copy(&mut client, &mut server, &fatal) => return,
        }
    }
}

/// Copies both ways until one ends, or an answer is to be lost.
async fn copy(client: &mut TcpStream, server: &mut UnixStream, fatal: &Mutex<Option<&'static str>>) -> io::Result<()> {
    let (mut asked, mut answered, mut is_doomed) = (vec![0; 65_536], vec![0; 65_536], false);
    loop {
        tokio::select! {
            count = client.read(&mut asked) => {
                let bytes = &asked[..count?];
                is_doomed |= fatal.lock().unwrap().is_some_and(|text| holds(bytes, text));
                server.write_all(bytes).await?;
                if bytes.is_empty() {
                    return Ok(());
                }
                if is_doomed && holds(bytes, "COMMIT") {
                    // It answers once it has committed.
                    if server.read(&mut answered).await? > 0 {
                        *fatal.lock().unwrap() = None;
                    }
                    return Ok(());
                }
            }
            count = server.read(&mut answered) => {
                let bytes = &answered[..count?];
                client.write_all(bytes).await?;
                if bytes.is_empty() {
                    return Ok(());
                }
            }
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
