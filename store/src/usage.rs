//! Usage: the roll-up of usage rows into hours, and the one reading that charts, pages and the API share.

use crate::db::Fence;
use crate::scope::OrgScope;
use crate::sql::Text;
use crate::{Store, fault, sql};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use tokenim_domain::id::AppId;
use tokenim_domain::meter::{HOUR_MS, Meter, hour_of};
use tokenim_domain::{Error, Result};

/// Usage rows rolled up per transaction: about 3 ms of the writer, so that sends wait no longer than for a commit.
const ROLL_ROWS_MAX: i64 = 500;
/// Hours one reading may span: a year and a day.
pub const HOURS_MAX: i64 = 366 * 24;

/// Usage of one app, meter and hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageHour {
    /// The app.
    pub app: AppId,
    /// What was counted.
    pub meter: Meter,
    /// Start of the hour, milliseconds since 1970.
    pub at_ms: i64,
    /// How much, in the meter's unit.
    pub quantity: i64,
}

/// Usage hours, oldest first, and how far they are complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageHours {
    /// Hours with usage; an hour without a row had none.
    pub items: Vec<UsageHour>,
    /// Everything committed before this time is counted, milliseconds since 1970.
    pub complete_to_ms: i64,
}

impl UsageHours {
    /// The sum of all items of a meter.
    #[must_use]
    pub fn total(&self, meter: Meter) -> i64 {
        self.items.iter().filter(|item| item.meter == meter).map(|item| item.quantity).sum()
    }
}

/// Rolled-up hours and rows not rolled up yet, in one statement: one snapshot, so nothing is missed or counted twice. Meters are named,
/// because the hours of an app are found by their meter; one that only a newer build knows is left out.
static HOURS: LazyLock<String> = LazyLock::new(|| {
    let meters: Vec<_> = Meter::ALL.iter().map(|meter| format!("'{}'", meter.as_str())).collect();
    OF_METERS.replace("{meters}", &meters.join(", "))
});
const OF_METERS: &str = "
SELECT app_id, meter, hour_ms, CAST(SUM(quantity) AS BIGINT) AS quantity FROM (
    SELECT b.app_id, b.meter, b.hour_ms, b.quantity FROM app a JOIN usage_bucket b ON b.app_id = a.id
    WHERE a.org_id = $1 AND b.meter IN ({meters}) AND b.hour_ms >= $2 AND b.hour_ms < $3
    UNION ALL
    SELECT u.app_id, 'msg_sent', u.event_ms - u.event_ms % 3600000, u.units FROM app a JOIN usage_append u ON u.app_id = a.id
    WHERE a.org_id = $1 AND u.roll IS NULL AND u.event_ms >= $2 AND u.event_ms < $3
    UNION ALL
    SELECT u.app_id, 'msg_delivered', u.event_ms - u.event_ms % 3600000, u.units FROM app a JOIN usage_receive u ON u.app_id = a.id
    WHERE a.org_id = $1 AND u.roll IS NULL AND u.event_ms >= $2 AND u.event_ms < $3
    UNION ALL
    SELECT u.app_id, 'conn_min', u.minute_ms - u.minute_ms % 3600000, u.connections_open FROM app a JOIN node_minute u ON u.app_id = a.id
    WHERE a.org_id = $1 AND u.roll IS NULL AND u.minute_ms >= $2 AND u.minute_ms < $3
    UNION ALL
    SELECT u.app_id, 'api_call', u.minute_ms - u.minute_ms % 3600000, u.api_calls FROM app a JOIN node_minute u ON u.app_id = a.id
    WHERE a.org_id = $1 AND u.roll IS NULL AND u.minute_ms >= $2 AND u.minute_ms < $3
    UNION ALL
    SELECT u.app_id, 'stored', u.hour_ms, u.bytes FROM app a JOIN stored_hour u ON u.app_id = a.id
    WHERE a.org_id = $1 AND u.roll IS NULL AND u.hour_ms >= $2 AND u.hour_ms < $3
) AS hours GROUP BY app_id, meter, hour_ms HAVING SUM(quantity) > 0 ORDER BY hour_ms, app_id, meter";

/// Takes unrolled rows of a table, named by its key, and tells what they held; the number marks which roll-up took them.
/// SQLite is told the index.
macro_rules! roll {
    ($table:literal, $key:literal, $told:literal) => {
        Text {
            sqlite: roll!($table, $key, $told, " INDEXED BY ", $table, "_unrolled"),
            postgres: roll!($table, $key, $told, ""),
        }
    };
    ($table:literal, $key:literal, $told:literal, $($index:literal),+) => {
        concat!(
            "UPDATE ", $table, " SET roll = $1 WHERE (", $key, ") IN (SELECT ", $key, " FROM ", $table, $($index,)+
            " WHERE roll IS NULL LIMIT $2) RETURNING app_id, ", $told
        )
    };
}

