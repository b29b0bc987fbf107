//! Frames that break RFC 6455 or our limits.

use super::Bystanders;
use crate::support::wire::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT, Wire, text};
use tokenim_protocol::limits::{CLOSE_REASON_BYTES_MAX, FRAGMENTS_MAX, FRAME_BYTES_MAX};

const PING_TEXT: &[u8] = br#"{"id":5,"ping":{}}"#;

fn fragments(count: u32, payload: &[u8]) -> Vec<u8> {
    (0..count).flat_map(|at| Frame::open(if at == 0 { TEXT } else { CONTINUATION }, payload).bytes()).collect()
}

#[tokio::test]
async fn a_broken_frame_closes_with_its_code() {
    let bystanders = Bystanders::new().await;
    let large = vec![b' '; FRAME_BYTES_MAX + 1];
    let ping = || Frame::new(TEXT, PING_TEXT);
    for (name, bytes, code, why) in [
        ("unmasked", Frame { masked: false, ..ping() }.bytes(), 1002, "bad_frame"),
        ("reserved bit 1", Frame { reserved: 4, ..ping() }.bytes(), 1002, "bad_frame"),
        ("reserved bit 2", Frame { reserved: 2, ..ping() }.bytes(), 1002, "bad_frame"),
        ("reserved bit 3", Frame { reserved: 1, ..ping() }.bytes(), 1002, "bad_frame"),
        ("reserved opcode", Frame::new(3, b"x").bytes(), 1002, "bad_frame"),
        ("reserved control opcode", Frame::new(11, b"x").bytes(), 1002, "bad_frame"),
        ("long ping", Frame::new(PING, &[b'x'; 126]).bytes(), 1002, "bad_frame"),
        ("fragmented ping", Frame::open(PING, b"x").bytes(), 1002, "bad_frame"),
        ("continuation of nothing", Frame::new(CONTINUATION, b"x").bytes(), 1002, "bad_frame"),
        ("text inside a text", [Frame::open(TEXT, b"{").bytes(), ping().bytes()].concat(), 1002, "bad_frame"),
        ("close of one byte", Frame::new(CLOSE, b"x").bytes(), 1002, "bad_frame"),
        ("close with a reserved code", Frame::new(CLOSE, &1005u16.to_be_bytes()).bytes(), 1002, "bad_frame"),
        ("close with a bad reason", Frame::new(CLOSE, b"\x03\xe8\xff").bytes(), 1007, "bad_text"),
        (
            "length with the top bit",
            Frame { announced: Some(1 << 63), ..Frame::new(TEXT, b"{") }.bytes(),
            4400,
            "frame_too_large",
        ),
        ("binary", Frame::new(BINARY, PING_TEXT).bytes(), 4400, "binary_frame"),
        ("invalid utf-8", Frame::new(TEXT, b"{\"id\":5,\"ping\":{\"a\":\"\xff\"}}").bytes(), 1007, "bad_text"),
        (
            "utf-8 surrogate",
            Frame::new(TEXT, b"{\"id\":5,\"ping\":{\"a\":\"\xed\xa0\x80\"}}").bytes(),
            1007,
            "bad_text",
        ),
        ("utf-8 overlong", Frame::new(TEXT, b"\xc0\xaf").bytes(), 1007, "bad_text"),
        ("utf-8 cut at the end", Frame::new(TEXT, b"{\"id\":5,\"ping\":{}}\xe4\xb8").bytes(), 1007, "bad_text"),
        ("one byte over", Frame::new(TEXT, &large).bytes(), 4400, "frame_too_large"),
        (
            "announces 2^62",
            Frame { announced: Some(1 << 62), ..Frame::new(TEXT, b"{") }.bytes(),
            4400,
            "frame_too_large",
        ),
        (
            "over in two fragments",
            [Frame::open(TEXT, &large[..40_000]).bytes(), Frame::new(CONTINUATION, &large[..40_000]).bytes()].concat(),
            4400,
            "frame_too_large",
        ),
        ("too many fragments", fragments(FRAGMENTS_MAX + 1, b" "), 4400, "too_many_fragments"),
        ("too many empty fragments", fragments(FRAGMENTS_MAX + 1, b""), 4400, "too_many_fragments"),
        ("one-byte fragments", fragments(200, b" "), 4400, "too_many_fragments"),
    ] {
        let mut wire = Wire::connect(&bystanders.server, "mallory").await;
        wire.send(&bytes).await;
        let close = wire.closed().await;
        assert_eq!((close.code, close.why().as_str()), (code, why), "{name}");
        assert!(close.replies.is_empty() && close.reason.len() <= CLOSE_REASON_BYTES_MAX, "{name}: {close:?}");
    }
    bystanders.are_well().await;
}

