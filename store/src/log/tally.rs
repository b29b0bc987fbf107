//! The tally of a large conversation: how many members' seqs stand in each range, moved along with the member rows. So how many
//! have read a message is a sum of few rows, whatever the number of members.
//!
//! A seq counts in one bucket of each level: `seq >> 6 * level`. Member rows say themselves whether they are counted, so what a
//! transaction takes from the tally is what it found in the rows it changed. Source: docs/adr/0015-receipts-are-tallied.md.

use super::append::{Batch, Key};
use super::sqlite::hex;
use crate::sql::Text;
use crate::{fault, sql};
use sea_orm::{ConnectionTrait, QueryResult, Value};
use serde_json::json;
use std::collections::BTreeMap;
use tokenim_domain::id::AppId;
use tokenim_domain::log::AppRef;
use tokenim_domain::name::Conversation;
use tokenim_domain::{Error, Result};

/// Members above which a conversation is tallied, from then on for good. Up to here a pass over the members is as fast, and
/// their watermarks move without a write more. Migration 0056 knows it too.
pub(super) const TALLY_ABOVE: i64 = 256;
/// Levels of buckets; those of the last are as many as the log's length makes them: 64 at a thousand million events.
const LEVELS: i64 = 5;
/// How much coarser a level is than the one below, as a power of two.
const LEVEL_BITS: i64 = 6;
/// Buckets that one statement moves.
const BUCKETS_MAX: usize = 4_096;

/// The tally's words for what stands at a seq.
const JOINED: &str = "joined";
const READ: &str = "read";
const RECEIVED: &str = "received";

/// The seqs of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) joined: i64,
    pub(super) read: i64,
    pub(super) received: i64,
}

impl Marks {
    /// Those of a member's row.
    pub(super) fn of(row: &QueryResult) -> Result<Marks> {
        Ok(Marks {
            joined: sql::get(row, "joined_seq")?,
            read: sql::get(row, "read_seq")?,
            received: sql::get(row, "received_seq")?,
        })
    }
}

