//! The append's statements on PostgreSQL. Lists travel as arrays and are unnested, so that one prepared text serves every
//! batch and a batch costs one round trip per statement.
//!
//! A batch is optimistic first: heads are looked up without locks, and [`write`] moves only those that stand where the
//! look-up saw them. Every message and every change of membership moves its head, so a head that stands still vouches for
//! all that was looked up beside it: membership, repeats, predecessors. Else the batch is rolled back, without a gap, and
//! comes again with [`lock`] before its look-ups. A look-up that depends on a lock is a statement of its own: READ COMMITTED
//! takes a statement's snapshot before it waits for a lock.

use super::append::{Head, Key, Moved, Placed, Step, UsageRun};
use super::found::Found;
use super::row;
use crate::{fault, sql};
use sea_orm::sea_query::{ArrayType, ValueType};
use sea_orm::{ConnectionTrait, QueryResult, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokenim_domain::log::{Draft, Watermark};
use tokenim_domain::meter::RULE_VERSION;
use tokenim_domain::name::ClientMsgId;
use tokenim_domain::{Code, Error, Result};
use uuid::Uuid;

const LOCK: &str = "
SELECT c.last_seq FROM unnest($1, $2) AS w(app, conversation)
JOIN conversation c ON c.app_id = w.app AND c.id = w.conversation
ORDER BY c.app_id, c.id FOR NO KEY UPDATE OF c";

/// A live message grows without its conversation's head.
const LOCK_LIVE: &str = "
SELECT l.size FROM unnest($1, $2) AS w(app, conversation)
JOIN live_message l ON l.app_id = w.app AND l.conversation_id = w.conversation
ORDER BY l.app_id, l.conversation_id, l.seq FOR UPDATE OF l";

/// Locks the heads of conversations and their live messages until the transaction ends, in the order of their keys: two nodes can't
/// wait for each other in a circle.
pub(super) async fn lock(tx: &impl ConnectionTrait, keys: &BTreeSet<Key>) -> Result<()> {
    let values = [ids(keys.iter().map(|(app, _)| app.0)), texts(keys.iter().map(|(_, id)| id.as_str()))];
    sql::rows(tx, LOCK, values.clone()).await?;
    sql::rows(tx, LOCK_LIVE, values).await.map(drop)
}

/// As SQLite's: heads, membership, blocks, repeats and predecessors of the drafts, in their order.
/// Each is looked up by all of its key: as plain joins, without statistics, the planner may read a whole conversation's.
const FIND: &str = "
SELECT c.epoch, c.last_seq, c.last_msg_no, c.last_ms, c.units_cum, m.role, m.muted_until_ms, b.app_id IS NOT NULL AS is_blocked,
    p.seq IS NOT NULL AS prev_stored, d.seq, d.epoch AS dup_epoch, d.type, d.id, d.at_ms, d.kind, d.body, d.about, d.units,
    y.seq IS NOT NULL AS reply_stored
FROM unnest($1, $2, $3, $4, $5, $6) WITH ORDINALITY AS w(app, conversation, sender, client_msg_id, prev, reply_to, place)
LEFT JOIN conversation c ON c.app_id = w.app AND c.id = w.conversation
LEFT JOIN LATERAL (
    SELECT role, muted_until_ms, joined_seq FROM member WHERE app_id = c.app_id AND conversation_id = c.id AND \"user\" = w.sender LIMIT 1
) m ON true
LEFT JOIN LATERAL (
    SELECT app_id FROM user_block WHERE app_id = c.app_id AND other = w.sender AND \"user\" = CASE
        WHEN substr(c.pair, 1, length(w.sender) + 1) = w.sender || '|' THEN substr(c.pair, length(w.sender) + 2)
        ELSE substr(c.pair, 1, length(c.pair) - length(w.sender) - 1) END LIMIT 1
) b ON true
LEFT JOIN LATERAL (
    SELECT seq, epoch, type, id, at_ms, kind, body, about, units FROM message
    WHERE app_id = c.app_id AND conversation_id = c.id AND sender = w.sender AND client_msg_id = w.client_msg_id LIMIT 1
) d ON true
LEFT JOIN LATERAL (
    SELECT seq FROM message WHERE app_id = c.app_id AND conversation_id = c.id AND sender = w.sender AND client_msg_id = w.prev LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT seq FROM message WHERE app_id = c.app_id AND conversation_id = c.id AND seq = w.reply_to AND type = 1 AND seq >= m.joined_seq LIMIT 1
) y ON true
ORDER BY w.place";

pub(super) async fn find_sends(tx: &impl ConnectionTrait, drafts: &[Draft]) -> Result<Vec<Found>> {
    let values = [
        ids(drafts.iter().map(|d| d.app.app.0)),
        texts(drafts.iter().map(|d| d.conversation.as_str())),
        texts(drafts.iter().map(|d| d.sender.as_str())),
        texts(drafts.iter().map(|d| d.client_msg_id.as_str())),
        texts(drafts.iter().map(|d| d.prev.as_ref().map_or("", ClientMsgId::as_str))),
        numbers(drafts.iter().map(|d| d.about.reply_to.unwrap_or(0))),
    ];
    sql::rows(tx, FIND, values).await?.iter().map(Found::from_row).collect()
}

/// Heads, messages and usage rows in one statement. Heads are locked in the order of their keys before they are moved.
/// Arrays hold no NULL: an empty text, zero and the nil id stand for it, which no real value is.
const WRITE: &str = "
WITH heads AS MATERIALIZED (
    SELECT c.app_id, c.id, h.found_seq, h.seq, h.msg_no, h.last_ms, h.units_cum
    FROM unnest($1, $2, $3, $4, $5, $6, $7) AS h(app, conversation, found_seq, seq, msg_no, last_ms, units_cum)
    JOIN conversation c ON c.app_id = h.app AND c.id = h.conversation
    ORDER BY c.app_id, c.id FOR NO KEY UPDATE OF c
), moved AS (
    UPDATE conversation c SET last_seq = h.seq, last_msg_no = h.msg_no, last_ms = h.last_ms, units_cum = h.units_cum
    FROM heads h WHERE c.app_id = h.app_id AND c.id = h.id AND c.last_seq = h.found_seq
    RETURNING c.id
), stored AS (
    INSERT INTO message (app_id, conversation_id, seq, epoch, type, msg_no, id, sender, client_msg_id, kind, body, at_ms, units, units_cum, target, about)
    SELECT app, conversation, seq, epoch, type, msg_no, id, NULLIF(sender, ''), NULLIF(client_msg_id, ''), kind, body, at_ms, units, units_cum,
        NULLIF(target, 0), NULLIF(about, '')
    FROM unnest($8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
        AS m(app, conversation, seq, epoch, type, msg_no, id, sender, client_msg_id, kind, body, at_ms, units, units_cum, target, about)
), counted AS (
    INSERT INTO usage_append (app_id, conversation_id, epoch, seq_to, seq_from, units, messages, bytes, key_id, label, rule_version, event_ms)
    SELECT app, conversation, epoch, seq_to, seq_from, units, messages, bytes,
        NULLIF(key_id, '00000000-0000-0000-0000-000000000000'::uuid), NULLIF(label, ''), $34, event_ms
    FROM unnest($24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $35)
        AS u(app, conversation, epoch, seq_to, seq_from, units, messages, bytes, key_id, label, event_ms)
)
SELECT count(*) AS moved FROM moved";

/// Writes events, their usage rows and the heads they moved.
///
/// Errors: one that [`fault::is_meeting`] knows where a head moved since it was looked up.
pub(super) async fn write(
    tx: &impl ConnectionTrait,
    placed: &[Placed],
    runs: &[UsageRun<'_>],
    heads: &HashMap<Key, Head>,
) -> Result<()> {
    let sorted: BTreeMap<_, _> = heads.iter().collect();
    let head = |field: fn(&Head) -> i64| numbers(sorted.values().map(|head| field(head)));
    let mut values = vec![
        ids(sorted.keys().map(|(app, _)| app.0)),
        texts(sorted.keys().map(|(_, id)| id.as_str())),
        head(|head| head.found_seq),
        head(|head| head.seq),
        head(|head| head.msg_no),
        head(|head| head.last_ms),
        head(|head| head.units_cum),
    ];
    values.extend(columns(placed));
    values.extend(usage(runs));
    let row = sql::row(tx, WRITE, values).await?.ok_or_else(|| Error::internal("a count without a row"))?;
    let moved: i64 = sql::get(&row, "moved")?;
    if moved as usize == heads.len() { Ok(()) } else { Err(Error::new(Code::Unavailable).because(fault::HeadMoved)) }
}

/// The message rows, column by column.
fn columns(placed: &[Placed]) -> impl Iterator<Item = Value> {
    let mut columns = [const { Vec::new() }; row::COLUMN_COUNT];
    for placed in placed {
        let values = row::values(&placed.event, placed.id, placed.units_cum);
        for (column, value) in columns.iter_mut().zip(values) {
            column.push(match value {
                Value::String(None) => Value::String(Some(String::new())),
                Value::BigInt(None) => Value::BigInt(Some(0)),
                value => value,
            });
        }
    }
    columns.into_iter().map(|column| {
        let kind = match column.first() {
            Some(Value::Uuid(_)) => ArrayType::Uuid,
            Some(Value::BigInt(_)) => ArrayType::BigInt,
            _ => ArrayType::String,
        };
        Value::Array(kind, Some(Box::new(column)))
    })
}

fn usage(runs: &[UsageRun<'_>]) -> [Value; 12] {
    let events = || runs.iter().map(|run| &run.last.event);
    let credentials = || runs.iter().map(|run| run.last.credential.as_ref());
    [
        ids(events().map(|event| event.app.app.0)),
        texts(events().map(|event| event.conversation.as_str())),
        numbers(events().map(|event| event.epoch)),
        numbers(events().map(|event| event.seq)),
        numbers(runs.iter().map(|run| run.from)),
        numbers(runs.iter().map(|run| run.units)),
        numbers(runs.iter().map(|run| run.messages)),
        numbers(runs.iter().map(|run| run.bytes)),
        ids(credentials().map(|credential| credential.map_or(Uuid::nil(), |credential| credential.key.0))),
        texts(credentials().map(|credential| credential.and_then(|it| it.label.as_deref()).unwrap_or_default())),
        i64::from(RULE_VERSION).into(),
        numbers(events().map(|event| event.at_ms)),
    ]
}

const FIND_WATERMARKS: &str = "
SELECT m.read_seq, m.received_seq, m.is_tallied, c.last_seq
FROM unnest($1, $2, $3) WITH ORDINALITY AS w(app, conversation, member, place)
LEFT JOIN LATERAL (
    SELECT app_id, conversation_id, read_seq, received_seq, is_tallied FROM member
    WHERE app_id = w.app AND conversation_id = w.conversation AND \"user\" = w.member LIMIT 1
) m ON true
LEFT JOIN conversation c ON c.app_id = m.app_id AND c.id = m.conversation_id
ORDER BY w.place";

pub(super) async fn find_watermarks(tx: &impl ConnectionTrait, moves: &[Watermark]) -> Result<Vec<QueryResult>> {
    let values = [
        ids(moves.iter().map(|to| to.app.app.0)),
        texts(moves.iter().map(|to| to.conversation.as_str())),
        texts(moves.iter().map(|to| to.user.as_str())),
    ];
    sql::rows(tx, FIND_WATERMARKS, values).await
}

/// Another node may have moved them further since the look-up, or begun to count them: what is told is of the rows as they are
/// locked, in the order of their keys.
const MOVE_WATERMARKS: &str = "
WITH held AS MATERIALIZED (
    SELECT m.app_id, m.conversation_id, m.\"user\", m.is_tallied, w.place, m.read_seq, m.received_seq,
        GREATEST(m.read_seq, w.read_seq) AS read_to, GREATEST(m.received_seq, w.received_seq) AS received_to
    FROM unnest($1, $2, $3, $4, $5) WITH ORDINALITY AS w(app, conversation, member, read_seq, received_seq, place)
    JOIN member m ON m.app_id = w.app AND m.conversation_id = w.conversation AND m.\"user\" = w.member
    ORDER BY m.app_id, m.conversation_id, m.\"user\" FOR NO KEY UPDATE OF m
), moved AS (
    UPDATE member m SET read_seq = h.read_to, received_seq = h.received_to
    FROM held h WHERE m.app_id = h.app_id AND m.conversation_id = h.conversation_id AND m.\"user\" = h.\"user\"
)
SELECT place - 1 AS place, read_seq, received_seq, read_to, received_to FROM held WHERE is_tallied";

pub(super) async fn move_watermarks(tx: &impl ConnectionTrait, moved: &[Moved<'_>]) -> Result<Vec<Step>> {
    let values = [
        ids(moved.iter().map(|m| m.app.0)),
        texts(moved.iter().map(|m| m.conversation.as_str())),
        texts(moved.iter().map(|m| m.user.as_str())),
        numbers(moved.iter().map(|m| m.to.0)),
        numbers(moved.iter().map(|m| m.to.1)),
    ];
    sql::rows(tx, MOVE_WATERMARKS, values).await?.iter().map(step).collect()
}

fn step(row: &QueryResult) -> Result<Step> {
    let of = usize::try_from(sql::get::<i64>(row, "place")?).map_err(Error::internal)?;
    let from = (sql::get(row, "read_seq")?, sql::get(row, "received_seq")?);
    Ok(Step { of, from, to: (sql::get(row, "read_to")?, sql::get(row, "received_to")?) })
}

fn ids(items: impl Iterator<Item = Uuid>) -> Value {
    array(items)
}

fn texts<'a>(items: impl Iterator<Item = &'a str>) -> Value {
    array(items.map(str::to_owned))
}

fn numbers(items: impl Iterator<Item = i64>) -> Value {
    array(items)
}

fn array<T: Into<Value> + ValueType>(items: impl Iterator<Item = T>) -> Value {
    Value::Array(T::array_type(), Some(Box::new(items.map(Into::into).collect())))
}
