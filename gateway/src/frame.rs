//! WebSocket frames (RFC 6455 §5): reading a client's bytes in place, writing ours once for everybody.

use crate::deflate;
use crate::encoded::Form;
use bytes::{BufMut, Bytes, BytesMut};
use tokenim_protocol::Code;
use tokenim_protocol::limits::{FRAGMENTS_MAX, FRAME_BYTES_MAX};

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
/// The first reserved bit, where permessage-deflate is spoken.
const COMPRESSED: u8 = 0x40;
const MASKED: u8 = 0x80;
const CONTROL: u8 = 0x8;
const CONTROL_BYTES_MAX: usize = 125;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A whole text message, valid UTF-8.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping, to be answered with the same payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong,
    /// The peer closes; nothing follows.
    Close,
}

/// Reads frames across reads. Holds nothing between whole messages, so an idle connection costs no buffer.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Whether messages are binary; else they are text.
    binary: bool,
    /// Whether messages may be compressed.
    deflate: bool,
    /// Whether the message that is not whole yet is.
    compressed: bool,
    /// Bytes of a frame that is not whole yet.
    partial: Vec<u8>,
    /// Payload of a fragmented message that is not whole yet.
    gathered: Vec<u8>,
    /// Fragments of it so far; 0 = none is open.
    fragments: u32,
}

impl Decoder {
    /// A decoder of the messages of a form.
    #[must_use]
    pub fn new(form: Form) -> Self {
        let (binary, deflate) = (form.plain() == Form::MessagePack, form.plain() != form);
        Decoder { binary, deflate, ..Decoder::default() }
    }

    /// Reads all whole frames of `input` and hands each on; what is left waits for the next call.
    ///
    /// Shapes: `input` is unmasked in place; messages are at most [`FRAME_BYTES_MAX`] bytes in [`FRAGMENTS_MAX`] fragments.
    /// Errors: the code to close with; nothing more may be read then.
    /// Source: RFC 6455 §5.1 (masking), §5.4 (fragments), §5.5 (control frames), §8.1 (UTF-8).
    pub fn feed(&mut self, input: &mut [u8], mut on: impl FnMut(Received<'_>) -> Result<(), Code>) -> Result<(), Code> {
        if self.partial.is_empty() {
            let used = self.frames(input, &mut on)?;
            self.partial.extend_from_slice(&input[used..]);
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.partial);
        joined.extend_from_slice(input);
        let used = self.frames(&mut joined, &mut on)?;
        if used < joined.len() {
            joined.drain(..used);
            self.partial = joined;
        }
        Ok(())
    }

    /// Bytes held for messages that are not whole yet.
    #[cfg(test)]
    pub fn held_bytes(&self) -> usize {
        self.partial.len() + self.gathered.len()
    }

    fn frames(
        &mut self,
        input: &mut [u8],
        on: &mut impl FnMut(Received<'_>) -> Result<(), Code>,
    ) -> Result<usize, Code> {
        let mut used = 0;
        while let Some(head) = Head::read(&input[used..], self.fragments > 0, self.deflate)? {
            let (start, end) = (used + head.header_bytes, used + head.header_bytes + head.payload_bytes);
            if input.len() < end {
                break;
            }
            let payload = &mut input[start..end];
            unmask(payload, head.mask);
            self.frame(&head, payload, on)?;
            used = end;
        }
        Ok(used)
    }

    fn frame(
        &mut self,
        head: &Head,
        payload: &[u8],
        on: &mut impl FnMut(Received<'_>) -> Result<(), Code>,
    ) -> Result<(), Code> {
        match head.opcode {
            PING => on(Received::Ping(payload)),
            PONG => on(Received::Pong),
            CLOSE => check_close(payload).and_then(|()| on(Received::Close)),
            BINARY if !self.binary => Err(Code::BinaryFrame),
            TEXT if self.binary => Err(Code::TextFrame),
            _ if head.fin && self.fragments == 0 => self.message(head.compressed, payload, on),
            _ => self.fragment(head, payload, on),
        }
    }

    fn fragment(
        &mut self,
        head: &Head,
        payload: &[u8],
        on: &mut impl FnMut(Received<'_>) -> Result<(), Code>,
    ) -> Result<(), Code> {
        self.compressed |= head.compressed;
        self.fragments += 1;
        if self.fragments > FRAGMENTS_MAX {
            return Err(Code::TooManyFragments);
        }
        if self.gathered.len() + payload.len() > FRAME_BYTES_MAX {
            return Err(Code::FrameTooLarge);
        }
        self.gathered.extend_from_slice(payload);
        if !head.fin {
            return Ok(());
        }
        self.fragments = 0;
        let (message, compressed) = (std::mem::take(&mut self.gathered), std::mem::take(&mut self.compressed));
        self.message(compressed, &message, on)
    }

    fn message(
        &self,
        compressed: bool,
        payload: &[u8],
        on: &mut impl FnMut(Received<'_>) -> Result<(), Code>,
    ) -> Result<(), Code> {
        if compressed {
            return deflate::inflate(payload, |payload| self.message(false, payload, on));
        }
        on(if self.binary { Received::Binary(payload) } else { Received::Text(text(payload)?) })
    }
}

/// The head of one frame.
struct Head {
    fin: bool,
    opcode: u8,
    compressed: bool,
    mask: [u8; 4],
    header_bytes: usize,
    payload_bytes: usize,
}

impl Head {
    /// The head of the frame that `bytes` begin with; `None` until it is whole. Refuses as early as the bytes allow.
    fn read(bytes: &[u8], fragmented: bool, deflate: bool) -> Result<Option<Head>, Code> {
        let [first, second, ..] = *bytes else { return Ok(None) };
        let (fin, opcode, compressed) = (first & FIN != 0, first & 0x0F, first & COMPRESSED != 0);
        // The bit stands on the first frame of a message (RFC 7692 §6).
        let may = deflate && matches!(opcode, TEXT | BINARY);
        check_kind(if may { first & !COMPRESSED } else { first }, second, fragmented)?;
        let short = usize::from(second & !MASKED);
        let (length_bytes, payload_bytes) = match short {
            126 => (2, bytes.get(2..4).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])))),
            127 => (
                8,
                bytes
                    .get(2..10)
                    .map(|b| b.iter().fold(0usize, |n, byte| n.saturating_mul(256).saturating_add(usize::from(*byte)))),
            ),
            _ => (0, Some(short)),
        };
        let Some(payload_bytes) = payload_bytes else { return Ok(None) };
        if payload_bytes > FRAME_BYTES_MAX {
            return Err(Code::FrameTooLarge);
        }
        let header_bytes = 2 + length_bytes + 4;
        let Some(mask) = bytes.get(header_bytes - 4..header_bytes) else { return Ok(None) };
        let mask = mask.try_into().expect("four bytes");
        Ok(Some(Head { fin, opcode, compressed, mask, header_bytes, payload_bytes }))
    }
}

fn check_kind(first: u8, second: u8, fragmented: bool) -> Result<(), Code> {
    let (fin, opcode, short) = (first & FIN != 0, first & 0x0F, usize::from(second & !MASKED));
    let known = matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG);
    let control_ok = opcode & CONTROL == 0 || (fin && short <= CONTROL_BYTES_MAX);
    let sequence_ok = match opcode {
        CONTINUATION => fragmented,
        TEXT | BINARY => !fragmented,
        _ => true,
    };
    if first & RESERVED != 0 || second & MASKED == 0 || !known || !control_ok || !sequence_ok {
        return Err(Code::BadFrame);
    }
    Ok(())
}