/// A bucket of a conversation: kind, level, number.
type Bucket = (&'static str, i64, i64);

/// What a transaction adds to buckets and takes from them. Their order is that in which they are locked, so that two nodes can't
/// wait for each other in a circle.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<Key, BTreeMap<Bucket, i64>>);

impl Tally {
    /// So many members of a conversation begin to count at these seqs, or end to.
    pub(super) fn count(&mut self, key: (AppId, &Conversation), marks: Marks, members: i64) {
        let buckets = self.of(key);
        add(buckets, JOINED, marks.joined, members);
        add(buckets, READ, marks.read, members);
        add(buckets, RECEIVED, marks.received, members);
    }

    /// A member's watermarks, read and received, move.
    pub(super) fn step(&mut self, key: (AppId, &Conversation), from: (i64, i64), to: (i64, i64)) {
        let buckets = self.of(key);
        for (kind, from, to) in [(READ, from.0, to.0), (RECEIVED, from.1, to.1)] {
            if from != to {
                add(buckets, kind, from, -1);
                add(buckets, kind, to, 1);
            }
        }
    }

    fn of(&mut self, (app, conversation): (AppId, &Conversation)) -> &mut BTreeMap<Bucket, i64> {
        self.0.entry((app, conversation.clone())).or_default()
    }

    /// Writes what is not zero, in order: the last thing a transaction does, for others wait for these rows.
    pub(super) async fn write(self, batch: &Batch<'_>) -> Result<()> {
        let mut moved = Vec::new();
        for ((app, conversation), buckets) in &self.0 {
            let app = hex(app.0);
            let buckets = buckets.iter().filter(|(_, members)| **members != 0);
            let row = |((kind, level, bucket), members): (&Bucket, &i64)| {
                (json!([app, conversation.as_str(), kind, level, bucket, members]), *members < 0)
            };
            moved.extend(buckets.map(row));
        }
        for portion in moved.chunks(BUCKETS_MAX) {
            let rows = portion.iter().map(|(row, _)| row.clone()).collect::<Vec<_>>();
            sql::run(&batch.tx, ADD.on(&batch.tx), [list(rows)]).await.map_err(fault::query)?;
            let fewer: Vec<_> = portion.iter().filter(|(_, is_fewer)| *is_fewer).map(|(row, _)| row.clone()).collect();
            if !fewer.is_empty() {
                sql::run(&batch.tx, DROP_EMPTY.on(&batch.tx), [list(fewer)]).await.map_err(fault::query)?;
            }
        }
        Ok(())
    }
}

/// So many members more stand at a seq, on each level.
fn add(buckets: &mut BTreeMap<Bucket, i64>, kind: &'static str, seq: i64, members: i64) {
    for level in 0..LEVELS {
        *buckets.entry((kind, level, seq >> (LEVEL_BITS * level))).or_default() += members;
    }
}

fn list(rows: Vec<serde_json::Value>) -> Value {
    serde_json::Value::from(rows).to_string().into()
}

macro_rules! add_of {
    ($list:literal) => {
        concat!(
            "INSERT INTO receipt_tally (app_id, conversation_id, kind, level, bucket, members) ",
            $list,
            " WHERE true ORDER BY place
ON CONFLICT (app_id, conversation_id, kind, level, bucket) DO UPDATE SET members = receipt_tally.members + excluded.members"
        )
    };
}
const ADD: Text = Text {
    sqlite: add_of!(
        "SELECT unhex(value->>0), value->>1, value->>2, value->>3, value->>4, value->>5 FROM (SELECT key AS place, value FROM json_each($1))"
    ),
    postgres: add_of!(
        "SELECT (value->>0)::uuid, value->>1, value->>2, (value->>3)::bigint, (value->>4)::bigint, (value->>5)::bigint
FROM json_array_elements($1::json) WITH ORDINALITY AS l(value, place)"
    ),
};
/// PostgreSQL would rather read every tally there is than look up these buckets: each is looked up by all of its key. The rows are
/// locked by what was just added to them, so they stay where they are found.
pub(crate) const DROP_EMPTY: Text = Text {
    sqlite: "
DELETE FROM receipt_tally WHERE (app_id, conversation_id, kind, level, bucket) IN (
    SELECT unhex(value->>0), value->>1, value->>2, value->>3, value->>4 FROM json_each($1)) AND members = 0",
    postgres: "
DELETE FROM receipt_tally WHERE ctid = ANY (ARRAY(
    SELECT t.ctid FROM json_array_elements($1::json) AS l(value) CROSS JOIN LATERAL (
        SELECT ctid FROM receipt_tally WHERE app_id = (value->>0)::uuid AND conversation_id = value->>1 AND kind = value->>2
            AND level = (value->>3)::bigint AND bucket = (value->>4)::bigint AND members = 0 LIMIT 1) t))",
};

/// Begins to count all members of a conversation that are not counted yet: as many as it had before it grew above
/// [`TALLY_ABOVE`]. Watermarks that move at the same time on another node wait for the rows, or are waited for.
pub(super) async fn begin(batch: &Batch<'_>, app: AppId, conversation: &Conversation) -> Result<()> {
    let rows = sql::rows(&batch.tx, BEGIN, [app.into(), conversation.as_str().into()]).await?;
    let mut tally = batch.tally();
    rows.iter().try_for_each(|row| Marks::of(row).map(|marks| tally.count((app, conversation), marks, 1)))
}

const BEGIN: &str = "
UPDATE member SET is_tallied = TRUE WHERE app_id = $1 AND conversation_id = $2 AND NOT is_tallied
RETURNING joined_seq, read_seq, received_seq";

/// How many are members, how many of them joined after a seq, and how many have read and received up to it.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) members: i64,
    pub(super) later: i64,
    pub(super) read: i64,
    pub(super) received: i64,
}

/// Sums the buckets at and above a seq, in one statement: of one moment.
pub(super) async fn counts(
    on: &impl ConnectionTrait,
    app: AppRef,
    conversation: &Conversation,
    seq: i64,
) -> Result<Counts> {
    let ranges = ranges(seq).map(|(what, (kind, level, first, last))| json!([what, kind, level, first, last]));
    let values = [app.app.into(), conversation.as_str().into(), list(ranges.collect())];
    let mut counts = Counts::default();
    for row in sql::rows(on, SUM.on(on), values).await? {
        let (what, members): (i64, i64) = (sql::get(&row, "what")?, sql::get(&row, "members")?);
        *match what {
            ALL => &mut counts.members,
            LATER => &mut counts.later,
            HAS_READ => &mut counts.read,
            HAS_RECEIVED => &mut counts.received,
            _ => return Err(Error::internal("a sum nobody asked for")),
        } += members;
    }
    Ok(counts)
}

