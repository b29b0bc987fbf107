//! One batch, one transaction: the order of its writes, and what a lost answer means.

use super::{create, send};
use crate::{Store, fault, sql};
use sea_orm::DatabaseTransaction;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokenim_domain::id::{AppId, MessageId};
use tokenim_domain::log::{AppRef, Commit, Credential, Event, EventBody, Outcome, Watermark, Write};
use tokenim_domain::meter::RULE_VERSION;
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::{Code, Error, Result};
use uuid::Uuid;

/// Rows of one INSERT; the text of a statement varies with its size, so only these sizes are prepared.
const CHUNKS: [usize; 3] = [64, 8, 1];

/// The head of a conversation's log, as the transaction moves it.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) epoch: i64,
    pub(super) seq: i64,
    pub(super) msg_no: i64,
    pub(super) last_ms: i64,
    pub(super) units_cum: i64,
}

/// A transaction of the log and what it has gathered to write.
pub(super) struct Batch<'a> {
    pub(super) store: &'a Store,
    pub(super) tx: DatabaseTransaction,
    /// Database time of the whole batch, milliseconds since 1970.
    pub(super) now_ms: i64,
}

/// An event that has its seq, with what its row needs beside it.
pub(super) struct Placed {
    pub(super) event: Arc<Event>,
    pub(super) id: MessageId,
    pub(super) units_cum: i64,
    pub(super) credential: Option<Credential>,
}

/// Commits a batch. An error before COMMIT is definite; one from COMMIT itself is not.
pub(super) async fn append(store: &Store, batch: Vec<Write>) -> Commit {
    let prepared = async {
        let tx = sql::begin(&store.writer).await?;
        // Told before the batch's own time is taken: a reading that misses this has an earlier time than the batch.
        store.in_flight.store(store.clock.now_ms(), Ordering::SeqCst);
        let batch_tx = Batch { store, tx, now_ms: store.clock.now_ms() };
        let outcomes = batch_tx.apply(batch).await?;
        Ok::<_, Error>((batch_tx.tx, outcomes))
    };
    let commit = match prepared.await {
        Err(error) => Commit::Failed(error),
        Ok((tx, outcomes)) => match tx.commit().await {
            Ok(()) => Commit::Committed(outcomes),
            Err(error) => {
                fault::end_if_flush_failed(&error);
                Commit::Unknown(Error::new(Code::OutcomeUnknown).because(error))
            }
        },
    };
    store.in_flight.store(i64::MAX, Ordering::SeqCst);
    commit
}

/// Where a member's watermarks stand within a batch.
struct Stand {
    read: i64,
    received: i64,
    moved: bool,
}

impl Stand {
    /// Moves them forward; what is read has been received. True where one moved.
    fn advance(&mut self, read: i64, received: i64) -> bool {
        let to = (self.read.max(read), self.received.max(received).max(read));
        let moved = to != (self.read, self.received);
        (self.read, self.received) = to;
        self.moved |= moved;
        moved
    }
}

