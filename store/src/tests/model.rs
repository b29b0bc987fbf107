//! What the log must do, written again in the plainest way: the reference of the random test.

mod amend;
mod govern;
mod live;

use std::collections::{BTreeMap, BTreeSet};
use tokenim_domain::group::{AddRule, JoinRule};
use tokenim_domain::log::live::text_of;
use tokenim_domain::log::{
    Held, Joined, MemberChange, MessageAct, NewConversation, Outcome, Reach, Since, Watermark, Write,
};
use tokenim_domain::meter::{hour_of, units};
use tokenim_domain::role::{Change, ConversationKind, MemberRole};
use tokenim_domain::{Result, group};

/// One app's conversations by id.
#[derive(Default)]
pub struct Model {
    pub conversations: BTreeMap<String, Conversation>,
    /// Cursors of devices: conversation, user and device.
    pub cursors: BTreeMap<(String, String, String), i64>,
    /// Message units that devices received, by hour.
    pub delivered: BTreeMap<i64, i64>,
    /// Who blocks whom.
    pub blocks: BTreeSet<(String, String)>,
}

pub struct Conversation {
    pub kind: &'static str,
    pub creator: String,
    pub events: Vec<Event>,
    pub members: BTreeMap<String, Member>,
    /// What became of messages, by their seq.
    pub states: BTreeMap<i64, State>,
    pub name: Option<String>,
    pub join: JoinRule,
    pub add: AddRule,
    pub bans: BTreeSet<String>,
    pub requests: BTreeSet<String>,
    /// In which role, and muted until when, some left.
    pub before: BTreeMap<String, (MemberRole, Option<i64>)>,
}

/// What became of a message; a reaction is with whom.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct State {
    pub body: Option<String>,
    /// Text of one that grows.
    pub live: Option<String>,
    pub ended: Option<i64>,
    pub edited: Option<i64>,
    pub deleted: Option<i64>,
    pub pinned: Option<i64>,
    pub replies: i64,
    pub reactions: Vec<(String, Vec<String>)>,
}

/// A member and what it may see and has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub role: MemberRole,
    pub joined: i64,
    pub read: i64,
    pub received: i64,
    pub muted_until_ms: Option<i64>,
}

/// One entry of the log; `by` is who did it, of messages and amendments; `message` is sender, client_msg_id and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub by: Option<String>,
    pub message: Option<(String, String, String)>,
    pub amends: Option<Amends>,
    /// Whether it was begun as a live message.
    pub live: bool,
    /// Message units, as it was written: a deletion takes none back.
    pub units: i64,
    pub at_ms: i64,
}

/// An amendment: of what, by whom, under which id, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amends {
    pub target: i64,
    pub actor: Option<String>,
    pub client_msg_id: Option<String>,
    pub act: MessageAct,
}

/// An outcome, reduced to what a caller acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Sent { seq: i64, at_ms: i64, is_new: bool },
    Created { id: String, last_seq: i64, existed: bool },
    Changed(Option<i64>),
    Moved(bool),
    Amended { seq: Option<i64>, duplicate: bool, is_new: bool },
    Joined(Option<i64>),
    Requested(BTreeSet<String>),
    Listed(bool),
    Grown { offset: usize, is_new: bool },
    Refused(&'static str),
}

/// The store's outcome in the model's words.
pub fn told(outcome: &Result<Outcome>) -> Told {
    match outcome {
        Ok(Outcome::Sent(sent)) => Told::Sent { seq: sent.seq, at_ms: sent.at_ms, is_new: sent.event.is_some() },
        Ok(Outcome::Created(view, event)) => {
            assert_eq!(event.is_some(), !view.existed);
            Told::Created { id: view.id.to_string(), last_seq: view.last_seq, existed: view.existed }
        }
        Ok(Outcome::Changed(event)) => Told::Changed(event.as_ref().map(|event| event.seq)),
        Ok(Outcome::Moved(moved)) => Told::Moved(*moved),
        Ok(Outcome::Amended(amended)) => {
            Told::Amended { seq: amended.seq, duplicate: amended.duplicate, is_new: amended.event.is_some() }
        }
        Ok(Outcome::Joined(Joined::Member(event))) => Told::Joined(event.as_ref().map(|event| event.seq)),
        Ok(Outcome::Joined(Joined::Requested(request))) => {
            Told::Requested(request.moderators.iter().map(ToString::to_string).collect())
        }
        Ok(Outcome::Listed(changed)) => Told::Listed(*changed),
        Ok(Outcome::Grown(grown)) => Told::Grown { offset: grown.offset as usize, is_new: grown.delta.is_some() },
        Err(error) => Told::Refused(error.code.as_str()),
    }
}

