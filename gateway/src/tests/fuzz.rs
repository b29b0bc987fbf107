//! Fuzzing without a fuzzer: seeded mutations of a corpus against everything that reads a client's bytes. Each run does the same;
//! `TOKENIM_FUZZ_ROUNDS` asks for more rounds, `TOKENIM_FUZZ_SEED` for others.

use super::World;
use super::client::Client;
use crate::encoded::Form;
use crate::frame::{Decoder, Received};
use crate::gateway::Gateway;
use crate::incoming::Message;
use crate::model::ModelLog;
use crate::{deflate, events};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokenim_domain::token;
use tokenim_protocol::command::{Connect, ConversationCreate, Send, Sync};
use tokenim_protocol::envelope::Malformed;
use tokenim_protocol::limits::FRAME_BYTES_MAX;
use tokenim_protocol::{Code, envelope, fields, grammar, msgpack};

/// Rounds of each target, where the environment asks for no other number.
const ROUNDS: u64 = 3_000;
/// Changes of one input, at most.
const CHANGES_MAX: u64 = 8;

/// Knuth's generator of 64 bits: what matters is that it is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Changes a text here and there: bits, bytes, lengths, pieces of others.
    fn mutate(&mut self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        for _ in 0..=self.next() % CHANGES_MAX {
            let at = self.below(bytes.len());
            match self.next() % 7 {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 if !bytes.is_empty() => bytes[at] = self.next() as u8,
                2 if !bytes.is_empty() => drop(bytes.remove(at)),
                3 => bytes.insert(at, [0x00, 0x7F, 0x80, 0xFF, b'"', b'{', 0xC1, 0xDF][self.below(8)]),
                4 => bytes.truncate(at),
                5 => {
                    let end = at + self.below(bytes.len() - at);
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => {
                    let other = &corpus[self.below(corpus.len())];
                    let from = self.below(other.len());
                    bytes.splice(at..at, other[from..].iter().copied());
                }
            }
        }
        bytes.truncate(2 * FRAME_BYTES_MAX);
    }
}

/// A number from the environment, for who fuzzes longer.
#[expect(clippy::disallowed_methods, reason = "a test that is told how long to run")]
fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Feeds mutations of the corpus to a target; it panics where something does not hold.
fn fuzz(corpus: &[Vec<u8>], mut target: impl FnMut(&[u8], &mut Random)) {
    let mut random = Random(env("TOKENIM_FUZZ_SEED").unwrap_or(7));
    corpus.iter().for_each(|input| target(input, &mut random));
    for _ in 0..env("TOKENIM_FUZZ_ROUNDS").unwrap_or(ROUNDS) {
        target(&mutation(corpus, &mut random), &mut random);
    }
}

fn mutation(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    random.mutate(&mut input, corpus);
    input
}

const ENVELOPES: &[&str] = &[
    r#"{"id":7,"send":{"conversation":"c1","client_msg_id":"m1","kind":"text","body":{"text":"h\u00e9llo \ud83d\ude00"}}}"#,
    r#"{"id":1,"connect":{"token":"a.b.c","device":"d1","sdk":"x","features":["a"],"heads":{"c1":[1,7],"c2":[2,0]}}}"#,
    r#"{"id":2,"conversation.create":{"kind":"group","members":["a","b"],"id":"c9","name":"x"}}"#,
    r#"{"id":3,"sync":{"heads":{"c":[1,1]},"page":"p"}}"#,
    r#"{"pong":{}}"#,
    r#"{"id":18446744073709551615,"x":[[[[[1e308,-0.0,null,true,{"a":{"b":[]}}]]]]]}"#,
];

fn envelopes() -> Vec<Vec<u8>> {
    ENVELOPES.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn envelopes_are_read_or_refused() {
    fuzz(&envelopes(), |input, _| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        if let Ok(envelope::Incoming::Command { id, body, .. }) = envelope::read(text) {
            assert!(id > 0 && serde_json::from_str::<&RawValue>(body.get()).is_ok());
            let _ = fields::read::<Send<'_>>(body.get());
            let _ = fields::read::<Connect<'_>>(body.get());
            let _ = fields::read::<Sync<'_>>(body.get());
            let _ = fields::read::<ConversationCreate<'_>>(body.get());
        }
    });
}

