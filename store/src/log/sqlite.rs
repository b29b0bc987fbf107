//! The append's statements on SQLite. Lists travel as JSON text, so that a statement's text does not vary with them.

use super::append::{Head, Key, Moved, Placed, Step, UsageRun};
use super::found::Found;
use super::row;
use crate::{fault, sql};
use sea_orm::{ConnectionTrait, QueryResult};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::LazyLock;
use tokenim_domain::log::{Draft, Watermark};
use tokenim_domain::meter::RULE_VERSION;
use tokenim_domain::name::ClientMsgId;
use tokenim_domain::{Error, Result, sabotage};
use uuid::Uuid;

/// Rows of one INSERT; the text of a statement varies with its size, so only these sizes are prepared.
const CHUNKS: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];

/// For each draft, as [`Found`] has it: the conversation's head, how the sender stands there, whether the other one of a direct
/// conversation blocks it, whether its predecessor is stored and what it replies to is a message the sender may see, and the event its
/// id was used for. One row for the batch, in the order of the drafts. `pair` is both names of a direct conversation with `|` between
/// them; of a group it is NULL, and nothing is looked up.
const FIND: &str = "
SELECT json_group_array(json_array(
    json(CASE WHEN c.id IS NULL THEN 'null' ELSE json_array(c.epoch, c.last_seq, c.last_msg_no, c.last_ms, c.units_cum) END),
    m.role, m.muted_until_ms, b.app_id IS NOT NULL, p.seq IS NOT NULL, y.seq IS NOT NULL,
    json(CASE WHEN d.seq IS NULL THEN 'null' ELSE json_array(
        d.seq, d.epoch, d.type, hex(d.id), d.at_ms, d.kind, d.body, d.units, d.about) END)
) ORDER BY w.key) AS found
FROM json_each($1) w
LEFT JOIN conversation c ON c.app_id = unhex(w.value->>0) AND c.id = w.value->>1
LEFT JOIN member m ON m.app_id = c.app_id AND m.conversation_id = c.id AND m.\"user\" = w.value->>2
LEFT JOIN user_block b ON b.app_id = c.app_id AND b.other = w.value->>2 AND b.\"user\" = CASE
    WHEN substr(c.pair, 1, length(w.value->>2) + 1) = w.value->>2 || '|' THEN substr(c.pair, length(w.value->>2) + 2)
    ELSE substr(c.pair, 1, length(c.pair) - length(w.value->>2) - 1) END
LEFT JOIN message d ON d.app_id = c.app_id AND d.conversation_id = c.id AND d.sender = w.value->>2 AND d.client_msg_id = w.value->>3
LEFT JOIN message p ON p.app_id = c.app_id AND p.conversation_id = c.id AND p.sender = w.value->>2 AND p.client_msg_id = w.value->>4
LEFT JOIN message y ON y.app_id = c.app_id AND y.conversation_id = c.id AND y.seq = w.value->>5 AND y.type = 1 AND y.seq >= m.joined_seq";

pub(super) async fn find_sends(tx: &impl ConnectionTrait, drafts: &[Draft]) -> Result<Vec<Found>> {
    let wanted = list(drafts.iter().map(|d| {
        json!([
            hex(d.app.app.0),
            d.conversation.as_str(),
            d.sender.as_str(),
            d.client_msg_id.as_str(),
            d.prev.as_ref().map(ClientMsgId::as_str),
            d.about.reply_to
        ])
    }));
    let row = if sabotage::is("no_app_in_repeats") {
        sql::row(tx, &FIND.replace("d.app_id = c.app_id AND ", ""), [wanted.into()]).await?
    } else {
        sql::row(tx, FIND, [wanted.into()]).await?
    };
    let row = row.ok_or_else(|| Error::internal("an aggregate has one row"))?;
    Found::list(&sql::get::<String>(&row, "found")?)
}

