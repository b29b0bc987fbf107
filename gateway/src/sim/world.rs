//! One run's world: a log, a bus, three nodes that live and die, two orgs with the same names in them.

use super::history::History;
use super::net::{Net, SimBus};
use super::random::{Random, SeededRng};
use super::weather::Weather;
use crate::gateway::{Gateway, Parts};
use crate::limits::Limits as NodeLimits;
use crate::model::ModelLog;
use crate::verifier::{Found, Lookups, Verifier};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::id::{AppId, KeyId, OrgId};
use tokenim_domain::log::{AppRef, MessageLog, NewConversation, Write};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::plan::Limits;
use tokenim_domain::plan::quota::Period;
use tokenim_domain::role::{ConversationKind, Mode};
use tokenim_domain::secret::{MasterKey, Secret};
use tokenim_domain::standing::Standing;
use tokenim_domain::terms::{Access, Answer, Changes, TermBook, Terms};
use tokenim_domain::token::{self, Grant, Material, SigningKey};

/// Nodes.
pub const NODES: usize = 3;
/// Wall time at the beginning of a run.
const START_MS: i64 = 1_790_000_000_000;

/// The paused clock of the run's runtime.
pub struct SimClock(tokio::time::Instant);

impl SimClock {
    #[expect(clippy::disallowed_methods, reason = "the runtime's paused time is what the clock port tells here")]
    pub fn new() -> Self {
        SimClock(tokio::time::Instant::now())
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> i64 {
        START_MS + self.monotonic().as_millis() as i64
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Everything is allowed, and nothing changes.
struct NoTerms;

impl TermBook for NoTerms {
    fn terms(&self, _: AppRef) -> Answer<'_, Option<Terms>> {
        let limits = Limits {
            connections: None,
            message_rate: None,
            units: None,
            large_body_bytes: None,
            period: Period::month(START_MS),
        };
        let terms = Terms { mode: Mode::Live, limits, used: 0, access: Access::default() };
        Box::pin(async move { Ok(Some(terms)) })
    }

    fn changes_since(&self, _: i64) -> Answer<'_, Changes> {
        Box::pin(async { Ok(Changes::default()) })
    }
}

/// A node's life.
#[derive(Clone)]
pub struct Life {
    /// Lives are numbered in the order they begin.
    pub number: u64,
    pub gateway: Gateway<ModelLog>,
    pub weather: Arc<Weather>,
}

pub struct World {
    pub seed: u64,
    pub clock: Arc<dyn Clock>,
    pub log: Arc<ModelLog>,
    pub net: Arc<Net>,
    pub history: History,
    /// One key for each org's app.
    keys: Vec<SigningKey>,
    nodes: Mutex<Vec<Option<Life>>>,
    lives: Mutex<u64>,
}

impl World {
    pub async fn new(seed: u64) -> Arc<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SimClock::new());
        let net = Net::new(clock.clone(), Random::new(seed, 1), NODES);
        let calm = Weather::new(clock.clone(), Random::new(seed, 2));
        let log = ModelLog::new(calm.clock.clone()).under(calm);
        let keys = (0..2).map(|org| key(&*clock, seed, org)).collect();
        let history = History::new(clock.clone());
        let nodes = Mutex::new(vec![None; NODES]);
        let world = Arc::new(World { seed, clock, log, net, history, keys, nodes, lives: Mutex::new(0) });
        (0..NODES).for_each(|place| world.start(place));
        world
    }

    /// Milliseconds since the run began.
    pub fn now(&self) -> u64 {
        self.clock.monotonic().as_millis() as u64
    }

    pub fn app(&self, org: usize) -> AppRef {
        self.keys[org].app
    }

    pub fn token(&self, org: usize, user: &str) -> String {
        let grant = Grant { user: User::trusted(user), ttl_s: 3_600, caps: None, label: None, minted_by: None };
        token::mint(&self.keys[org], &grant, self.clock.now_ms()).unwrap().0.expose().to_owned()
    }

    pub async fn group(&self, org: usize, id: &str, members: &[&str]) {
        let new = NewConversation {
            app: self.app(org),
            id: Conversation::trusted(id),
            kind: ConversationKind::Group,
            members: members.iter().map(|user| User::trusted(user)).collect(),
            name: None,
            actor: None,
        };
        drop(self.log.append(vec![Write::Create(new)]).await);
    }

    /// A node that is up, if any is.
    pub fn node(&self, place: usize) -> Option<Life> {
        self.nodes.lock().unwrap()[place].clone()
    }

    /// Begins a new life of a node.
    pub fn start(&self, place: usize) {
        let life = {
            let mut lives = self.lives.lock().unwrap();
            *lives += 1;
            *lives
        };
        let weather = Weather::new(self.clock.clone(), Random::new(self.seed, 100 + life));
        let keys = self.keys.clone();
        let find = move |kid: KeyId| {
            let found = keys.iter().find(|key| key.id == kid).cloned();
            Box::pin(async move { Ok(found) }) as Found<SigningKey>
        };
        let no_minter = |_, _| Box::pin(async { Ok(None) }) as Found<Standing>;
        let lookups = Lookups { signing: Arc::new(find), minter: Arc::new(no_minter) };
        let gateway = Gateway::start(Parts {
            log: self.log.under(weather.clone()),
            bus: SimBus { net: self.net.clone(), place, weather: weather.clone() },
            verifier: Verifier::new(lookups, MasterKey::new(&[1; 32]), self.clock.clone()),
            terms: Arc::new(NoTerms),
            clock: self.clock.clone(),
            rng: Arc::new(SeededRng::new(Random::new(self.seed, 200 + life))),
            limits: NodeLimits::default(),
        });
        self.nodes.lock().unwrap()[place] = Some(Life { number: life, gateway, weather });
    }

    /// Ends a node's life without a word: what it was about to do is never done.
    pub fn kill(&self, place: usize) {
        let life = self.nodes.lock().unwrap()[place].take();
        if let Some(life) = life {
            life.weather.killed.cancel();
            life.gateway.kill();
        }
    }
}

fn key(clock: &dyn Clock, seed: u64, org: u64) -> SigningKey {
    let rng = SeededRng::new(Random::new(seed, 10 + org));
    let app = AppRef { org: OrgId::new(clock, &rng), app: AppId::new(clock, &rng) };
    let material = Material::Secret(Secret::new(format!("secret {org}")));
    SigningKey { id: KeyId::new(clock, &rng), app, material, standing: Standing::default() }
}
