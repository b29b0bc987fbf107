//! What is done to stored messages, in the plainest way.

use super::{Amends, Conversation, Event, State, Told};
use std::collections::BTreeSet;
use tokenim_domain::group;
use tokenim_domain::log::{Amendment, Emoji, MessageAct};
use tokenim_domain::meter::units;

impl Conversation {
    pub(super) fn used(&self, by: Option<&str>, id: &str) -> Option<(i64, &Event)> {
        let amended = |event: &&Event| {
            let of = |amends: &Amends| amends.actor.as_deref() == by && amends.client_msg_id.as_deref() == Some(id);
            event.amends.as_ref().is_some_and(of)
        };
        let by = by?;
        self.find(by, id).or_else(|| (1..).zip(&self.events).find(|(_, event)| amended(event)))
    }

    pub(super) fn amend(&mut self, asked: &Amendment, blocks: &BTreeSet<(String, String)>, now_ms: i64) -> Told {
        let actor = asked.actor.as_ref().map(|actor| actor.as_str());
        let same_act = |act: &MessageAct| match (act, &asked.act) {
            (MessageAct::React { emoji, on, .. }, MessageAct::React { emoji: other, on: same, .. }) => {
                emoji == other && on == same
            }
            (MessageAct::Edit { body, .. }, MessageAct::Edit { .. }) if body.is_empty() => true,
            (MessageAct::End { body, .. }, MessageAct::End { last, .. }) => {
                body.is_empty() || Self::ends_with(body, last)
            }
            (act, other) => act == other,
        };
        if let Some((seq, event)) = asked.client_msg_id.as_ref().and_then(|id| self.used(actor, id.as_str())) {
            let same = event.amends.as_ref().is_some_and(|it| it.target == asked.target && same_act(&it.act));
            return match same {
                true => Told::Amended { seq: Some(seq), duplicate: true, is_new: false },
                false => Told::Refused("conflict"),
            };
        }
        let member = actor.map(|actor| self.members.get(actor));
        if member == Some(None) {
            return Told::Refused("not_found");
        }
        let joined = member.flatten().map_or(1, |member| member.joined);
        let place = usize::try_from(asked.target - 1).ok().and_then(|at| self.events.get(at));
        let Some((sender, _, body)) = place.and_then(|event| event.message.clone()).filter(|_| asked.target >= joined)
        else {
            return Told::Refused("not_found");
        };
        if actor.is_none() && matches!(asked.act, MessageAct::React { .. }) {
            return Told::Refused("invalid_request");
        }
        let own = actor.is_none_or(|actor| actor == sender);
        let moderates = member.flatten().is_none_or(|member| member.role.may_moderate());
        let may = match asked.act {
            MessageAct::Edit { .. } | MessageAct::End { .. } => own,
            MessageAct::Delete => own || moderates,
            MessageAct::React { .. } => true,
            MessageAct::Pin { .. } => moderates || self.is_direct(),
        };
        if !may {
            return Told::Refused("forbidden");
        }
        if let Some(member) = member.flatten()
            && asked.act.is_speech()
        {
            if let Err(error) = group::check_speech(member.role, member.muted_until_ms, now_ms) {
                return Told::Refused(error.code.as_str());
            }
            let is_blocked = |other: &String| blocks.contains(&(other.clone(), actor.unwrap_or_default().to_owned()));
            if self.is_direct() && self.members.keys().any(is_blocked) {
                return Told::Refused("blocked");
            }
        }
        let state = self.states.entry(asked.target).or_default().clone();
        let reactors =
            |emoji: &str| state.reactions.iter().find(|(one, _)| one == emoji).map(|(_, users)| users.clone());
        let mut act = asked.act.clone();
        let (so, by) = match &mut act {
            MessageAct::Edit { body: new, .. } => {
                let now = if state.deleted.is_some() { "" } else { state.body.as_deref().unwrap_or(&body) };
                (now == &**new, state.edited)
            }
            MessageAct::Delete => (state.deleted.is_some(), state.deleted),
            MessageAct::End { last, .. } => {
                let is_in = |body: &String| state.edited.is_some() || Self::ends_with(body, last);
                (state.ended.is_some() && state.body.as_ref().is_some_and(is_in), state.ended)
            }
            MessageAct::Pin { on } => ((state.pinned.is_some()) == *on, state.pinned),
            MessageAct::React { emoji, on, count } => {
                let users = reactors(emoji.as_str()).unwrap_or_default();
                *count = users.len() as i64 + if *on { 1 } else { -1 };
                let mine = users.iter().any(|user| Some(user.as_str()) == actor);
                let added = self.events.iter().rposition(|event| {
                    let is_it = |amends: &Amends| {
                        amends.target == asked.target
                            && amends.actor.as_deref() == actor
                            && matches!(&amends.act, MessageAct::React { emoji: one, on: true, .. } if one == emoji)
                    };
                    event.amends.as_ref().is_some_and(is_it)
                });
                (mine == *on, added.filter(|_| *on).map(|at| at as i64 + 1))
            }
        };
        if so {
            return Told::Amended { seq: by, duplicate: false, is_new: false };
        }
        if state.deleted.is_some() {
            return Told::Refused("not_found");
        }
        match &act {
            MessageAct::Edit { .. } if state.live.is_some() => return Told::Refused("conflict"),
            MessageAct::End { last, .. } => match Self::end(state.live.as_ref(), last) {
                Ok(end) => act = end,
                Err(code) => return Told::Refused(code),
            },
            _ => {}
        }
        let seq = self.append(None, now_ms);
        let actor = actor.map(str::to_owned);
        let event = self.events.last_mut().unwrap();
        event.units = match &act {
            MessageAct::Edit { body, .. } | MessageAct::End { body, .. } => units(body.len()),
            MessageAct::React { on, .. } => i64::from(*on),
            MessageAct::Delete | MessageAct::Pin { .. } => 0,
        };
        event.by.clone_from(&actor);
        event.amends = Some(Amends {
            target: asked.target,
            actor: actor.clone(),
            client_msg_id: asked.client_msg_id.as_ref().map(|id| id.as_str().to_owned()),
            act: act.clone(),
        });
        self.leave_mark(asked.target, seq, &act, actor);
        Told::Amended { seq: Some(seq), duplicate: false, is_new: true }
    }

