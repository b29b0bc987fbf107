//! A gateway over the model log, on a clock the test moves, and clients whose socket is their queue.

use crate::bus::LocalBus;
use crate::connection::Connection;
use crate::encoded::Form;
use crate::gateway::{Gateway, Parts};
use crate::model::ModelLog;
use crate::verifier::{Found, Lookups, Verifier};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::id::{AppId, KeyId, OrgId};
use tokenim_domain::log::{AppRef, NewConversation, Outcome, Write};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::plan::Limits;
use tokenim_domain::plan::quota::Period;
use tokenim_domain::rng::{Rng, SystemRng};
use tokenim_domain::role::{ConversationKind, Mode};
use tokenim_domain::secret::{MasterKey, Secret};
use tokenim_domain::standing::Standing;
use tokenim_domain::terms::{Access, Answer, Changes, TermBook, Terms};
use tokenim_domain::token::caps::Caps;
use tokenim_domain::token::{self, Grant, Material, SigningKey};
use tokenim_domain::{Code, Result};

pub const START_MS: i64 = 1_790_000_000_000;
/// Turns of the scheduler an effect may take; far more than any needs.
const TURNS_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub struct TestClock(AtomicU64);

impl TestClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        START_MS + self.0.load(Ordering::Relaxed) as i64
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// One log, one bus, any number of nodes.
pub struct World {
    pub log: Arc<ModelLog>,
    pub clock: Arc<TestClock>,
    pub bus: LocalBus,
    pub key: SigningKey,
    pub book: Arc<TestTerms>,
}

/// TermBook the test sets, and how its key stands.
#[derive(Debug)]
pub struct TestTerms {
    pub terms: Mutex<Terms>,
    pub standing: Mutex<Standing>,
    /// Beside a read of the terms that began before the last change: what it still sees.
    pub before: Mutex<Option<Terms>>,
    /// The number of the last change, and whether the store answers.
    changes: AtomicI64,
    pub is_reachable: AtomicBool,
    org: OrgId,
}

impl TestTerms {
    /// Changes the terms, and tells.
    pub fn change(&self, change: impl FnOnce(&mut Terms)) {
        change(&mut self.terms.lock().unwrap());
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Changes how the key stands; told with the next change of the terms.
    pub fn set_key(&self, standing: Standing) {
        *self.standing.lock().unwrap() = standing;
    }

    fn answer<T>(&self, answer: T) -> Result<T> {
        if self.is_reachable.load(Ordering::SeqCst) { Ok(answer) } else { Err(Code::Unavailable.into()) }
    }
}

impl TermBook for TestTerms {
    fn terms(&self, _: AppRef) -> Answer<'_, Option<Terms>> {
        let before = self.before.lock().unwrap().take();
        let answer = self.answer(Some(before.unwrap_or_else(|| self.terms.lock().unwrap().clone())));
        Box::pin(async move { answer })
    }

    fn changes_since(&self, after: i64) -> Answer<'_, Changes> {
        let last = self.changes.load(Ordering::SeqCst);
        let orgs = if last > after { vec![self.org] } else { Vec::new() };
        let answer = self.answer(Changes { last, orgs, is_cut: false });
        Box::pin(async move { answer })
    }
}

impl World {
    pub fn new() -> Self {
        let (clock, rng) = (Arc::new(TestClock::default()), SystemRng);
        let app = AppRef { org: OrgId::new(&*clock, &rng), app: AppId::new(&*clock, &rng) };
        let material = Material::Secret(Secret::new("secret".into()));
        let key = SigningKey { id: KeyId::new(&*clock, &rng), app, material, standing: Standing::default() };
        let limits = Limits {
            connections: None,
            message_rate: None,
            units: None,
            period: Period::month(START_MS),
            large_body_bytes: None,
        };
        let terms = Terms { mode: Mode::Live, limits, used: 0, access: Access::default() };
        let book = Arc::new(TestTerms {
            terms: Mutex::new(terms),
            standing: Mutex::default(),
            before: Mutex::default(),
            changes: AtomicI64::new(0),
            is_reachable: AtomicBool::new(true),
            org: app.org,
        });
        World { log: ModelLog::new(clock.clone()), clock, bus: LocalBus::default(), key, book }
    }

    pub fn node(&self) -> Gateway<ModelLog> {
        let (key, book) = (self.key.clone(), self.book.clone());
        let find = move |kid: KeyId| {
            let standing = *book.standing.lock().unwrap();
            let found = (kid == key.id).then(|| SigningKey { standing, ..key.clone() });
            Box::pin(async move { Ok(found) }) as Found<SigningKey>
        };
        let no_minter = |_, _| Box::pin(async { Ok(None) }) as Found<Standing>;
        let lookups = Lookups { signing: Arc::new(find), minter: Arc::new(no_minter) };
        let rng: Arc<dyn Rng> = Arc::new(SystemRng);
        let verifier = Verifier::new(lookups, MasterKey::new(&[1; 32]), self.clock.clone());
        let (log, bus, book) = (self.log.clone(), self.bus.clone(), self.book.clone());
        Gateway::start(Parts {
            log,
            bus,
            verifier,
            terms: book,
            clock: self.clock.clone(),
            rng,
            limits: crate::limits::Limits::default(),
        })
    }

