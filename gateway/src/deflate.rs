//! permessage-deflate (RFC 7692) without contexts: each message stands alone, so that one compressed frame serves everybody, and an
//! idle connection costs nothing. A thread has one compressor and one decompressor, made when they are first needed.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::cell::RefCell;
use tokenim_protocol::Code;
use tokenim_protocol::limits::FRAME_BYTES_MAX;

/// Bytes of a payload from which on compression is worth its time.
const PAYLOAD_BYTES_MIN: usize = 256;
/// The window we compress with, as a power of two: one for all, so that all can have the same frame.
pub const WINDOW_BITS: u8 = 12;
/// How hard we compress, of 9: most of the gain for the least time.
const LEVEL: u32 = 1;
/// What a flush ends with, left out on the wire (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

thread_local! {
    static COMPRESS: RefCell<Compress> =
        RefCell::new(Compress::new_with_window_bits(Compression::new(LEVEL), false, WINDOW_BITS));
    static INFLATE: RefCell<Option<Inflater>> = const { RefCell::new(None) };
}

/// Compresses a payload; `None` where it would not become smaller.
#[must_use]
pub fn compress(payload: &[u8]) -> Option<Vec<u8>> {
    if payload.len() < PAYLOAD_BYTES_MIN {
        return None;
    }
    COMPRESS.with_borrow_mut(|compress| {
        compress.reset();
        let mut out = Vec::with_capacity(payload.len());
        compress.compress_vec(payload, &mut out, FlushCompress::Sync).ok()?;
        let is_whole = out.len() < payload.len() && compress.total_in() == payload.len() as u64;
        let bytes = out.len().checked_sub(TAIL.len()).filter(|at| is_whole && out[*at..] == TAIL)?;
        out.truncate(bytes);
        Some(out)
    })
}

/// Inflates a message for `with`.
///
/// Errors: `frame_too_large` beyond [`FRAME_BYTES_MAX`], however much more it would be; `bad_frame`; those of `with`.
pub fn inflate<T>(payload: &[u8], with: impl FnOnce(&[u8]) -> Result<T, Code>) -> Result<T, Code> {
    // Taken out, not borrowed, because `with` may do anything.
    let mut inflater = INFLATE.take().unwrap_or_else(Inflater::new);
    let result = inflater.message(payload).and_then(|()| with(&inflater.out));
    INFLATE.set(Some(inflater));
    result
}

struct Inflater {
    stream: Decompress,
    out: Vec<u8>,
}

impl Inflater {
    fn new() -> Self {
        // One byte more than a message may have tells that it has more.
        Inflater { stream: Decompress::new(false), out: Vec::with_capacity(FRAME_BYTES_MAX + 1) }
    }

    fn message(&mut self, payload: &[u8]) -> Result<(), Code> {
        self.stream.reset(false);
        self.out.clear();
        if self.feed(payload)? == Status::StreamEnd {
            return Ok(());
        }
        self.feed(&TAIL).map(drop)
    }

    /// Reads all of `input`. A stream may end by itself, with an empty block left of it at most (§7.2.3.4, §7.2.3.5).
    fn feed(&mut self, input: &[u8]) -> Result<Status, Code> {
        let before = self.stream.total_in();
        let status = self.stream.decompress_vec(input, &mut self.out, FlushDecompress::Sync);
        let rest = &input[(self.stream.total_in() - before) as usize..];
        match status {
            _ if self.out.len() > FRAME_BYTES_MAX => Err(Code::FrameTooLarge),
            Ok(Status::StreamEnd) if matches!(rest, [] | [0]) => Ok(Status::StreamEnd),
            Ok(status) if rest.is_empty() && status != Status::StreamEnd => Ok(status),
            _ => Err(Code::BadFrame),
        }
    }
}

/// What to answer to the extensions a client offers: ours, if one of its offers can be taken.
///
/// An offer that names an unknown parameter, one twice, or a bad value is passed over, as §7.1 has it; so is a window smaller than ours.
#[must_use]
pub fn negotiate(offers: &str) -> Option<String> {
    offers.split(',').find_map(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let is_ours = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("permessage-deflate"));
        is_ours.then(|| take(parts)).flatten()
    })
}

