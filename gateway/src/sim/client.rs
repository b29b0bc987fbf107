//! A model client: real envelopes, a cursor in each conversation, and a will of its own.

use super::history::{Device, End, Sending, Told};
use super::random::Random;
use super::view::{View, names};
use super::world::{Life, NODES, World};
use crate::connection::Connection;
use crate::connection::outbox::Left;
use crate::encoded::Form;
use crate::incoming::Message;
use crate::tests::client::frames;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;

/// Milliseconds an answer is waited for before the connection is taken for dead.
const ANSWER_MS: u64 = 3_000;
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

/// What an answer is awaited for.
#[derive(Debug)]
enum Asked {
    Connect,
    Sync(u64),
    Send(String),
    History(String, i64),
    Amend(String),
    Other,
}

/// A connection.
struct Link {
    life: Life,
    connection: Arc<Connection>,
    next_id: u64,
    asked: BTreeMap<u64, Asked>,
    is_ready: bool,
    is_syncing: bool,
    /// Whether the close has come.
    is_over: bool,
    /// By conversation: the sends that were acked, by the number of their command, and their seqs.
    lanes: BTreeMap<String, Vec<(u64, i64)>>,
    /// By conversation: the last live push.
    live: BTreeMap<String, i64>,
    /// By conversation: the times it was told to look. That overtakes the events queued before it, so it excuses a gap that comes.
    excused: BTreeMap<String, u64>,
    /// By conversation: the seq its backlog reached.
    backlog: BTreeMap<String, i64>,
    /// What acks told.
    acked: BTreeSet<(String, i64)>,
}

impl Link {
    fn say(&mut self, client: &Device, world: &World, command: &str, fields: &Value, asked: Asked) {
        self.next_id += 1;
        self.asked.insert(self.next_id, asked);
        let text = json!({"id": self.next_id, command: fields}).to_string();
        self.speak(client, world, &text);
    }

    fn speak(&self, client: &Device, world: &World, text: &str) {
        world.history.note(client, format_args!("> {}", &text[..text.len().min(400)]));
        let gateway = &self.life.gateway;
        self.connection.hear(gateway.now_seconds());
        if self.connection.is_closing() {
            return;
        }
        if let Err(code) = gateway.receive(&self.connection, Message::Json(text)) {
            world.history.find(format!("{client} said no envelope: {}", code.as_str()));
        }
    }