/// Writes events, their usage rows and the heads they moved.
pub(super) async fn write(
    tx: &impl ConnectionTrait,
    placed: &[Placed],
    runs: &[UsageRun<'_>],
    heads: &HashMap<Key, Head>,
) -> Result<()> {
    let mut rest = placed;
    for chunk in CHUNKS {
        while rest.len() >= chunk {
            let (now, later) = rest.split_at(chunk);
            rest = later;
            let values = now.iter().flat_map(|placed| row::values(&placed.event, placed.id, placed.units_cum));
            sql::run(tx, insert_text(chunk), values).await.map_err(fault::query)?;
        }
    }
    let runs = runs.iter().filter(|run| !(sabotage::is("usage_lost") && run.from == 3));
    let heads = heads.iter().filter(|_| !sabotage::is("head_stays"));
    let moved = heads.map(|((app, id), h)| json!([hex(app.0), id.as_str(), h.seq, h.msg_no, h.last_ms, h.units_cum]));
    let values = [list(runs.map(usage)).into(), list(moved).into()];
    sql::run(tx, INSERT_USAGE_MOVE_HEADS, values).await.map(drop).map_err(fault::query)
}

pub(super) async fn find_watermarks(tx: &impl ConnectionTrait, moves: &[Watermark]) -> Result<Vec<QueryResult>> {
    let wanted = list(moves.iter().map(|to| json!([hex(to.app.app.0), to.conversation.as_str(), to.user.as_str()])));
    sql::rows(tx, FIND_WATERMARKS, [wanted.into()]).await
}

/// One writer: they move from where they were found.
pub(super) async fn move_watermarks(tx: &impl ConnectionTrait, moved: &[Moved<'_>]) -> Result<Vec<Step>> {
    let rows = moved.iter().map(|m| json!([hex(m.app.0), m.conversation.as_str(), m.user.as_str(), m.to.0, m.to.1]));
    sql::run(tx, MOVE_WATERMARKS, [list(rows).into()]).await.map_err(fault::query)?;
    let tallied = moved.iter().enumerate().filter(|(_, m)| m.is_tallied);
    Ok(tallied.map(|(of, m)| Step { of, from: m.from, to: m.to }).collect())
}

/// An id as statements take it inside JSON.
pub(super) fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

fn list(items: impl Iterator<Item = Value>) -> String {
    Value::from(items.collect::<Vec<_>>()).to_string()
}

fn usage(run: &UsageRun<'_>) -> Value {
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
}

fn insert_text(rows: usize) -> &'static str {
    static TEXTS: LazyLock<HashMap<usize, String>> = LazyLock::new(|| {
        let row = format!("({})", vec!["?"; row::COLUMN_COUNT].join(","));
        let text = |rows: usize| {
            format!("INSERT INTO message ({}) VALUES {}", row::COLUMNS, vec![row.as_str(); rows].join(","))
        };
        CHUNKS.iter().map(|rows| (*rows, text(*rows))).collect()
    });
    &TEXTS[&rows]
}

/// Two statements in one text: one way to the driver's thread and back.
const INSERT_USAGE_MOVE_HEADS: &str = "
INSERT INTO usage_append (app_id, conversation_id, epoch, seq_to, seq_from, units, messages, bytes, key_id, label, rule_version, event_ms)
SELECT unhex(value->>0), value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, unhex(value->>8), value->>9, value->>10, value->>11
FROM json_each($1);
UPDATE conversation SET last_seq = h.value->>2, last_msg_no = h.value->>3, last_ms = h.value->>4, units_cum = h.value->>5
FROM json_each($2) h WHERE app_id = unhex(h.value->>0) AND conversation.id = h.value->>1";

const FIND_WATERMARKS: &str = "
SELECT m.read_seq, m.received_seq, m.is_tallied, c.last_seq
FROM json_each($1) w
LEFT JOIN member m ON m.app_id = unhex(w.value->>0) AND m.conversation_id = w.value->>1 AND m.\"user\" = w.value->>2
LEFT JOIN conversation c ON c.app_id = m.app_id AND c.id = m.conversation_id
ORDER BY w.key";

const MOVE_WATERMARKS: &str = "
UPDATE member SET read_seq = w.value->>3, received_seq = w.value->>4
FROM json_each($1) w
WHERE member.app_id = unhex(w.value->>0) AND member.conversation_id = w.value->>1 AND member.\"user\" = w.value->>2";
