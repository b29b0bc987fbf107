//! What is asked of the log: messages, conversations, members, watermarks; not yet done.

use super::{About, Amendment, AppRef, Credential, Growth};
use crate::error::{Error, Result};
use crate::group::SettingsChange;
use crate::meter::units;
use crate::name::{ClientMsgId, Conversation, Device, User};
use crate::plan::quota::Allowance;
use crate::role::{Change, ContentKind, ConversationKind, MemberRole};
use std::sync::Arc;

/// One change of the log. Changes handed over together commit together, in this order.
#[derive(Debug, Clone)]
pub enum Write {
    /// A message.
    Send(Draft),
    /// A new conversation.
    Create(NewConversation),
    /// Members join or leave.
    Change(MemberChange),
    /// A watermark of a member moves.
    Move(Watermark),
    /// A stored message is edited, deleted, reacted to or pinned.
    Amend(Amendment),
    /// Settings, roles, joins, mutes and bans of a conversation.
    Govern(Governing),
    /// A user blocks another, or does no more.
    Block(BlockChange),
    /// A live message grows.
    Grow(Growth),
}

impl Write {
    /// The app it is for.
    #[must_use]
    pub const fn app(&self) -> AppRef {
        match self {
            Write::Send(draft) => draft.app,
            Write::Create(new) => new.app,
            Write::Change(change) => change.app,
            Write::Move(watermark) => watermark.app,
            Write::Amend(amendment) => amendment.app,
            Write::Govern(governing) => governing.app,
            Write::Block(block) => block.app,
            Write::Grow(growth) => growth.app,
        }
    }

    /// What it takes its units from, and how many they are at most; `None` where it counts nothing.
    pub fn metered(&mut self) -> Option<(&mut Allowance, i64)> {
        match self {
            Write::Send(draft) => {
                let units = draft.units();
                Some((&mut draft.allowance, units))
            }
            Write::Amend(Amendment { act, allowance, .. }) if act.units_at_most() > 0 => {
                Some((allowance, act.units_at_most()))
            }
            Write::Amend(_)
            | Write::Create(_)
            | Write::Change(_)
            | Write::Move(_)
            | Write::Govern(_)
            | Write::Block(_)
            | Write::Grow(_) => None,
        }
    }

    /// Whether it takes a turn of its app's messages per second.
    #[must_use]
    pub const fn is_paced(&self) -> bool {
        match self {
            Write::Send(_) | Write::Amend(_) => true,
            Write::Create(_)
            | Write::Change(_)
            | Write::Move(_)
            | Write::Govern(_)
            | Write::Block(_)
            | Write::Grow(_) => false,
        }
    }

    /// Whether it may be answered as a repeat and never be stored, so that it takes nothing from others of its app.
    #[must_use]
    pub const fn is_repeat_only(&self) -> bool {
        matches!(self, Write::Send(Draft { may_send: false, .. }))
    }
}

/// A message that has no seq yet.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The app.
    pub app: AppRef,
    /// Where to.
    pub conversation: Conversation,
    /// Who says it; must be a member.
    pub sender: User,
    /// The sender's id of it; a repeat is answered with the first result.
    pub client_msg_id: ClientMsgId,
    /// Must be stored already, else this is refused with `previous_refused`.
    pub prev: Option<ClientMsgId>,
    /// Content kind.
    pub kind: ContentKind,
    /// Content: JSON text.
    pub body: Box<str>,
    /// What it says beside its content; what it replies to must be a message the sender may see.
    pub about: About,
    /// Whether its sender's token may send here: where not, only a repeat is answered, all else is `forbidden`.
    pub may_send: bool,
    /// What it is counted under.
    pub credential: Credential,
    /// What may still be stored; the log takes from it what it stores, and refuses with `quota_exceeded` what is more.
    pub allowance: Allowance,
}

impl Draft {
    /// Message units it counts: of a live message its end does.
    #[must_use]
    pub fn units(&self) -> i64 {
        if self.about.live { 0 } else { units(self.about.content_bytes(&self.body)) }
    }
}