/// What a range of buckets is summed for.
const ALL: i64 = 0;
const LATER: i64 = 1;
const HAS_READ: i64 = 2;
const HAS_RECEIVED: i64 = 3;

/// Buckets of a kind on a level, from a first to a last one.
type Range = (&'static str, i64, i64, i64);

fn ranges(seq: i64) -> impl Iterator<Item = (i64, Range)> {
    let all = (ALL, (JOINED, LEVELS - 1, 0, i64::MAX));
    let sums = [(LATER, JOINED, seq + 1), (HAS_READ, READ, seq), (HAS_RECEIVED, RECEIVED, seq)];
    let each = |(what, kind, seq)| at_least(seq).map(move |(level, first, last)| (what, (kind, level, first, last)));
    [all].into_iter().chain(sums.into_iter().flat_map(each))
}

/// The buckets that hold exactly the seqs from one on: on each level what is right of it below the same parent.
fn at_least(seq: i64) -> impl Iterator<Item = (i64, i64, i64)> {
    (0..LEVELS).map(move |level| {
        let bucket = seq >> (LEVEL_BITS * level);
        let last = if level == LEVELS - 1 { i64::MAX } else { bucket | ((1 << LEVEL_BITS) - 1) };
        (level, if level == 0 { bucket } else { bucket + 1 }, last)
    })
}

/// Each sum is a look-up of its own by all of the key: a join may be planned as a pass over a conversation's whole tally.
macro_rules! sum_of {
    ($list:literal) => {
        concat!(
            "SELECT w.what, CAST(COALESCE((SELECT SUM(t.members) FROM receipt_tally t WHERE t.app_id = $1 AND t.conversation_id = $2
    AND t.kind = w.kind AND t.level = w.level AND t.bucket BETWEEN w.first AND w.last), 0) AS BIGINT) AS members FROM (",
            $list,
            ") AS w"
        )
    };
}
pub(crate) const SUM: Text = Text {
    sqlite: sum_of!(
        "SELECT value->>0 AS what, value->>1 AS kind, value->>2 AS level, value->>3 AS first, value->>4 AS last FROM json_each($3)"
    ),
    postgres: sum_of!(
        "SELECT (value->>0)::bigint AS what, value->>1 AS kind, (value->>2)::bigint AS level, (value->>3)::bigint AS first,
        (value->>4)::bigint AS last FROM json_array_elements($3::json) AS l(value)"
    ),
};

#[cfg(test)]
mod tests {
    use super::*;

    fn in_ranges(of: i64, seq: i64) -> usize {
        let holds = |(level, first, last): &(i64, i64, i64)| (*first..=*last).contains(&(of >> (LEVEL_BITS * level)));
        at_least(seq).filter(holds).count()
    }

    #[test]
    fn a_seq_is_in_one_bucket_of_those_at_or_above_another_and_in_none_of_those_below() {
        let edges = [0, 1, 62, 63, 64, 65, 127, 4_095, 4_096, 262_143, 262_144, 16_777_215, 16_777_216, 1 << 40];
        for seq in edges {
            for of in edges {
                assert_eq!(in_ranges(of, seq), usize::from(of >= seq), "{of} at least {seq}");
            }
        }
    }

    #[test]
    fn a_move_within_a_bucket_costs_nothing_there() {
        let (app, conversation) = (AppId(uuid::Uuid::nil()), Conversation::trusted("c"));
        let mut tally = Tally::default();
        tally.step((app, &conversation), (64, 64), (65, 64));
        tally.step((app, &conversation), (65, 64), (66, 64));
        let moved: Vec<_> = tally.0.into_values().flatten().filter(|(_, members)| *members != 0).collect();
        assert_eq!(moved, [((READ, 0, 64), -1), ((READ, 0, 66), 1)]);
    }
}
