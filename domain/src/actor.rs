//! Who changes something: in which org, with which right, and how the audit log names them.

use crate::error::{Error, Result};
use crate::id::{AccountId, KeyId, OrgId};
use crate::role::OrgRole;
use std::fmt;
use std::net::IpAddr;
use tokenim_protocol::Code;

/// Characters of a reason at most.
pub const REASON_CHARS_MAX: usize = 200;

/// Who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A person in the console.
    Account(AccountId),
    /// A management key of an org.
    ManagementKey(KeyId),
    /// An operator in the operator area.
    Operator(AccountId),
    /// An operator's key.
    OperatorKey(KeyId),
    /// The command line on the machine the data is on, or the service itself.
    Machine,
}

impl Who {
    /// The kind, as the audit log stores it.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Who::Account(_) => "account",
            Who::ManagementKey(_) => "management_key",
            Who::Operator(_) => "operator",
            Who::OperatorKey(_) => "operator_key",
            Who::Machine => "machine",
        }
    }
}

impl fmt::Display for Who {
    /// The id, or `machine`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Account(id) | Who::Operator(id) => id.fmt(out),
            Who::ManagementKey(id) | Who::OperatorKey(id) => id.fmt(out),
            Who::Machine => out.write_str("machine"),
        }
    }
}

/// Who changes something, from where and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub who: Who,
    /// From which address.
    pub address: Option<IpAddr>,
    /// Why; operators must say it.
    pub reason: Option<String>,
}

impl Actor {
    /// The machine itself, without address or reason.
    #[must_use]
    pub const fn machine() -> Self {
        Actor { who: Who::Machine, address: None, reason: None }
    }

    /// A person in the console, at that address.
    #[must_use]
    pub const fn person(account: AccountId, address: Option<IpAddr>) -> Self {
        Actor { who: Who::Account(account), address, reason: None }
    }

    /// Whether it is somebody of the service, whose changes are written into the service's own chain as well.
    #[must_use]
    pub const fn is_operator(&self) -> bool {
        matches!(self.who, Who::Operator(_) | Who::OperatorKey(_))
    }

    /// Asks operators why.
    ///
    /// Errors: `invalid_field` at `reason` where an operator gives none, or a too long one.
    pub fn check_reason(&self) -> Result<()> {
        let chars = self.reason.as_deref().map_or(0, |reason| reason.trim().chars().count());
        if chars > REASON_CHARS_MAX || (chars == 0 && self.is_operator()) {
            return Err(Error::invalid("reason", format!("a reason has 1 to {REASON_CHARS_MAX} characters")));
        }
        Ok(())
    }
}

/// What somebody may do in an org.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// What a role may.
    Role(OrgRole),
    /// Everything: the service's operator.
    Service,
}

/// Somebody acting in one org: the argument of every use-case that changes something there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acting {
    /// Where.
    pub org: OrgId,
    /// With which right.
    pub right: Right,
    /// Who.
    pub actor: Actor,
}

impl Right {
    /// Whether this right reaches as far as that role: to give it, and to change or remove somebody who has it.
    #[must_use]
    pub const fn may_grant(self, role: OrgRole) -> bool {
        match self {
            Right::Role(own) => own.may_grant(role),
            Right::Service => true,
        }
    }
}

impl Acting {
    /// Asks the table of roles.
    ///
    /// Errors: `forbidden`, naming the roles that may.
    pub fn allow(&self, action: Action) -> Result<()> {
        match self.right {
            Right::Service => Ok(()),
            Right::Role(role) if role.may(action) => Ok(()),
            Right::Role(role) => {
                let may: Vec<_> =
                    OrgRole::ALL.iter().filter(|role| role.may(action)).map(|role| role.as_str()).collect();
                Err(Error::new(Code::Forbidden).says(format!(
                    "the role {} may not do this; {} may",
                    role.as_str(),
                    may.join(", ")
                )))
            }
        }
    }

    /// The role, where it is one.
    #[must_use]
    pub const fn role(&self) -> Option<OrgRole> {
        match self.right {
            Right::Role(role) => Some(role),
            Right::Service => None,
        }
    }
}

