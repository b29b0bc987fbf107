//! Who may do what in a conversation: the one table of roles, and the rules a conversation and an app set. Pure.

use crate::error::{Error, Result};
use crate::role::{MemberRole, texts};
use tokenim_protocol::Code;
use tokenim_protocol::grammar;
use tokenim_protocol::limits::{MUTE_SECONDS_MAX, NAME_CHARS_MAX};
use tokenim_protocol::reply::Facts;

texts! {
    /// How users come into a conversation by themselves.
    JoinRule { /// Not at all: somebody adds them. To others it looks like no conversation.
        Invite "invite", /// They ask, and a moderator adds them.
        Approval "approval", /// Whoever wants to.
        Open "open", }
}
texts! {
    /// Who may add members to a conversation.
    AddRule { /// Owner and admins.
        Admins "admins", /// Members too; guests never.
        Members "members", }
}
texts! {
    /// Which users of an app may bring others into a conversation.
    Strangers { /// Any user any other.
        Anyone "anyone", /// Users those they share a conversation with.
        Shared "shared", /// None: only the app's server creates conversations and adds members.
        Server "server", }
}

/// What of a conversation's settings becomes something else; `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// Name to show; `Some(None)` removes it.
    pub name: Option<Option<String>>,
    /// Who may join.
    pub join: Option<JoinRule>,
    /// Who may add members.
    pub add: Option<AddRule>,
}

impl SettingsChange {
    /// Reads what a face was given.
    ///
    /// Errors: `invalid_field` at `name`, `join` or `add`.
    pub fn parse(name: Option<Option<&str>>, join: Option<&str>, add: Option<&str>) -> Result<Self> {
        if name.flatten().is_some_and(|name| !grammar::is_name(name)) {
            let message = format!("`name` must be 1 to {NAME_CHARS_MAX} characters, none of them a control character");
            return Err(Error::invalid("name", message));
        }
        let rule = |text| {
            JoinRule::find(text).ok_or_else(|| Error::invalid("join", "`join` must be invite, approval or open"))
        };
        let adds = |text| AddRule::find(text).ok_or_else(|| Error::invalid("add", "`add` must be admins or members"));
        Ok(SettingsChange {
            name: name.map(|name| name.map(str::to_owned)),
            join: join.map(rule).transpose()?,
            add: add.map(adds).transpose()?,
        })
    }

    /// Whether nothing becomes something else.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == SettingsChange::default()
    }
}

/// The table of roles. Nobody acts on somebody of equal or higher rank; the app's server, which has no role, may do all.
impl MemberRole {
    /// Whether this role stands above that one.
    #[must_use]
    pub const fn outranks(self, other: MemberRole) -> bool {
        (self as u8) < (other as u8)
    }

    /// Whether this role may say something: all but guests.
    #[must_use]
    pub const fn may_send(self) -> bool {
        !matches!(self, MemberRole::Guest)
    }

    /// Whether this role may delete messages of others, pin, decide on who asks to join, mute, ban and remove.
    #[must_use]
    pub const fn may_moderate(self) -> bool {
        matches!(self, MemberRole::Owner | MemberRole::Admin)
    }

    /// Whether this role may change the conversation's settings.
    #[must_use]
    pub const fn may_update(self) -> bool {
        self.may_moderate()
    }

    /// Whether this role may add members where that rule is set.
    #[must_use]
    pub const fn may_add(self, rule: AddRule) -> bool {
        self.may_moderate() || (matches!(self, MemberRole::Member) && matches!(rule, AddRule::Members))
    }

    /// Whether this role may mute, ban and remove a member of that one.
    #[must_use]
    pub const fn may_act_on(self, target: MemberRole) -> bool {
        self.may_moderate() && self.outranks(target)
    }

    /// Whether this role may make a member who is `from` one who is `to`. Giving `owner` away hands the conversation over.
    #[must_use]
    pub const fn may_give(self, from: MemberRole, to: MemberRole) -> bool {
        match self {
            MemberRole::Owner => self.outranks(from),
            MemberRole::Admin => self.outranks(from) && self.outranks(to),
            MemberRole::Member | MemberRole::Guest => false,
        }
    }

    /// Whether this role may leave: an owner hands the conversation over first.
    #[must_use]
    pub const fn may_leave(self) -> bool {
        !matches!(self, MemberRole::Owner)
    }
}

impl Strangers {
    /// The rule of a word a face was given.
    ///
    /// Errors: `invalid_field` at `strangers`.
    pub fn parse(word: &str) -> Result<Self> {
        Strangers::find(word).ok_or_else(|| Error::invalid("strangers", "`strangers` must be anyone, shared or server"))
    }
}

impl MemberRole {
    /// The role of a word a face was given.
    ///
    /// Errors: `invalid_field` at `role`.
    pub fn parse(word: &str) -> Result<Self> {
        MemberRole::find(word).ok_or_else(|| Error::invalid("role", "`role` must be owner, admin, member or guest"))
    }
}

/// The role that users are added in: `member` where none is said, or `guest`.
///
/// Errors: `invalid_field` at `role`; the higher ones are given to members.
pub fn added_role(word: Option<&str>) -> Result<MemberRole> {
    match word.map_or(Some(MemberRole::Member), MemberRole::find) {
        Some(role @ (MemberRole::Member | MemberRole::Guest)) => Ok(role),
        Some(MemberRole::Owner | MemberRole::Admin) | None => {
            Err(Error::invalid("role", "users are added as `member` or `guest`"))
        }
    }
}