#[test]
fn messagepack_is_read_or_refused_and_what_is_read_stays_what_it_is() {
    let corpus: Vec<_> = ENVELOPES.iter().map(|text| msgpack::encode(text)).collect();
    fuzz(&corpus, |input, _| {
        let Ok(decoded) = msgpack::decode(input) else { return };
        assert!(decoded.json.len() <= 6 * input.len(), "{} of {}", decoded.json.len(), input.len());
        let raw = serde_json::from_str::<&RawValue>(&decoded.json);
        assert!(raw.is_ok(), "{}", decoded.json);
        let again = msgpack::decode(&msgpack::encode(&decoded.json)).unwrap();
        assert_eq!((again.json, again.flaw), (decoded.json, None));
    });
}

/// A client's frame.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | len as u8),
        len => {
            out.push(0x80 | 126);
            out.extend((len as u16).to_be_bytes());
        }
    }
    out.extend([0, 0, 0, 0]);
    out.extend(payload);
    out
}

/// What a decoder makes of bytes that come in pieces: at most the last thing it hands on differs by how they are cut, since a
/// refusal comes as early as the bytes allow.
fn decode(form: Form, input: &[u8], piece: usize) -> (Vec<String>, Option<Code>) {
    let (mut decoder, mut seen) = (Decoder::new(form), Vec::new());
    for piece in input.chunks(piece.max(1)) {
        let fed = decoder.feed(&mut piece.to_vec(), |received| {
            if let Received::Text(text) = &received {
                assert!(text.len() <= FRAME_BYTES_MAX);
            }
            seen.push(format!("{received:?}"));
            Ok(())
        });
        if let Err(code) = fed {
            return (seen, Some(code));
        }
        assert!(decoder.held_bytes() <= 2 * (FRAME_BYTES_MAX + 14));
    }
    (seen, None)
}

#[test]
fn frames_are_read_or_refused_however_they_are_cut() {
    let text = ENVELOPES[0].repeat(3);
    let packed = deflate::compress(text.as_bytes()).unwrap();
    let (head, tail) = packed.split_at(packed.len() / 2);
    let corpus = [
        masked(0x81, b"{}"),
        masked(0x82, &msgpack::encode(ENVELOPES[1])),
        [masked(0x01, b"ab"), masked(0x89, b"p"), masked(0x00, b"c"), masked(0x80, b"d")].concat(),
        masked(0xC1, &packed),
        [masked(0x41, head), masked(0x8A, b""), masked(0x80, tail)].concat(),
        masked(0x88, &[0x03, 0xE8, b'x']),
    ];
    for form in [Form::Json, Form::MessagePack, Form::JsonDeflated, Form::MessagePackDeflated] {
        fuzz(&corpus, |input, random| {
            let whole = decode(form, input, input.len());
            assert_eq!(whole, decode(form, input, 1 + random.below(16)), "{form:?} {input:x?}");
        });
    }
}

#[test]
fn deflate_streams_are_inflated_within_the_limit_or_refused() {
    let corpus: Vec<_> = [300, 5_000, 70_000]
        .iter()
        .map(|bytes| deflate::compress(&ENVELOPES[1].as_bytes().repeat(bytes / 90)).unwrap())
        .collect();
    fuzz(&corpus, |input, _| match deflate::inflate(input, |bytes| Ok(bytes.len())) {
        Ok(bytes) => assert!(bytes <= FRAME_BYTES_MAX),
        Err(code) => assert!(matches!(code, Code::BadFrame | Code::FrameTooLarge), "{code:?}"),
    });
}

#[test]
fn places_offers_and_tokens_are_read_or_refused() {
    let texts = [
        "1.7.conv_1",
        "-9223372036854775808.1.a",
        "permessage-deflate; client_max_window_bits=\"9\", x",
        "a.b.c",
        "tses_xyz",
    ];
    let corpus: Vec<_> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    fuzz(&corpus, |input, _| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        if let Ok((conversation, (epoch, seq))) = events::head(text) {
            assert!(events::head(&format!("{epoch}.{seq}.{conversation}")).is_ok());
        }
        let answer = deflate::negotiate(text);
        assert!(answer.is_none_or(|answer| answer.starts_with("permessage-deflate; server_no_context_takeover")));
        let _ = token::check_form(text).and_then(|()| token::key_of(text));
    });
}

