//! What happens after a commit: acks, then the fan-out, then one wake-up per connection for all of it.

use crate::appender::{Committed, Origin};
use crate::audience::{Audience, Audiences, Key};
use crate::bus::{Bus, Published};
use crate::connection::Connection;
use crate::gateway::Counters;
use crate::registry::Registry;
use crate::ticker::Seconds;
use crate::{encode, frame, reply};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use tokenim_domain::Result;
use tokenim_domain::log::{AppRef, Event, EventBody, From, MessageLog, Outcome, RangeQuery, Watermark, Write};
use tokenim_domain::name::Conversation;
use tokenim_protocol::reply::Receipt;
use tokio::sync::mpsc;

/// Members up to which a moved watermark is told to the others at once; in larger ones it is asked for.
const RECEIPT_MEMBERS_MAX: usize = 128;
/// Events read at a time to close a gap.
const GAP_PAGE: u32 = 200;
/// Bytes read at a time to close a gap.
const GAP_BYTES: usize = 1024 * 1024;

/// The one task that fans out on a node; being one, it keeps every conversation in order.
#[derive(Debug)]
pub struct Delivery<L, B> {
    log: Arc<L>,
    bus: B,
    node: u64,
    registry: Arc<Registry>,
    seconds: Seconds,
    counters: Arc<Counters>,
    audiences: Audiences,
    /// Connections with something queued, to be woken together.
    touched: Vec<Arc<Connection>>,
}

/// One event on its way to its members.
struct Item {
    event: Arc<Event>,
    frame: Bytes,
    /// The connection that sent it and has the ack instead.
    origin: Option<u64>,
}

impl<L: MessageLog, B: Bus> Delivery<L, B> {
    /// A delivery for one node.
    pub fn new(
        log: Arc<L>,
        bus: B,
        node: u64,
        registry: Arc<Registry>,
        seconds: Seconds,
        counters: Arc<Counters>,
    ) -> Self {
        Delivery { log, bus, node, registry, seconds, counters, audiences: Audiences::new(), touched: Vec::new() }
    }

    /// Runs until the batcher is gone.
    pub async fn run(mut self, mut committed: mpsc::Receiver<Committed>) {
        let mut remote = self.bus.subscribe(self.node);
        loop {
            tokio::select! {
                biased;
                batch = committed.recv() => match batch {
                    Some(batch) => self.local(batch).await,
                    None => return,
                },
                Some(published) = remote.recv() => self.remote(&published).await,
            }
        }
    }

    async fn local(&mut self, committed: Committed) {
        let refusals = committed.results.iter().filter(|(_, result)| result.is_err()).count();
        self.counters.commit(committed.results.len() as u64, refusals as u64);
        let (mut events, mut receipts) = (Vec::new(), Vec::new());
        for ((origin, result), moved) in committed.results.into_iter().zip(committed.moves) {
            if let (Ok(Outcome::Moved(true)), Some(Write::Move(watermark))) = (&result, moved) {
                receipts.push((watermark, connection_of(&origin)));
            }
            if let Some(event) = result.as_ref().ok().and_then(event_of) {
                let sent = matches!(event.body, EventBody::Message { .. });
                events.push((event.clone(), connection_of(&origin).filter(|_| sent)));
            }
            self.answer(origin, result);
        }
        let published: Vec<_> = events.iter().map(|(event, _)| event.clone()).collect();
        self.fan_out(events, &receipts).await;
        receipts.iter().for_each(|(watermark, origin)| self.receipt(watermark, *origin));
        self.wake();
        if !published.is_empty() {
            self.bus.publish(Arc::new(Published { node: self.node, events: published })).await;
        }
    }

    async fn remote(&mut self, published: &Published) {
        self.fan_out(published.events.iter().map(|event| (event.clone(), None)).collect(), &[]).await;
        self.wake();
    }

    fn answer(&mut self, origin: Origin, result: Result<Outcome>) {
        match origin {
            Origin::Command { connection, id } => {
                let text = match &result {
                    Ok(outcome) => reply::outcome(id, outcome),
                    Err(error) => reply::error(id, error),
                };
                connection.answer(frame::encode_text(&text));
                self.touched.push(connection);
            }
            // The caller may have gone; what it asked for is done all the same.
            Origin::Call(caller) => drop(caller.send(result)),
        }
    }

    fn wake(&mut self) {
        self.touched.drain(..).for_each(|connection| connection.wake());
    }

