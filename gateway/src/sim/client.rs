//! A model client: real envelopes, a cursor in each conversation, and a will of its own.

mod hear;
mod link;

use super::faults::TROUBLE_MS;
use super::history::{Device, End, Sending};
use super::random::Random;
use super::view::View;
use super::world::{Life, NODES, World};
use crate::connection::outbox::Left;
use crate::encoded::Form;
use link::{Asked, Link};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Milliseconds an answer is waited for before the connection is taken for dead.
const ANSWER_MS: u64 = 3_000;
/// From when on everything is answered: by then whatever was late because of trouble has come.
const ORDERLY_MS: u64 = TROUBLE_MS + 2_000;
/// Bytes of a message of a burst: so many of them overflow the queue of who does not read.
const BURST_BYTES: usize = 24 * 1024;

/// What the run wants of a client.
#[derive(Debug, Default)]
pub struct Orders {
    /// Until when it is away, and until when it reads nothing.
    away_ms: AtomicU64,
    stalled_ms: AtomicU64,
    /// Large messages to send at once.
    burst: AtomicU64,
    bell: Notify,
}

impl Orders {
    pub fn leave(&self, until_ms: u64) {
        self.away_ms.store(until_ms, Ordering::Relaxed);
        self.bell.notify_one();
    }

    pub fn stall(&self, until_ms: u64) {
        self.stalled_ms.store(until_ms, Ordering::Relaxed);
        self.bell.notify_one();
    }

    pub fn burst(&self, messages: u64) {
        self.burst.store(messages, Ordering::Relaxed);
        self.bell.notify_one();
    }
}

/// A message until its end is known.
#[derive(Debug)]
struct Op {
    /// Its place in the records.
    at: usize,
    conversation: String,
    id: String,
    body: String,
    /// When it was sent on this connection and is not answered yet.
    asked_ms: Option<u64>,
    next_ms: u64,
    /// Whether a try of it may have been stored.
    is_unknown: bool,
    /// The seq, where it is a repeat of what was acked.
    acked: Option<i64>,
}

pub struct Client {
    pub world: Arc<World>,
    pub device: Device,
    pub orders: Arc<Orders>,
    random: Random,
    views: BTreeMap<String, View>,
    ops: Vec<Op>,
    made: u64,
    /// Messages of its own, by conversation and seq.
    own: Vec<(String, i64)>,
    next_act_ms: u64,
    /// Until when it does anything of its own will.
    until_ms: u64,
}

impl Client {
    pub fn new(world: Arc<World>, device: Device, random: Random, until_ms: u64) -> Self {
        Client {
            world,
            device,
            orders: Arc::default(),
            random,
            views: BTreeMap::new(),
            ops: Vec::new(),
            made: 0,
            own: Vec::new(),
            next_act_ms: 0,
            until_ms,
        }
    }

    /// Connects again and again, for ever.
    pub async fn live(mut self) {
        loop {
            let away_ms = self.orders.away_ms.load(Ordering::Relaxed).saturating_sub(self.world.now());
            tokio::time::sleep(Duration::from_millis(away_ms)).await;
            let place = self.random.range(0, NODES as u64) as usize;
            if let Some(life) = self.world.node(place) {
                self.world.history.note(&self.device, format_args!("connects to {place}"));
                self.session(life).await;
                self.world.history.note(&self.device, "is offline");
                self.world.history.records().online.retain(|one| *one != self.device);
                self.lose_answers();
            }
            tokio::time::sleep(Duration::from_millis(self.random.range(50, 500))).await;
        }
    }

    /// Nobody knows what became of what was not answered.
    fn lose_answers(&mut self) {
        for op in &mut self.ops {
            op.is_unknown |= op.asked_ms.take().is_some();
        }
        for view in self.views.values_mut() {
            (view.is_fetching, view.owed) = (false, None);
        }
    }