/// Every command with its fields, as the golden vectors have them, the refused ones too.
fn commands() -> Vec<Vec<u8>> {
    let files = [
        include_str!("../../../protocol/vectors/replies.json"),
        include_str!("../../../protocol/vectors/refusals.json"),
    ];
    let cases = files.into_iter().flat_map(|file| {
        let mut file: Value = serde_json::from_str(file).unwrap();
        file["cases"].take().as_array().unwrap().clone()
    });
    let envelope = |(at, mut case): (usize, Value)| {
        let mut envelope = case["input"].take();
        envelope["id"] = json!(at + 1);
        envelope.to_string().into_bytes()
    };
    cases.enumerate().map(envelope).collect()
}

/// A connection under fuzz: how many answers each id is still owed.
struct Target {
    client: Client,
    owed: HashMap<u64, i64>,
}

impl Target {
    async fn open(world: &World, node: &Gateway<ModelLog>) -> Self {
        Target { client: world.connect(node, "alice", json!({})).await, owed: HashMap::new() }
    }

    /// Says something; false where the connection is over.
    fn say(&mut self, text: &str) -> bool {
        if let Ok(envelope::Incoming::Command { id, .. }) | Err(Malformed { id: Some(id), .. }) = envelope::read(text) {
            *self.owed.entry(id).or_default() += 1;
        }
        self.client.node.receive(&self.client.connection, Message::Json(text)).is_ok()
            && !self.client.connection.is_closing()
    }

    /// Nothing is answered that was not asked.
    fn settle(&mut self) {
        for message in self.client.drain() {
            let Some(id) = message["id"].as_u64() else { continue };
            let owed = self.owed.entry(id).or_default();
            *owed -= 1;
            assert!(*owed >= 0, "answered {id} once more: {message}");
        }
    }
}

/// Whatever is said, in whatever order: each command has one answer, and the others of the conversation go on.
#[tokio::test(start_paused = true)]
async fn mutated_commands_have_one_answer_each_and_harm_nobody() {
    let (world, corpus) = (World::new(), commands());
    let node = world.node();
    world.group(&node, "c1", &["alice", "bob"]).await;
    let mut bob = world.connect(&node, "bob", json!({})).await;
    let mut target = Target::open(&world, &node).await;
    let mut random = Random(env("TOKENIM_FUZZ_SEED").unwrap_or(7));
    for round in 0..env("TOKENIM_FUZZ_ROUNDS").unwrap_or(ROUNDS) {
        let input = mutation(&corpus, &mut random);
        let Ok(text) = std::str::from_utf8(&input) else { continue };
        let is_open = target.say(text);
        if round % 16 == 0 || !is_open {
            tokio::time::sleep(Duration::from_millis(50)).await;
            target.settle();
            bob.drain();
        }
        if !is_open {
            node.remove(&target.client.connection);
            target = Target::open(&world, &node).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    target.settle();
    let unanswered: Vec<_> = target.owed.iter().filter(|(_, owed)| **owed > 0).collect();
    assert!(unanswered.is_empty(), "{unanswered:?}");
    bob.command("ping", json!({}));
    assert!(bob.reply().await["ok"].is_object());
}

/// A place in the list of conversations is taken as one, or refused by its name.
#[tokio::test]
async fn pages_of_the_list_of_conversations_are_read_or_refused() {
    let world = World::new();
    let node = world.node();
    world.group(&node, "c1", &["alice"]).await;
    let mut alice = world.connect(&node, "alice", json!({})).await;
    let texts = ["1790000000000:c1", "-9223372036854775808:a", "9223372036854775807:a.b:c@d"];
    let corpus: Vec<_> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    let mut random = Random(env("TOKENIM_FUZZ_SEED").unwrap_or(7));
    let mut pages = 0;
    for _ in 0..env("TOKENIM_FUZZ_ROUNDS").unwrap_or(ROUNDS) {
        let input = mutation(&corpus, &mut random);
        let Ok(text) = std::str::from_utf8(&input) else { continue };
        alice.command("sync", json!({"page": text}));
        let reply = alice.reply().await;
        let is_place = text.split_once(':').is_some_and(|(ms, name)| ms.parse::<i64>().is_ok() && grammar::is_id(name));
        match is_place {
            true => assert_eq!(reply["ok"]["done"], true, "{text:?}"),
            false => assert_eq!(reply["error"]["param"], "page", "{text:?}: {reply}"),
        }
        pages += u64::from(is_place);
    }
    assert!(pages > 0, "no mutation was a place");
}
