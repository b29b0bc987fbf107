//! Who receives a conversation's events on this node: member lists, kept exact by the member events themselves.

use crate::connection::Connection;
use crate::registry::{Registry, Slot};
use lru::LruCache;
use std::collections::HashSet;
use std::sync::Arc;
use tokenim_domain::id::AppId;
use tokenim_domain::log::{AppRef, Event, EventBody, MemberList};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::Change;
use tokenim_domain::sabotage;
use tokenim_protocol::limits::ACTIVE_MEMBERS_MAX;

/// Conversations whose members are remembered.
const CONVERSATIONS_MAX: usize = 100_000;
/// Members remembered over all of them: about 24 bytes each, and 200 for a user nobody else remembers.
const MEMBERS_MAX: usize = 2_000_000;

/// A conversation, by the app it is in.
pub type Key = (AppId, Conversation);

/// The members of one conversation.
#[derive(Debug)]
pub struct Audience {
    /// Seq of the last event that was fanned out; `None` until one was.
    pub delivered: Option<i64>,
    /// Seq up to which members were told to look themselves.
    told: Option<i64>,
    /// Seq the list was read at; member events up to it are in the list already.
    as_of: i64,
    /// Each member's slot, and the seq it joined at.
    pub members: Vec<(Arc<Slot>, i64)>,
    /// Of a large conversation: the connections that have opened it, each with the seq its user joined at. Empty else.
    pub open: Vec<(Arc<Connection>, i64)>,
}

impl Audience {
    /// Seq up to which its events are delivered, or are in its list at least: what lies between it and the next is missing.
    #[must_use]
    pub fn known(&self) -> i64 {
        self.delivered.unwrap_or(self.as_of)
    }

    /// Notes that its members were told to look themselves: what comes next is delivered from where it stands.
    pub fn tell_to_look(&mut self) {
        self.told = self.told.max(Some(self.known()));
        self.delivered = None;
    }

    /// Whether every member has a message of this seq, or was told to look for it.
    #[must_use]
    pub fn covers(&self, seq: i64) -> bool {
        self.delivered.max(self.told) >= Some(seq)
    }

    /// Whether its events come only to those who opened it.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.members.len() > ACTIVE_MEMBERS_MAX
    }

    /// Notes that a connection has opened it or become passive.
    pub fn set_view(&mut self, connection: &Arc<Connection>, is_open: bool) {
        self.open.retain(|(other, _)| other.id != connection.id);
        let (true, Some(session)) = (is_open && self.is_large(), connection.session()) else { return };
        let joined = self.members.iter().find(|(slot, _)| Arc::ptr_eq(slot, &session.slot));
        if let Some((_, joined)) = joined {
            self.open.push((connection.clone(), *joined));
        }
        // Those that ended meanwhile are forgotten as others come.
        if self.open.len().is_power_of_two() {
            self.open.retain(|(connection, _)| !connection.is_gone());
        }
    }

    /// Finds the connections that have opened it among its members, but for the first ones, who were looked at before.
    fn find_open(&mut self, conversation: &Conversation, looked_at: usize) {
        if !self.is_large() {
            return;
        }
        for (slot, joined) in &self.members[looked_at..] {
            slot.each(|connection| {
                if connection.is_open(conversation, true) {
                    self.open.push((connection.clone(), *joined));
                }
            });
        }
    }
}

/// The member lists this node remembers; owned by the one delivery task.
#[derive(Debug)]
pub struct Audiences {
    known: LruCache<Key, Audience>,
    /// How many lists were forgotten so far: one that was read before may miss what was told to another in between.
    forgotten: u64,
    members: usize,
}

impl Audiences {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Audiences { known: LruCache::unbounded(), forgotten: 0, members: 0 }
    }

    /// Whether the conversation's members are remembered.
    #[must_use]
    pub fn knows(&self, key: &Key) -> bool {
        self.known.contains(key)
    }

    /// The audience of a conversation, if it is remembered.
    pub fn get(&mut self, key: &Key) -> Option<&mut Audience> {
        self.known.get_mut(key)
    }

    /// How many lists were forgotten so far.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Forgets a list that may be out of date.
    pub fn forget(&mut self, key: &Key) {
        if let Some(old) = self.known.pop(key) {
            self.members -= old.members.len();
            self.forgotten += 1;
        }
    }

    /// Remembers the lists that were read of conversations, in their order.
    pub fn remember_all(&mut self, registry: &Registry, of: Vec<(AppRef, Conversation)>, lists: Vec<MemberList>) {
        for ((app, conversation), list) in of.into_iter().zip(lists) {
            self.remember(registry, app, conversation, list);
        }
    }

    /// Remembers a list; others may be forgotten for it, those that were used longest ago.
    pub fn remember(&mut self, registry: &Registry, app: AppRef, conversation: Conversation, list: MemberList) {
        let members: Vec<_> = list.members.iter().map(|(user, joined)| (registry.slot(app, user), *joined)).collect();
        self.members += members.len();
        let mut audience = Audience { delivered: None, told: None, as_of: list.as_of, members, open: Vec::new() };
        audience.find_open(&conversation, 0);
        if let Some((_, old)) = self.known.push((app.app, conversation), audience) {
            self.members -= old.members.len();
        }
        while self.known.len() > 1 && (self.known.len() > CONVERSATIONS_MAX || self.members > MEMBERS_MAX) {
            if let Some((_, old)) = self.known.pop_lru() {
                self.members -= old.members.len();
                self.forgotten += 1;
            }
        }
    }

    /// Applies a member event before it is fanned out (joins) so that those who join see it.
    pub fn join(&mut self, registry: &Registry, event: &Event) {
        let EventBody::Member { change: Change::Added | Change::Created, users, .. } = &event.body else { return };
        let Some(audience) = self.known.get_mut(&(event.app.app, event.conversation.clone())) else { return };
        if event.seq <= audience.as_of {
            return;
        }
        let looked_at = if audience.is_large() { audience.members.len() } else { 0 };
        for (user, _) in users.iter().filter(|_| !sabotage::is("joins_unseen")) {
            audience.members.push((registry.slot(event.app, user), event.seq));
        }
        self.members += users.len();
        audience.find_open(&event.conversation, looked_at);
    }

    /// Applies a member event after it was fanned out (leaves) so that those who leave see it.
    pub fn leave(&mut self, event: &Event) {
        let EventBody::Member { change: Change::Removed | Change::Banned, users, .. } = &event.body else { return };
        let Some(audience) = self.known.get_mut(&(event.app.app, event.conversation.clone())) else { return };
        if event.seq <= audience.as_of || sabotage::is("members_stay_after_leaving") {
            return;
        }
        let gone: HashSet<&User> = users.iter().map(|(user, _)| user).collect();
        let before = audience.members.len();
        audience.members.retain(|(slot, _)| !gone.contains(&slot.user));
        self.members -= before - audience.members.len();
        if audience.is_large() {
            audience
                .open
                .retain(|(connection, _)| connection.session().is_some_and(|of| !gone.contains(&of.identity.user)));
        } else {
            audience.open.clear();
        }
    }
}