    async fn fan_out(&mut self, events: Vec<(Arc<Event>, Option<u64>)>, receipts: &[(Watermark, Option<u64>)]) {
        let mut order: Vec<(Key, Vec<Item>)> = Vec::new();
        let mut places: HashMap<Key, usize> = HashMap::new();
        for (event, origin) in events {
            let key = (event.app.app, event.conversation.clone());
            let place = *places.entry(key.clone()).or_insert_with(|| {
                order.push((key, Vec::new()));
                order.len() - 1
            });
            let frame = encode::push(&event);
            order[place].1.push(Item { event, frame, origin });
        }
        if let Err(error) = self.know(&order, receipts).await {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "members could not be read: clients will find the gap by seq");
        }
        for (key, items) in order {
            self.conversation(&key, items).await;
        }
    }

    /// Reads the members of conversations this node does not remember. Those who wait for an ack do not wait for that.
    async fn know(&mut self, order: &[(Key, Vec<Item>)], receipts: &[(Watermark, Option<u64>)]) -> Result<()> {
        let of_events = order
            .iter()
            .filter_map(|(_, items)| items.first())
            .map(|item| (item.event.app, item.event.conversation.clone()));
        let of_receipts = receipts.iter().map(|(watermark, _)| (watermark.app, watermark.conversation.clone()));
        let mut wanted: Vec<(AppRef, Conversation)> = of_events
            .chain(of_receipts)
            .filter(|(app, name)| !self.audiences.knows(&(app.app, name.clone())))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        self.wake();
        wanted.sort_unstable();
        wanted.dedup();
        self.audiences.load(&*self.log, &self.registry, wanted).await
    }

    async fn conversation(&mut self, key: &Key, mut items: Vec<Item>) {
        let Some(audience) = self.audiences.get(key) else { return };
        let delivered = audience.delivered;
        items.retain(|item| delivered.is_none_or(|seq| item.event.seq > seq));
        let Some(first) = items.first() else { return };
        if let Some(seq) = delivered.filter(|seq| *seq + 1 < first.event.seq) {
            let mut missing = self.read_gap(first.event.app, &first.event.conversation, seq, first.event.seq).await;
            missing.append(&mut items);
            items = missing;
        }
        let mut rest = items.as_slice();
        while let Some(item) = rest.first() {
            let messages = rest.iter().take_while(|item| matches!(item.event.body, EventBody::Message { .. })).count();
            let (run, later) = rest.split_at(messages.max(1));
            rest = later;
            self.audiences.join(&self.registry, &item.event);
            self.run_of(key, run);
            self.audiences.leave(&item.event);
        }
    }

    /// Events between what was fanned out and what came: the bus lost or reordered them, the log has them.
    async fn read_gap(&self, app: AppRef, conversation: &Conversation, above: i64, below: i64) -> Vec<Item> {
        let (mut items, mut above) = (Vec::new(), above);
        while above + 1 < below {
            let from = From::After(above);
            let query = RangeQuery {
                app,
                conversation: conversation.clone(),
                viewer: None,
                from,
                limit: GAP_PAGE,
                bytes_max: GAP_BYTES,
            };
            match self.log.read_range(query).await {
                Ok(page) if !page.events.is_empty() => {
                    let events = page.events.into_iter().filter(|event| event.seq < below).map(Arc::new);
                    items.extend(events.map(|event| Item { frame: encode::push(&event), event, origin: None }));
                    above = items.last().map_or(below, |item: &Item| item.event.seq);
                }
                Ok(_) => break,
                Err(error) => {
                    tracing::error!(%error, "a gap could not be read: clients will find it by seq");
                    break;
                }
            }
        }
        items
    }

    /// Gives consecutive events to every member's connections.
    fn run_of(&mut self, key: &Key, run: &[Item]) {
        let Some(audience) = self.audiences.get(key) else { return };
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
        let pairs: Vec<_> = run.iter().map(|item| (item.event.clone(), item.frame.clone())).collect();
        let Some(whole) = encode::chunk(&pairs) else { return };
        let now = self.seconds.now();
        let before = self.touched.len();
        for (slot, joined) in &audience.members {
            slot.each(|connection| {
                let own = run.iter().any(|item| item.origin == Some(connection.id));
                let woken = if !own && *joined <= first.event.seq {
                    connection.deliver(whole.clone(), now)
                } else {
                    deliver_singly(connection, run, *joined, now)
                };
                if woken {
                    self.touched.push(connection.clone());
                }
            });
        }
        audience.delivered = Some(last.event.seq);
        self.counters.deliver((self.touched.len() - before) as u64);
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
        offer(audience, &frame::encode_text(&text), origin, &mut self.touched);
    }
}

fn deliver_singly(connection: &Connection, run: &[Item], joined: i64, now: u32) -> bool {
    let theirs = run.iter().filter(|item| item.origin != Some(connection.id) && item.event.seq >= joined);
    let chunks = theirs.filter_map(|item| encode::chunk(&[(item.event.clone(), item.frame.clone())]));
    let mut woken = false;
    for chunk in chunks {
        woken |= connection.deliver(chunk, now);
    }
    woken
}

fn offer(audience: &Audience, frame: &Bytes, origin: Option<u64>, touched: &mut Vec<Arc<Connection>>) {
    for (slot, _) in &audience.members {
        slot.each(|connection| {
            if origin != Some(connection.id) && connection.offer(frame.clone()) {
                touched.push(connection.clone());
            }
        });
    }
}

fn connection_of(origin: &Origin) -> Option<u64> {
    match origin {
        Origin::Command { connection, .. } => Some(connection.id),
        Origin::Call(_) => None,
    }
}

fn event_of(outcome: &Outcome) -> Option<&Arc<Event>> {
    match outcome {
        Outcome::Sent(sent) => sent.event.as_ref(),
        Outcome::Created(_, event) | Outcome::Changed(event) => event.as_ref(),
        Outcome::Moved(_) | Outcome::Refused(_) => None,
    }
}