crate::role::texts! {
    /// What a role may be asked for: the rows of the table of roles.
    Action { /// See the overview.
        ReadOverview "read_overview", /// See usage.
        ReadUsage "read_usage", /// See the apps.
        ReadApps "read_apps", /// Create, rename, suspend and delete apps, set their origins.
        ChangeApps "change_apps", /// See keys and signing keys.
        ReadKeys "read_keys", /// Create, rotate and revoke keys and signing keys.
        ChangeKeys "change_keys", /// See members and invitations.
        ReadMembers "read_members", /// Invite, remove, change roles.
        ChangeMembers "change_members", /// Name and rules of the org, management keys.
        ChangeSettings "change_settings", /// See who changed what.
        ReadAudit "read_audit", /// See plan and invoices.
        ReadBilling "read_billing", /// Change the plan.
        ChangeBilling "change_billing", /// Give the org to somebody else.
        TransferOwnership "transfer_ownership", }
}

impl OrgRole {
    /// The table of roles: whether this role may do that. Deny by default: an action has its row here or does not compile.
    #[must_use]
    pub const fn may(self, action: Action) -> bool {
        use OrgRole::{Admin, Billing, Developer, Owner};
        match action {
            Action::ReadOverview | Action::ReadUsage | Action::ReadApps => true,
            Action::ChangeApps | Action::ReadKeys | Action::ChangeKeys => matches!(self, Owner | Admin | Developer),
            Action::ReadMembers | Action::ChangeMembers | Action::ChangeSettings | Action::ReadAudit => {
                matches!(self, Owner | Admin)
            }
            Action::ReadBilling | Action::ChangeBilling => matches!(self, Owner | Billing),
            Action::TransferOwnership => matches!(self, Owner),
        }
    }

    /// Whether this role may give that one: nobody grants a role above their own, and a role that may not change members
    /// grants none.
    #[must_use]
    pub const fn may_grant(self, role: OrgRole) -> bool {
        match self {
            OrgRole::Owner => true,
            OrgRole::Admin => !matches!(role, OrgRole::Owner),
            OrgRole::Developer | OrgRole::Billing | OrgRole::Viewer => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_roles() {
        // Owner, admin, developer, billing, viewer.
        let rows: [(&[Action], &str); 6] = [
            (&[Action::ReadOverview, Action::ReadUsage, Action::ReadApps], "yyyyy"),
            (&[Action::ChangeApps, Action::ReadKeys, Action::ChangeKeys], "yyy--"),
            (&[Action::ReadMembers, Action::ChangeMembers, Action::ChangeSettings, Action::ReadAudit], "yy---"),
            (&[Action::ReadBilling, Action::ChangeBilling], "y--y-"),
            (&[Action::TransferOwnership], "y----"),
            (&[], "-----"),
        ];
        for (actions, cells) in rows {
            for action in actions {
                let of = |role: &OrgRole| if role.may(*action) { 'y' } else { '-' };
                assert_eq!(OrgRole::ALL.iter().map(of).collect::<String>(), cells, "{action:?}");
            }
        }
        assert_eq!(rows.iter().map(|(actions, _)| actions.len()).sum::<usize>(), Action::ALL.len());
    }

    #[test]
    fn operators_say_why() {
        let id = AccountId(uuid::Uuid::nil());
        let actor = |who, reason: Option<&str>| Actor { who, address: None, reason: reason.map(str::to_owned) };
        for reason in [None, Some(""), Some(" ")] {
            assert_eq!(actor(Who::Operator(id), reason).check_reason().unwrap_err().param, Some("reason"));
            assert!(actor(Who::Account(id), reason).check_reason().is_ok());
        }
        assert!(actor(Who::Operator(id), Some("asked by phone")).check_reason().is_ok());
        assert!(actor(Who::Account(id), Some(&"x".repeat(REASON_CHARS_MAX + 1))).check_reason().is_err());
    }

    #[test]
    fn nobody_grants_above_themselves() {
        assert!(OrgRole::Owner.may_grant(OrgRole::Owner) && OrgRole::Admin.may_grant(OrgRole::Admin));
        assert!(!OrgRole::Admin.may_grant(OrgRole::Owner) && !OrgRole::Developer.may_grant(OrgRole::Viewer));
    }
}