impl Batch<'_> {
    /// Applies the writes in order; neighbours of one kind share their statements. The outer result is the database's.
    async fn apply(&self, batch: Vec<Write>) -> Result<Vec<Result<Outcome>>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut writes = batch.into_iter().peekable();
        while let Some(write) = writes.next() {
            match write {
                Write::Send(first) => {
                    let mut drafts = vec![first];
                    while let Some(Write::Send(draft)) = writes.next_if(|next| matches!(next, Write::Send(_))) {
                        drafts.push(draft);
                    }
                    outcomes.extend(send::send(self, drafts).await?);
                }
                Write::Move(first) => {
                    let mut moves = vec![first];
                    while let Some(Write::Move(watermark)) = writes.next_if(|next| matches!(next, Write::Move(_))) {
                        moves.push(watermark);
                    }
                    outcomes.extend(self.move_watermarks(&moves).await?);
                }
                Write::Create(new) => outcomes.push(create::create(self, new).await?),
                Write::Change(change) => outcomes.push(create::change(self, change).await?),
            }
        }
        Ok(outcomes)
    }

    async fn move_watermarks(&self, moves: &[Watermark]) -> Result<Vec<Result<Outcome>>> {
        let wanted: Vec<_> =
            moves.iter().map(|to| json!([hex(to.app.app.0), to.conversation.as_str(), to.user.as_str()])).collect();
        let wanted = serde_json::Value::from(wanted).to_string();
        let rows = sql::rows(&self.tx, FIND_WATERMARKS, [wanted.into()]).await?;
        let mut stands: HashMap<(AppId, &Conversation, &User), Stand> = HashMap::new();
        let mut outcomes = Vec::with_capacity(moves.len());
        for (to, row) in moves.iter().zip(&rows) {
            let Some(last) = sql::get::<Option<i64>>(row, "last_seq")? else {
                outcomes.push(Err(Code::NotFound.into()));
                continue;
            };
            let (read, received) = (to.read.unwrap_or(0), to.received.unwrap_or(0));
            if read.max(received) > last {
                outcomes.push(Err(Error::invalid("seq", "`seq` is beyond the conversation's last event")));
                continue;
            }
            let stored =
                Stand { read: sql::get(row, "read_seq")?, received: sql::get(row, "received_seq")?, moved: false };
            let stand = stands.entry((to.app.app, &to.conversation, &to.user)).or_insert(stored);
            outcomes.push(Ok(Outcome::Moved(stand.advance(read, received))));
        }
        let moved: Vec<_> = stands
            .iter()
            .filter(|(_, stand)| stand.moved)
            .map(|((app, conversation, user), stand)| {
                json!([hex(app.0), conversation.as_str(), user.as_str(), stand.read, stand.received])
            })
            .collect();
        if !moved.is_empty() {
            let moved = serde_json::Value::from(moved).to_string();
            sql::run(&self.tx, MOVE_WATERMARKS, [moved.into()]).await.map_err(fault::query)?;
        }
        Ok(outcomes)
    }

    /// Gives an event the next seq of its conversation.
    pub(super) fn place(
        &self,
        head: &mut Head,
        app: AppRef,
        conversation: &Conversation,
        id: MessageId,
        body: EventBody,
        credential: Option<Credential>,
    ) -> Placed {
        head.seq += 1;
        head.msg_no += i64::from(matches!(body, EventBody::Message { .. }));
        head.last_ms = head.last_ms.max(self.now_ms);
        head.units_cum += super::row::units(&body);
        let event = Event {
            app,
            conversation: conversation.clone(),
            epoch: head.epoch,
            seq: head.seq,
            msg_no: head.msg_no,
            at_ms: head.last_ms,
            body,
        };
        Placed { event: Arc::new(event), id, units_cum: head.units_cum, credential }
    }

    /// Writes events, their usage rows and the heads they moved.
    pub(super) async fn write(&self, placed: &[Placed], heads: &HashMap<(AppId, Conversation), Head>) -> Result<()> {
        let mut rest = placed;
        for chunk in CHUNKS {
            while rest.len() >= chunk {
                let (now, later) = rest.split_at(chunk);
                rest = later;
                let values =
                    now.iter().flat_map(|placed| super::row::values(&placed.event, placed.id, placed.units_cum));
                sql::run(&self.tx, insert_text(chunk), values).await.map_err(fault::query)?;
            }
        }
        sql::run(&self.tx, INSERT_USAGE, [usage_json(placed).into()]).await.map_err(fault::query)?;
        let moved: Vec<_> = heads
            .iter()
            .map(|((app, conversation), h)| {
                json!([hex(app.0), conversation.as_str(), h.seq, h.msg_no, h.last_ms, h.units_cum])
            })
            .collect();
        sql::run(&self.tx, MOVE_HEADS, [serde_json::Value::from(moved).to_string().into()])
            .await
            .map_err(fault::query)?;
        Ok(())
    }
}

