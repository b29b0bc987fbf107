//! One task per connection reads, into a buffer that all connections of the thread share; everything queued is written at once,
//! by that task or by the thread's ([`super::worker`]).

use crate::connection::Connection;
use crate::connection::outbox::Left;
use crate::frame::{self, Decoder, Received};
use crate::gateway::Gateway;
use crate::incoming::Message;
use crate::transport::{Stream, worker};
use bytes::{Bytes, BytesMut};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use tokenim_domain::Code;
use tokenim_domain::log::MessageLog;
use tokenim_protocol::envelope::Malformed;
use tokenim_protocol::limits::UNAUTHENTICATED_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Sleep;

/// Bytes of one read, and of the one buffer each thread keeps.
const READ_BYTES: usize = 64 * 1024;
/// Reads before other connections of the thread get their turn.
const READS_PER_TURN: usize = 8;
/// Vectors of one write.
const VECTORS_MAX: usize = 128;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    /// Frames of the one socket that is written to; what the kernel does not take is kept with the socket.
    static FRAMES: RefCell<Vec<Bytes>> = const { RefCell::new(Vec::new()) };
}

/// Serves a connection until it ends, and forgets it.
pub async fn serve<L: MessageLog>(
    gateway: Gateway<L>,
    connection: Arc<Connection>,
    stream: Stream,
    mut early: BytesMut,
    response: Bytes,
) {
    let mut socket = Socket {
        stream,
        decoder: Decoder::new(connection.form),
        pending: vec![response],
        written: 0,
        task: Waker::noop().clone(),
        early_bytes: 0,
        early_messages: 0,
        pause: None,
        open: true,
        peer_closed: false,
        shut: false,
    };
    socket.feed(&gateway, &connection, &mut early);
    drop(early);
    let seated = Rc::new(Seated { connection, socket: RefCell::new(socket) });
    let seat = worker::sit(&seated);
    let Seated { connection, socket } = &*seated;
    poll_fn(|context| socket.borrow_mut().poll(&gateway, connection, context)).await;
    drop(seat);
    gateway.remove(connection);
}

/// A socket that its own task reads, and that is written to by whichever task of its thread has something for it.
pub(super) struct Seated {
    pub(super) connection: Arc<Connection>,
    socket: RefCell<Socket>,
}

impl Seated {
    /// Writes what is queued. What the kernel does not take now, and the end, are left to the socket's own task.
    pub(super) fn answer(&self) {
        self.connection.answer_ring();
        let mut socket = self.socket.borrow_mut();
        let task = socket.task.clone();
        if socket.write_turn(&self.connection, &mut Context::from_waker(&task)).is_ready() {
            drop(socket);
            task.wake();
        }
    }
}

/// Answers a request that is no WebSocket and ends its connection.
pub async fn reject(mut stream: Stream, response: Bytes) {
    // Whoever left before the answer needs none.
    let _ = stream.write_all(&response).await;
    let _ = stream.shutdown().await;
}

struct Socket {
    stream: Stream,
    decoder: Decoder,
    /// Frames taken from the queue that the kernel did not take yet; the first `written` bytes of the first one are out.
    pending: Vec<Bytes>,
    written: usize,
    /// Its own task.
    task: Waker,
    /// Bytes received before authentication.
    early_bytes: u32,
    /// Bytes of the messages in them, which may have been compressed.
    early_messages: u32,
    /// Until when nothing is read.
    pause: Option<Pin<Box<Sleep>>>,
    /// Whether frames are still read; afterwards bytes are dropped.
    open: bool,
    /// Whether the peer's close frame came.
    peer_closed: bool,
    /// Whether our side is shut.
    shut: bool,
}

impl Socket {
    /// One turn: write what is queued, read what came, until both would wait. Ready when the connection has ended.
    fn poll<L: MessageLog>(
        &mut self,
        gateway: &Gateway<L>,
        connection: &Arc<Connection>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        self.task.clone_from(context.waker());
        for _ in 0..READS_PER_TURN {
            if self.write_turn(connection, context).is_ready() {
                return Poll::Ready(());
            }
            if self.is_paused(gateway.now_ns(), connection, context) {
                return Poll::Pending;
            }
            match self.read(gateway, connection, context) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return Poll::Ready(()),
                // Reading queued replies (pongs, refusals): they go out before the task sleeps.
                Poll::Pending => return self.write_turn(connection, context),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether nothing is to be read now; the task is woken when it is.
    fn is_paused(&mut self, now_ns: u64, connection: &Connection, context: &mut Context<'_>) -> bool {
        let Some(left) = connection.unread_for(now_ns) else {
            self.pause = None;
            return false;
        };
        let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(left)));
        if pause.as_mut().poll(context).is_ready() {
            // It was made longer meanwhile.
            self.pause = None;
            context.waker().wake_by_ref();
        }
        true
    }

    /// Writes what is queued. Ready when nothing is left to do: the peer is gone, or both sides have closed.
    fn write_turn(&mut self, connection: &Connection, context: &mut Context<'_>) -> Poll<()> {
        FRAMES.with_borrow_mut(|frames| {
            frames.append(&mut self.pending);
            let turn = self.flush(connection, frames, context);
            self.pending = if frames.is_empty() { Vec::new() } else { std::mem::take(frames) };
            turn.unwrap_or(Poll::Ready(()))
        })
    }