    async fn frames(&self, until_ms: u64, now: u64) -> (Vec<Bytes>, Left) {
        if until_ms > now {
            tokio::time::sleep(Duration::from_millis(until_ms - now)).await;
        }
        self.life.weather.thaw().await;
        poll_fn(|context| {
            self.connection.register(context.waker());
            let mut out = Vec::new();
            let left = self.connection.drain(&mut out);
            if out.is_empty() { Poll::Pending } else { Poll::Ready((out, left)) }
        })
        .await
    }
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
        if self.ops.iter().any(|op| op.asked_ms.is_some_and(|asked| asked + ANSWER_MS <= now)) {
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

    /// Takes what the socket brought; false where it closes.
    fn hear(&mut self, link: &mut Link, bytes: &[u8]) -> bool {
        for (opcode, payload) in frames(bytes) {
            if opcode == 8 {
                self.world
                    .history
                    .note(&self.device, format_args!("closed {}", String::from_utf8_lossy(&payload[2..])));
                link.life.gateway.remove(&link.connection);
                return false;
            }
            let text = std::str::from_utf8(payload).expect("text");
            self.world.history.note(&self.device, format_args!("< {}", &text[..text.len().min(400)]));
            if text.contains(&format!("canary-{}", 1 - self.device.org)) {
                self.world.history.find(format!("C12: {} was given another org's message", self.device));
            }
            let mut message: Value = serde_json::from_str(text).expect("JSON");
            match message["id"].as_u64() {
                Some(id) => match link.asked.remove(&id) {
                    Some(asked) => self.answer(link, id, asked, &mut message),
                    None => self.world.history.find(format!("{} was answered {id} twice", self.device)),
                },
                None => self.push(link, message["push"].take()),
            }
        }
        true
    }

    fn push(&mut self, link: &mut Link, push: Value) {
        let name = push["conversation"].as_str().unwrap_or_default().to_owned();
        match push["type"].as_str().unwrap_or_default() {
            "ping" => {
                link.speak(&self.device, &self.world, r#"{"pong":{}}"#);
                let heads: Vec<_> = push["heads"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, at)| (name.clone(), at[1].as_i64().unwrap_or(0)))
                    .collect();
                for (name, seq) in heads {
                    if self.views.get(&name).is_none_or(|view| view.last < seq) {
                        self.fetch(link, &name);
                    }
                }
            }
            "resync" => {
                *link.excused.entry(name.clone()).or_default() += 1;
                link.backlog.remove(&name);
                self.fetch(link, &name);
            }
            "message" | "edited" | "deleted" | "member" | "conversation" => {
                let Some(seq) = push["seq"].as_i64() else { return };
                match self.views.get_mut(&name).and_then(|view| view.pay(seq)) {
                    Some(next) if next != seq => {
                        self.world.history.find(format!("C9: {} was owed {name}/{next} and given {seq}", self.device));
                    }
                    Some(_) => {}
                    None => self.miss_nothing(link, &name, seq, &push),
                }
                self.take(link, &name, seq, push);
            }
            _ => {}
        }
    }

    /// Between two live pushes of a connection nothing is left out without a word, but for what its acks tell.
    fn miss_nothing(&self, link: &mut Link, name: &str, seq: i64, push: &Value) {
        // Who left in what a node could not read is told of that alone: the rest is not its any more.
        if names(push, &self.device.user, &["added", "created", "removed", "banned"]) {
            link.live.remove(name);
            link.backlog.remove(name);
        }
        let missed = |from: i64| (from + 1..seq).filter(|missed| !link.acked.contains(&(name.to_owned(), *missed)));
        let history = &self.world.history;
        if let Some(backlog) = link.backlog.remove(name) {
            let skipped =
                missed(backlog).map(|missed| (link.life.number, self.device.clone(), name.to_owned(), missed));
            history.records().skipped.extend(skipped);
        }
        let last = link.live.entry(name.to_owned()).or_insert(seq - 1);
        let excused = link.excused.entry(name.to_owned()).or_default();
        if let Some(missed) = missed(*last).next()
            && std::mem::replace(excused, excused.saturating_sub(1)) == 0
        {
            history.find(format!("C9: {} was not told of {name}/{missed}, but of {seq}", self.device));
        }
        *last = seq.max(*last);
    }

    /// Takes an event that a push or a page told.
    fn take(&mut self, link: &mut Link, name: &str, seq: i64, event: Value) {
        let what = what(&event);
        let told = Told { device: self.device.clone(), conversation: name.to_owned(), seq, what: Some(what) };
        self.world.history.records().told.push(told);
        self.hold(link, name, seq, event);
    }

    fn hold(&mut self, link: &mut Link, name: &str, seq: i64, event: Value) {
        let now = self.world.now();
        let view = self.views.entry(name.to_owned()).or_default();
        let applied = view.take(&self.device.user, seq, event, now);
        let is_unknown = !view.is_known;
        self.apply(name, applied);
        if is_unknown && !link.is_syncing {
            self.sync(link);
        }
    }

    fn apply(&self, name: &str, applied: Vec<i64>) {
        for seq in applied {
            self.world.history.note(&self.device, format_args!("applies {name}/{seq}"));
            self.world.history.records().applied.push((self.device.clone(), name.to_owned(), seq));
        }
    }

    fn answer(&mut self, link: &mut Link, id: u64, asked: Asked, message: &mut Value) {
        let code = message["error"]["code"].as_str().map(str::to_owned);
        let ok = message["ok"].take();
        match (asked, code) {
            (Asked::Connect, None) => self.connected(link, &ok),
            // It closes, or the deadline ends it.
            (Asked::Connect, Some(_)) => {}
            (Asked::Sync(asked_ms), None) => self.synced(link, asked_ms, &ok),
            (Asked::Sync(_), Some(_)) => {
                link.is_syncing = false;
                let now = self.world.now();
                self.views.values_mut().filter(|view| !view.is_known).for_each(|view| view.gap_ms = Some(now + 200));
            }
            (Asked::History(name, after), None) => self.page(link, &name, after, &ok),
            (Asked::History(name, _), Some(code)) => {
                let now = self.world.now();
                let view = self.views.entry(name).or_default();
                view.is_fetching = false;
                if code == "not_found" { view.end() } else { view.gap_ms = Some(now + 200) }
            }
            (Asked::Send(name), code) => {
                self.keep_lane(link, id, &name, &ok);
                self.sent(link, &name, code, &ok);
            }
            (Asked::Amend(name), None) => {
                if let Some(seq) = ok["seq"].as_i64().filter(|_| ok["changed"] == true) {
                    self.told_by_ack(link, &name, seq);
                }
            }
            (Asked::Amend(_) | Asked::Other, _) => {}
        }
    }

    fn told_by_ack(&mut self, link: &mut Link, name: &str, seq: i64) {
        link.acked.insert((name.to_owned(), seq));
        let told = Told { device: self.device.clone(), conversation: name.to_owned(), seq, what: None };
        self.world.history.records().told.push(told);
        self.hold(link, name, seq, Value::Null);
    }

    fn connected(&mut self, link: &mut Link, ok: &Value) {
        link.is_ready = true;
        self.world.history.records().online.push(self.device.clone());
        for entry in ok["sync"].as_array().into_iter().flatten() {
            let name = entry["conversation"].as_str().unwrap_or_default().to_owned();
            let view = self.views.entry(name.clone()).or_default();
            let (first, head) = (entry["first"].as_i64().unwrap_or(0), entry["head"].as_i64().unwrap_or(0));
            match entry["outcome"].as_str().unwrap_or_default() {
                "recovered" => {
                    view.begin(first, 0);
                    view.owed = (view.last < head).then_some((view.last + 1, head));
                    link.backlog.insert(name, head.max(view.last));
                }
                "not_member" => view.end(),
                "too_far" => self.fetch(link, &name),
                other => self.world.history.find(format!("{}: {name} has {other} though no log was lost", self.device)),
            }
        }
        self.sync(link);
    }

    fn synced(&mut self, link: &mut Link, asked_ms: u64, ok: &Value) {
        link.is_syncing = false;
        let now = self.world.now();
        let mut listed = Vec::new();
        for entry in ok["conversations"].as_array().into_iter().flatten() {
            let name = entry["conversation"].as_str().unwrap_or_default().to_owned();
            let (first, head) = (entry["first"].as_i64().unwrap_or(1), entry["head"].as_i64().unwrap_or(0));
            let view = self.views.entry(name.clone()).or_default();
            view.begin(first, now);
            let applied = view.go_on(&self.device.user, now);
            let is_behind = view.last < head && view.owed.is_none();
            self.apply(&name, applied);
            if is_behind {
                self.fetch(link, &name);
            }
            listed.push(name);
        }
        for (name, view) in &mut self.views {
            if !listed.contains(name) && view.known_ms < asked_ms {
                view.end();
            }
        }
    }

    fn page(&mut self, link: &mut Link, name: &str, after: i64, ok: &Value) {
        let now = self.world.now();
        let (first, head) = (ok["first"].as_i64().unwrap_or(1), ok["head"].as_i64().unwrap_or(0));
        let view = self.views.entry(name.to_owned()).or_default();
        view.is_fetching = false;
        view.begin(first, now);
        let mut next = after.max(first - 1) + 1;
        for item in ok["items"].as_array().into_iter().flatten() {
            let seq = item["seq"].as_i64().unwrap_or(0);
            if seq != next {
                self.world.history.find(format!("C9: {} read {name}/{seq} where {next} was next", self.device));
            }
            next = seq + 1;
            self.take(link, name, seq, item.clone());
        }
        let view = self.views.entry(name.to_owned()).or_default();
        if view.is_known && view.last < head {
            self.fetch(link, name);
        }
    }

    /// What one connection sends to one conversation commits in the order it was sent.
    fn keep_lane(&self, link: &mut Link, id: u64, name: &str, ok: &Value) {
        let Some(op) = self.ops.iter().find(|op| op.id == name) else { return };
        let Some(seq) = ok["seq"].as_i64().filter(|_| ok["duplicate"] == false) else { return };
        let lane = link.lanes.entry(op.conversation.clone()).or_default();
        if lane.iter().any(|(other, at)| (*other < id) != (*at < seq)) {
            self.world.history.find(format!("lane: {} sent {name} in another order than {seq}", self.device));
        }
        lane.push((id, seq));
        let committed = (link.life.number, self.device.org, op.conversation.clone(), seq);
        self.world.history.records().committed.insert(committed);
    }

    fn sent(&mut self, link: &mut Link, id: &str, code: Option<String>, ok: &Value) {
        let Some(place) = self.ops.iter().position(|op| op.id == id) else { return };
        let now = self.world.now();
        let op = &mut self.ops[place];
        op.asked_ms = None;
        let end = match code.as_deref() {
            None => {
                let seq = ok["seq"].as_i64().unwrap_or(0);
                if let Some(first) = op.acked.filter(|first| *first != seq || ok["duplicate"] != true) {
                    let finding =
                        format!("C2: {id} was acked as {first} and its repeat as {seq}, duplicate {}", ok["duplicate"]);
                    self.world.history.find(finding);
                }
                End::Acked(seq)
            }
            // Whoever was acked knows already.
            Some(_) if op.acked.is_some() => End::Open,
            Some("outcome_unknown") => {
                op.is_unknown = true;
                op.next_ms = now + self.random.range(100, 700);
                return;
            }
            Some("unavailable" | "overloaded") if op.is_unknown || self.random.chance(60) => {
                op.next_ms = now + self.random.range(100, 700);
                return;
            }
            Some(_) if op.is_unknown => End::Open,
            Some(_) => End::Failed,
        };
        let op = self.ops.remove(place);
        if let End::Acked(seq) = end {
            self.own.push((op.conversation.clone(), seq));
            self.told_by_ack(link, &op.conversation, seq);
        }
        if op.acked.is_none() {
            let done = self.world.history.note(&self.device, format_args!("ends {id} {end:?}"));
            let sending = &mut self.world.history.records().sendings[op.at];
            (sending.end, sending.done) = (end, done);
        }
    }
}

/// An event in short, as the checker writes it of the log's.
fn what(event: &Value) -> String {
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    match event["type"].as_str().unwrap_or_default() {
        "message" => format!("message {} {} {}", text("sender"), text("client_msg_id"), event["body"]),
        "edited" => format!("edited {} {}", event["target"], event["body"]),
        "member" => format!("member {} {}", text("change"), event["users"].as_array().map_or(0, Vec::len)),
        other => other.to_owned(),
    }
}
