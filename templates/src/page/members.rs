//! Members of an org: who is in it and as what, who is invited, and one member by itself.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    number::grouped,
    problem::Problems,
    role::role_name,
    text::Text,
    time::Utc,
};

/// A member, as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// Id of the account.
    pub account: String,
    /// Its address.
    pub email: String,
    /// The stored role.
    pub role: &'static str,
    /// Since when.
    pub joined: Utc,
    /// Whether they sign in with a second factor.
    pub has_totp: bool,
    /// Whether it is the visitor.
    pub is_self: bool,
    /// Whether the visitor may change or remove them.
    pub may_change: bool,
}

/// An invitation that waits or has expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRow {
    /// Its id.
    pub id: String,
    /// The address.
    pub email: String,
    /// The stored role.
    pub role: &'static str,
    /// Whether it can still be accepted.
    pub is_open: bool,
    /// Address of who invited, or the id of the key that did.
    pub invited_by: String,
    /// When it ends.
    pub expires: Utc,
    /// Whether the visitor may send it again or take it back.
    pub may_change: bool,
}

/// A row of the table of roles: an action, and who may do it, in the order of the roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatrixRow {
    /// The stored name of the action.
    pub action: &'static str,
    /// Whether each role may.
    pub cells: Vec<bool>,
}

/// The invitation form as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteForm {
    /// The address.
    pub email: String,
    /// The stored role.
    pub role: String,
}

/// The list.
#[derive(Template)]
#[template(path = "members.html")]
pub struct MembersPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// A page of members.
    pub members: &'a [MemberRow],
    /// Where the next page is; empty at the end.
    pub next_members: String,
    /// A page of invitations.
    pub invitations: &'a [InvitationRow],
    /// Where the next page is; empty at the end.
    pub next_invitations: String,
    /// Places that are taken: members and open invitations.
    pub taken: i64,
    /// Places the plan has, where it has a limit.
    pub allowed: Option<i64>,
    /// Whether the org asks for a second factor.
    pub requires_totp: bool,
    /// All roles, stored.
    pub roles: Vec<&'static str>,
    /// Roles the visitor may give; none where they may not invite.
    pub grantable: Vec<&'static str>,
    /// Who may do what.
    pub matrix: Vec<MatrixRow>,
    /// The form.
    pub form: InviteForm,
    /// What is wrong with it.
    pub problems: Problems,
}

impl MembersPage<'_> {
    fn role(&self, role: &str) -> String {
        role_name(&self.frame.text, role)
    }

    fn is_chosen(&self, chosen: &str, role: &str) -> bool {
        chosen == role
    }

    fn action(&self, action: &str) -> String {
        action_name(&self.frame.text, action)
    }

    fn places(&self) -> String {
        let text = &self.frame.text;
        match self.allowed {
            Some(allowed) => text.with_two("members-places", "taken", grouped(self.taken), "allowed", grouped(allowed)),
            None => text.with("members-places-unlimited", "taken", grouped(self.taken)),
        }
    }
}

/// One member: changing the role, removing.
#[derive(Template)]
#[template(path = "member.html")]
pub struct MemberPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The member.
    pub member: &'a MemberRow,
    /// Roles the visitor may give.
    pub grantable: Vec<&'static str>,
    /// What is wrong with a form.
    pub problems: Problems,
}

impl MemberPage<'_> {
    fn role(&self, role: &str) -> String {
        role_name(&self.frame.text, role)
    }

    fn is_chosen(&self, chosen: &str, role: &str) -> bool {
        chosen == role
    }
}

/// An action of the table of roles in words; one that is none is shown as it is.
fn action_name(text: &Text, action: &str) -> String {
    text.get(match action {
        "read_overview" => "members-action-read-overview",
        "read_usage" => "members-action-read-usage",
        "read_apps" => "members-action-read-apps",
        "change_apps" => "members-action-change-apps",
        "read_keys" => "members-action-read-keys",
        "change_keys" => "members-action-change-keys",
        "read_members" => "members-action-read-members",
        "change_members" => "members-action-change-members",
        "change_settings" => "members-action-change-settings",
        "read_audit" => "members-action-read-audit",
        "read_billing" => "members-action-read-billing",
        "change_billing" => "members-action-change-billing",
        "transfer_ownership" => "members-action-transfer-ownership",
        other => return other.to_owned(),
    })
}
