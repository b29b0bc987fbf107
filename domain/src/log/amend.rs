//! What happens to a message after it was stored: edits, deletion, reactions, pins, the end of a live one. Each is a sequenced event of its own.

use super::{AppRef, Attached, Credential, Event, Large, Piece};
use crate::error::{Error, Result};
use crate::meter::units;
use crate::name::{ClientMsgId, Conversation, User};
use crate::plan::quota::Allowance;
use crate::role::{ContentKind, ConversationKind, MemberRole};
use std::sync::Arc;
use tokenim_protocol::Code;
use tokenim_protocol::limits::{EMOJI_BYTES_MAX, FRAME_BYTES_MAX, MENTIONS_MAX};

/// What a message says beside its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Seq of the message it replies to.
    pub reply_to: Option<i64>,
    /// Whom it speaks to.
    pub mentions: Option<Mentions>,
    /// Whether it asks for no attention: no push to a sleeping device.
    pub silent: bool,
    /// Whether it was begun as a live message: its content came later, and its end counts it.
    pub live: bool,
    /// Its content, where that came in chunks: its `body` is empty then.
    pub large: Option<Large>,
    /// The files it carries.
    pub attached: Attached,
}

impl About {
    /// Bytes of the content of a message with this body.
    #[must_use]
    pub fn content_bytes(&self, body: &str) -> usize {
        self.large.map_or(body.len(), |large| usize::try_from(large.bytes).unwrap_or(usize::MAX))
    }
}

/// Whom a message speaks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mentions {
    /// Every member.
    Everyone,
    /// These users, members or not.
    Users(Vec<User>),
}

impl Mentions {
    /// Distinct users by their ids. Errors: `invalid_field`, `limit_reached`.
    pub fn of<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<Option<Self>> {
        if ids.len() > MENTIONS_MAX {
            let wrong = format!("a message mentions at most {MENTIONS_MAX} users");
            return Err(Error::new(Code::LimitReached).says(wrong).at("mentions"));
        }
        let mut users: Vec<User> = Vec::with_capacity(ids.len());
        for id in ids {
            let user = User::parse(id).map_err(|error| error.at("mentions"))?;
            if !users.contains(&user) {
                users.push(user);
            }
        }
        Ok((!users.is_empty()).then_some(Mentions::Users(users)))
    }
}

/// A change of a stored message that has no seq yet.
#[derive(Debug, Clone)]
pub struct Amendment {
    /// The app.
    pub app: AppRef,
    /// Where.
    pub conversation: Conversation,
    /// Who does it; must be a member. `None` = the app's server, which may do all of it but react.
    pub actor: Option<User>,
    /// The actor's id of it; a repeat is answered with the first result.
    pub client_msg_id: Option<ClientMsgId>,
    /// Seq of the message.
    pub target: i64,
    /// What is done to it.
    pub act: MessageAct,
    /// Whether the credential may act on what others said.
    pub moderates: bool,
    /// What it is counted under.
    pub credential: Credential,
    /// What may still be stored, as of a [`super::Draft`].
    pub allowance: Allowance,
}

impl Amendment {
    /// Asks that the actor may do it, being a member in `role` of a conversation of this kind: only its sender edits a
    /// message; others' messages are deleted, and groups' messages pinned, by moderators. `role` is none's of the app's server.
    ///
    /// Errors: `forbidden`; `invalid_request` for a reaction of nobody.
    pub fn check(&self, sender: &User, role: Option<MemberRole>, kind: ConversationKind) -> Result<()> {
        let (Some(actor), Some(role)) = (&self.actor, role) else {
            return match self.act {
                MessageAct::React { .. } => Err(Error::new(Code::InvalidRequest)
                    .says("a server key must name the `user` who reacts")
                    .at("user")),
                MessageAct::Edit { .. } | MessageAct::Delete | MessageAct::Pin { .. } | MessageAct::End { .. } => {
                    Ok(())
                }
            };
        };
        let moderates = self.moderates && role.may_moderate();
        let (may, wrong) = match self.act {
            MessageAct::Edit { .. } => (actor == sender, "only its sender may edit a message"),
            MessageAct::End { .. } => (actor == sender, "only its sender may end a live message"),
            MessageAct::Delete => (actor == sender || moderates, "only its sender or a moderator may delete a message"),
            MessageAct::React { .. } => (true, ""),
            MessageAct::Pin { .. } => {
                let pair = kind == ConversationKind::Direct && self.moderates;
                (moderates || pair, "only a moderator may pin messages of a group")
            }
        };
        if may { Ok(()) } else { Err(Error::new(Code::Forbidden).says(wrong)) }
    }
}

