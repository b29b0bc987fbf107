//! Deliveries: a device's cursor and the usage rows of what passed it, in the transaction of the watermark.
//!
//! Per device of a conversation the rows tile `1..=seq` of its cursor, and their running totals tile `0..=units_cum`. So what a
//! device received is the difference of the log's running totals, less what its own user said there.
//! Source: docs/PROTOCOL.md §10.

use super::append::Batch;
use super::sqlite::hex;
use crate::sql::Text;
use crate::{fault, sql};
use sea_orm::{ConnectionTrait, QueryResult};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokenim_domain::id::AppId;
use tokenim_domain::log::{AppRef, Held, Reach, Since, Watermark};
use tokenim_domain::meter::RULE_VERSION;
use tokenim_domain::name::{Conversation, Device, User};
use tokenim_domain::{Result, sabotage};

/// Events that count of one move of a cursor, the last ones; those before them are passed. It bounds what a commit reads.
const EVENTS_MAX: i64 = 10_000;

/// Received, or never sent and so passed without a unit.
const RECEIVED: &str = "received";
const PASSED: &str = "passed";

/// A device in a conversation; its order is the order of writes.
type Key<'a> = (AppId, &'a Conversation, &'a User, &'a Device);

/// A range of a device's log.
#[derive(Debug, PartialEq, Eq)]
struct Span<'a> {
    kind: &'static str,
    from: i64,
    to: i64,
    label: &'a Option<Arc<str>>,
}

/// A device's cursor as the transaction moves it.
struct Cursor<'a> {
    /// Where it stands; `None` = it has not begun.
    seq: Option<i64>,
    spans: Vec<Span<'a>>,
}

impl<'a> Cursor<'a> {
    /// Moves it up to a seq; `sent_above` is the seq above which the device was sent everything.
    fn advance(&mut self, to: i64, sent_above: i64, label: &'a Option<Arc<str>>) {
        let at = self.seq.unwrap_or(0);
        if to <= at {
            return;
        }
        let floor = sent_above.max(to - EVENTS_MAX).clamp(at, to);
        self.push(PASSED, at, floor, label);
        let floor = floor - i64::from(floor > 0 && sabotage::is("delivered_twice"));
        self.push(RECEIVED, floor, to, label);
        self.seq = Some(to - i64::from(to > 1 && sabotage::is("cursor_behind")));
    }

    /// Adds the range above one seq up to another; one that goes on is made longer.
    fn push(&mut self, kind: &'static str, above: i64, to: i64, label: &'a Option<Arc<str>>) {
        if above == to {
            return;
        }
        match self.spans.last_mut().filter(|last| (last.kind, last.label) == (kind, label)) {
            Some(last) => last.to = to,
            None => self.spans.push(Span { kind, from: above + 1, to, label }),
        }
    }
}

/// Moves the cursors of the devices behind watermarks that may be moved. One that stands there already, or further, stays.
pub(super) async fn advance(batch: &Batch<'_>, moves: &[&Watermark]) -> Result<()> {
    let held = moves.iter().filter_map(|to| Some((*to, to.held.as_ref()?)));
    let moves: Vec<_> = held.flat_map(|(to, held)| held.reaches.iter().map(move |reach| (to, held, reach))).collect();
    if moves.is_empty() {
        return Ok(());
    }
    let asked =
        Value::from(moves.iter().map(|(to, held, reach)| asked(to, held, reach)).collect::<Vec<_>>()).to_string();
    let rows = sql::rows(&batch.tx, FIND.on(&batch.tx), [asked.into(), EVENTS_MAX.into()]).await?;
    let mut cursors: BTreeMap<Key<'_>, Cursor<'_>> = BTreeMap::new();
    for ((to, held, reach), row) in moves.iter().zip(&rows) {
        // Beyond the log; or on PostgreSQL, removed by another node since the watermark was looked up.
        let last: Option<i64> = sql::get(row, "last_seq")?;
        let Some(joined) = sql::get::<Option<i64>>(row, "joined_seq")?.filter(|_| last >= Some(reach.seq)) else {
            continue;
        };
        let key = (to.app.app, &to.conversation, &to.user, &held.device);
        let stored = Cursor { seq: sql::get(row, "held")?, spans: Vec::new() };
        let cursor = cursors.entry(key).or_insert(stored);
        cursor.advance(reach.seq, sent_above(reach, row)?.max(joined - 1), &held.label);
    }
    write(batch, &cursors).await
}

/// The seq above which a device was sent everything.
fn sent_above(reach: &Reach, row: &QueryResult) -> Result<i64> {
    Ok(match reach.since {
        Since::Above(seq) => seq,
        Since::Time(_) => sql::get::<Option<i64>>(row, "older")?.unwrap_or(0),
    })
}

