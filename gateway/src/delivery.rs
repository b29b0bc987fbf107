//! What happens after a commit: acks, then the fan-out, then one wake-up per connection for all of it.

mod answers;
mod behind;
mod heads;
mod live;
mod run;
mod stream;

use crate::appender::Committed;
use crate::audience::{Audience, Audiences, Key};
use crate::bus::{Bus, Published};
use crate::checkpoints::{Checkpoints, Step};
use crate::connection::{Connection, For, Given};
use crate::counters::Counters;
use crate::encode;
use crate::encoded::Encoded;
use crate::live::Heard;
use crate::metered::Metered;
use crate::recent::Times;
use crate::registry::{Registry, Slot};
use crate::ticker::Seconds;
use answers::Rest;
pub(crate) use behind::Behind;
use heads::Heads;
use live::{Live, broadcast};
use run::{Item, Run, deliver_singly};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use stream::Deltas;
use tokenim_domain::log::{AppRef, Event, EventBody, From, MessageLog, RangeQuery, Watermark};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::Change;
use tokenim_domain::{Code, sabotage};
use tokenim_protocol::reply::Receipt;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Members up to which a moved watermark is told to the others at once; in larger ones it is asked for.
const RECEIPT_MEMBERS_MAX: usize = 128;
/// Events that a gap is closed with; a larger one is told as `resync`, and clients page it.
const GAP_EVENTS_MAX: u32 = 200;
/// Bytes that a gap is closed with.
const GAP_BYTES_MAX: usize = 128 * 1024;
/// Conversations whose members are read at a time, so that what is read is used before it can be pushed out.
const LOAD_MAX: usize = 32;
/// Batches that are answered already and wait while members are read.
const LATER_MAX: usize = 16;
/// First wait after members could not be read; it doubles up to [`RETRY_MAX`].
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// Longest wait between two tries.
const RETRY_MAX: Duration = Duration::from_secs(2);

/// The one task that fans out on a node; being one, it keeps every conversation in order.
#[derive(Debug)]
pub struct Delivery<L, B> {
    log: Arc<L>,
    bus: Arc<B>,
    node: Node,
    committed: mpsc::Receiver<Committed>,
    /// What is still to be told of batches that came while members were read.
    later: VecDeque<Rest>,
    audiences: Audiences,
    live: Live,
    heads: Heads,
    /// Connections with something queued, to be woken together.
    touched: Vec<Arc<Connection>>,
}

/// What the delivery shares with the rest of its node.
#[derive(Debug)]
pub struct Node {
    /// The node's number on the bus.
    pub id: u64,
    /// Who is connected.
    pub registry: Arc<Registry>,
    /// The node's seconds.
    pub seconds: Seconds,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// What is counted of each app in its minute.
    pub metered: Arc<Metered>,
    /// How long messages took from the hand-over to the log until they were queued at every connection.
    pub times: Arc<Times>,
    /// The first steps of apps somebody watches.
    pub checkpoints: Checkpoints,
    /// Told when the bus may have lost something.
    pub lost: Arc<Notify>,
    /// Cancelled when the node stops.
    pub stop: CancellationToken,
}

impl<L: MessageLog, B: Bus> Delivery<L, B> {
    /// A delivery for one node.
    pub fn new(log: Arc<L>, bus: Arc<B>, node: Node, committed: mpsc::Receiver<Committed>) -> Self {
        Delivery {
            log,
            bus,
            node,
            committed,
            later: VecDeque::new(),
            audiences: Audiences::new(),
            live: Live::new(),
            heads: Heads::default(),
            touched: Vec::new(),
        }
    }

