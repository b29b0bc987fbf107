//! What an org's plan entitles it to, which limits follow for an app, and what is refused at them.

pub mod quota;
pub mod rate;

use crate::error::{Error, Result};
use crate::meter::hour_of;
use crate::role::texts;
use quota::Period;
use tokenim_protocol::Code;
use tokenim_protocol::reply::Facts;

/// Connections of one test app at a time, whatever the plan.
pub const TEST_CONNECTIONS_MAX: i64 = 100;
/// Messages per second of one test app, whatever the plan.
pub const TEST_MESSAGE_RATE_MAX: i64 = 50;
/// Message units of one test app in a month, whatever the plan.
pub const TEST_UNITS_MAX: i64 = 10_000;
/// Message units of a test app while no owner of its org has verified an address.
pub const TRIAL_UNITS_MAX: i64 = 100;
/// Bytes of one large body of a test app, whatever the plan.
pub const TEST_LARGE_BODY_BYTES_MAX: i64 = 16 * 1024 * 1024;
/// How long such an app may send, in milliseconds from its creation.
pub const TRIAL_MS: i64 = 24 * 3_600_000;

texts! {
    /// What a plan limits: a closed list.
    Feature { /// Connections open at a time, over the org's live apps.
        Connections "connections", /// Messages sent per second, over the org's live apps.
        MessageRate "message_rate", /// Message units in a calendar month (UTC), over the org's live apps.
        MsgSent "msg_sent", /// Apps that are not deleted.
        Apps "apps", /// Members of the org, open invitations counted.
        Members "members", /// Bytes of the body of one message that comes in chunks.
        LargeBodyBytes "large_body_bytes", }
}
texts! {
    /// What happens at an entitlement's value.
    LimitMode { /// It is refused.
        Hard "hard", /// It is counted on.
        Soft "soft", }
}

/// How much of one feature a plan grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entitlement {
    /// How much; `None` = without limit.
    pub value: Option<i64>,
    /// What happens there.
    pub mode: LimitMode,
}

impl Entitlement {
    /// What a plan that does not name a feature grants of it.
    pub const NOTHING: Entitlement = Entitlement { value: Some(0), mode: LimitMode::Hard };

    /// The value at which something is refused; `None` = nothing ever is.
    #[must_use]
    pub const fn bound(self) -> Option<i64> {
        match self.mode {
            LimitMode::Hard => self.value,
            LimitMode::Soft => None,
        }
    }

    /// Whether one more may be added to `count`.
    ///
    /// Errors: `plan_limit`, with the feature, its limit and the count.
    pub fn admit(self, feature: Feature, count: i64) -> Result<()> {
        let Some(limit) = self.bound().filter(|limit| count >= *limit) else { return Ok(()) };
        let message = format!("the org's plan allows {limit} {}; change the plan or remove some", feature.noun());
        let facts =
            Facts { feature: Some(feature.as_str()), limit: Some(limit), used: Some(count), ..Facts::default() };
        Err(Error::new(Code::PlanLimit).says(message).with(facts))
    }
}

impl Feature {
    const fn noun(self) -> &'static str {
        match self {
            Feature::Connections => "connections",
            Feature::MessageRate => "messages per second",
            Feature::MsgSent => "message units a month",
            Feature::Apps => "apps",
            Feature::Members => "members",
            Feature::LargeBodyBytes => "bytes of a message that comes in chunks",
        }
    }
}

/// What one plan version grants of every feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entitlements([Entitlement; Feature::ALL.len()]);

impl Entitlements {
    /// The grants named; a feature that is not named is granted nothing.
    pub fn new(named: impl IntoIterator<Item = (Feature, Entitlement)>) -> Self {
        let mut all = [Entitlement::NOTHING; Feature::ALL.len()];
        named.into_iter().for_each(|(feature, entitlement)| all[feature as usize] = entitlement);
        Entitlements(all)
    }

    /// What is granted of a feature.
    #[must_use]
    pub const fn of(&self, feature: Feature) -> Entitlement {
        self.0[feature as usize]
    }
}

/// The limits of the traffic of one app. Live apps of an org share them; each test app has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; `None` = without limit.
    pub connections: Option<i64>,
    /// Messages per second; `None` = without limit.
    pub message_rate: Option<i64>,
    /// Message units in the period; `None` = counted without limit.
    pub units: Option<i64>,
    /// What is counted together.
    pub period: Period,
    /// Bytes of one large body; `None` = as many as the wire allows.
    pub large_body_bytes: Option<i64>,
}

impl Limits {
    /// Of the live apps of an org with these entitlements.
    #[must_use]
    pub fn live(entitlements: &Entitlements, now_ms: i64) -> Self {
        let bound = |feature| entitlements.of(feature).bound();
        Limits {
            connections: bound(Feature::Connections),
            message_rate: bound(Feature::MessageRate),
            units: bound(Feature::MsgSent),
            period: Period::month(now_ms),
            large_body_bytes: bound(Feature::LargeBodyBytes),
        }
    }

    /// Of a test app created at that time, whatever the plan.
    #[must_use]
    pub fn test(created_ms: i64, is_verified: bool, now_ms: i64) -> Self {
        let trial = Period::Trial { from_ms: hour_of(created_ms), to_ms: created_ms.saturating_add(TRIAL_MS) };
        let (units, period) =
            if is_verified { (TEST_UNITS_MAX, Period::month(now_ms)) } else { (TRIAL_UNITS_MAX, trial) };
        Limits {
            connections: Some(TEST_CONNECTIONS_MAX),
            message_rate: Some(TEST_MESSAGE_RATE_MAX),
            units: Some(units),
            period,
            large_body_bytes: Some(TEST_LARGE_BODY_BYTES_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARD: fn(i64) -> Entitlement = |value| Entitlement { value: Some(value), mode: LimitMode::Hard };

    #[test]
    fn what_a_plan_does_not_name_it_does_not_grant() {
        let plan = Entitlements::new([(Feature::Apps, HARD(2))]);
        assert!(plan.of(Feature::Apps).admit(Feature::Apps, 1).is_ok());
        let error = plan.of(Feature::Apps).admit(Feature::Apps, 2).unwrap_err();
        let facts = error.facts.unwrap();
        assert_eq!(
            (error.code, facts.feature, facts.limit, facts.used),
            (Code::PlanLimit, Some("apps"), Some(2), Some(2))
        );
        assert_eq!(plan.of(Feature::Members).admit(Feature::Members, 0).unwrap_err().code, Code::PlanLimit);
    }

    #[test]
    fn a_soft_value_and_none_refuse_nothing() {
        for free in
            [Entitlement { value: Some(1), mode: LimitMode::Soft }, Entitlement { value: None, mode: LimitMode::Hard }]
        {
            assert!(free.admit(Feature::Apps, i64::MAX).is_ok());
        }
    }

    #[test]
    fn test_apps_have_fixed_limits_and_less_before_an_address_is_verified() {
        let (created, now) = (1_790_001_000_000, 1_790_001_500_000);
        let verified = Limits::test(created, true, now);
        assert_eq!((verified.units, verified.period), (Some(TEST_UNITS_MAX), Period::month(now)));
        let trial = Limits::test(created, false, now);
        assert_eq!((trial.units, trial.connections), (Some(TRIAL_UNITS_MAX), verified.connections));
        assert_eq!(trial.period, Period::Trial { from_ms: hour_of(created), to_ms: created + TRIAL_MS });
    }
}
