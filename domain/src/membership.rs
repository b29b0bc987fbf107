//! The rules of belonging to an org: who may change whose place, and what an invitation is worth.

use crate::actor::Right;
use crate::error::{Error, Result};
use crate::role::{OrgRole, texts};
use tokenim_protocol::Code;

/// Milliseconds an invitation is open: seven days.
pub const INVITATION_MS: i64 = 7 * 24 * 3_600_000;

texts! {
    /// How an invitation stands.
    InvitationState { /// Waits to be accepted.
        Open "open", /// Nobody accepted it in time.
        Expired "expired", /// Was accepted.
        Accepted "accepted", /// Was taken back.
        Revoked "revoked", }
}

impl InvitationState {
    /// The state of an invitation by its times, in milliseconds since 1970.
    #[must_use]
    pub const fn of(now_ms: i64, expires_ms: i64, accepted_ms: Option<i64>, revoked_ms: Option<i64>) -> Self {
        match (accepted_ms, revoked_ms) {
            (Some(_), _) => Self::Accepted,
            (None, Some(_)) => Self::Revoked,
            (None, None) if now_ms >= expires_ms => Self::Expired,
            (None, None) => Self::Open,
        }
    }

    /// Asks that it can still be accepted.
    ///
    /// Errors: `invitation_expired`, `invitation_used`, `invitation_revoked`.
    pub fn check_open(self) -> Result<()> {
        match self {
            Self::Open => Ok(()),
            Self::Expired => Err(Code::InvitationExpired.into()),
            Self::Accepted => Err(Code::InvitationUsed.into()),
            Self::Revoked => Err(Code::InvitationRevoked.into()),
        }
    }
}

/// Asks that this right reaches as far as a role.
///
/// Errors: `forbidden`.
pub fn check_grant(right: Right, role: OrgRole) -> Result<()> {
    if right.may_grant(role) {
        return Ok(());
    }
    Err(Error::new(Code::Forbidden)
        .says(format!("nobody gives, changes or removes the role {} from below it", role.as_str())))
}

/// Asks that an org of so many owners keeps one when a member of the role `before` gets another, or `None`: leaves.
///
/// Errors: `last_owner`.
pub fn check_owner_stays(before: OrgRole, after: Option<OrgRole>, owners: u64) -> Result<()> {
    if before == OrgRole::Owner && after != Some(OrgRole::Owner) && owners <= 1 {
        return Err(Code::LastOwner.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_open_once_and_for_seven_days() {
        let state = |now, accepted, revoked| InvitationState::of(now, 100, accepted, revoked);
        assert_eq!(state(99, None, None), InvitationState::Open);
        assert_eq!(state(100, None, None), InvitationState::Expired);
        assert_eq!(state(99, Some(5), None), InvitationState::Accepted);
        assert_eq!(state(999, Some(5), Some(6)), InvitationState::Accepted);
        assert_eq!(state(999, None, Some(6)), InvitationState::Revoked);
        let codes = [Code::InvitationExpired, Code::InvitationUsed, Code::InvitationRevoked];
        assert!(InvitationState::Open.check_open().is_ok());
        for (state, code) in InvitationState::ALL[1..].iter().zip(codes) {
            assert_eq!(state.check_open().unwrap_err().code, code);
        }
    }

    #[test]
    fn nobody_touches_a_role_above_their_own() {
        assert!(check_grant(Right::Role(OrgRole::Admin), OrgRole::Admin).is_ok());
        assert!(check_grant(Right::Service, OrgRole::Owner).is_ok());
        for (role, of) in [(OrgRole::Admin, OrgRole::Owner), (OrgRole::Developer, OrgRole::Viewer)] {
            assert_eq!(check_grant(Right::Role(role), of).unwrap_err().code, Code::Forbidden);
        }
    }

    #[test]
    fn the_last_owner_stays_one() {
        for after in [None, Some(OrgRole::Admin), Some(OrgRole::Viewer)] {
            assert_eq!(check_owner_stays(OrgRole::Owner, after, 1).unwrap_err().code, Code::LastOwner);
            assert!(check_owner_stays(OrgRole::Owner, after, 2).is_ok());
            assert!(check_owner_stays(OrgRole::Admin, after, 1).is_ok());
        }
        assert!(check_owner_stays(OrgRole::Owner, Some(OrgRole::Owner), 1).is_ok());
    }
}
