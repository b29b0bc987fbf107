//! What a model client makes of what it is told: pushes, answers and pages, each held against what it must be.

use super::Client;
use super::link::{Asked, Link};
use crate::sim::history::{End, Told};
use crate::sim::view::names;
use crate::tests::client::frames;
use serde_json::Value;

impl Client {
    /// Takes what the socket brought; false where it closes.
    pub(super) fn hear(&mut self, link: &mut Link, bytes: &[u8]) -> bool {
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
