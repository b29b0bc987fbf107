//! The floor of a relayed message: one thread that reads a frame, acknowledges it and writes prebuilt bytes to one other socket.
//!
//! It speaks as much of the wire as the same clients need: the handshake, the reply to `connect`, acks with their ids.

use crate::report::Failure;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokenim_bench::{BODY, MESSAGE_PUSH, process};

/// The thread's name, by which the kernel tells its CPU.
const THREAD: &str = "floor-relay";
const LISTENER: Token = Token(usize::MAX);
const READ_BYTES: usize = 64 * 1024;
/// How often the thread looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// A running relay.
pub struct Relay {
    /// Where clients connect, as `sender-N` and `reader-N`, by their tokens.
    pub address: SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Starts it.
    pub fn start() -> Result<Self, Failure> {
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (address, ends) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let state = State { poll, listener, clients: HashMap::new(), named: HashMap::new(), next: 0, push: push() };
        let ended = ends.clone();
        let work = move || {
            if let Err(error) = state.run(&ended) {
                crate::report::say(&format!("the relay of the floor ended: {error}"));
            }
        };
        let thread = std::thread::Builder::new().name(THREAD.to_owned()).spawn(work)?;
        Ok(Relay { address, ends, thread: Some(thread) })
    }

    /// CPU of the thread so far, microseconds.
    pub fn cpu_us(&self) -> Result<u64, Failure> {
        Ok(process::threads_us(std::process::id())?.get(THREAD).copied().unwrap_or_default())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // A panic there has been printed already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What a reader gets for each message: as long as the server's push.
fn push() -> Vec<u8> {
    let text = format!(
        "{MESSAGE_PUSH},\"conversation\":\"{:026}\",\"epoch\":1,\"seq\":100000,\"msg_no\":100000,\"at\":1700000000000,\"id\":\"msg_{:026}\",\"sender\":\"sender-12\",\"client_msg_id\":\"{:036}\",\"kind\":\"text\",\"body\":{BODY}}}}}",
        0, 0, 0
    );
    frame(text.as_bytes())
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let head = match payload.len() {
        short @ 0..=125 => vec![0x81, short as u8],
        long => [&[0x81, 126], &(long as u16).to_be_bytes()[..]].concat(),
    };
    [&head, payload].concat()
}

struct State {
    poll: Poll,
    listener: TcpListener,
    clients: HashMap<usize, Client>,
    /// Readers by their pair.
    named: HashMap<String, usize>,
    next: usize,
    push: Vec<u8>,
}

struct Client {
    stream: TcpStream,
    bytes: Vec<u8>,
    upgraded: bool,
    /// The pair it sends in.
    pair: Option<String>,
    peer: Option<usize>,
}

impl State {
    fn run(mut self, ends: &AtomicBool) -> io::Result<()> {
        let (mut events, mut buffer) = (Events::with_capacity(1_024), vec![0; READ_BYTES]);
        while !ends.load(Ordering::Relaxed) {
            self.poll.poll(&mut events, Some(LOOK))?;
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(at) => self.serve(at, &mut buffer)?,
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((mut stream, _)) => {
                    stream.set_nodelay(true)?;
                    self.poll.registry().register(&mut stream, Token(self.next), Interest::READABLE)?;
                    let client = Client { stream, bytes: Vec::new(), upgraded: false, pair: None, peer: None };
                    self.clients.insert(self.next, client);
                    self.next += 1;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads what is there, answers it in one write, and writes as many pushes to the peer in another.
    fn serve(&mut self, at: usize, buffer: &mut [u8]) -> io::Result<()> {
        let Some(client) = self.clients.get_mut(&at) else { return Ok(()) };
        loop {
            match client.stream.read(buffer) {
                Ok(0) => {
                    self.clients.remove(&at);
                    return Ok(());
                }
                Ok(read) => client.bytes.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.clients.remove(&at);
                    return Ok(());
                }
            }
        }
        if !client.upgraded {
            if !client.bytes.ends_with(b"\r\n\r\n") {
                return Ok(());
            }
            client.bytes.clear();
            client.upgraded = true;
            return write(&mut client.stream, b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
        }
        let (mut answers, mut messages, mut used) = (Vec::new(), 0, 0);
        while let Some((text, end)) = unmasked(&client.bytes[used..]) {
            used += end;
            let text = String::from_utf8_lossy(&text);
            let id = text.strip_prefix("{\"id\":").and_then(|rest| rest.split(',').next()).unwrap_or_default();
            answers.extend(frame(format!("{{\"id\":{id},\"ok\":{{}}}}").as_bytes()));
            if let Some((_, token)) = text.split_once("\"token\":\"") {
                let name = token.split('"').next().unwrap_or_default();
                match name.split_once('-') {
                    Some(("reader", pair)) => drop(self.named.insert(pair.to_owned(), at)),
                    Some((_, pair)) => client.pair = Some(pair.to_owned()),
                    None => {}
                }
            } else {
                messages += 1;
            }
        }
        client.bytes.drain(..used);
        write(&mut client.stream, &answers)?;
        if messages == 0 {
            return Ok(());
        }
        if client.peer.is_none() {
            client.peer = client.pair.as_ref().and_then(|pair| self.named.get(pair)).copied();
        }
        let Some(peer) = client.peer.and_then(|peer| self.clients.get_mut(&peer)) else { return Ok(()) };
        write(&mut peer.stream, &self.push.repeat(messages))
    }
}

/// Everything: what the loads have in flight fits the sockets' buffers.
fn write(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            // Its client has gone.
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

/// The beginning of the first frame's text, which is all that is needed, and where the frame ends; `None` until it is whole.
fn unmasked(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    const CONNECT_BYTES_MAX: usize = 128;
    let (start, length) = match usize::from(*bytes.get(1)? & 0x7f) {
        126 => (4, bytes.get(2..4)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))),
        short => (2, short),
    };
    let masked = bytes.get(start + 4..start + 4 + length)?;
    let mask = &bytes[start..start + 4];
    let text = masked.iter().take(CONNECT_BYTES_MAX).zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    Some((text, start + 4 + length))
}
