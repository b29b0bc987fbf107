//! When things are due: an open loop decides that beforehand, and no slow answer moves it.

use std::time::{Duration, Instant};

/// Evenly spaced moments.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    first: Instant,
    spacing: Duration,
    count: u64,
}

impl Schedule {
    /// `per_second` moments a second for so long, of which this is share `part` of `parts`, between those of the others.
    #[must_use]
    pub fn part(began: Instant, per_second: f64, lasts: Duration, part: usize, parts: usize) -> Self {
        let step = Duration::from_secs_f64(1.0 / per_second);
        let all = (per_second * lasts.as_secs_f64()).round() as u64;
        let (part, parts) = (part as u64, parts as u64);
        Schedule {
            first: began + step.mul_f64(part as f64),
            spacing: step.mul_f64(parts as f64),
            count: all / parts + u64::from(part < all % parts),
        }
    }

    /// The moment of number `at`, from 0; `None` behind the last.
    #[must_use]
    pub fn due(&self, at: u64) -> Option<Instant> {
        (at < self.count).then(|| self.first + self.spacing.mul_f64(at as f64))
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// A spacing behind the last: what was not done by then is not done any more.
    #[must_use]
    pub fn ends(&self) -> Instant {
        self.first + self.spacing.mul_f64(self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_whole() {
        let began = Instant::now();
        let parts = (0..3).map(|part| Schedule::part(began, 100.0, Duration::from_millis(1_010), part, 3));
        let mut due: Vec<_> = parts.flat_map(|part| (0..part.count()).map_while(move |at| part.due(at))).collect();
        due.sort();
        assert_eq!((due.len(), due[0]), (101, began));
        for (at, moment) in due.iter().enumerate() {
            let (told, wanted) = (moment.duration_since(began).as_secs_f64(), at as f64 / 100.0);
            assert!((told - wanted).abs() < 1e-5, "{at}: {told}");
        }
    }

    #[test]
    fn nothing_is_due_behind_the_last() {
        let one = Schedule::part(Instant::now(), 2.0, Duration::from_secs(1), 1, 2);
        assert_eq!((one.count(), one.due(1)), (1, None));
        assert!(one.ends() > one.due(0).unwrap());
    }
}
