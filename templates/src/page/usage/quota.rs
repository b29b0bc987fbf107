//! How much of a quota is used.
use crate::{frame::Mode, number::grouped, text::Text, time::Utc};

/// Percent of a limit from which a bar warns.
const NEAR_PERCENT: i64 = 80;

/// A quota and what is used of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaBar {
    /// The test app it is of; none = of the org's live apps together.
    pub app: Option<String>,
    /// How much there may be; none = without limit.
    pub limit: Option<i64>,
    /// Whether more is refused, not counted on.
    pub is_hard: bool,
    /// How much there is.
    pub used: i64,
    /// When it begins anew, if it does.
    pub resets_at: Option<Utc>,
}

/// How full it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Calm,
    Near,
    Full,
}

impl QuotaBar {
    /// The mode of the apps it is of.
    pub(crate) const fn mode(&self) -> Mode {
        if self.app.is_some() { Mode::Test } else { Mode::Live }
    }

    /// Whole percent of the limit, 100 at most, cut down so that only a full bar looks full.
    pub(crate) fn percent(&self) -> i64 {
        match self.limit {
            Some(limit) if limit > 0 => (self.used.saturating_mul(100) / limit).clamp(0, 100),
            Some(_) => 100,
            None => 0,
        }
    }

    fn level(&self) -> Level {
        match self.percent() {
            100 => Level::Full,
            NEAR_PERCENT..100 => Level::Near,
            _ => Level::Calm,
        }
    }

    /// Whether little is left.
    pub(crate) fn is_near(&self) -> bool {
        self.level() == Level::Near
    }

    /// Whether nothing is left.
    pub(crate) fn is_full(&self) -> bool {
        self.level() == Level::Full
    }

    /// `7 / 100`, or `7` without a limit.
    pub(crate) fn figure(&self) -> String {
        match self.limit {
            Some(limit) => format!("{} / {}", grouped(self.used), grouped(limit)),
            None => grouped(self.used),
        }
    }

    /// Its state in a sentence.
    pub(crate) fn sentence(&self, text: &Text) -> String {
        let key = match (self.limit, self.is_hard, self.level()) {
            (None, ..) => return text.get("quota-unlimited"),
            (_, true, Level::Calm) => "quota-hard",
            (_, true, Level::Near) => "quota-hard-near",
            (_, true, Level::Full) => "quota-hard-full",
            (_, false, Level::Calm) => "quota-soft",
            (_, false, Level::Near) => "quota-soft-near",
            (_, false, Level::Full) => "quota-soft-full",
        };
        let sentence = text.with(key, "percent", self.percent());
        // What a test app may send is the same in every plan.
        let helps = self.app.is_none() && self.is_hard && self.level() != Level::Calm;
        if helps { format!("{sentence} {}", text.get("quota-larger")) } else { sentence }
    }

    /// When it begins anew, in a sentence.
    pub(crate) fn reset(&self, text: &Text) -> String {
        match self.resets_at {
            Some(at) => text.with("quota-resets", "time", at.date_minute()),
            None => text.get("quota-trial"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_warns_at_80_percent_and_is_full_at_its_limit_only() {
        let bar = |used, limit| QuotaBar { app: None, limit, is_hard: true, used, resets_at: None };
        let looks = |bar: QuotaBar| (bar.is_near(), bar.is_full());
        let cases = [(0, 0), (799, 0), (800, 1), (999, 1), (1_000, 2), (5_000, 2)];
        for (used, level) in cases {
            assert_eq!(looks(bar(used, Some(1_000))), (level == 1, level == 2), "{used}");
        }
        assert_eq!((looks(bar(0, Some(0))), looks(bar(i64::MAX, None))), ((false, true), (false, false)));
    }
}
