//! A WebSocket client that costs little: raw frames, one read buffer for all connections of the thread.

use crate::failure::{Failure, Refusal};
use crate::stream::{Address, Stream};
use serde::Deserialize;
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Bytes of one read, and of the one buffer the thread keeps.
const READ_BYTES: usize = 256 * 1024;
/// How long a server may take to answer a connect.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a handshake answer.
const HEAD_BYTES_MAX: usize = 4 * 1024;
/// RFC 6455 §5.3 wants masks nobody can guess, so that no page's script can forge bytes on the wire. All that is sent here is the
/// generator's own, and the server's work is the same.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// How every connection names the device it is on, as an app does that is installed: what it received is noted there, and without a
/// name each connection would be a new device.
const DEVICE: &str = "bench";

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING_PUSH: &str = "{\"push\":{\"type\":\"ping\"";
const PONG: &str = "{\"pong\":{}}";
/// How every delivered message begins.
pub const MESSAGE_PUSH: &str = "{\"push\":{\"type\":\"message\"";

/// A reply that says no.
#[derive(Deserialize)]
struct Refused {
    error: Refusal,
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// An authenticated connection.
pub struct Connection {
    stream: Stream,
    /// Bytes of a frame that is not whole yet.
    partial: Vec<u8>,
    /// Frames to be written.
    out: Vec<u8>,
    /// Commands of [`Connection::ask`].
    asked: u64,
}

impl Connection {
    /// Connects and authenticates; `heads` is the JSON of the field, or empty.
    ///
    /// Errors: the server can't be reached, or refuses.
    pub async fn open(address: &Address, token: &str, heads: &str) -> Result<Self, Failure> {
        Self::open_with(address, token, heads, |_| ()).await
    }

    /// The same, and hands on what came together with the answer, the answer first.
    pub async fn open_with(
        address: &Address,
        token: &str,
        heads: &str,
        mut on: impl FnMut(&str),
    ) -> Result<Self, Failure> {
        let opened = tokio::time::timeout(PATIENCE, Self::authenticate(address, token, heads, &mut on)).await;
        opened.map_err(|_| Failure::new(format!("a connect was not answered within {PATIENCE:?}")))?
    }

    async fn authenticate(
        address: &Address,
        token: &str,
        heads: &str,
        on: &mut impl FnMut(&str),
    ) -> Result<Self, Failure> {
        let mut stream = address.dial().await?;
        let host = &address.host;
        let request = format!(
            "GET /v1/connect HTTP/1.1\r\nhost: {host}\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: tokenim.v1.json\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let rest = handshake_answer(&mut stream).await?;
        let mut connection = Connection { stream, partial: rest, out: Vec::new(), asked: 0 };
        let heads = if heads.is_empty() { String::new() } else { format!(",\"heads\":{heads}") };
        connection.queue(&format!(
            "{{\"id\":1,\"connect\":{{\"token\":\"{token}\",\"device\":\"{DEVICE}\",\"sdk\":\"bench/1\"{heads}}}}}"
        ));
        let mut answer = None;
        while answer.is_none() {
            let taken = |text: &str| {
                answer = answer.take().or_else(|| Some(text.to_owned()));
                on(text);
            };
            connection.read(taken).await?;
        }
        let answer = answer.unwrap_or_default();
        if answer.starts_with("{\"id\":1,\"ok\"") {
            return Ok(connection);
        }
        let refusal = serde_json::from_str(&answer).ok().map(|reply: Refused| reply.error);
        Err(Failure::refused(format!("connect was answered {answer}"), refusal))
    }

    /// Sends a command, on a connection with no sender, and waits for its ok, which it returns. Errors: any other reply.
    pub async fn ask(&mut self, command: &str) -> Result<String, Failure> {
        self.tell(command);
        let id = self.asked + 1;
        let mut answer = None;
        while answer.is_none() {
            let taken = |text: &str| {
                if text.starts_with("{\"id\":") {
                    answer = Some(text.to_owned());
                }
            };
            self.read(taken).await?;
        }
        match answer.unwrap_or_default() {
            ok if ok.starts_with(&format!("{{\"id\":{id},\"ok\"")) => Ok(ok),
            other => Err(Failure::new(format!("{command} was answered {other}"))),
        }
    }

    /// Sends a command whose answer nobody waits for.
    pub fn tell(&mut self, command: &str) {
        self.asked += 1;
        let id = self.asked + 1;
        self.queue(&format!("{{\"id\":{id},{command}}}"));
    }

    /// Answers pings, and nothing else, until the server closes. Errors: it did.
    pub async fn hold(mut self) -> Result<(), Failure> {
        loop {
            self.read(|_| ()).await?;
        }
    }

    /// Queues a text frame, masked.
    pub fn queue(&mut self, text: &str) {
        self.out.push(TEXT);
        match text.len() {
            len @ 0..=125 => self.out.push(0x80 | len as u8),
            len => {
                self.out.push(0x80 | 126);
                let len = u16::try_from(len).expect("commands of a load run are short");
                self.out.extend_from_slice(&len.to_be_bytes());
            }
        }
        self.out.extend_from_slice(&MASK);
        self.out.extend(text.bytes().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }

    /// Writes what is queued as far as there is room, waits, reads once and hands on each whole text. A ping is answered: the
    /// answer goes out with the next read. May be dropped while it waits: what is written has left the queue.
    ///
    /// Errors: the server closed, with its reason.
    pub async fn read(&mut self, mut on: impl FnMut(&str)) -> Result<(), Failure> {
        if !self.partial.is_empty() && self.take_partial(&mut on)? {
            return Ok(());
        }
        poll_fn(|context| {
            self.write(context)?;
            BUFFER.with_borrow_mut(|buffer| {
                let mut into = ReadBuf::new(buffer);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut into))?;
                match into.filled() {
                    [] => Err(Failure::new("the server ended a connection")),
                    came => self.take(came, &mut on),
                }
                .into()
            })
        })
        .await
    }