impl Conversation {
    pub fn last_seq(&self) -> i64 {
        self.events.len() as i64
    }

    pub fn last_ms(&self) -> i64 {
        self.events.last().expect("a conversation starts with an event").at_ms
    }

    /// Messages up to and including a seq.
    pub fn msg_no(&self, seq: i64) -> i64 {
        self.events.iter().take(seq as usize).filter(|event| event.message.is_some()).count() as i64
    }

    fn append(&mut self, message: Option<(String, String, String)>, now_ms: i64) -> i64 {
        let at_ms = self.events.last().map_or(now_ms, |last| last.at_ms.max(now_ms));
        let units = message.as_ref().map_or(0, |(_, _, body)| units(body.len()));
        let by = message.as_ref().map(|(sender, ..)| sender.clone());
        self.events.push(Event { by, message, amends: None, live: false, units, at_ms });
        self.last_seq()
    }

    fn find(&self, sender: &str, client_msg_id: &str) -> Option<(i64, &Event)> {
        let is_it = |event: &&Event| matches!(&event.message, Some((by, id, _)) if by == sender && id == client_msg_id);
        (1..).zip(&self.events).find(|(_, event)| is_it(event))
    }

    fn join(&mut self, users: impl IntoIterator<Item = (String, MemberRole)>, seq: i64) {
        for (user, role) in users {
            let muted_until_ms = self.before.remove(&user).and_then(|(_, muted)| muted);
            self.requests.remove(&user);
            self.bans.remove(&user);
            self.members.insert(user, Member { role, joined: seq, read: seq, received: seq, muted_until_ms });
        }
    }

    fn leave(&mut self, user: &str, now_ms: i64) -> Option<MemberRole> {
        let member = self.members.remove(user)?;
        let is_muted = member.muted_until_ms.is_some_and(|until| until > now_ms);
        if member.role == MemberRole::Guest || is_muted {
            self.before.insert(user.to_owned(), (member.role, member.muted_until_ms));
        }
        Some(member.role)
    }

    fn is_direct(&self) -> bool {
        self.kind == ConversationKind::Direct.as_str()
    }
}

