//! A WebSocket client down at the bytes, able to break every rule of RFC 6455.

use super::server::TestServer;
use super::tls::Bytes;
use super::wait::within;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// One frame to be.
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    pub fin: bool,
    /// The three reserved bits.
    pub reserved: u8,
    pub masked: bool,
    /// The length the header tells, if it lies.
    pub announced: Option<u64>,
}

impl<'a> Frame<'a> {
    /// An honest frame.
    pub fn new(opcode: u8, payload: &'a [u8]) -> Self {
        Frame { opcode, payload, fin: true, reserved: 0, masked: true, announced: None }
    }

    /// The same as a fragment that others follow.
    pub fn open(opcode: u8, payload: &'a [u8]) -> Self {
        Frame { fin: false, ..Frame::new(opcode, payload) }
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let length = self.announced.unwrap_or(self.payload.len() as u64);
        let mark = if self.masked { 0x80 } else { 0 };
        let mut out = vec![u8::from(self.fin) << 7 | self.reserved << 4 | self.opcode];
        match length {
            0..126 => out.push(mark | length as u8),
            126..65_536 => {
                out.push(mark | 126);
                out.extend((length as u16).to_be_bytes());
            }
            _ => {
                out.push(mark | 127);
                out.extend(length.to_be_bytes());
            }
        }
        if self.masked {
            out.extend(MASK);
            out.extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            out.extend(self.payload);
        }
        out
    }
}

/// The bytes of an honest text frame.
pub fn text(payload: &str) -> Vec<u8> {
    Frame::new(TEXT, payload.as_bytes()).bytes()
}

/// A close frame's code and reason.
#[derive(Debug, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub reason: String,
    /// Replies that came before it.
    pub replies: Vec<Value>,
}

impl Close {
    /// The stable code of the reason.
    pub fn why(&self) -> String {
        let reason: Value = serde_json::from_str(&self.reason).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        reason["code"].as_str().unwrap().to_owned()
    }
}

/// An opening handshake for a path, with more header lines.
pub fn opening(server: &TestServer, path: &str, headers: &str) -> String {
    let (port, key) = (server.port(), BASE64_STANDARD.encode([7; 16]));
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{headers}\r\n"
    )
}

/// A raw connection.
pub struct Wire {
    stream: Bytes,
    buffer: Vec<u8>,
    /// The answer to the opening handshake.
    pub head: String,
}

impl Wire {
    /// A connection on which nothing was said yet.
    pub async fn dial(server: &TestServer) -> Wire {
        Self::over(server.dial().await)
    }

    /// The same over a stream that is there already.
    pub fn over(stream: Bytes) -> Wire {
        Wire { stream, buffer: Vec::new(), head: String::new() }
    }

    /// An upgraded connection.
    pub async fn open(server: &TestServer) -> Wire {
        Self::open_at(server, "/v1/connect", "Sec-WebSocket-Protocol: tokenim.v1.json\r\n").await
    }

    /// A connection that sent its opening handshake for a path, with more header lines.
    pub async fn open_at(server: &TestServer, path: &str, headers: &str) -> Wire {
        let mut wire = Self::dial(server).await;
        wire.send(opening(server, path, headers).as_bytes()).await;
        wire.read_head().await;
        wire
    }

    /// An authenticated connection of a user.
    pub async fn connect(server: &TestServer, user: &str) -> Wire {
        let mut wire = Self::open(server).await;
        wire.send(&text(&json!({"id": 1, "connect": {"token": server.token(user)}}).to_string())).await;
        assert!(wire.reply().await.get("ok").is_some());
        wire
    }

    /// Sends bytes. A server that has closed already takes none.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = within(self.stream.write_all(bytes)).await;
    }

    /// Shuts the sending side.
    pub async fn shut(&mut self) {
        let _ = within(self.stream.shutdown()).await;
    }

    /// Reads an HTTP answer's head.
    pub async fn read_head(&mut self) {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more().await, "no head: {:?}", String::from_utf8_lossy(&self.buffer));
        };
        self.head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
    }

    /// The next frame: opcode and payload. `None` at the end of the connection. Server frames are whole and unmasked.
    pub async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = self.take(2).await?;
        assert!(head[0] & 0x70 == 0 && head[0] & 0x80 != 0 && head[1] & 0x80 == 0, "a bad server frame {head:?}");
        let length = match head[1] {
            126 => usize::from(u16::from_be_bytes(self.take(2).await?.try_into().unwrap())),
            127 => u64::from_be_bytes(self.take(8).await?.try_into().unwrap()).try_into().unwrap(),
            short => usize::from(short),
        };
        Some((head[0] & 0x0f, self.take(length).await?))
    }

    /// The next reply; pushes are skipped.
    pub async fn reply(&mut self) -> Value {
        loop {
            let (opcode, payload) = self.frame().await.expect("a reply before the end");
            assert_eq!(opcode, TEXT, "{:?}", String::from_utf8_lossy(&payload));
            let value: Value = serde_json::from_slice(&payload).unwrap();
            if value.get("push").is_none() {
                return value;
            }
        }
    }

    /// Whether the connection still answers.
    pub async fn is_alive(&mut self) -> bool {
        self.send(&text(r#"{"id":9999,"ping":{}}"#)).await;
        let reply = self.reply().await;
        reply["id"] == 9999 && reply.get("ok").is_some()
    }

    /// Reads to the close frame, and sees the connection end after it.
    pub async fn closed(&mut self) -> Close {
        let mut replies = Vec::new();
        loop {
            let (opcode, payload) = self.frame().await.unwrap_or_else(|| panic!("no close frame after {replies:?}"));
            match opcode {
                CLOSE => {
                    let (code, reason) = payload.split_first_chunk().unwrap();
                    self.shut().await;
                    while self.more().await {}
                    return Close {
                        code: u16::from_be_bytes(*code),
                        reason: String::from_utf8(reason.to_vec()).unwrap(),
                        replies,
                    };
                }
                TEXT => replies
                    .extend(serde_json::from_slice(&payload).ok().filter(|value: &Value| value.get("push").is_none())),
                _ => {}
            }
        }
    }

    /// Everything up to the end of the connection, as text.
    pub async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.more().await {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }

    /// Reads once; false at the end, by FIN or by reset.
    async fn more(&mut self) -> bool {
        let read = within(self.stream.read_buf(&mut self.buffer)).await;
        read.is_ok_and(|bytes| bytes > 0)
    }
}