    async fn session(&mut self, life: Life) {
        let connection = life.gateway.accept(Form::Json);
        let (asked, killed, orders) = (BTreeMap::new(), life.weather.killed.clone(), self.orders.clone());
        let mut link = Link {
            life,
            connection,
            next_id: 0,
            asked,
            is_ready: false,
            is_syncing: false,
            is_over: false,
            lanes: BTreeMap::new(),
            live: BTreeMap::new(),
            excused: BTreeMap::new(),
            backlog: BTreeMap::new(),
            acked: BTreeSet::new(),
        };
        let heads: BTreeMap<_, _> =
            self.views.iter().filter(|(_, view)| view.is_known).map(|(name, view)| (name, (1, view.last))).collect();
        let token = self.world.token(self.device.org, &self.device.user);
        let connect = json!({"token": token, "device": self.device.name, "heads": heads});
        link.say(&self.device, &self.world, "connect", &connect, Asked::Connect);
        let begun = self.world.now();
        loop {
            let now = self.world.now();
            let wake = self.wake_ms(&link, begun).max(now + 1);
            tokio::select! {
                biased;
                () = killed.cancelled() => return,
                () = orders.bell.notified() => {}
                (frames, left) = link.frames(orders.stalled_ms.load(Ordering::Relaxed), now) => {
                    link.is_over = left == Left::Finished;
                    for bytes in frames {
                        if !self.hear(&mut link, &bytes) {
                            break;
                        }
                    }
                }
                () = async {
                    tokio::time::sleep(Duration::from_millis(wake - now)).await;
                    link.life.weather.thaw().await;
                } => {}
            }
            if killed.is_cancelled() {
                return;
            }
            let is_away = orders.away_ms.load(Ordering::Relaxed) > self.world.now();
            if link.connection.is_gone() || link.is_over || is_away || !self.due(&mut link, begun) {
                link.life.gateway.remove(&link.connection);
                return;
            }
        }
    }

    /// When it has something to do.
    fn wake_ms(&self, link: &Link, begun: u64) -> u64 {
        if !link.is_ready {
            return begun + ANSWER_MS;
        }
        let gaps = self.views.values().filter(|view| !view.is_fetching).filter_map(|view| view.gap_ms);
        let ops = self.ops.iter().map(|op| op.asked_ms.map_or(op.next_ms, |asked| asked + ANSWER_MS));
        let act = (self.next_act_ms < self.until_ms).then_some(self.next_act_ms);
        gaps.chain(ops).chain(act).min().unwrap_or(u64::MAX / 2).min(self.world.now() + 60_000)
    }

    /// Does what is due; false where the connection is taken for dead.
    fn due(&mut self, link: &mut Link, begun: u64) -> bool {
        let now = self.world.now();
        if !link.is_ready {
            return now < begun + ANSWER_MS;
        }
        let is_late = |asked: u64| asked + ANSWER_MS <= now;
        if let Some(op) = self.ops.iter().find(|op| op.asked_ms.is_some_and(is_late)) {
            if op.asked_ms >= Some(ORDERLY_MS) {
                self.world.history.find(format!("L3: {} had no answer to {} in all order", self.device, op.id));
            }
            return false;
        }
        let names: Vec<_> = self
            .views
            .iter()
            .filter(|(_, view)| view.gap_ms.is_some_and(|at| at <= now))
            .map(|(name, _)| name.clone())
            .collect();
        names.into_iter().for_each(|name| self.fetch(link, &name));
        for op in self.ops.iter_mut().filter(|op| op.asked_ms.is_none() && op.next_ms <= now) {
            op.asked_ms = Some(now);
            let body: Value = serde_json::from_str(&op.body).unwrap();
            let fields = json!({"conversation": op.conversation, "client_msg_id": op.id, "kind": "text", "body": body});
            link.say(&self.device, &self.world, "send", &fields, Asked::Send(op.id.clone()));
        }
        if self.next_act_ms <= now && now < self.until_ms {
            self.next_act_ms = now + self.random.range(50, 900);
            self.act(link);
        }
        if self.orders.burst.load(Ordering::Relaxed) > 0 && now < self.until_ms {
            (0..self.orders.burst.swap(0, Ordering::Relaxed)).for_each(|_| self.make("c0", BURST_BYTES));
        }
        true
    }

