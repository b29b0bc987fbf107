//! How long a job waits for its next try, and when there is none any more.

use tokenim_domain::rng::Rng;

/// Milliseconds of the first wait at most; each one after it is twice as long.
const FIRST_MS: i64 = 2_000;
/// Milliseconds of any wait at most.
const LONGEST_MS: i64 = 3_600_000;
/// Milliseconds after its enqueueing within which a job is tried: what a mail server is given by others, too
/// (RFC 5321 §4.5.4.1 says four to five days; a link in a mail of ours has ended long before).
pub(crate) const TOTAL_MS: i64 = 3 * 24 * 3_600_000;

/// Milliseconds until the next try after `attempt` tries: between half and all of the step, so that jobs that failed
/// together do not come back together.
pub(crate) fn wait_ms(attempt: i64, rng: &dyn Rng) -> i64 {
    let doublings = u32::try_from(attempt.clamp(1, 32) - 1).unwrap_or(0);
    let step = FIRST_MS.saturating_mul(1 << doublings).min(LONGEST_MS);
    let half = step.unsigned_abs() / 2;
    i64::try_from(half + rng.below(half + 1)).unwrap_or(LONGEST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenim_domain::rng::SystemRng;

    #[test]
    fn waits_double_up_to_an_hour_with_jitter() {
        for (attempt, least, most) in [
            (1, 1_000, 2_000),
            (2, 2_000, 4_000),
            (5, 16_000, 32_000),
            (11, 1_024_000, 2_048_000),
            (12, 1_800_000, 3_600_000),
            (500, 1_800_000, 3_600_000),
        ] {
            let waits: Vec<_> = (0..50).map(|_| wait_ms(attempt, &SystemRng)).collect();
            assert!(waits.iter().all(|wait| (least..=most).contains(wait)), "{attempt}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{attempt}: no jitter");
        }
    }
}
