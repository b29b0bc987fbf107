//! What is asked of a conversation beside adding and removing members, in the plainest way.

use super::{Conversation, Member, Model, Told};
use tokenim_domain::group::JoinRule;
use tokenim_domain::log::{Governing, GroupAct};
use tokenim_domain::role::MemberRole;

impl Model {
    pub fn govern(&mut self, asked: &Governing, now_ms: i64) -> Told {
        if matches!(asked.act, GroupAct::Join) && asked.actor.is_none() {
            return Told::Refused("forbidden");
        }
        let Some(conversation) = self.conversations.get_mut(asked.conversation.as_str()) else {
            return Told::Refused("not_found");
        };
        let actor = asked.actor.as_ref().map(|actor| actor.as_str());
        if let (GroupAct::Join, Some(user)) = (&asked.act, actor) {
            return conversation.come_in(user, now_ms);
        }
        let role = actor.map(|actor| conversation.members.get(actor).map(|member| member.role));
        match role {
            Some(None) => Told::Refused("not_found"),
            _ if conversation.is_direct() => Told::Refused("forbidden"),
            role => conversation.act(role.flatten(), &asked.act, now_ms),
        }
    }
}

impl Conversation {
    fn come_in(&mut self, user: &str, now_ms: i64) -> Told {
        if self.members.contains_key(user) {
            return Told::Joined(None);
        }
        if self.is_direct() || self.join == JoinRule::Invite {
            return Told::Refused("not_found");
        }
        if self.bans.contains(user) {
            return Told::Refused("forbidden");
        }
        if self.join == JoinRule::Approval {
            let moderators = self.members.iter().filter(|(_, member)| member.role.may_moderate());
            let moderators = moderators.map(|(user, _)| user.clone()).collect();
            let is_new = self.requests.insert(user.to_owned());
            return Told::Requested(if is_new { moderators } else { Default::default() });
        }
        let was_guest = matches!(self.before.get(user), Some((MemberRole::Guest, _)));
        let seq = self.append(None, now_ms);
        let role = if was_guest { MemberRole::Guest } else { MemberRole::Member };
        self.join([(user.to_owned(), role)], seq);
        Told::Joined(Some(seq))
    }

    /// `None` = the app's server.
    fn act(&mut self, own: Option<MemberRole>, act: &GroupAct, now_ms: i64) -> Told {
        let moderates = own.is_none_or(MemberRole::may_moderate);
        let above = |target: MemberRole| own.is_none_or(|own| own.may_act_on(target));
        let forbidden = Told::Refused("forbidden");
        match act {
            GroupAct::Join => unreachable!("handled before"),
            _ if !moderates && !matches!(act, GroupAct::Role(..)) => forbidden,
            GroupAct::Update(change) => {
                let before = (self.name.clone(), self.join, self.add);
                self.name = change.name.clone().unwrap_or(self.name.take());
                self.join = change.join.unwrap_or(self.join);
                self.add = change.add.unwrap_or(self.add);
                let same = before == (self.name.clone(), self.join, self.add);
                Told::Changed((!same).then(|| self.append(None, now_ms)))
            }
            GroupAct::Decline(users) => {
                let count = self.requests.len();
                self.requests.retain(|user| !users.iter().any(|gone| gone.as_str() == user));
                Told::Listed(self.requests.len() < count)
            }
            GroupAct::Role(user, to) => {
                let Some(from) = self.members.get(user.as_str()).map(|member| member.role) else {
                    return Told::Refused("not_found");
                };
                if own.is_some_and(|own| !own.may_give(from, *to)) {
                    return forbidden;
                }
                if from == *to {
                    return Told::Changed(None);
                }
                let demoted = |member: &&mut Member| *to == MemberRole::Owner && member.role == MemberRole::Owner;
                self.members.values_mut().filter(demoted).for_each(|owner| owner.role = MemberRole::Admin);
                self.members.get_mut(user.as_str()).unwrap().role = *to;
                Told::Changed(Some(self.append(None, now_ms)))
            }
            GroupAct::Mute(user, for_ms) => {
                let Some(member) = self.members.get_mut(user.as_str()) else { return Told::Refused("not_found") };
                if !above(member.role) {
                    return forbidden;
                }
                let is_muted = member.muted_until_ms.is_some_and(|until| until > now_ms);
                if *for_ms == 0 && !is_muted {
                    return Told::Changed(None);
                }
                member.muted_until_ms = (*for_ms > 0).then_some(now_ms + for_ms);
                Told::Changed(Some(self.append(None, now_ms)))
            }
            GroupAct::Ban(user) => {
                if self.members.get(user.as_str()).is_some_and(|member| !above(member.role)) {
                    return forbidden;
                }
                if !self.bans.insert(user.to_string()) {
                    return Told::Changed(None);
                }
                self.requests.remove(user.as_str());
                self.leave(user.as_str(), now_ms);
                Told::Changed(Some(self.append(None, now_ms)))
            }
            GroupAct::Unban(user) => {
                let was_banned = self.bans.remove(user.as_str());
                Told::Changed(was_banned.then(|| self.append(None, now_ms)))
            }
        }
    }
}