    /// Fetches what is missing; whoever does not know where it begins asks that first.
    fn fetch(&mut self, link: &mut Link, name: &str) {
        let view = self.views.entry(name.to_owned()).or_default();
        view.gap_ms = None;
        if view.is_known && !view.is_fetching {
            view.is_fetching = true;
            let asked = Asked::History(name.to_owned(), view.last);
            let fields = json!({"conversation": name, "after": view.last, "limit": 100});
            link.say(&self.device, &self.world, "history", &fields, asked);
        } else if !view.is_known && !link.is_syncing {
            self.sync(link);
        }
    }

    fn sync(&mut self, link: &mut Link) {
        link.is_syncing = true;
        link.say(&self.device, &self.world, "sync", &json!({}), Asked::Sync(self.world.now()));
    }

    fn act(&mut self, link: &mut Link) {
        let known: Vec<String> =
            self.views.iter().filter(|(_, view)| view.is_known).map(|(name, _)| name.clone()).collect();
        if known.is_empty() {
            return;
        }
        let name = self.random.pick(&known).clone();
        match self.random.range(0, 100) {
            0..78 => {
                let bytes = self.random.range(0, 120) as usize;
                self.make(&name, bytes);
            }
            78..86 => {
                let (command, seq) = (*self.random.pick(&["read", "received"]), self.views[&name].last.max(1));
                let fields = json!({"conversation": name, "seq": seq});
                link.say(&self.device, &self.world, command, &fields, Asked::Other);
            }
            86..91 if !self.own.is_empty() => {
                let (name, target) = self.random.pick(&self.own).clone();
                let fields =
                    json!({"conversation": name, "target": target, "kind": "text", "body": {"text": "edited"}});
                link.say(&self.device, &self.world, "edit", &fields, Asked::Amend(name));
            }
            91..94 => self.repeat(),
            94.. if self.device.user == "u0" => {
                let command = *self.random.pick(&["conversation.add", "conversation.remove"]);
                let who = *self.random.pick(&["u2", "u3"]);
                let fields = json!({"conversation": "c1", "members": [who]});
                link.say(&self.device, &self.world, command, &fields, Asked::Other);
            }
            _ => {}
        }
    }

    /// Makes a message, to be sent at once.
    fn make(&mut self, conversation: &str, bytes: usize) {
        self.made += 1;
        let id = format!("{}.{}.{}", self.device.user, self.device.name, self.made);
        let text = format!("canary-{} {id} {}", self.device.org, "x".repeat(bytes));
        let body = json!({"text": text}).to_string();
        let history = &self.world.history;
        let invoked = history.note(&self.device, format_args!("wants {id} in {conversation}"));
        let (org, user, conversation) = (self.device.org, self.device.user.clone(), conversation.to_owned());
        let sending = Sending {
            org,
            conversation: conversation.clone(),
            user,
            id: id.clone(),
            body: body.clone(),
            invoked,
            done: u64::MAX,
            end: End::Open,
        };
        let at = {
            let mut records = history.records();
            records.sendings.push(sending);
            records.sendings.len() - 1
        };
        self.ops.push(Op {
            at,
            conversation,
            id,
            body,
            asked_ms: None,
            next_ms: self.world.now(),
            is_unknown: false,
            acked: None,
        });
    }

    /// Sends something again that was acked.
    fn repeat(&mut self) {
        let history = &self.world.history;
        let acked: Vec<(usize, Sending, i64)> = {
            let records = history.records();
            let own = |sending: &Sending| {
                sending.id.starts_with(&format!("{}.{}.", self.device.user, self.device.name))
                    && sending.org == self.device.org
            };
            let all = records.sendings.iter().enumerate().filter(|(_, sending)| own(sending));
            all.filter_map(|(at, sending)| match sending.end {
                End::Acked(seq) => Some((at, sending.clone(), seq)),
                _ => None,
            })
            .collect()
        };
        if acked.is_empty() {
            return;
        }
        let (at, sending, seq) = self.random.pick(&acked).clone();
        if self.ops.iter().any(|op| op.id == sending.id) {
            return;
        }
        let Sending { conversation, id, body, .. } = sending;
        self.ops.push(Op {
            at,
            conversation,
            id,
            body,
            asked_ms: None,
            next_ms: self.world.now(),
            is_unknown: true,
            acked: Some(seq),
        });
    }
}