/// A table of usage rows: how they are taken, and which column counts for which meter.
struct Rows {
    roll: Text,
    meters: &'static [(Meter, &'static str)],
}

const TABLES: [Rows; 4] = [
    Rows {
        roll: roll!("usage_append", "app_id, conversation_id, epoch, seq_to", "event_ms, units"),
        meters: &[(Meter::MsgSent, "units")],
    },
    Rows {
        roll: roll!("usage_receive", "app_id, conversation_id, \"user\", device, seq_from", "event_ms, units"),
        meters: &[(Meter::MsgDelivered, "units")],
    },
    Rows {
        roll: roll!("node_minute", "app_id, minute_ms, boot", "minute_ms AS event_ms, connections_open, api_calls"),
        meters: &[(Meter::ConnMin, "connections_open"), (Meter::ApiCall, "api_calls")],
    },
    Rows {
        roll: roll!("stored_hour", "app_id, hour_ms", "hour_ms AS event_ms, bytes"),
        meters: &[(Meter::Stored, "bytes")],
    },
];

const ADD: &str = "
INSERT INTO usage_bucket (app_id, meter, hour_ms, quantity) VALUES ($1, $2, $3, $4)
ON CONFLICT (app_id, meter, hour_ms) DO UPDATE SET quantity = usage_bucket.quantity + excluded.quantity";

impl OrgScope<'_> {
    /// The org's usage per app and hour, for hours that start in `[from_ms, to_ms)`, both cut to whole hours downwards and upwards.
    ///
    /// Units: milliseconds since 1970. Errors: `invalid_field` where the range is empty or spans more than [`HOURS_MAX`] hours;
    /// `unavailable`, `overloaded`.
    pub async fn usage_hours(&self, from_ms: i64, to_ms: i64) -> Result<UsageHours> {
        let from = hour_of(from_ms);
        let to = hour_of(to_ms.saturating_add(HOUR_MS - 1));
        if to <= from || (to - from) / HOUR_MS > HOURS_MAX {
            return Err(Error::invalid("to", "the range must hold at least one hour and at most 366 days"));
        }
        let now = self.store.clock.now_ms();
        let complete_to_ms = now.min(self.store.in_flight.load(Ordering::SeqCst));
        let rows = sql::rows(&self.reader(), &HOURS, [self.org.into(), from.into(), to.into()]).await?;
        let item = |row| -> Result<UsageHour> {
            let meter: String = sql::get(row, "meter")?;
            let meter = Meter::find(&meter).ok_or_else(|| Error::internal("unknown meter"))?;
            let (app, at_ms, quantity) =
                (sql::get(row, "app_id")?, sql::get(row, "hour_ms")?, sql::get(row, "quantity")?);
            Ok(UsageHour { app, meter, at_ms, quantity })
        };
        Ok(UsageHours { items: rows.iter().map(item).collect::<Result<_>>()?, complete_to_ms })
    }
}

impl Store {
    /// Rolls one portion of usage rows up; returns how many. Call again while it returns [`Store::ROLL_ROWS_MAX`].
    ///
    /// Errors: `unavailable`, `overloaded`; nothing is rolled up then.
    pub async fn roll_up_usage(&self) -> Result<usize> {
        let tx = sql::begin_within(&self.writer, Fence::Worker).await?;
        // The row's lock makes roll-ups take turns; the send path never takes it.
        let number = sql::row(&tx, "UPDATE usage_clock SET last = last + 1 WHERE id = 1 RETURNING last", []).await?;
        let number: i64 = sql::get(&number.ok_or_else(|| Error::internal("the usage clock is missing"))?, "last")?;
        let (mut taken, mut sums) = (0, BTreeMap::<(AppId, Meter, i64), i64>::new());
        for Rows { roll, meters } in TABLES {
            let left = ROLL_ROWS_MAX - taken;
            let rows = sql::rows(&tx, roll.on(&tx), [number.into(), left.into()]).await?;
            taken += rows.len() as i64;
            for row in &rows {
                let (app, hour) = (sql::get(row, "app_id")?, hour_of(sql::get(row, "event_ms")?));
                for (meter, column) in meters {
                    *sums.entry((app, *meter, hour)).or_default() += sql::get::<i64>(row, column)?;
                }
            }
        }
        if taken == 0 {
            tx.rollback().await.map_err(fault::query)?;
            return Ok(0);
        }
        for ((app, meter, hour), units) in sums.into_iter().filter(|(_, units)| *units > 0) {
            let values = [app.into(), meter.as_str().into(), hour.into(), units.into()];
            sql::run(&tx, ADD, values).await.map_err(fault::query)?;
        }
        sql::commit(tx).await?;
        Ok(taken as usize)
    }

    /// Rows that one roll-up takes at most.
    pub const ROLL_ROWS_MAX: usize = ROLL_ROWS_MAX as usize;
}
