//! The floor of a fan-out: one thread that writes prebuilt bytes to many sockets, one write each.

use crate::report::Failure;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokenim_bench::process;

/// What the writer is asked to do next.
struct Round {
    bytes: Vec<u8>,
}

/// A thread with its sockets. It writes a round when asked and tells the CPU it has used so far.
pub struct Writer {
    /// Where the readers connect.
    pub address: SocketAddr,
    rounds: Option<SyncSender<Round>>,
    done: Receiver<Result<Duration, Failure>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Listens; the thread accepts that many readers, who must come, before it does anything else.
    pub fn start(readers: usize) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (rounds, asked) = sync_channel::<Round>(1);
        let (tell, done) = sync_channel(1);
        let thread = std::thread::Builder::new().name("floor-fanout".to_owned()).spawn(move || {
            let mut sockets = accept(&listener, readers);
            while let Ok(round) = asked.recv() {
                let written = match &mut sockets {
                    Ok(sockets) => write(sockets, &round.bytes),
                    Err(failure) => Err(Failure::new(failure.to_string())),
                };
                if tell.send(written).is_err() {
                    return;
                }
            }
        })?;
        Ok(Writer { address, rounds: Some(rounds), done, thread: Some(thread) })
    }

    /// Starts writing these bytes to every reader.
    pub fn begin(&self, bytes: Vec<u8>) -> Result<(), Failure> {
        let rounds = self.rounds.as_ref().expect("taken only by drop");
        rounds.send(Round { bytes }).map_err(|_| Failure::new("the floor's writer is gone"))
    }

    /// The CPU of the thread up to the end of the round that was begun; `None` while it is still writing. The kernel's
    /// count lags by a tick, so only differences over many rounds are exact.
    pub fn finished(&self) -> Result<Option<Duration>, Failure> {
        self.done.try_recv().ok().transpose()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.rounds.take());
        // Its sockets close with it; a panic there has been printed already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn accept(listener: &TcpListener, readers: usize) -> Result<Vec<TcpStream>, Failure> {
    let mut sockets = Vec::with_capacity(readers);
    while sockets.len() < readers {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        sockets.push(socket);
    }
    Ok(sockets)
}

fn write(sockets: &mut [TcpStream], bytes: &[u8]) -> Result<Duration, Failure> {
    for socket in sockets {
        socket.write_all(bytes)?;
    }
    Ok(Duration::from_nanos(process::own_thread_ns()?))
}