    /// Runs until the batcher is gone.
    pub(crate) async fn run(mut self, mut heard: mpsc::Receiver<Heard>, mut found: mpsc::Receiver<Vec<Behind>>) {
        let mut remote = self.bus.subscribe(self.node.id, self.node.lost.clone());
        let mut seconds = heads::seconds();
        // Batches go first, but after each of them one of the others has its turn: there may always be a batch.
        let mut is_turn_of_others = false;
        loop {
            tokio::select! {
                biased;
                _ = seconds.tick(), if !self.heads.is_empty() => self.tell_heads().await,
                Some(rest) = async { self.later.pop_front() }, if !self.later.is_empty() => self.tell_rest(rest).await,
                batch = self.committed.recv(), if !is_turn_of_others => match batch {
                    Some(batch) => {
                        let rest = self.answer_all(batch);
                        self.tell_rest(rest).await;
                        is_turn_of_others = true;
                        continue;
                    }
                    None => return,
                },
                Some(published) = remote.recv() => self.remote(&published).await,
                Some(found) = found.recv() => self.catch_up(found).await,
                read = self.live.read() => self.take_read(read),
                Some(heard) = heard.recv() => self.heard(heard),
                () = std::future::ready(()), if is_turn_of_others => {}
            }
            is_turn_of_others = false;
        }
    }

    async fn tell_rest(&mut self, rest: Rest) {
        let Rest { events, receipts, deltas, unknown, begun } = rest;
        let published: Vec<_> = events.iter().map(|(event, _)| event.clone()).collect();
        self.tell_deltas(&deltas, &published).await;
        self.fan_out(events).await;
        self.tell_watermarks(&receipts).await;
        self.tell_unknown(&unknown).await;
        self.wake();
        self.node.counters.end_to_tell();
        if !published.is_empty() {
            let took = self.node.seconds.clock().monotonic().saturating_sub(begun);
            self.node.times.note(self.node.seconds.clock().now_ms(), took, published.len() as u64);
        }
        let deltas = deltas.into_deltas();
        if !published.is_empty() || !deltas.is_empty() {
            self.bus.publish(Arc::new(Published { node: self.node.id, events: published, deltas })).await;
        }
    }

    async fn remote(&mut self, published: &Published) {
        self.tell_deltas(&Deltas::of(&published.deltas), &published.events).await;
        self.fan_out(published.events.iter().map(|event| (event.clone(), None)).collect()).await;
        self.wake();
    }

    fn wake(&mut self) {
        self.touched.drain(..).for_each(|connection| connection.wake());
    }

    async fn fan_out(&mut self, events: Vec<(Arc<Event>, Option<u64>)>) {
        let mut order: Vec<(Key, Vec<Item>)> = Vec::new();
        let mut places: HashMap<Key, usize> = HashMap::new();
        for (event, origin) in events {
            let key = (event.app.app, event.conversation.clone());
            let place = *places.entry(key.clone()).or_insert_with(|| {
                order.push((key, Vec::new()));
                order.len() - 1
            });
            let push = encode::push(&event);
            order[place].1.push(Item { event, push, origin });
        }
        let mut order = order.into_iter().peekable();
        while order.peek().is_some() {
            let portion: Vec<_> = order.by_ref().take(LOAD_MAX).collect();
            let first = portion.iter().filter_map(|(_, items)| items.first());
            self.know(first.map(|item| (item.event.app, item.event.conversation.clone())).collect()).await;
            for (key, items) in portion {
                self.conversation(&key, items).await;
            }
        }
    }

    /// Reads the members of conversations this node does not remember, for as long as it takes: an event that is committed
    /// reaches its members. Who waits for an ack does not wait for that; once [`LATER_MAX`] batches do, the batcher does.
    async fn know(&mut self, wanted: Vec<(AppRef, Conversation)>) {
        let mut wanted: Vec<_> =
            wanted.into_iter().filter(|(app, name)| !self.audiences.knows(&(app.app, name.clone()))).collect();
        if wanted.is_empty() {
            return;
        }
        self.wake();
        wanted.sort_unstable();
        wanted.dedup();
        let mut wait = RETRY_FIRST;
        let log = self.log.clone();
        loop {
            match self.meanwhile(log.member_lists(wanted.clone())).await {
                Ok(lists) => return self.audiences.remember_all(&self.node.registry, wanted, lists),
                Err(error) => {
                    tracing::error!(%error, source = ?std::error::Error::source(&error), "members could not be read; trying again");
                }
            }
            let stop = self.node.stop.clone();
            if self.meanwhile(stop.run_until_cancelled(tokio::time::sleep(wait))).await.is_none() {
                return;
            }
            wait = (wait * 2).min(RETRY_MAX);
        }
    }

