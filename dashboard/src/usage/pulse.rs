//! What this node saw lately of some apps, for the overview.
use std::cmp::Reverse;

use tokenim_gateway::recent::PACE_SECONDS;
use tokenim_store::App;
use tokenim_templates::{
    page::usage::pulse::{Pulse, Refusal},
    time::Utc,
};

use crate::console::{Console, Health};

/// Kinds of refusals shown.
const REFUSALS_MAX: usize = 20;

/// Asks the node about the apps.
pub(super) fn read<'a>(console: &Console, apps: impl Iterator<Item = &'a App>) -> Pulse {
    let Health { draining, api, delivery } = console.live.health();
    let mut pulse = Pulse { draining, api, delivery, pace_seconds: PACE_SECONDS as u64, ..Pulse::default() };
    for app in apps {
        let lately = console.live.lately(app.id);
        pulse.messages += lately.messages;
        pulse.refusals.extend(lately.refused.into_iter().map(|refused| Refusal {
            code: refused.code.as_str(),
            app: app.name.clone(),
            count: refused.count,
            lately: refused.lately,
            last: Utc::from_ms(refused.last_ms),
        }));
    }
    pulse.refusals.sort_by_key(|refusal| Reverse(refusal.count));
    pulse.refusals.truncate(REFUSALS_MAX);
    pulse
}

#[cfg(test)]
mod tests {
    use tokenim_domain::Code;
    use tokenim_templates::{language::Language, page::usage::pulse::meaning_key, text::Text};

    /// Those only the console or the provisioning API can answer with; no app meets them.
    const NOT_OF_APPS: &[Code] = &[
        Code::EmailUnverified,
        Code::ReauthRequired,
        Code::CsrfFailed,
        Code::SignInFailed,
        Code::PlanLimit,
        Code::LastOwner,
        Code::InvitationExpired,
        Code::InvitationRevoked,
        Code::InvitationUsed,
        Code::InvitationForeign,
    ];

    #[test]
    fn every_code_an_app_can_meet_is_explained() {
        for code in Code::ALL.iter().filter(|code| !NOT_OF_APPS.contains(code)) {
            let key = meaning_key(code.as_str());
            assert_eq!(Text::new(Language::En).get(&key), code.row().meaning, "{key} in en/refusal.ftl");
            let chinese = Text::new(Language::ZhCn).get(&key);
            assert!(chinese.chars().any(|letter| letter > '\u{2e7f}'), "{key} in zh-CN/refusal.ftl: {chinese}");
        }
    }
}