impl Model {
    /// Does one write.
    pub fn apply(&mut self, write: &Write, now_ms: i64) -> Told {
        match write {
            Write::Create(new) => self.create(new, now_ms),
            Write::Send(draft) => {
                let Some(conversation) = self.conversations.get_mut(draft.conversation.as_str()) else {
                    return Told::Refused("not_found");
                };
                let (sender, id) = (draft.sender.as_str(), draft.client_msg_id.as_str());
                if let Some((seq, event)) = conversation.used(Some(sender), id) {
                    let is_it =
                        |body: &str| body.is_empty() || (*body == *draft.body && event.live == draft.about.live);
                    let same = event.message.as_ref().is_some_and(|(_, _, body)| is_it(body));
                    return if same {
                        Told::Sent { seq, at_ms: event.at_ms, is_new: false }
                    } else {
                        Told::Refused("conflict")
                    };
                }
                let Some(member) = conversation.members.get(sender) else { return Told::Refused("not_found") };
                if let Err(error) = group::check_speech(member.role, member.muted_until_ms, now_ms) {
                    return Told::Refused(error.code.as_str());
                }
                let blocks = |other: &String| self.blocks.contains(&(other.clone(), sender.to_owned()));
                if conversation.is_direct() && conversation.members.keys().any(blocks) {
                    return Told::Refused("blocked");
                }
                if draft.prev.as_ref().is_some_and(|prev| conversation.find(sender, prev.as_str()).is_none()) {
                    return Told::Refused("previous_refused");
                }
                if let Some(to) = draft.about.reply_to {
                    let seen = to >= conversation.members[sender].joined;
                    let event = usize::try_from(to - 1).ok().and_then(|at| conversation.events.get(at));
                    if !seen || event.is_none_or(|event| event.message.is_none()) {
                        return Told::Refused("not_found");
                    }
                }
                if draft.about.live && !conversation.has_room() {
                    return Told::Refused("limit_reached");
                }
                if let Some(to) = draft.about.reply_to {
                    conversation.states.entry(to).or_default().replies += 1;
                }
                let seq = conversation.append(Some((sender.into(), id.into(), draft.body.to_string())), now_ms);
                if draft.about.live {
                    let event = conversation.events.last_mut().unwrap();
                    (event.live, event.units) = (true, 0);
                    conversation.states.entry(seq).or_default().live = Some(text_of(&draft.body).unwrap());
                }
                Told::Sent { seq, at_ms: conversation.last_ms(), is_new: true }
            }
            Write::Change(change) => self.change(change, now_ms),
            Write::Amend(asked) => match self.conversations.get_mut(asked.conversation.as_str()) {
                Some(conversation) => conversation.amend(asked, &self.blocks, now_ms),
                None => Told::Refused("not_found"),
            },
            Write::Grow(asked) => match self.conversations.get_mut(asked.conversation.as_str()) {
                Some(conversation) => conversation.grow(asked, &self.blocks, now_ms),
                None => Told::Refused("not_found"),
            },
            Write::Govern(asked) => self.govern(asked, now_ms),
            Write::Block(block) => {
                let line = (block.user.to_string(), block.other.to_string());
                Told::Listed(if block.is_blocked { self.blocks.insert(line) } else { self.blocks.remove(&line) })
            }
            Write::Move(to) => {
                let Some(conversation) = self.conversations.get_mut(to.conversation.as_str()) else {
                    return Told::Refused("not_found");
                };
                let last = conversation.last_seq();
                let Some(member) = conversation.members.get_mut(to.user.as_str()) else {
                    return Told::Refused("not_found");
                };
                let (read, received) = (to.read.unwrap_or(0), to.received.unwrap_or(0));
                if read.max(received) > last {
                    return Told::Refused("invalid_field");
                }
                let before = member.clone();
                member.read = member.read.max(read);
                member.received = member.received.max(received).max(read);
                let told = Told::Moved(*member != before);
                self.hold(to, now_ms);
                told
            }
        }
    }

    fn change(&mut self, change: &MemberChange, now_ms: i64) -> Told {
        let Some(conversation) = self.conversations.get_mut(change.conversation.as_str()) else {
            return Told::Refused("not_found");
        };
        let users: Vec<_> = change.users.iter().map(|user| user.as_str().to_owned()).collect();
        let actor = change.actor.as_ref().map(|actor| actor.as_str());
        let role = actor.map(|actor| conversation.members.get(actor).map(|member| member.role));
        if role == Some(None) {
            return Told::Refused("not_found");
        }
        if conversation.is_direct() {
            return Told::Refused("forbidden");
        }
        let role = role.flatten();
        let is_member = |user: &&String| conversation.members.contains_key(*user);
        if change.change == Change::Removed {
            let may = |user: &String| match (role, conversation.members.get(user)) {
                (None, _) => true,
                (Some(role), _) if Some(user.as_str()) == actor => role != MemberRole::Owner,
                (Some(role), Some(target)) => role.may_act_on(target.role),
                (Some(role), None) => role.may_moderate(),
            };
            if !users.iter().all(may) {
                return Told::Refused("forbidden");
            }
            let gone: Vec<_> = users.iter().filter(is_member).cloned().collect();
            if gone.is_empty() {
                return Told::Changed(None);
            }
            let seq = conversation.append(None, now_ms);
            for user in &gone {
                conversation.leave(user, now_ms);
            }
            return Told::Changed(Some(seq));
        }
        if role.is_some_and(|role| !role.may_add(conversation.add)) {
            return Told::Refused("forbidden");
        }
        let fresh: Vec<_> = users.iter().filter(|user| !is_member(user)).cloned().collect();
        if fresh.is_empty() {
            return Told::Changed(None);
        }
        if let Some(actor) = actor {
            if fresh.iter().any(|user| conversation.bans.contains(user)) {
                return Told::Refused("forbidden");
            }
            let blocks = |user: &String| self.blocks.contains(&(user.clone(), actor.to_owned()));
            if fresh.iter().any(|user| !conversation.requests.contains(user) && blocks(user)) {
                return Told::Refused("blocked");
            }
        }
        let seq = conversation.append(None, now_ms);
        let role = |conversation: &Conversation, user: &str| match conversation.before.get(user) {
            Some((MemberRole::Guest, _)) if actor.is_some() => MemberRole::Guest,
            _ => MemberRole::Member,
        };
        let fresh: Vec<_> = fresh.into_iter().map(|user| (user.clone(), role(conversation, &user))).collect();
        if actor.is_none() {
            conversation.before.retain(|user, _| !fresh.iter().any(|(added, _)| added == user));
        }
        conversation.join(fresh, seq);
        Told::Changed(Some(seq))
    }