    fn leave_mark(&mut self, target: i64, seq: i64, act: &MessageAct, actor: Option<String>) {
        let state = self.states.get_mut(&target).unwrap();
        match act {
            MessageAct::Edit { body, .. } => (state.body, state.edited) = (Some(body.to_string()), Some(seq)),
            MessageAct::End { body, .. } => {
                (state.body, state.ended, state.live) = (Some(body.to_string()), Some(seq), None);
            }
            MessageAct::Pin { on } => state.pinned = on.then_some(seq),
            MessageAct::React { emoji, on: true, .. } => {
                match state.reactions.iter_mut().find(|(one, _)| one == emoji.as_str()) {
                    Some((_, users)) => users.extend(actor),
                    None => state.reactions.push((emoji.as_str().to_owned(), actor.into_iter().collect())),
                }
            }
            MessageAct::React { emoji, on: false, .. } => {
                let of = state.reactions.iter_mut().filter(|(one, _)| one == emoji.as_str());
                of.for_each(|(_, users)| users.retain(|user| Some(user) != actor.as_ref()));
                state.reactions.retain(|(_, users)| !users.is_empty());
            }
            MessageAct::Delete => {
                *state = State { deleted: Some(seq), replies: state.replies, ..State::default() };
                self.events[target as usize - 1].message.as_mut().unwrap().2.clear();
                for amends in self.events.iter_mut().filter_map(|event| event.amends.as_mut()) {
                    match &mut amends.act {
                        MessageAct::Edit { body, .. } | MessageAct::End { body, .. } if amends.target == target => {
                            *body = "".into();
                        }
                        MessageAct::React { emoji, count, .. } if amends.target == target => {
                            (*emoji, *count) = (Emoji::trusted(""), 0);
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}