/// How long a mute of so many seconds is, in milliseconds; 0 = none.
///
/// Errors: `invalid_field` at `for_s`.
pub fn mute_ms(for_s: i64) -> Result<i64> {
    if (0..=MUTE_SECONDS_MAX).contains(&for_s) {
        return Ok(for_s * 1_000);
    }
    Err(Error::invalid("for_s", format!("`for_s` must be 0 to {MUTE_SECONDS_MAX} seconds")))
}

/// Checks that a member may say something now.
///
/// Errors: `forbidden` for a guest; `muted`, with `until` when.
pub fn check_speech(role: MemberRole, muted_until_ms: Option<i64>, now_ms: i64) -> Result<()> {
    if !role.may_send() {
        return Err(Error::new(Code::Forbidden).says("a guest of the conversation may read only"));
    }
    match muted_until_ms {
        Some(until) if until > now_ms => {
            let wrong = "this user is muted in the conversation until the time in `until`; reading goes on";
            Err(Error::new(Code::Muted).says(wrong).with(Facts { until_ms: muted_until_ms, ..Facts::default() }))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MemberRole::{Admin, Guest, Member, Owner};

    /// What each role may: a column for owner, admin, member, guest.
    fn cells(may: impl Fn(MemberRole) -> bool) -> String {
        MemberRole::ALL.iter().map(|role| if may(*role) { 'y' } else { '-' }).collect()
    }

    #[test]
    fn the_table_of_roles() {
        assert_eq!(cells(MemberRole::may_send), "yyy-");
        assert_eq!(cells(MemberRole::may_moderate), "yy--");
        assert_eq!(cells(MemberRole::may_update), "yy--");
        assert_eq!(cells(|role| role.may_add(AddRule::Admins)), "yy--");
        assert_eq!(cells(|role| role.may_add(AddRule::Members)), "yyy-");
        assert_eq!(cells(MemberRole::may_leave), "-yyy");
        let on = [(Owner, "----"), (Admin, "y---"), (Member, "yy--"), (Guest, "yy--")];
        for (target, may) in on {
            assert_eq!(cells(|role| role.may_act_on(target)), may, "{target:?}");
        }
    }

    #[test]
    fn only_an_owner_gives_and_takes_the_roles_of_owner_and_admin() {
        let rows = [
            (Owner, ["----", "----", "----", "----"]),
            (Admin, ["y---", "y---", "y---", "y---"]),
            (Member, ["y---", "y---", "yy--", "yy--"]),
            (Guest, ["y---", "y---", "yy--", "yy--"]),
        ];
        for (from, to) in rows {
            for (to, may) in MemberRole::ALL.iter().zip(to) {
                assert_eq!(cells(|role| role.may_give(from, *to)), may, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn nobody_outranks_an_equal() {
        for (at, one) in MemberRole::ALL.iter().enumerate() {
            for (other_at, other) in MemberRole::ALL.iter().enumerate() {
                assert_eq!(one.outranks(*other), at < other_at, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_guest_never_speaks_and_the_muted_speak_again_when_it_ends() {
        let code = |role, until, now| check_speech(role, until, now).map_err(|error| error.code);
        for role in [Owner, Admin, Member] {
            assert_eq!(code(role, None, 5), Ok(()));
            assert_eq!(code(role, Some(5), 5), Ok(()));
            assert_eq!(code(role, Some(6), 5), Err(Code::Muted));
        }
        assert_eq!(code(Guest, None, 5), Err(Code::Forbidden));
        assert_eq!(check_speech(Member, Some(6), 5).unwrap_err().facts.unwrap().until_ms, Some(6));
    }

    #[test]
    fn users_are_added_as_members_or_guests() {
        assert_eq!((added_role(None).unwrap(), added_role(Some("guest")).unwrap()), (Member, Guest));
        for bad in ["admin", "owner", "king", ""] {
            assert_eq!(added_role(Some(bad)).unwrap_err().param, Some("role"), "{bad}");
        }
    }

    #[test]
    fn a_mute_is_none_or_as_long_as_a_year() {
        assert_eq!((mute_ms(0).unwrap(), mute_ms(1).unwrap()), (0, 1_000));
        assert_eq!(mute_ms(MUTE_SECONDS_MAX).unwrap(), MUTE_SECONDS_MAX * 1_000);
        for bad in [-1, MUTE_SECONDS_MAX + 1, i64::MAX, i64::MIN] {
            assert_eq!(mute_ms(bad).unwrap_err().param, Some("for_s"), "{bad}");
        }
    }

    #[test]
    fn settings_are_known_words_and_names() {
        let change = SettingsChange::parse(Some(None), Some("open"), Some("members")).unwrap();
        assert_eq!(
            (change.name.clone(), change.join, change.add),
            (Some(None), Some(JoinRule::Open), Some(AddRule::Members))
        );
        assert!(!change.is_empty() && SettingsChange::parse(None, None, None).unwrap().is_empty());
        let at = |name, join, add| SettingsChange::parse(name, join, add).unwrap_err().param;
        assert_eq!(at(Some(Some("")), None, None), Some("name"));
        assert_eq!(at(None, Some("closed"), None), Some("join"));
        assert_eq!(at(None, None, Some("guests")), Some("add"));
    }
}
