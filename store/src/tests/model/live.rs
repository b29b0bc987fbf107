//! Messages that grow, in the plainest way.

use super::{Conversation, Told};
use std::collections::BTreeSet;
use tokenim_domain::group;
use tokenim_domain::limits::LIVE_MESSAGES_MAX;
use tokenim_domain::log::{Growth, MessageAct, Piece, live};
use tokenim_domain::role::ContentKind;

impl Conversation {
    pub(super) fn has_room(&self) -> bool {
        self.states.values().filter(|state| state.live.is_some()).count() < LIVE_MESSAGES_MAX
    }

    pub(super) fn grow(&mut self, asked: &Growth, blocks: &BTreeSet<(String, String)>, now_ms: i64) -> Told {
        let actor = asked.actor.as_ref().map(|actor| actor.as_str());
        let member = actor.map(|actor| self.members.get(actor).cloned());
        if member == Some(None) {
            return Told::Refused("not_found");
        }
        let member = member.flatten();
        let joined = member.as_ref().map_or(1, |member| member.joined);
        let place = usize::try_from(asked.target - 1).ok().and_then(|at| self.events.get(at));
        let message = place.and_then(|event| event.message.as_ref()).filter(|_| asked.target >= joined);
        let state = self.states.get(&asked.target).cloned().unwrap_or_default();
        let Some((sender, ..)) = message.filter(|_| state.deleted.is_none()) else {
            return Told::Refused("not_found");
        };
        if actor.is_some_and(|actor| actor != sender) {
            return Told::Refused("forbidden");
        }
        let Some(held) = state.live else { return Told::Refused("not_live") };
        let Piece { offset, text } = &asked.piece;
        let offset = offset.unwrap_or(held.len() as i64) as usize;
        let end = offset + text.len();
        if offset != held.len() {
            return match held.as_bytes().get(offset..end) {
                Some(stored) if stored == text.as_bytes() => Told::Grown { offset: end, is_new: false },
                _ => Told::Refused("stream_offset"),
            };
        }
        if let Some(member) = member {
            if let Err(error) = group::check_speech(member.role, member.muted_until_ms, now_ms) {
                return Told::Refused(error.code.as_str());
            }
            let is_blocked = |other: &String| blocks.contains(&(other.clone(), sender.clone()));
            if self.is_direct() && self.members.keys().any(is_blocked) {
                return Told::Refused("blocked");
            }
        }
        self.states.get_mut(&asked.target).unwrap().live = Some(held + text);
        Told::Grown { offset: end, is_new: true }
    }

    /// The end of a text with its last piece, or why not.
    pub(super) fn end(held: Option<&String>, last: &Piece) -> Result<MessageAct, &'static str> {
        let held = held.ok_or("not_live")?;
        if last.offset.is_some_and(|offset| offset != held.len() as i64) {
            return Err("stream_offset");
        }
        let body = live::body(&live::escape(&(held.clone() + &last.text)));
        Ok(MessageAct::End { last: Piece::default(), kind: ContentKind::Text, body })
    }

    /// Whether a body ends with a piece, and where that says.
    pub(super) fn ends_with(body: &str, last: &Piece) -> bool {
        let text = live::text_of(body).unwrap();
        text.ends_with(&*last.text) && last.offset.is_none_or(|offset| offset as usize + last.text.len() == text.len())
    }
}
