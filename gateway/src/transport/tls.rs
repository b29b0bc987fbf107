//! TLS without buffers of its own: records are opened and sealed in memory that all connections of the thread share, and a
//! connection keeps only what is half received, half read or half written. While it is idle that is nothing.

use bytes::{Buf, BytesMut};
use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus};
use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes of records taken in at once, and of the one buffer each thread keeps for them: some whole records of 16 KiB.
const RECORDS_BYTES: usize = 64 * 1024;
/// Bytes sealed at once, and of the one buffer each thread gathers them in.
const GATHER_BYTES: usize = 64 * 1024;
/// Bytes that sealing adds to a record, and a close alert's own two; whoever needs more says so.
const RECORD_EXTRA_BYTES: usize = 64;
/// Bytes of one record's content.
const RECORD_BYTES: usize = 16 * 1024;

thread_local! {
    static RECORDS: RefCell<Vec<u8>> = RefCell::new(vec![0; RECORDS_BYTES]);
    static GATHER: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(GATHER_BYTES));
}

/// The server's side of a TLS connection.
pub struct Tls {
    tcp: TcpStream,
    session: UnbufferedServerConnection,
    /// Received, and not a whole record or handshake message yet.
    partial: Vec<u8>,
    /// Opened, and not read yet.
    opened: BytesMut,
    /// Sealed; the first `written` bytes are out.
    sealed: Vec<u8>,
    written: usize,
    established: bool,
    /// Whether nothing more will come.
    ended: bool,
    /// Whether our close alert is sealed.
    closing: bool,
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tls")
    }
}

/// Shakes hands with a client.
///
/// Never gives up by itself: the caller bounds the time.
/// Errors: the client left, speaks no TLS, or offers nothing we accept; where there is an alert for that it was sent.
pub async fn accept(tcp: TcpStream, config: Arc<ServerConfig>) -> io::Result<Tls> {
    let mut tls = Tls {
        tcp,
        session: UnbufferedServerConnection::new(config).map_err(io::Error::other)?,
        partial: Vec::new(),
        opened: BytesMut::new(),
        sealed: Vec::new(),
        written: 0,
        established: false,
        ended: false,
        closing: false,
    };
    poll_fn(|context| tls.poll_handshake(context)).await?;
    Ok(tls)
}