/// What is done to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageAct {
    /// Its content is replaced, by its sender.
    Edit {
        /// Content kind.
        kind: ContentKind,
        /// Content: JSON text. Empty in an event whose message was deleted since.
        body: Box<str>,
    },
    /// Its content is erased, for everybody and for good.
    Delete,
    /// A user reacts to it, or takes that back.
    React {
        /// The reaction: any short text. Empty in an event whose message was deleted since.
        emoji: Emoji,
        /// Whether it is added.
        on: bool,
        /// Users with this reaction afterwards; filled in by the commit.
        count: i64,
    },
    /// It is pinned in its conversation, or no more.
    Pin {
        /// Whether it is pinned.
        on: bool,
    },
    /// A live message is whole, said by its sender or, where nobody went on with it, by the server.
    End {
        /// What is added last; none is left after the commit.
        last: Piece,
        /// Content kind.
        kind: ContentKind,
        /// Content: JSON text, filled in by the commit. Empty in an event whose message was deleted since.
        body: Box<str>,
    },
}

impl MessageAct {
    /// The type of its event on the wire.
    #[must_use]
    pub const fn event_type(&self) -> &'static str {
        match self {
            MessageAct::Edit { .. } => "edited",
            MessageAct::Delete => "deleted",
            MessageAct::React { .. } => "reaction",
            MessageAct::Pin { .. } => "pinned",
            MessageAct::End { .. } => "ended",
        }
    }

    /// Whether it says something to the others: who may not send may not do it either.
    #[must_use]
    pub const fn is_speech(&self) -> bool {
        matches!(
            self,
            MessageAct::Edit { .. }
                | MessageAct::React { on: true, .. }
                | MessageAct::Pin { on: true }
                | MessageAct::End { .. }
        )
    }

    /// Message units it counts: an edit and an end those of their content, a reaction one, all else none.
    #[must_use]
    pub fn units(&self) -> i64 {
        match self {
            MessageAct::Edit { body, .. } | MessageAct::End { body, .. } => units(body.len()),
            MessageAct::React { on: true, .. } => 1,
            MessageAct::React { on: false, .. } | MessageAct::Delete | MessageAct::Pin { .. } => 0,
        }
    }

    /// Message units it counts at most, before its commit: what an end counts is known there only.
    #[must_use]
    pub fn units_at_most(&self) -> i64 {
        if let MessageAct::End { .. } = self { units(FRAME_BYTES_MAX) } else { self.units() }
    }
}

/// A reaction: 1 to 64 bytes of text without control characters and spaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Emoji(Arc<str>);

impl Emoji {
    /// Parses a reaction. Errors: `invalid_field`.
    pub fn parse(text: &str) -> Result<Self> {
        let fits = !text.is_empty() && text.len() <= EMOJI_BYTES_MAX;
        if fits && !text.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
            return Ok(Emoji(text.into()));
        }
        Err(Error::invalid("emoji", format!("`emoji` is 1 to {EMOJI_BYTES_MAX} bytes without spaces")))
    }

    /// Text that was parsed before it was stored.
    #[must_use]
    pub fn trusted(text: &str) -> Self {
        Emoji(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What became of an [`Amendment`].
#[derive(Debug, Clone)]
pub struct Amended {
    /// Seq of the event that made it so; absent where nothing was to be done and no event did it.
    pub seq: Option<i64>,
    /// Message units it counted, now or before.
    pub billed: i64,
    /// Whether an earlier request with this `client_msg_id` did it.
    pub duplicate: bool,
    /// The event to fan out; absent where nothing changed.
    pub event: Option<Arc<Event>>,
}

/// What became of a message since it was stored, as of the time of reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageState {
    /// Its end, of one that was live.
    pub ended: Option<Mark>,
    /// Its last edit.
    pub edited: Option<Mark>,
    /// Its deletion.
    pub deleted: Option<Mark>,
    /// Seq of the event that pinned it, while it is pinned.
    pub pinned: Option<i64>,
    /// Messages that reply to it.
    pub replies: i64,
    /// Reactions, in the order they were first seen.
    pub reactions: Vec<Reaction>,
}

/// An event that left its mark on a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its seq.
    pub seq: i64,
    /// When it happened, milliseconds since 1970.
    pub at_ms: i64,
}

/// Users who reacted alike to one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// The reaction.
    pub emoji: Emoji,
    /// How many users.
    pub count: i64,
    /// Whether the viewer is one of them.
    pub mine: bool,
}

/// One user's reaction, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reactor {
    /// Who.
    pub user: User,
    /// With what.
    pub emoji: Emoji,
    /// Seq of the event that added it.
    pub seq: i64,
}

