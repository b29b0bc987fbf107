//! What is counted and how (counting rules version 1).

use crate::id::AppId;
use crate::role::texts;
use tokenim_protocol::limits::MESSAGE_UNIT_BYTES;

/// Version of the counting rules, stored on every usage row.
pub const RULE_VERSION: i16 = 1;

/// Milliseconds of the bucket that usage is rolled up to.
pub const HOUR_MS: i64 = 3_600_000;

texts! {
    /// A counted thing with one unit and one aggregation.
    Meter { /// Message units committed; unit: message unit, aggregation: sum.
        MsgSent "msg_sent", /// Message units that a device received, per device; unit: message unit, aggregation: sum.
        MsgDelivered "msg_delivered", /// Connections open at second 0 of each minute; unit: minute, aggregation: sum.
        ConnMin "conn_min", /// Calls with a valid credential of the app, whatever the answer but 429 and 5xx; unit: call, aggregation: sum.
        ApiCall "api_call", /// Bytes of large bodies kept at each full hour; unit: byte, aggregation: sum of the hours.
        Stored "stored", }
}

/// What a process counted of an app in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppMinute {
    /// The app.
    pub app: AppId,
    /// Connections open at second 0 of the minute.
    pub connections_open: i64,
    /// Connections that began in it.
    pub connections_started: i64,
    /// Calls answered in it.
    pub api_calls: i64,
    /// Messages said live in it; not billed.
    pub ephemeral: i64,
}

impl AppMinute {
    /// A minute with nothing in it.
    #[must_use]
    pub const fn new(app: AppId) -> Self {
        AppMinute { app, connections_open: 0, connections_started: 0, api_calls: 0, ephemeral: 0 }
    }
}

/// Message units of a body: each started 5,120 bytes as stored, at least 1.
#[must_use]
pub fn units(body_bytes: usize) -> i64 {
    body_bytes.div_ceil(MESSAGE_UNIT_BYTES).max(1) as i64
}

/// The start of the hour that holds `at_ms`.
#[must_use]
pub fn hour_of(at_ms: i64) -> i64 {
    at_ms - at_ms.rem_euclid(HOUR_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_the_golden_vectors() {
        let file: serde_json::Value = serde_json::from_str(include_str!("../../protocol/vectors/units.json")).unwrap();
        for case in file["cases"].as_array().unwrap() {
            assert_eq!(units(case["input"].as_u64().unwrap() as usize), case["expected"], "{}", case["name"]);
        }
    }
}