/// An id as statements take it inside JSON.
pub(super) fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

/// One usage row per run of one credential in one conversation; the ranges tile the log.
fn usage_json(placed: &[Placed]) -> String {
    struct Run<'a> {
        last: &'a Placed,
        from: i64,
        units: i64,
        messages: i64,
        bytes: i64,
    }
    let mut open: HashMap<(AppId, &Conversation), usize> = HashMap::new();
    let mut runs: Vec<Run<'_>> = Vec::new();
    for p in placed {
        let (units, bytes) = match &p.event.body {
            EventBody::Message { body, .. } => (super::row::units(&p.event.body), body.len() as i64),
            EventBody::Member { .. } => (0, 0),
        };
        let key = (p.event.app.app, &p.event.conversation);
        let at = open.get(&key).copied().filter(|at| runs[*at].last.credential == p.credential);
        let at = at.unwrap_or_else(|| {
            runs.push(Run { last: p, from: p.event.seq, units: 0, messages: 0, bytes: 0 });
            runs.len() - 1
        });
        open.insert(key, at);
        let run = &mut runs[at];
        (run.last, run.units, run.bytes) = (p, run.units + units, run.bytes + bytes);
        run.messages += i64::from(units > 0);
    }
    let row = |run: &Run<'_>| {
        let event = &run.last.event;
        let key = run.last.credential.as_ref().map(|credential| hex(credential.key.0));
        let label = run.last.credential.as_ref().and_then(|credential| credential.label.as_deref());
        json!([
            hex(event.app.app.0),
            event.conversation.as_str(),
            event.epoch,
            event.seq,
            run.from,
            run.units,
            run.messages,
            run.bytes,
            key,
            label,
            RULE_VERSION,
            event.at_ms
        ])
    };
    serde_json::Value::from(runs.iter().map(row).collect::<Vec<_>>()).to_string()
}

fn insert_text(rows: usize) -> &'static str {
    use std::sync::LazyLock;
    static TEXTS: LazyLock<HashMap<usize, String>> = LazyLock::new(|| {
        let row = format!("({})", vec!["?"; super::row::COLUMN_COUNT].join(","));
        let text = |rows: usize| {
            format!("INSERT INTO message ({}) VALUES {}", super::row::COLUMNS, vec![row.as_str(); rows].join(","))
        };
        CHUNKS.iter().map(|rows| (*rows, text(*rows))).collect()
    });
    &TEXTS[&rows]
}

const INSERT_USAGE: &str = "
INSERT INTO usage_append (app_id, conversation_id, epoch, seq_to, seq_from, units, messages, bytes, key_id, label, rule_version, event_ms)
SELECT unhex(value->>0), value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, unhex(value->>8), value->>9, value->>10, value->>11
FROM json_each($1)";

const MOVE_HEADS: &str = "
UPDATE conversation SET last_seq = h.value->>2, last_msg_no = h.value->>3, last_ms = h.value->>4, units_cum = h.value->>5
FROM json_each($1) h WHERE app_id = unhex(h.value->>0) AND conversation.id = h.value->>1";

const FIND_WATERMARKS: &str = "
SELECT m.read_seq, m.received_seq, c.last_seq
FROM json_each($1) w
LEFT JOIN member m ON m.app_id = unhex(w.value->>0) AND m.conversation_id = w.value->>1 AND m.user = w.value->>2
LEFT JOIN conversation c ON c.app_id = m.app_id AND c.id = m.conversation_id
ORDER BY w.key";

const MOVE_WATERMARKS: &str = "
UPDATE member SET read_seq = w.value->>3, received_seq = w.value->>4
FROM json_each($1) w
WHERE member.app_id = unhex(w.value->>0) AND member.conversation_id = w.value->>1 AND member.user = w.value->>2";