    pub fn token(&self, user: &str, ttl_s: i64) -> String {
        self.mint(user, ttl_s, None)
    }

    /// A token with these `caps`.
    pub fn token_with(&self, user: &str, caps: &str) -> String {
        self.mint(user, 3_600, Some(serde_json::from_str(caps).unwrap()))
    }

    fn mint(&self, user: &str, ttl_s: i64, caps: Option<Caps>) -> String {
        let grant = Grant { user: User::parse(user).unwrap(), ttl_s, caps, label: None, minted_by: None };
        token::mint(&self.key, &grant, self.clock.now_ms()).unwrap().0.expose().to_owned()
    }

    pub async fn group(&self, node: &Gateway<ModelLog>, id: &str, members: &[&str]) {
        let members = members.iter().map(|user| User::parse(user).unwrap()).collect();
        let new = NewConversation {
            app: self.key.app,
            id: Conversation::trusted(id),
            kind: ConversationKind::Group,
            members,
            name: None,
            actor: None,
        };
        assert!(matches!(node.write(Write::Create(new)).await, Ok(Outcome::Created(..))));
    }

    pub async fn connect(&self, node: &Gateway<ModelLog>, user: &str, heads: Value) -> Client {
        let mut client = Client::open(node);
        let token = self.token(user, 3_600);
        client.command("connect", json!({"token": token, "heads": heads}));
        assert!(client.reply().await["ok"]["session"].is_string());
        client
    }
}

/// A client without a socket.
pub struct Client {
    pub node: Gateway<ModelLog>,
    pub connection: Arc<Connection>,
    next_id: u64,
    inbox: Mutex<Vec<Value>>,
}

impl Client {
    pub fn open(node: &Gateway<ModelLog>) -> Self {
        Client { node: node.clone(), connection: node.accept(Form::Json), next_id: 0, inbox: Mutex::default() }
    }

    pub fn command(&mut self, name: &str, fields: Value) -> u64 {
        self.next_id += 1;
        let text = json!({"id": self.next_id, name: fields}).to_string();
        self.node.receive(&self.connection, crate::incoming::Message::Json(&text)).expect("an envelope");
        self.next_id
    }

    pub fn send(&mut self, conversation: &str, client_msg_id: &str) -> u64 {
        let body = json!({"text": client_msg_id});
        self.command(
            "send",
            json!({"conversation": conversation, "client_msg_id": client_msg_id, "kind": "text", "body": body}),
        )
    }

    /// Everything queued so far, as JSON; a close is `{"close": code}`.
    pub fn drain(&self) -> Vec<Value> {
        let mut frames = Vec::new();
        self.connection.drain(&mut frames);
        let mut out = std::mem::take(&mut *self.inbox.lock().unwrap());
        out.extend(frames.iter().flat_map(|bytes| messages(bytes)));
        out
    }

    /// Waits for a message that `wanted` accepts and takes it; the others stay.
    pub async fn wait(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..TURNS_MAX {
            let mut seen = self.drain();
            let found = seen.iter().position(&wanted).map(|at| seen.remove(at));
            self.inbox.lock().unwrap().append(&mut seen);
            if let Some(found) = found {
                return found;
            }
            tokio::task::yield_now().await;
        }
        panic!("it never came; there were {:?}", self.inbox.lock().unwrap());
    }

    pub async fn reply(&self) -> Value {
        self.wait(|message| message["id"].is_u64()).await
    }

    pub async fn message(&self) -> Value {
        self.wait(|message| message["push"]["type"] == "message").await["push"].take()
    }
}

fn messages(bytes: &[u8]) -> Vec<Value> {
    let message = |(opcode, payload): (u8, &[u8])| match opcode {
        8 => json!({"close": u16::from_be_bytes([payload[0], payload[1]])}),
        _ => serde_json::from_slice(payload).expect("JSON"),
    };
    frames(bytes).into_iter().map(message).collect()
}

/// Splits server frames, which are never masked or fragmented: opcode and payload.
pub fn frames(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut out = Vec::new();
    while let [first, short, rest @ ..] = bytes {
        let (len, rest) = match short {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize, &rest[8..]),
            len => (usize::from(*len), rest),
        };
        let (payload, rest) = rest.split_at(len);
        bytes = rest;
        out.push((first & 0x0F, payload));
    }
    out
}