    /// Waits for something, and answers the batches that come meanwhile.
    async fn meanwhile<T>(&mut self, wanted: impl Future<Output = T>) -> T {
        tokio::pin!(wanted);
        loop {
            tokio::select! {
                biased;
                done = &mut wanted => return done,
                Some(batch) = self.committed.recv(), if self.later.len() < LATER_MAX => self.answer_early(batch),
            }
        }
    }

    /// A lost answer to COMMIT: the events are in the log or not. Members are told to look, and who they are is read anew.
    async fn tell_unknown(&mut self, unknown: &[(AppRef, Conversation)]) {
        for portion in unknown.chunks(LOAD_MAX) {
            portion.iter().for_each(|(app, conversation)| self.audiences.forget(&(app.app, conversation.clone())));
            self.know(portion.to_vec()).await;
            for (app, conversation) in portion {
                self.resync(&(app.app, conversation.clone()), Code::OutcomeUnknown);
            }
        }
        if !unknown.is_empty() {
            // It may be committed after everybody has looked.
            self.node.lost.notify_one();
        }
    }

    fn resync(&mut self, key: &Key, reason: Code) {
        let Some(audience) = self.audiences.get(key) else { return };
        audience.tell_to_look();
        let push = Encoded::new(&tokenim_protocol::reply::resync(key.1.as_str(), reason));
        for (slot, _) in &audience.members {
            slot.each(|connection| {
                connection.push(&push);
                self.touched.push(connection.clone());
            });
        }
    }

    async fn conversation(&mut self, key: &Key, mut items: Vec<Item>) {
        let Some(audience) = self.audiences.get(key) else { return };
        let (delivered, known) = (audience.delivered, audience.known());
        items.retain(|item| delivered.is_none_or(|seq| item.event.seq > seq));
        let Some(first) = items.first() else { return };
        let (app, name) = (first.event.app, first.event.conversation.clone());
        if known + 1 < first.event.seq && !sabotage::is("no_gap_rule") {
            match self.read_gap(app, &name, known, first.event.seq).await {
                Some(missing) => items.splice(0..0, missing).for_each(drop),
                None => {
                    // Members may have come and gone in what was not read: who was one is told, and who is.
                    self.resync(key, Code::Overloaded);
                    self.audiences.forget(key);
                    self.know(vec![(app, name)]).await;
                    self.resync(key, Code::Overloaded);
                }
            }
        }
        let mut rest = items.as_slice();
        while let Some(item) = rest.first() {
            let messages = rest.iter().take_while(|item| !matches!(item.event.body, EventBody::Member { .. })).count();
            let (run, later) = rest.split_at(messages.max(1));
            rest = later;
            self.audiences.join(&self.node.registry, &item.event);
            self.run_of(key, run);
            self.audiences.leave(&item.event);
        }
    }

    /// Events between what was fanned out and what came: the bus lost or reordered them, the log has them. `None` where
    /// they are too many, or can't be read.
    async fn read_gap(
        &mut self,
        app: AppRef,
        conversation: &Conversation,
        above: i64,
        below: i64,
    ) -> Option<Vec<Item>> {
        let from = From::After(above);
        let query = RangeQuery {
            app,
            conversation: conversation.clone(),
            viewer: None,
            thread: None,
            from,
            limit: GAP_EVENTS_MAX,
            bytes_max: GAP_BYTES_MAX,
        };
        // Who was answered hears it now, and who is answered meanwhile does.
        self.wake();
        let log = self.log.clone();
        let page = self.meanwhile(log.read_range(query)).await.ok()?;
        let missing: Vec<_> = page.events.into_iter().filter(|event| event.seq < below).map(Arc::new).collect();
        let whole = missing.last().is_some_and(|event| event.seq + 1 == below);
        let item = |event: Arc<Event>| Item { push: encode::push(&event), event, origin: None };
        whole.then(|| missing.into_iter().map(item).collect())
    }

