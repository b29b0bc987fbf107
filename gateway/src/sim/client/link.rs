//! A connection of a model client: what it said that is not answered yet, and what it was told.

use crate::connection::Connection;
use crate::connection::outbox::Left;
use crate::incoming::Message;
use crate::sim::history::Device;
use crate::sim::world::{Life, World};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// What an answer is awaited for.
#[derive(Debug)]
pub(super) enum Asked {
    Connect,
    Sync(u64),
    Send(String),
    History(String, i64),
    Amend(String),
    Other,
}

/// A connection.
pub(super) struct Link {
    pub(super) life: Life,
    pub(super) connection: Arc<Connection>,
    pub(super) next_id: u64,
    pub(super) asked: BTreeMap<u64, Asked>,
    pub(super) is_ready: bool,
    pub(super) is_syncing: bool,
    /// Whether the close has come.
    pub(super) is_over: bool,
    /// By conversation: the sends that were acked, by the number of their command, and their seqs.
    pub(super) lanes: BTreeMap<String, Vec<(u64, i64)>>,
    /// By conversation: the last live push.
    pub(super) live: BTreeMap<String, i64>,
    /// By conversation: the times it was told to look. That overtakes the events queued before it, so it excuses a gap that comes.
    pub(super) excused: BTreeMap<String, u64>,
    /// By conversation: the seq its backlog reached.
    pub(super) backlog: BTreeMap<String, i64>,
    /// What acks told.
    pub(super) acked: BTreeSet<(String, i64)>,
}

impl Link {
    pub(super) fn say(&mut self, client: &Device, world: &World, command: &str, fields: &Value, asked: Asked) {
        self.next_id += 1;
        self.asked.insert(self.next_id, asked);
        let text = json!({"id": self.next_id, command: fields}).to_string();
        self.speak(client, world, &text);
    }

    pub(super) fn speak(&self, client: &Device, world: &World, text: &str) {
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

    pub(super) async fn frames(&self, until_ms: u64, now: u64) -> (Vec<Bytes>, Left) {
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