fn asked(to: &Watermark, held: &Held, reach: &Reach) -> Value {
    let since_ms = match reach.since {
        Since::Above(_) => None,
        Since::Time(ms) => Some(ms),
    };
    let (conversation, user) = (to.conversation.as_str(), to.user.as_str());
    json!([hex(to.app.app.0), conversation, user, held.device.as_str(), reach.seq, since_ms])
}

/// Per move: where the cursor and the conversation stand, since when the user is a member, and the last event above the cursor
/// that is older than the connection. Times never go back along a log: where the first event above the cursor is no older, none is
/// looked through, nor of a move that names no time. That is said in a bound, since SQLite asks other conditions of each event.
macro_rules! find_of {
    ($list:literal) => {
        concat!(
            "WITH w AS (", $list, ")
SELECT c.last_seq, m.joined_seq, d.seq AS held, (
    SELECT e.seq FROM message e WHERE e.app_id = c.app_id AND e.conversation_id = c.id AND e.at_ms < w.since_ms
        AND e.seq > ", above_of!(), " AND e.seq <= CASE WHEN w.since_ms > (
            SELECT f.at_ms FROM message f WHERE f.app_id = c.app_id AND f.conversation_id = c.id
                AND f.seq > ", above_of!(), " ORDER BY f.seq LIMIT 1) THEN w.seq ELSE 0 END
    ORDER BY e.seq DESC LIMIT 1) AS older
FROM w
LEFT JOIN conversation c ON c.app_id = w.app AND c.id = w.conversation
LEFT JOIN member m ON m.app_id = c.app_id AND m.conversation_id = c.id AND m.\"user\" = w.member
LEFT JOIN device_cursor d ON d.app_id = c.app_id AND d.conversation_id = c.id AND d.\"user\" = w.member AND d.device = w.device
ORDER BY w.place"
        )
    };
}
/// The seq above which a move may count.
macro_rules! above_of {
    () => {
        "CASE WHEN d.seq > w.seq - $2 THEN d.seq ELSE w.seq - $2 END"
    };
}
const FIND: Text = Text {
    sqlite: find_of!(
        "SELECT key AS place, unhex(value->>0) AS app, value->>1 AS conversation, value->>2 AS member, value->>3 AS device,
        value->>4 AS seq, value->>5 AS since_ms FROM json_each($1)"
    ),
    postgres: find_of!(
        "SELECT place, (value->>0)::uuid AS app, value->>1 AS conversation, value->>2 AS member, value->>3 AS device,
        (value->>4)::bigint AS seq, (value->>5)::bigint AS since_ms FROM json_array_elements($1::json) WITH ORDINALITY AS l(value, place)"
    ),
};

/// Writes the ranges, counted as the log is now, and the cursors behind them. Of who never said a word there no event is looked at.
async fn write(batch: &Batch<'_>, cursors: &BTreeMap<Key<'_>, Cursor<'_>>) -> Result<()> {
    let (mut spans, mut places) = (Vec::new(), Vec::new());
    for ((app, conversation, user, device), cursor) in cursors.iter().filter(|(_, cursor)| !cursor.spans.is_empty()) {
        let key = [hex(app.0), conversation.to_string(), user.to_string(), device.to_string()];
        places.push(json!([key[0], key[1], key[2], key[3], cursor.seq]));
        let span = |s: &Span<'_>| json!([key[0], key[1], key[2], key[3], s.from, s.to, s.kind, s.label.as_deref()]);
        spans.extend(cursor.spans.iter().map(span));
    }
    if places.is_empty() {
        return Ok(());
    }
    let values = [Value::from(spans).to_string().into(), i64::from(RULE_VERSION).into(), batch.now_ms.into()];
    sql::run(&batch.tx, INSERT.on(&batch.tx), values).await.map_err(fault::query)?;
    let places = Value::from(places).to_string();
    sql::run(&batch.tx, MOVE.on(&batch.tx), [places.into()]).await.map(drop).map_err(fault::query)
}