/// Which reactions of a message.
#[derive(Debug, Clone)]
pub struct ReactionsQuery {
    /// The app.
    pub app: AppRef,
    /// The conversation.
    pub conversation: Conversation,
    /// A member; `None` = the app's server.
    pub viewer: Option<User>,
    /// Seq of the message.
    pub target: i64,
    /// Only this reaction.
    pub emoji: Option<Emoji>,
    /// Reactions added after this seq.
    pub after: i64,
    /// Reactions at most.
    pub limit: u32,
}

/// Which pinned messages.
#[derive(Debug, Clone)]
pub struct PinsQuery {
    /// The app.
    pub app: AppRef,
    /// The conversation.
    pub conversation: Conversation,
    /// A member; `None` = the app's server.
    pub viewer: Option<User>,
    /// Those pinned before the event of this seq; `i64::MAX` = from the last pinned on.
    pub before: i64,
    /// Bytes of content at most; at least one message is returned where there is one.
    pub bytes_max: usize,
}

/// A page of pinned messages.
#[derive(Debug)]
pub struct Pins {
    /// The messages, the last pinned first.
    pub events: Vec<Event>,
    /// Seq of the event that pinned the last one, where others follow.
    pub next: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AppId, KeyId, OrgId};
    use uuid::Uuid;

    #[test]
    fn edits_are_the_senders_deletions_and_pins_the_moderators_too() {
        let may = |actor: Option<&str>, act: &MessageAct, moderates, role, kind| {
            let amendment = Amendment {
                app: AppRef { org: OrgId(Uuid::nil()), app: AppId(Uuid::nil()) },
                conversation: Conversation::trusted("c"),
                actor: actor.map(User::trusted),
                client_msg_id: None,
                target: 1,
                act: act.clone(),
                moderates,
                credential: Credential { key: KeyId(Uuid::nil()), label: None },
                allowance: Allowance::default(),
            };
            amendment.check(&User::trusted("alice"), actor.map(|_| role), kind).is_ok()
        };
        use ConversationKind::{Direct, Group};
        use MemberRole::{Member, Owner};
        let (edit, pin) =
            (MessageAct::Edit { kind: ContentKind::Json, body: "1".into() }, MessageAct::Pin { on: true });
        let react = MessageAct::React { emoji: Emoji::trusted("+"), on: true, count: 0 };
        let end = MessageAct::End { last: Piece::default(), kind: ContentKind::Text, body: "".into() };
        for (actor, act, moderates, role, kind, expected) in [
            (Some("alice"), &edit, true, Member, Group, true),
            (Some("bob"), &edit, true, Owner, Group, false),
            (None, &edit, true, Member, Group, true),
            (None, &react, true, Member, Group, false),
            (Some("alice"), &MessageAct::Delete, false, Member, Group, true),
            (Some("bob"), &MessageAct::Delete, true, Member, Group, false),
            (Some("bob"), &MessageAct::Delete, true, Owner, Group, true),
            (Some("bob"), &MessageAct::Delete, false, Owner, Group, false),
            (Some("bob"), &react, false, Member, Group, true),
            (Some("alice"), &pin, true, Member, Group, false),
            (Some("bob"), &pin, true, Owner, Group, true),
            (Some("bob"), &pin, false, Owner, Group, false),
            (Some("bob"), &pin, true, Member, Direct, true),
            (None, &pin, true, Member, Group, true),
            (Some("alice"), &end, true, Member, Group, true),
            (Some("bob"), &end, true, Owner, Group, false),
            (None, &end, true, Member, Group, true),
        ] {
            assert_eq!(may(actor, act, moderates, role, kind), expected, "{actor:?} {act:?} {role:?} {kind:?}");
        }
    }

    #[test]
    fn a_reaction_is_a_short_text_without_spaces() {
        for text in ["👍", "👨‍👩‍👧‍👦", ":+1:", "赞", &"x".repeat(64)] {
            assert_eq!(Emoji::parse(text).unwrap().as_str(), text);
        }
        for text in ["", " ", "a b", "a\u{0}", "\u{85}", &"x".repeat(65)] {
            assert_eq!(Emoji::parse(text).unwrap_err().code, Code::InvalidField, "{text:?}");
        }
    }

    #[test]
    fn mentions_are_distinct_and_bounded() {
        assert_eq!(Mentions::of([].into_iter()).unwrap(), None);
        let users = Mentions::of(["bob", "eve", "bob"].into_iter()).unwrap();
        assert_eq!(users, Some(Mentions::Users(["bob", "eve"].map(User::trusted).to_vec())));
        assert_eq!(Mentions::of(["b ob"].into_iter()).unwrap_err().param, Some("mentions"));
        let many: Vec<_> = (0..=MENTIONS_MAX).map(|at| at.to_string()).collect();
        assert_eq!(Mentions::of(many.iter().map(String::as_str)).unwrap_err().code, Code::LimitReached);
    }
}