    fn write(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        while !self.out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, &self.out) {
                Poll::Ready(written) => drop(self.out.drain(..written?)),
                Poll::Pending => return Ok(()),
            }
        }
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(flushed) => Ok(flushed?),
            Poll::Pending => Ok(()),
        }
    }

    /// Frames that came with the handshake's answer.
    fn take_partial(&mut self, on: &mut impl FnMut(&str)) -> Result<bool, Failure> {
        let joined = std::mem::take(&mut self.partial);
        let used = self.frames(&joined, on)?;
        self.partial.extend_from_slice(&joined[used..]);
        Ok(used > 0)
    }

    fn take(&mut self, bytes: &[u8], on: &mut impl FnMut(&str)) -> Result<(), Failure> {
        if self.partial.is_empty() {
            let used = self.frames(bytes, on)?;
            self.partial.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        self.partial.extend_from_slice(bytes);
        self.take_partial(on).map(drop)
    }

    fn frames(&mut self, bytes: &[u8], on: &mut impl FnMut(&str)) -> Result<usize, Failure> {
        let mut used = 0;
        while let Some((opcode, start, end)) = frame(&bytes[used..]) {
            let payload = &bytes[used + start..used + end];
            used += end;
            match opcode {
                TEXT => {
                    let text = std::str::from_utf8(payload).map_err(|_| Failure::new("a text frame is not UTF-8"))?;
                    if text.starts_with(PING_PUSH) {
                        self.queue(PONG);
                    } else {
                        on(text);
                    }
                }
                CLOSE => {
                    let reason = payload.get(2..).unwrap_or_default();
                    let what = format!("the server closed a connection: {}", String::from_utf8_lossy(reason));
                    return Err(Failure::refused(what, serde_json::from_slice(reason).ok()));
                }
                other => return Err(Failure::new(format!("a frame of kind {other:#x} was not expected"))),
            }
        }
        Ok(used)
    }
}

async fn handshake_answer(stream: &mut Stream) -> Result<Vec<u8>, Failure> {
    let mut answer = Vec::new();
    while answer.len() < HEAD_BYTES_MAX {
        if stream.read_buf(&mut answer).await? == 0 {
            break;
        }
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            if !answer.starts_with(b"HTTP/1.1 101") {
                break;
            }
            return Ok(answer.split_off(end + 4));
        }
    }
    let head: String = String::from_utf8_lossy(&answer).chars().take(200).collect();
    Err(Failure::new(format!("the handshake of /v1/connect was answered {head:?}")))
}

/// The first frame of `bytes`: its first byte, where its payload starts and where it ends; `None` until it is whole.
fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, short) = (*bytes.first()?, usize::from(*bytes.get(1)?));
    let (start, length) = match short {
        126 => (4, bytes.get(2..4)?.iter().fold(0, |n, byte| n << 8 | usize::from(*byte))),
        127 => (10, bytes.get(2..10)?.iter().fold(0, |n, byte| n << 8 | usize::from(*byte))),
        short => (2, short),
    };
    (bytes.len() >= start + length).then_some((first, start, start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_once_they_are_whole() {
        let long = [vec![TEXT, 126, 1, 0], vec![b'x'; 256]].concat();
        assert_eq!(frame(&long), Some((TEXT, 4, 260)));
        assert_eq!((frame(&long[..259]), frame(&long[..3]), frame(&[])), (None, None, None));
        assert_eq!(frame(&[TEXT, 1, b'a', TEXT]), Some((TEXT, 2, 3)));
    }
}