/// RFC 6455 §5.5.1, §7.4: a close body is empty, or a code that may be sent and UTF-8.
fn check_close(payload: &[u8]) -> Result<(), Code> {
    let [high, low, reason @ ..] = payload else {
        return if payload.is_empty() { Ok(()) } else { Err(Code::BadFrame) };
    };
    match u16::from_be_bytes([*high, *low]) {
        1000..=1003 | 1007..=1014 | 3000..=4999 => text(reason).map(drop),
        _ => Err(Code::BadFrame),
    }
}

fn text(payload: &[u8]) -> Result<&str, Code> {
    simdutf8::basic::from_utf8(payload).map_err(|_| Code::BadText)
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let mut words = payload.chunks_exact_mut(4);
    for word in &mut words {
        let word: &mut [u8; 4] = word.try_into().expect("chunks of four");
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// A text frame.
#[must_use]
pub fn encode_text(text: &str) -> Bytes {
    encode(TEXT, text.as_bytes())
}

/// A binary frame.
#[must_use]
pub fn encode_binary(payload: &[u8]) -> Bytes {
    encode(BINARY, payload)
}

/// The text of a frame that [`encode_text`] wrote.
#[must_use]
pub fn text_of(frame: &[u8]) -> &str {
    std::str::from_utf8(payload_of(frame)).expect("it was written as text")
}

/// A frame of ours compressed, or itself where that does not help.
#[must_use]
pub fn deflated(frame: &Bytes) -> Bytes {
    match deflate::compress(payload_of(frame)) {
        Some(payload) => encode(frame[0] & !FIN | COMPRESSED, &payload),
        None => frame.clone(),
    }
}

fn payload_of(frame: &[u8]) -> &[u8] {
    let head = match frame.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    };
    &frame[head..]
}

/// A pong frame with the ping's payload.
#[must_use]
pub fn encode_pong(payload: &[u8]) -> Bytes {
    encode(PONG, payload)
}

/// A close frame.
#[must_use]
pub fn encode_close(code: u16, reason: &str) -> Bytes {
    let mut body = code.to_be_bytes().to_vec();
    body.extend_from_slice(reason.as_bytes());
    encode(CLOSE, &body)
}

fn encode(opcode: u8, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(payload.len() + 10);
    out.put_u8(FIN | opcode);
    match payload.len() {
        len @ 0..=125 => out.put_u8(len as u8),
        len @ 126..=0xFFFF => {
            out.put_u8(126);
            out.put_u16(len as u16);
        }
        len => {
            out.put_u8(127);
            out.put_u64(len as u64);
        }
    }
    out.put_slice(payload);
    out.freeze()
}

#[cfg(test)]
mod tests;