    fn create(&mut self, new: &NewConversation, now_ms: i64) -> Told {
        let names: Vec<_> = new.members.iter().map(|user| user.as_str().to_owned()).collect();
        let is_direct = new.kind == ConversationKind::Direct;
        let same_pair = |found: &Conversation| {
            is_direct && found.kind == new.kind.as_str() && names.iter().all(|name| found.members.contains_key(name))
        };
        if let Some((id, found)) = self.conversations.iter().find(|(_, found)| same_pair(found)) {
            return Told::Created { id: id.clone(), last_seq: found.last_seq(), existed: true };
        }
        if let Some(found) = self.conversations.get(new.id.as_str()) {
            // Whoever made it and was removed since sees it no more than anybody else.
            let sees = new.actor.as_ref().is_none_or(|actor| found.members.contains_key(actor.as_str()));
            let same = sees && !is_direct && found.kind == new.kind.as_str() && found.creator == names[0];
            return if same {
                Told::Created { id: new.id.to_string(), last_seq: found.last_seq(), existed: true }
            } else {
                Told::Refused("conflict")
            };
        }
        if let Some(actor) = &new.actor
            && names.iter().any(|name| self.blocks.contains(&(name.clone(), actor.to_string())))
        {
            return Told::Refused("blocked");
        }
        let mut conversation = Conversation {
            states: BTreeMap::new(),
            kind: new.kind.as_str(),
            creator: names[0].clone(),
            events: Vec::new(),
            members: BTreeMap::new(),
            name: new.name.clone(),
            join: JoinRule::Invite,
            add: AddRule::Admins,
            bans: BTreeSet::new(),
            requests: BTreeSet::new(),
            before: BTreeMap::new(),
        };
        let seq = conversation.append(None, now_ms);
        let role = |at: usize| if at == 0 && !is_direct { MemberRole::Owner } else { MemberRole::Member };
        conversation.join(names.into_iter().enumerate().map(|(at, name)| (name, role(at))), seq);
        self.conversations.insert(new.id.to_string(), conversation);
        Told::Created { id: new.id.to_string(), last_seq: seq, existed: false }
    }

    /// Counts, event by event, what a device holds now and did not before, was sent, and is not its own user's.
    fn hold(&mut self, to: &Watermark, now_ms: i64) {
        let Some(held) = &to.held else { return };
        held.reaches.iter().for_each(|reach| self.reach((to, held, reach), now_ms));
    }

    fn reach(&mut self, (to, held, reach): (&Watermark, &Held, &Reach), now_ms: i64) {
        let conversation = &self.conversations[to.conversation.as_str()];
        let (user, device) = (to.user.as_str(), held.device.as_str());
        let key = (to.conversation.to_string(), user.to_owned(), device.to_owned());
        let at = self.cursors.get(&key).copied().unwrap_or(0);
        if reach.seq <= at || reach.seq > conversation.last_seq() {
            return;
        }
        let joined = conversation.members[user].joined;
        for seq in at + 1..=reach.seq {
            let event = &conversation.events[seq as usize - 1];
            let is_sent = match reach.since {
                Since::Time(ms) => event.at_ms >= ms,
                Since::Above(from) => seq > from,
            };
            if is_sent && seq >= joined && event.by.as_deref() != Some(user) && event.units > 0 {
                *self.delivered.entry(hour_of(now_ms)).or_default() += event.units;
            }
        }
        self.cursors.insert(key, reach.seq);
    }

    /// Message units by hour.
    pub fn hours(&self) -> BTreeMap<i64, i64> {
        let mut hours = BTreeMap::new();
        for event in self.conversations.values().flat_map(|conversation| &conversation.events) {
            if event.units > 0 {
                *hours.entry(hour_of(event.at_ms)).or_default() += event.units;
            }
        }
        hours
    }
}
