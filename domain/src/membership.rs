//! The rules of belonging to an org: who may change whose place, and what an invitation is worth.

use crate::actor::{Acting, Who};
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

/// Asks that somebody's right reaches as far as a role. A key is nobody and outlives what its maker may do: it makes and
/// unmakes no owner.
///
/// Errors: `forbidden`.
/// Source: docs/MANAGE.md §4.
pub fn check_grant(acting: &Acting, role: OrgRole) -> Result<()> {
    if role == OrgRole::Owner && matches!(acting.actor.who, Who::ManagementKey(_)) {
        let wrong = "a management key makes, changes and removes no owner; an org is given away by transfer";
        return Err(Error::new(Code::Forbidden).says(wrong));
    }
    if acting.right.may_grant(role) {
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
    use crate::actor::{Actor, Right};
    use crate::id::{AccountId, KeyId, OrgId};
    use uuid::Uuid;

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
        let check = |who: Who, right: Right, role| {
            let actor = Actor { who, address: None, reason: None };
            check_grant(&Acting { org: OrgId(Uuid::from_u128(1)), right, actor }, role).map_err(|error| error.code)
        };
        let (person, key) =
            (Who::Account(AccountId(Uuid::from_u128(2))), Who::ManagementKey(KeyId(Uuid::from_u128(3))));
        let (admin, owner) = (Right::Role(OrgRole::Admin), Right::Role(OrgRole::Owner));
        for (who, right, role) in [(person, admin, OrgRole::Admin), (person, owner, OrgRole::Owner)] {
            assert_eq!(check(who, right, role), Ok(()));
        }
        assert_eq!(check(Who::Machine, Right::Service, OrgRole::Owner), Ok(()));
        assert_eq!(check(key, owner, OrgRole::Admin), Ok(()));
        for (who, right, role) in [
            (person, admin, OrgRole::Owner),
            (person, Right::Role(OrgRole::Developer), OrgRole::Viewer),
            (key, owner, OrgRole::Owner),
        ] {
            assert_eq!(check(who, right, role), Err(Code::Forbidden));
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
