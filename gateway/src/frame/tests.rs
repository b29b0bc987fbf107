//! The codec against RFC 6455: any split of the bytes reads the same, and each rule has its refusal.

use super::*;
use proptest::prelude::*;

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut out = vec![first];
    match payload.len() {
        len @ 0..=125 => out.push(MASKED | len as u8),
        len @ 126..=0xFFFF => {
            out.push(MASKED | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(MASKED | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(mask);
    out.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    out
}

/// Feeds the bytes in the given pieces and tells what was received, as text.
fn feed(bytes: &[u8], piece: usize) -> (Vec<String>, Result<(), Code>) {
    let (mut decoder, mut seen) = (Decoder::default(), Vec::new());
    for piece in bytes.chunks(piece.max(1)) {
        let result = decoder.feed(&mut piece.to_vec(), |received| {
            seen.push(format!("{received:?}"));
            Ok(())
        });
        if result.is_err() {
            return (seen, result);
        }
    }
    (seen, Ok(()))
}

fn refusal(bytes: &[u8]) -> Code {
    feed(bytes, bytes.len()).1.expect_err("must be refused")
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_reads_the_same(texts in prop::collection::vec(".{0,200}", 0..6), piece in 1usize..40) {
        let mut bytes = Vec::new();
        for text in &texts {
            let (a, b) = text.as_bytes().split_at(text.len() / 2);
            bytes.extend(masked(TEXT, a));
            bytes.extend(masked(FIN | PING, b"p"));
            bytes.extend(masked(FIN | CONTINUATION, b));
        }
        let whole = feed(&bytes, bytes.len());
        prop_assert!(whole.1.is_ok());
        prop_assert_eq!(whole.0.len(), texts.len() * 2);
        prop_assert_eq!(whole, feed(&bytes, piece));
    }

    #[test]
    fn no_bytes_make_it_panic_or_hold_more_than_a_message(bytes in prop::collection::vec(any::<u8>(), 0..600), piece in 1usize..64) {
        let mut decoder = Decoder::default();
        for piece in bytes.chunks(piece) {
            if decoder.feed(&mut piece.to_vec(), |_| Ok(())).is_err() { break }
            prop_assert!(decoder.held_bytes() <= 2 * (FRAME_BYTES_MAX + 14));
        }
    }
}

#[test]
fn each_rule_has_its_refusal() {
    let unmasked = [FIN | TEXT, 1, b'x'];
    assert_eq!(refusal(&unmasked), Code::BadFrame);
    for reserved in [0x40, 0x20, 0x10] {
        assert_eq!(refusal(&masked(FIN | reserved | TEXT, b"x")), Code::BadFrame);
    }
    for opcode in [3, 7, 0xB, 0xF] {
        assert_eq!(refusal(&masked(FIN | opcode, b"")), Code::BadFrame);
    }
    assert_eq!(refusal(&masked(PING, b"")), Code::BadFrame, "fragmented control");
    assert_eq!(refusal(&masked(FIN | PING, &[0; 126])), Code::BadFrame, "long control");
    assert_eq!(refusal(&masked(FIN | CONTINUATION, b"x")), Code::BadFrame, "continues nothing");
    assert_eq!(refusal(&[masked(TEXT, b"x"), masked(FIN | TEXT, b"y")].concat()), Code::BadFrame, "not continued");
    assert_eq!(refusal(&masked(FIN | BINARY, b"x")), Code::BinaryFrame);
    assert_eq!(refusal(&masked(FIN | TEXT, &[0xC3, 0x28])), Code::BadText);
    assert_eq!(refusal(&masked(FIN | CLOSE, &[0x03])), Code::BadFrame);
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        assert_eq!(refusal(&masked(FIN | CLOSE, &code.to_be_bytes())), Code::BadFrame, "{code}");
    }
}

#[test]
fn a_binary_form_takes_binary_messages_only() {
    let read = |bytes: &[u8]| {
        let mut seen = Vec::new();
        let result = Decoder::new(Form::MessagePack).feed(&mut bytes.to_vec(), |received| {
            seen.push(format!("{received:?}"));
            Ok(())
        });
        (seen, result)
    };
    let parts = [masked(BINARY, &[0xFF]), masked(FIN | PING, b"p"), masked(FIN | CONTINUATION, &[0xFE])].concat();
    assert_eq!(read(&parts), (vec!["Ping([112])".to_owned(), "Binary([255, 254])".to_owned()], Ok(())));
    assert_eq!(read(&masked(FIN | TEXT, b"x")).1, Err(Code::TextFrame));
    assert_eq!(read(&masked(TEXT, b"x")).1, Err(Code::TextFrame), "at its first fragment");
    assert_eq!(refusal(&masked(BINARY, b"x")), Code::BinaryFrame, "at its first fragment");
}

#[test]
fn size_and_fragments_are_bounded() {
    let largest = masked(FIN | TEXT, &vec![b'x'; FRAME_BYTES_MAX]);
    assert!(feed(&largest, largest.len()).1.is_ok());
    assert_eq!(
        refusal(&masked(FIN | TEXT, &vec![b'x'; FRAME_BYTES_MAX + 1])[..14]),
        Code::FrameTooLarge,
        "refused by its head alone"
    );
    let huge = [FIN | TEXT, MASKED | 127, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
    assert_eq!(refusal(&huge), Code::FrameTooLarge);
    let mut sixteen = masked(TEXT, b"a");
    (1..15).for_each(|_| sixteen.extend(masked(CONTINUATION, b"a")));
    assert_eq!(
        feed(&[sixteen.clone(), masked(FIN | CONTINUATION, b"a")].concat(), 7).0,
        [format!("Text({:?})", "a".repeat(16))]
    );
    sixteen.extend(masked(CONTINUATION, b"a"));
    assert_eq!(refusal(&[sixteen, masked(FIN | CONTINUATION, b"a")].concat()), Code::TooManyFragments);
}

#[test]
fn our_frames_have_the_shortest_head() {
    assert_eq!(encode_text("hi").as_ref(), [0x81, 2, b'h', b'i']);
    assert_eq!(encode_text(&"x".repeat(126))[..4], [0x81, 126, 0, 126]);
    assert_eq!(encode_text(&"x".repeat(65_536))[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(encode_close(4408, "{}").as_ref(), [0x88, 4, 0x11, 0x38, b'{', b'}']);
}