macro_rules! insert_of {
    ($list:literal) => {
        concat!(
            "INSERT INTO usage_receive (app_id, conversation_id, \"user\", device, seq_from, seq_to, cum_from, cum_to, own, units, kind, label, rule_version, event_ms)
WITH w AS (", $list, "), counted AS MATERIALIZED (
    SELECT w.*,
        COALESCE((SELECT e.units_cum FROM message e WHERE e.app_id = w.app AND e.conversation_id = w.conversation AND e.seq = w.seq_from - 1), 0) AS cum_from,
        (SELECT e.units_cum FROM message e WHERE e.app_id = w.app AND e.conversation_id = w.conversation AND e.seq = w.seq_to) AS cum_to,
        CASE WHEN w.kind = 'received' AND EXISTS (
            SELECT 1 FROM message o WHERE o.app_id = w.app AND o.conversation_id = w.conversation AND o.sender = w.member)
        THEN CAST(COALESCE((SELECT SUM(e.units) FROM message e WHERE e.app_id = w.app AND e.conversation_id = w.conversation
            AND e.seq BETWEEN w.seq_from AND w.seq_to AND e.sender = w.member), 0) AS BIGINT) ELSE 0 END AS own
    FROM w
)
SELECT app, conversation, member, device, seq_from, seq_to, cum_from, cum_to, own,
    CASE kind WHEN 'received' THEN cum_to - cum_from - own ELSE 0 END, kind, label, $2, $3 FROM counted"
        )
    };
}
const INSERT: Text = Text {
    sqlite: insert_of!(
        "SELECT unhex(value->>0) AS app, value->>1 AS conversation, value->>2 AS member, value->>3 AS device,
        value->>4 AS seq_from, value->>5 AS seq_to, value->>6 AS kind, value->>7 AS label FROM json_each($1)"
    ),
    postgres: insert_of!(
        "SELECT (value->>0)::uuid AS app, value->>1 AS conversation, value->>2 AS member, value->>3 AS device,
        (value->>4)::bigint AS seq_from, (value->>5)::bigint AS seq_to, value->>6 AS kind, value->>7 AS label
        FROM json_array_elements($1::json) AS l(value)"
    ),
};

/// A cursor stands where the last of its ranges ends, which is just written.
macro_rules! move_of {
    ($list:literal) => {
        concat!(
            "INSERT INTO device_cursor (app_id, conversation_id, \"user\", device, seq, units_cum)
WITH w AS (",
            $list,
            ")
SELECT w.app, w.conversation, w.member, w.device, w.seq, e.units_cum FROM w
JOIN message e ON e.app_id = w.app AND e.conversation_id = w.conversation AND e.seq = w.seq
WHERE true ON CONFLICT (app_id, conversation_id, \"user\", device) DO UPDATE
SET seq = excluded.seq, units_cum = excluded.units_cum"
        )
    };
}
const MOVE: Text = Text {
    sqlite: move_of!(
        "SELECT unhex(value->>0) AS app, value->>1 AS conversation, value->>2 AS member, value->>3 AS device,
        value->>4 AS seq FROM json_each($1)"
    ),
    postgres: move_of!(
        "SELECT (value->>0)::uuid AS app, value->>1 AS conversation, value->>2 AS member, value->>3 AS device,
        (value->>4)::bigint AS seq FROM json_array_elements($1::json) AS l(value)"
    ),
};

const CURSORS: Text = Text {
    sqlite: "
SELECT conversation_id, seq FROM device_cursor
WHERE app_id = $1 AND \"user\" = $2 AND device = $3 AND conversation_id IN (SELECT value FROM json_each($4))",
    postgres: "
SELECT conversation_id, seq FROM device_cursor
WHERE app_id = $1 AND \"user\" = $2 AND device = $3 AND conversation_id IN (SELECT json_array_elements_text($4::json))",
};

/// Up to where a device has the named conversations; those where its cursor has not begun are left out.
pub(super) async fn cursors(
    on: &impl ConnectionTrait,
    app: AppRef,
    user: &User,
    device: &Device,
    of: &[Conversation],
) -> Result<Vec<(Conversation, i64)>> {
    let names = Value::from(of.iter().map(Conversation::as_str).collect::<Vec<_>>()).to_string();
    let values = [app.app.into(), user.as_str().into(), device.as_str().into(), names.into()];
    let rows = sql::rows(on, CURSORS.on(on), values).await?;
    let cursor = |row| Ok((Conversation::trusted(&sql::get::<String>(row, "conversation_id")?), sql::get(row, "seq")?));
    rows.iter().map(cursor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_each_other_and_the_last_events_of_a_move_count() {
        let far = 9 + EVENTS_MAX + 3;
        let mut cursor = Cursor { seq: None, spans: Vec::new() };
        for (to, sent_above) in [(5, 2), (5, 0), (9, 0), (far, 0)] {
            cursor.advance(to, sent_above, &None);
        }
        let spans: Vec<_> = cursor.spans.iter().map(|span| (span.kind, span.from, span.to)).collect();
        assert_eq!(spans, [(PASSED, 1, 2), (RECEIVED, 3, 9), (PASSED, 10, 12), (RECEIVED, 13, far)]);
        assert_eq!(cursor.seq, Some(far));
    }
}
