//! What happens on this node now: the health line, messages a second, and what was refused lately. Live, never billed.
use std::time::Duration;

use super::UsageView;
use crate::{number::grouped, text::Text, time::Utc};

/// Longest time of 99 of 100 requests or messages that counts as good.
const GOOD_MAX: Duration = Duration::from_millis(500);

/// What this node saw lately of the apps shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Whether the node sends its connections away to stop.
    pub draining: bool,
    /// What 99 of 100 REST requests did not take longer than; none where there was none.
    pub api: Option<Duration>,
    /// The same of messages, until they were queued at every connection.
    pub delivery: Option<Duration>,
    /// Messages stored in the last `pace_seconds` seconds.
    pub messages: u64,
    /// How many seconds those are.
    pub pace_seconds: u64,
    /// Refusals of the last 24 hours, the most frequent first.
    pub refusals: Vec<Refusal>,
}

/// What was refused to an app with one code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: &'static str,
    /// The app's name.
    pub app: String,
    /// How often in the last 24 hours.
    pub count: u64,
    /// How often in this hour and the one before.
    pub lately: u64,
    /// When last.
    pub last: Utc,
}

impl Refusal {
    pub(super) fn count_shown(&self) -> String {
        shown(self.count)
    }

    /// What the code means.
    pub(super) fn meaning(&self, text: &Text) -> String {
        text.get(&meaning_key(self.code))
    }
}

/// The text that explains a code.
#[must_use]
pub fn meaning_key(code: &str) -> String {
    format!("refusal-{}", code.replace('_', "-"))
}

/// One part of the health line.
pub(super) struct Sign {
    pub(super) level: Level,
    pub(super) sentence: String,
    pub(super) href: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Good,
    Poor,
    Unknown,
}

impl Pulse {
    pub(super) fn signs(&self, text: &Text) -> [Sign; 4] {
        let sign = |level, sentence| Sign { level, sentence, href: "" };
        let lately: u64 = self.refusals.iter().map(|refusal| refusal.lately).sum();
        [
            match self.draining {
                false => sign(Level::Good, text.get("overview-health-gateway")),
                true => sign(Level::Poor, text.get("overview-health-draining")),
            },
            time(text, self.api, ["overview-health-api", "overview-health-api-slow", "overview-health-api-none"]),
            time(
                text,
                self.delivery,
                ["overview-health-delivery", "overview-health-delivery-slow", "overview-health-delivery-none"],
            ),
            match i64::try_from(lately).unwrap_or(i64::MAX) {
                0 => sign(Level::Good, text.get("overview-health-refusals-none")),
                count => Sign {
                    href: "#recent-refusals",
                    ..sign(Level::Poor, text.count("overview-health-refusals", &count, grouped(count)))
                },
            },
        ]
    }

    /// Messages a second, with one decimal while it is below ten.
    pub(super) fn pace_shown(&self) -> String {
        let seconds = self.pace_seconds.max(1);
        let tenths = self.messages.saturating_mul(10) / seconds;
        if tenths < 100 { format!("{}.{}", tenths / 10, tenths % 10) } else { shown(tenths / 10) }
    }
}

fn time(text: &Text, took: Option<Duration>, [good, slow, none]: [&str; 3]) -> Sign {
    let (level, sentence) = match took {
        None => (Level::Unknown, text.get(none)),
        Some(took) if took <= GOOD_MAX => (Level::Good, text.with(good, "time", time_shown(text, took))),
        Some(took) => (Level::Poor, text.with(slow, "time", time_shown(text, took))),
    };
    Sign { level, sentence, href: "" }
}

/// `0.4 ms`, `12 ms`, `1.6 s`; rounded up, so that what is shown holds.
fn time_shown(text: &Text, took: Duration) -> String {
    let tenths = |value: u128| format!("{}.{}", value / 10, value % 10);
    let micros = took.as_micros();
    match micros {
        0..10_000 => text.with("overview-milliseconds", "value", tenths(micros.div_ceil(100))),
        10_000..1_000_000 => text.with("overview-milliseconds", "value", micros.div_ceil(1_000)),
        _ => text.with("overview-seconds", "value", tenths(micros.div_ceil(100_000))),
    }
}

fn shown(count: u64) -> String {
    grouped(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The health line.
#[derive(askama::Template)]
#[template(path = "parts/health.html")]
pub struct HealthPart<'a> {
    /// Texts.
    pub text: &'a Text,
    /// Figures.
    pub view: &'a UsageView,
}

/// Messages a second.
#[derive(askama::Template)]
#[template(path = "parts/pace.html")]
pub struct PacePart<'a> {
    /// Figures.
    pub view: &'a UsageView,
}

/// The table of refusals.
#[derive(askama::Template)]
#[template(path = "parts/refusals.html")]
pub struct RefusalsPart<'a> {
    /// Texts.
    pub text: &'a Text,
    /// Figures.
    pub view: &'a UsageView,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn times_are_rounded_up_and_slow_ones_are_called_so() {
        let text = Text::new(Language::En);
        for (micros, shown) in [(0, "0.0 ms"), (401, "0.5 ms"), (12_001, "13 ms"), (1_600_000, "1.6 s")] {
            assert_eq!(time_shown(&text, Duration::from_micros(micros)), shown);
        }
        let levels = |pulse: Pulse| pulse.signs(&text).map(|sign| sign.level);
        assert_eq!(levels(Pulse::default()), [Level::Good, Level::Unknown, Level::Unknown, Level::Good]);
        let slow = Some(GOOD_MAX + Duration::from_micros(1));
        let refusals = vec![Refusal { code: "not_found", app: "A".into(), count: 2, lately: 1, last: Utc::from_ms(0) }];
        let poor = Pulse { draining: true, api: slow, delivery: Some(GOOD_MAX), refusals, ..Pulse::default() };
        assert_eq!(levels(poor), [Level::Poor, Level::Poor, Level::Good, Level::Poor]);
    }

    #[test]
    fn a_pace_below_ten_shows_its_tenths() {
        let pace = |messages| Pulse { messages, pace_seconds: 10, ..Pulse::default() }.pace_shown();
        assert_eq!([pace(0), pace(3), pace(99), pace(12_345)], ["0.0", "0.3", "9.9", "1,234"]);
    }
}