    /// Gives consecutive events to every member's connections.
    fn run_of(&mut self, key: &Key, run: &[Item]) {
        let Some(audience) = self.audiences.get(key) else { return };
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
        let Some(whole) = Run::new(run) else { return };
        let now = self.node.seconds.now();
        let before = self.touched.len();
        let mut senders: Vec<u64> = run.iter().filter_map(|item| item.origin).collect();
        senders.sort_unstable();
        senders.dedup();
        let is_large = audience.is_large();
        let mut is_behind = is_large;
        let mut give = |connection: &Arc<Connection>, joined: i64, to: For| {
            let own = senders.contains(&connection.id);
            let given = if !own && joined <= first.event.seq {
                connection.deliver(whole.chunk(connection.form), to, now)
            } else {
                deliver_singly(connection, run, joined, to, now, &mut is_behind)
            };
            is_behind |= given == Given::Passive;
            if given == Given::Queued {
                self.touched.push(connection.clone());
            }
        };
        // Whom a member event names is told of it in any case.
        let named = named(&first.event);
        let is_named = |user: &User| named.contains(user);
        if is_large {
            for (connection, joined) in &audience.open {
                if named.is_empty() || connection.session().is_none_or(|session| !is_named(&session.identity.user)) {
                    give(connection, *joined, For::Open { is_large });
                }
            }
            for user in &named {
                let slot = self.node.registry.slot(first.event.app, user);
                slot.each(|connection| give(connection, first.event.seq, For::All));
            }
        } else {
            for (slot, joined) in &audience.members {
                let to = if is_named(&slot.user) { For::All } else { For::Open { is_large } };
                slot.each(|connection| give(connection, *joined, to));
            }
            for slot in removed_elsewhere(&self.node.registry, &first.event, audience) {
                slot.each(|connection| give(connection, first.event.seq, For::All));
            }
        }
        if is_behind {
            self.heads.note(key, &last.event, is_large);
        }
        for user in removed(&first.event) {
            self.node.registry.slot(first.event.app, user).each(|connection| {
                connection.forget(&first.event.conversation);
                self.touched.push(connection.clone());
            });
        }
        audience.delivered = Some(last.event.seq);
        if first.event.body.is_message() && self.node.checkpoints.is_watching() {
            self.touched[before..].iter().for_each(|connection| self.note(connection, Step::Received));
        }
        self.node.counters.deliver((self.touched.len() - before) as u64);
    }

    async fn tell_watermarks(&mut self, receipts: &[(Watermark, Option<u64>)]) {
        for portion in receipts.chunks(LOAD_MAX) {
            self.know(portion.iter().map(|(watermark, _)| (watermark.app, watermark.conversation.clone())).collect())
                .await;
            portion.iter().for_each(|(watermark, origin)| self.receipt(watermark, *origin));
        }
    }

    fn receipt(&mut self, watermark: &Watermark, origin: Option<u64>) {
        let Some(audience) = self.audiences.get(&(watermark.app.app, watermark.conversation.clone())) else { return };
        if audience.members.len() > RECEIPT_MEMBERS_MAX {
            return;
        }
        let (kind, seq) = match (watermark.read, watermark.received) {
            (Some(seq), _) => (Receipt::Read, seq),
            (None, Some(seq)) => (Receipt::Received, seq),
            (None, None) => return,
        };
        let text =
            tokenim_protocol::reply::receipt(watermark.conversation.as_str(), watermark.user.as_str(), kind, seq);
        broadcast(audience, &watermark.conversation, &text, origin, &mut self.touched);
    }
}

/// The members, before it or after, that a member event is about.
fn named(event: &Event) -> BTreeSet<&User> {
    match &event.body {
        EventBody::Member { users, .. } => {
            users.iter().filter(|(_, role)| role.is_some()).map(|(user, _)| user).collect()
        }
        EventBody::Message { .. } | EventBody::Amended { .. } | EventBody::Settings { .. } => BTreeSet::new(),
    }
}

/// The members that an event removes.
fn removed(event: &Event) -> BTreeSet<&User> {
    match &event.body {
        EventBody::Member { change: Change::Removed | Change::Banned, .. } => named(event),
        _ => BTreeSet::new(),
    }
}

/// Members a removal names whom the list does not hold any more, because it was read after the removal was committed.
fn removed_elsewhere(registry: &Registry, event: &Event, audience: &Audience) -> Vec<Arc<Slot>> {
    let mut gone = removed(event);
    for (slot, _) in &audience.members {
        gone.remove(&slot.user);
    }
    gone.into_iter().map(|user| registry.slot(event.app, user)).collect()
}