    /// Writes frames, and then what is queued, in as few calls as the kernel takes.
    fn flush(
        &mut self,
        connection: &Connection,
        frames: &mut Vec<Bytes>,
        context: &mut Context<'_>,
    ) -> io::Result<Poll<()>> {
        loop {
            let left = match frames.is_empty() {
                true => connection.drain(frames),
                // A peer that reads nothing never lets the queue empty: the node's tick has given it up.
                false if connection.is_gone() => Left::Gone,
                false => Left::More,
            };
            if left == Left::Gone {
                return Ok(Poll::Ready(()));
            }
            while !frames.is_empty() {
                if self.write(frames, context)?.is_pending() {
                    return Ok(Poll::Pending);
                }
            }
            if left == Left::More {
                continue;
            }
            // Only TLS holds something back: what it sealed and the kernel did not take.
            let is_out = Pin::new(&mut self.stream).poll_flush(context)?.is_ready();
            return Ok(if is_out && left == Left::Finished { self.linger(context) } else { Poll::Pending });
        }
    }

    fn write(&mut self, frames: &mut Vec<Bytes>, context: &mut Context<'_>) -> io::Result<Poll<()>> {
        let stream = Pin::new(&mut self.stream);
        let written = match frames.as_slice() {
            [only] => stream.poll_write(context, &only[self.written..])?,
            _ => {
                let mut vectors = [IoSlice::new(&[]); VECTORS_MAX];
                let mut count = 0;
                for (vector, frame) in vectors.iter_mut().zip(&*frames) {
                    *vector = IoSlice::new(if count == 0 { &frame[self.written..] } else { frame });
                    count += 1;
                }
                stream.poll_write_vectored(context, &vectors[..count])?
            }
        };
        let Poll::Ready(taken) = written else { return Ok(Poll::Pending) };
        let mut done = self.written + taken;
        let mut is_out = |frame: &Bytes| {
            done.checked_sub(frame.len()).is_some_and(|rest| {
                done = rest;
                true
            })
        };
        let whole = frames.iter().take_while(|frame| is_out(frame)).count();
        frames.drain(..whole);
        self.written = done;
        Ok(Poll::Ready(()))
    }

    /// Reads once. Ready(false) when the peer is gone.
    fn read<L: MessageLog>(
        &mut self,
        gateway: &Gateway<L>,
        connection: &Arc<Connection>,
        context: &mut Context<'_>,
    ) -> Poll<bool> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut into = ReadBuf::new(buffer);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut into)) {
                Ok(()) if !into.filled().is_empty() => {
                    connection.hear(gateway.now_seconds());
                    self.feed(gateway, connection, into.filled_mut());
                    Poll::Ready(true)
                }
                Ok(()) | Err(_) => Poll::Ready(false),
            }
        })
    }

    /// Hands bytes to the decoder and messages to the gateway, until the connection closes.
    fn feed<L: MessageLog>(&mut self, gateway: &Gateway<L>, connection: &Arc<Connection>, bytes: &mut [u8]) {
        self.open = self.open && !connection.is_closing();
        if !self.open {
            self.decoder = Decoder::default();
            return;
        }
        // A `connect` is answered by another task: whoever is early stays so until the next bytes.
        let early = connection.is_unauthenticated();
        let counted = if early { count_early(&mut self.early_bytes, bytes.len()) } else { Ok(()) };
        if let Err(code) = counted.and_then(|()| self.decode(gateway, connection, bytes, early)) {
            gateway.close(connection, code);
        }
    }

    fn decode<L: MessageLog>(
        &mut self,
        gateway: &Gateway<L>,
        connection: &Arc<Connection>,
        bytes: &mut [u8],
        early: bool,
    ) -> Result<(), Code> {
        let (peer_closed, early_messages) = (&mut self.peer_closed, &mut self.early_messages);
        let mut receive = |message: Message<'_>| {
            if early {
                count_early(early_messages, message.len())?;
            }
            gateway.receive(connection, message).map_err(|cause| {
                connection.close_malformed(cause, gateway.now_seconds());
                Malformed::CODE
            })
        };
        self.decoder.feed(bytes, |received| match received {
            _ if connection.is_closing() => Ok(()),
            Received::Text(text) => receive(Message::Json(text)),
            Received::Binary(bytes) => receive(Message::MessagePack(bytes)),
            Received::Ping(payload) => {
                gateway.take_control(connection, payload.len());
                connection.control(frame::encode_pong(payload));
                Ok(())
            }
            Received::Pong => {
                gateway.take_control(connection, 0);
                Ok(())
            }
            Received::Close => {
                *peer_closed = true;
                connection.close_by_peer(gateway.now_seconds());
                Ok(())
            }
        })
    }

    /// Everything is written, the close too. Shuts our side, then reads on until the peer has shut its own: unread bytes
    /// would make the kernel reset the connection and our close with it. The node's tick bounds the wait.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.peer_closed {
            return Poll::Ready(());
        }
        if !self.shut {
            match Pin::new(&mut self.stream).poll_shutdown(context) {
                Poll::Ready(Ok(())) => self.shut = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }
}

/// Bounds what a connection may send before it is authenticated.
fn count_early(sum: &mut u32, bytes: usize) -> Result<(), Code> {
    *sum = sum.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    if *sum as usize > UNAUTHENTICATED_BYTES_MAX { Err(Code::FrameTooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