fn take<'a>(parameters: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut seen: Vec<String> = Vec::new();
    let mut answer = String::from("permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    for parameter in parameters {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (parameter, None),
        };
        let name = name.to_ascii_lowercase();
        match (name.as_str(), value) {
            ("server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits", None) => {}
            // Ours reads any window.
            ("client_max_window_bits", Some(value)) => drop(bits(value)?),
            ("server_max_window_bits", Some(value)) => {
                bits(value).filter(|bits| *bits >= WINDOW_BITS)?;
                answer.push_str(&format!("; server_max_window_bits={WINDOW_BITS}"));
            }
            _ => return None,
        }
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
    }
    Some(answer)
}

/// A window's size as a parameter names it: 8 to 15, without leading zeros.
fn bits(value: &str) -> Option<u8> {
    value.parse().ok().filter(|bits: &u8| (8..=15).contains(bits) && bits.to_string() == value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inflated(payload: &[u8]) -> Result<Vec<u8>, Code> {
        inflate(payload, |bytes| Ok(bytes.to_vec()))
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(words in prop::collection::vec("[a-e]{1,6}", 50..2_000)) {
            let text = words.join(" ");
            if let Some(packed) = compress(text.as_bytes()) {
                prop_assert!(packed.len() < text.len());
                prop_assert_eq!(inflated(&packed), Ok(text.into_bytes()));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = inflated(&bytes);
            prop_assert_eq!(inflated(&compress(&[b'x'; 300]).unwrap()), Ok(vec![b'x'; 300]), "nothing is left of it");
        }
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        for payload in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ] {
            assert_eq!(inflated(payload), Ok(b"Hello".to_vec()), "{payload:x?}");
        }
        assert_eq!(inflated(&[0x00]), Ok(Vec::new()));
        // It would need the message before: contexts are not kept.
        assert_eq!(inflated(&[0xf2, 0x00, 0x11, 0x00, 0x00]), Err(Code::BadFrame));
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit_and_garbage_refused() {
        let message = |bytes: usize| compress(&vec![b'x'; bytes]).unwrap();
        assert_eq!(inflated(&message(FRAME_BYTES_MAX)).map(|bytes| bytes.len()), Ok(FRAME_BYTES_MAX));
        assert_eq!(inflated(&message(FRAME_BYTES_MAX + 1)), Err(Code::FrameTooLarge));
        assert_eq!(inflated(&message(20_000_000)), Err(Code::FrameTooLarge));
        assert_eq!(inflated(&[0xFF; 40]), Err(Code::BadFrame));
    }

    #[test]
    fn small_and_dense_payloads_stay_as_they_are() {
        assert_eq!(compress(&[b'x'; PAYLOAD_BYTES_MIN - 1]), None);
        assert!(compress(&[b'x'; PAYLOAD_BYTES_MIN]).is_some());
        let mut seed = 1u32;
        let dense = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        });
        let dense: Vec<u8> = dense.take(4_096).collect();
        assert_eq!(compress(&dense), None);
    }

    #[test]
    fn the_first_offer_that_can_be_taken_is() {
        let ours = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "Permessage-Deflate;client_max_window_bits=\"9\" ; client_no_context_takeover;server_no_context_takeover",
            "x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=8, permessage-deflate",
            "permessage-deflate; mode=fast, permessage-deflate; client_max_window_bits=10",
        ] {
            assert_eq!(negotiate(offer).as_deref(), Some(ours), "{offer}");
        }
        let narrowed = format!("{ours}; server_max_window_bits=12");
        assert_eq!(negotiate("permessage-deflate; server_max_window_bits=15"), Some(narrowed.clone()));
        assert_eq!(
            negotiate("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"),
            Some(narrowed)
        );
        for offer in [
            "",
            "permessage-bzip2",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=11",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=07",
            "permessage-deflate; client_max_window_bits=9; client_max_window_bits=9",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; unknown",
            "permessage-deflate;",
        ] {
            assert_eq!(negotiate(offer), None, "{offer}");
        }
    }
}