impl Tls {
    fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_out(context))?;
            if self.established {
                return Poll::Ready(Ok(()));
            }
            if self.ended {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
            ready!(self.poll_in(context, &mut ReadBuf::new(&mut [])))?;
        }
    }

    /// Takes in what came once. What it opens goes to `into`, and where that is full, to `opened`.
    fn poll_in(&mut self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        RECORDS.with_borrow_mut(|records| {
            let kept = self.partial.len();
            if kept == records.len() {
                return Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, "a handshake message is too long")));
            }
            records[..kept].copy_from_slice(&self.partial);
            let mut fresh = ReadBuf::new(&mut records[kept..]);
            ready!(Pin::new(&mut self.tcp).poll_read(context, &mut fresh))?;
            let count = fresh.filled().len();
            if count == 0 {
                self.ended = true;
                return Poll::Ready(Ok(()));
            }
            let came = &mut records[..kept + count];
            let used = self.process(came, into)?;
            self.partial = came[used..].to_vec();
            Poll::Ready(Ok(()))
        })
    }

    /// Processes records until more bytes are needed; returns how many were used up.
    fn process(&mut self, came: &mut [u8], into: &mut ReadBuf<'_>) -> io::Result<usize> {
        let mut used = 0;
        loop {
            let UnbufferedStatus { mut discard, state, .. } = self.session.process_tls_records(&mut came[used..]);
            let mut waits = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(invalid)?;
                        discard += record.discard;
                        let fits = record.payload.len().min(into.remaining());
                        into.put_slice(&record.payload[..fits]);
                        self.opened.extend_from_slice(&record.payload[fits..]);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, &mut self.sealed)?,
                // It goes out in this order, whenever that is.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::BlockedHandshake) => waits = true,
                Ok(ConnectionState::WriteTraffic(_)) => (self.established, waits) = (true, true),
                Ok(ConnectionState::PeerClosed) => self.ended = true,
                Ok(ConnectionState::Closed) => (self.ended, waits) = (true, true),
                Ok(_) => return Err(invalid("early data was not offered")),
                Err(error) => {
                    self.send_alert(&mut came[used + discard..]);
                    return Err(invalid(error));
                }
            }
            used += discard;
            if waits {
                return Ok(used);
            }
        }
    }

    /// After a failure: what tells the peer why, as far as the kernel takes it at once.
    fn send_alert(&mut self, rest: &mut [u8]) {
        // Only while something is queued: afterwards the bad bytes would be looked at again.
        while self.session.wants_write() {
            let Ok(ConnectionState::EncodeTlsData(data)) = self.session.process_tls_records(rest).state else { return };
            if encode(data, &mut self.sealed).is_err() {
                return;
            }
        }
        // Whoever sent garbage need not read our answer.
        let _ = self.tcp.try_write(&self.sealed[self.written..]);
    }

    /// Seals bytes behind what waits to go out.
    fn seal(&mut self, plain: &[u8]) -> io::Result<()> {
        self.seal_with(plain.len(), |traffic, out| traffic.encrypt(plain, out))
    }

    /// Seals something that has so many bytes open.
    fn seal_with(&mut self, bytes: usize, mut write: impl Seal) -> io::Result<()> {
        let UnbufferedStatus { discard, state, .. } = self.session.process_tls_records(&mut self.partial);
        debug_assert_eq!(discard, 0, "what came was processed when it came");
        let Ok(ConnectionState::WriteTraffic(mut traffic)) = state else {
            return Err(ErrorKind::BrokenPipe.into());
        };
        let start = self.sealed.len();
        let mut room = bytes + (1 + bytes / RECORD_BYTES) * RECORD_EXTRA_BYTES;
        loop {
            self.sealed.resize(start + room, 0);
            match write(&mut traffic, &mut self.sealed[start..]) {
                Ok(count) => {
                    self.sealed.truncate(start + count);
                    return Ok(());
                }
                Err(EncryptError::InsufficientSize(need)) => room = need.required_size,
                Err(error) => {
                    self.sealed.truncate(start);
                    return Err(io::Error::other(error));
                }
            }
        }
    }

    /// Writes what is sealed; gives its memory back once it is out.
    fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.sealed.len() {
            match ready!(Pin::new(&mut self.tcp).poll_write(context, &self.sealed[self.written..]))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        (self.sealed, self.written) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    /// Seals and starts to write. What was sealed before must be out first, which bounds what waits.
    fn poll_seal(&mut self, context: &mut Context<'_>, plain: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_out(context))?;
        let plain = &plain[..plain.len().min(GATHER_BYTES)];
        self.seal(plain)?;
        match self.poll_out(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // The rest waits in `sealed`: the bytes are taken.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(plain.len())),
        }
    }
}

/// What writes a sealed record into a buffer, or says that it is too small.
trait Seal: FnMut(&mut WriteTraffic<'_>, &mut [u8]) -> Result<usize, EncryptError> {}
impl<F: FnMut(&mut WriteTraffic<'_>, &mut [u8]) -> Result<usize, EncryptError>> Seal for F {}
type WriteTraffic<'c> = rustls::unbuffered::WriteTraffic<'c, rustls::server::ServerConnectionData>;

impl AsyncRead for Tls {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let tls = self.get_mut();
        let before = into.filled().len();
        while into.filled().len() == before && into.remaining() > 0 {
            if !tls.opened.is_empty() {
                let count = tls.opened.len().min(into.remaining());
                into.put_slice(&tls.opened[..count]);
                tls.opened.advance(count);
                if tls.opened.is_empty() {
                    tls.opened = BytesMut::new();
                }
            } else if tls.ended {
                break;
            } else {
                ready!(tls.poll_in(context, into))?;
                // The protocol may have had something to say by itself; if it waits, a later write takes it along.
                if let Poll::Ready(out) = tls.poll_out(context) {
                    out?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tls {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_seal(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        vectors: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tls = self.get_mut();
        if let [only] = vectors {
            return tls.poll_seal(context, only);
        }
        GATHER.with_borrow_mut(|gathered| {
            gathered.clear();
            for vector in vectors {
                let room = GATHER_BYTES - gathered.len();
                gathered.extend_from_slice(&vector[..vector.len().min(room)]);
            }
            tls.poll_seal(context, gathered)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_out(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tls = self.get_mut();
        if !tls.closing {
            tls.closing = true;
            tls.seal_with(0, |traffic, out| traffic.queue_close_notify(out))?;
        }
        ready!(tls.poll_out(context))?;
        Pin::new(&mut tls.tcp).poll_shutdown(context)
    }
}

fn encode<Data>(mut data: EncodeTlsData<'_, Data>, out: &mut Vec<u8>) -> io::Result<()> {
    let start = out.len();
    if let Err(EncodeError::InsufficientSize(need)) = data.encode(&mut []) {
        out.resize(start + need.required_size, 0);
        data.encode(&mut out[start..]).map_err(io::Error::other)?;
    }
    Ok(())
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