#[tokio::test]
async fn what_is_odd_but_allowed_works() {
    let bystanders = Bystanders::new().await;
    let mut wire = Wire::connect(&bystanders.server, "mallory").await;
    let (pieces, last) = PING_TEXT.split_at(FRAGMENTS_MAX as usize - 1);
    let mut bytes: Vec<u8> = pieces
        .iter()
        .enumerate()
        .flat_map(|(at, byte)| Frame::open(if at == 0 { TEXT } else { CONTINUATION }, &[*byte]).bytes())
        .collect();
    bytes.extend(Frame::new(CONTINUATION, last).bytes());
    for byte in &bytes {
        wire.send(&[*byte]).await;
    }
    assert_eq!(wire.reply().await["id"], 5, "as many fragments as allowed, byte by byte");
    let character = r#"{"id":6,"ping":{"a":"世"}}"#.as_bytes();
    let (one, two) = character.split_at(character.len() - 5);
    wire.send(
        &[Frame::open(TEXT, one).bytes(), Frame::new(PING, b"inside").bytes(), Frame::new(CONTINUATION, two).bytes()]
            .concat(),
    )
    .await;
    assert_eq!(
        wire.frame().await,
        Some((PONG, b"inside".to_vec())),
        "a control frame between fragments is answered at once"
    );
    assert_eq!(wire.reply().await["id"], 6, "a character may be split");
    let mut full = vec![b' '; FRAME_BYTES_MAX - PING_TEXT.len()];
    full.extend(PING_TEXT);
    wire.send(&Frame::new(TEXT, &full).bytes()).await;
    assert_eq!(wire.reply().await["id"], 5, "a frame of exactly the limit");
    wire.send(&Frame::new(PONG, b"unsolicited").bytes()).await;
    wire.send(&Frame { announced: None, ..Frame::new(PING, &[b'p'; 125]) }.bytes()).await;
    assert_eq!(wire.frame().await, Some((PONG, vec![b'p'; 125])));
    assert!(wire.is_alive().await);
    bystanders.are_well().await;
}

#[tokio::test]
async fn a_close_is_echoed() {
    let bystanders = Bystanders::new().await;
    for payload in [&b""[..], b"\x03\xe8", b"\x03\xe8bye", b"\x0f\xa0app code 4000"] {
        let mut wire = Wire::connect(&bystanders.server, "mallory").await;
        wire.send(&Frame::new(CLOSE, payload).bytes()).await;
        assert_eq!(wire.closed().await.code, 1000, "{payload:?}");
    }
    bystanders.are_well().await;
}

#[tokio::test]
async fn nothing_after_a_close_is_heard() {
    let bystanders = Bystanders::new().await;
    let mut wire = Wire::connect(&bystanders.server, "alice").await;
    let late =
        text(r#"{"id":7,"send":{"conversation":"c1","client_msg_id":"late","kind":"text","body":{"text":"x"}}}"#);
    wire.send(&[Frame::new(CLOSE, b"\x03\xe8").bytes(), late].concat()).await;
    assert!(wire.closed().await.replies.is_empty());
    bystanders.are_well().await;
}

#[tokio::test]
async fn many_half_sent_messages_harm_nobody() {
    let bystanders = Bystanders::new().await;
    let mut wires = Vec::new();
    for _ in 0..100 {
        let mut wire = Wire::connect(&bystanders.server, "mallory").await;
        wire.send(&Frame { announced: Some(60_000), ..Frame::new(TEXT, &[b' '; 30_000]) }.bytes()).await;
        wires.push(wire);
    }
    bystanders.are_well().await;
}