/// A conversation to create.
#[derive(Debug, Clone)]
pub struct NewConversation {
    /// The app.
    pub app: AppRef,
    /// Its id; a `direct` conversation that exists under another id is returned instead.
    pub id: Conversation,
    /// Its kind; `direct` has exactly two members.
    pub kind: ConversationKind,
    /// Distinct members, the owner first.
    pub members: Vec<User>,
    /// Name to show.
    pub name: Option<String>,
    /// Who asks; `None` = the app's server.
    pub actor: Option<User>,
}

/// Members to add or remove.
#[derive(Debug, Clone)]
pub struct MemberChange {
    /// The app.
    pub app: AppRef,
    /// Where.
    pub conversation: Conversation,
    /// Who asks; `None` = the app's server. A user needs a role that may, or removes only itself.
    pub actor: Option<User>,
    /// `Added` or `Removed`.
    pub change: Change,
    /// Distinct users.
    pub users: Vec<User>,
    /// Of `Added`: as what, `member` or `guest`.
    pub role: MemberRole,
}

/// What is asked of a conversation beside adding and removing members.
#[derive(Debug, Clone)]
pub struct Governing {
    /// The app.
    pub app: AppRef,
    /// Where.
    pub conversation: Conversation,
    /// Who asks; `None` = the app's server. A user needs a role that may.
    pub actor: Option<User>,
    /// What.
    pub act: GroupAct,
}

/// One thing that may be asked of a conversation.
#[derive(Debug, Clone)]
pub enum GroupAct {
    /// Its settings become others.
    Update(SettingsChange),
    /// The actor, a user, wants in.
    Join,
    /// Users who asked to be let in are not.
    Decline(Vec<User>),
    /// A member gets a role; `owner` hands the conversation over, and who had it becomes an admin.
    Role(User, MemberRole),
    /// A member may not speak for so many milliseconds from the commit on; 0 = it may again.
    Mute(User, i64),
    /// A user is kept out, and removed where it is a member.
    Ban(User),
    /// A user is kept out no more.
    Unban(User),
}

/// A line of a user's own block list.
#[derive(Debug, Clone)]
pub struct BlockChange {
    /// The app.
    pub app: AppRef,
    /// Whose list.
    pub user: User,
    /// The other user.
    pub other: User,
    /// Whether it is to be on the list.
    pub is_blocked: bool,
}

impl BlockChange {
    /// A change of a user's list.
    ///
    /// Errors: `invalid_field` at `user` where somebody names itself.
    pub fn new(app: AppRef, user: User, other: User, is_blocked: bool) -> Result<Self> {
        if user == other {
            return Err(Error::invalid("user", "nobody blocks itself"));
        }
        Ok(BlockChange { app, user, other, is_blocked })
    }
}

/// A member's watermarks to move forward; they never go back.
#[derive(Debug, Clone)]
pub struct Watermark {
    /// The app.
    pub app: AppRef,
    /// Where.
    pub conversation: Conversation,
    /// Whose.
    pub user: User,
    /// Seen up to this seq.
    pub read: Option<i64>,
    /// Held by a device up to this seq.
    pub received: Option<i64>,
    /// What the device that says it holds; `None` = it is no device that says it.
    pub held: Option<Held>,
}

/// What a device holds of a conversation; deliveries are counted by it.
#[derive(Debug, Clone)]
pub struct Held {
    /// The device.
    pub device: Device,
    /// Up to where, step by step: all of them count, or none does.
    pub reaches: Vec<Reach>,
    /// The token's label, which splits usage.
    pub label: Option<Arc<str>>,
}

/// One step of a device's cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Held up to this seq.
    pub seq: i64,
    /// What it was sent of what the step goes over.
    pub since: Since,
}

/// Since when a device was sent what happens in a conversation. What came before counts nothing where its cursor passes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// It was sent what was committed from this time on, milliseconds since 1970.
    Time(i64),
    /// It was sent what is above this seq, and nothing else for certain.
    Above(i64),
}
