//! What is counted and how (counting rules version 1).

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
        MsgDelivered "msg_delivered", }
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
    fn a_unit_is_each_started_5_kib() {
        let cases = [(0, 1), (1, 1), (5_120, 1), (5_121, 2), (10_240, 2), (10_241, 3), (65_536, 13)];
        for (bytes, expected) in cases {
            assert_eq!(units(bytes), expected, "{bytes}");
        }
    }
}
