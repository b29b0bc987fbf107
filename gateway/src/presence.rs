//! Who is there: a state machine without clock and socket. Connections arrive and leave, devices say how they are, and
//! connections that watch are told what changed. It lives on one node, in memory; when a user was seen last is saved.

mod shown;
pub(crate) mod task;

pub use shown::{Shown, State};

use crate::presence::shown::write_push;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use tokenim_domain::id::AppId;
use tokenim_domain::log::{AppRef, Seen};
use tokenim_domain::name::{Device, User};
use tokenim_domain::{Code, Error, Result};

/// Milliseconds a device is still there after its last connection closed, so that a reconnect is not told.
pub const GRACE_MS: i64 = 5_000;
/// Users that all connections of a node may watch together: 40 bytes each, and about 400 for one nobody else watches.
const WATCHES_MAX: usize = 1_000_000;
/// Users whose last seen may wait to be saved; of more the store keeps what it has.
const UNSAVED_MAX: usize = 100_000;
/// Users saved at once.
const SAVE_MAX: usize = 5_000;
/// Milliseconds after which a list of users is worth watching again.
const WATCH_RETRY_MS: u64 = 10_000;

/// Users who are there, who were there a moment ago, or whom somebody watches. They go by number inside.
#[derive(Debug)]
pub struct Presence {
    /// The latest time that was told, milliseconds since 1970: time never goes back here.
    now_ms: i64,
    next: u64,
    ids: HashMap<(AppId, User), u64>,
    people: HashMap<u64, Person>,
    /// Connections that have arrived: the user and the device of each.
    connections: HashMap<u64, (u64, Device)>,
    watches: HashMap<u64, Watch>,
    /// Length of all watch lists.
    watched: usize,
    /// Connections that may have something to be told.
    due: BTreeSet<u64>,
    unsaved: BTreeSet<u64>,
    /// Devices whose last connection closed: when their grace ends, in that order.
    leaving: VecDeque<(i64, u64, Device)>,
}

#[derive(Debug)]
struct Person {
    app: AppRef,
    user: User,
    devices: Vec<Held>,
    /// As long as a device is there.
    text: Option<Arc<str>>,
    version: i64,
    /// Since when others see it there, or when they saw it last; `None` = not since this process started.
    seen_ms: Option<i64>,
    watchers: HashSet<u64>,
}

/// A device that is there.
#[derive(Debug)]
struct Held {
    device: Device,
    state: State,
    connections: u32,
    /// When its last connection closed.
    left_ms: i64,
}

/// What others see of a user who is there: its visible devices, and the text.
type Look = (Vec<(Device, State)>, Option<Arc<str>>);

#[derive(Debug)]
struct Watch {
    viewer: User,
    /// Users, each with the version that was told last.
    of: Vec<(u64, i64)>,
}

/// Whether a user may see another one's presence: the one place where that is decided. Within an app everybody may.
fn may_see(_viewer: &User, _of: &User) -> bool {
    true
}

impl Person {
    fn is_visible(&self) -> bool {
        self.devices.iter().any(|held| held.state != State::Invisible)
    }

    /// What others see of it, `None` where it is not there for them.
    fn look(&self) -> Option<Look> {
        let visible = self.devices.iter().filter(|held| held.state != State::Invisible);
        let visible: Vec<_> = visible.map(|held| (held.device.clone(), held.state)).collect();
        (!visible.is_empty()).then(|| (visible, self.text.clone()))
    }

    /// What others see; `None` where this process does not know when it was seen last.
    fn shown(&self) -> Option<Shown> {
        let seen_ms = self.seen_ms?;
        let user = self.user.clone();
        Some(match self.look() {
            Some((devices, text)) => Shown::there(user, devices, text, self.version),
            None => Shown::gone(user, Some(seen_ms), self.version),
        })
    }
}

impl Presence {
    /// Nobody is there yet.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Presence {
            now_ms,
            next: 0,
            ids: HashMap::new(),
            people: HashMap::new(),
            connections: HashMap::new(),
            watches: HashMap::new(),
            watched: 0,
            due: BTreeSet::new(),
            unsaved: BTreeSet::new(),
            leaving: VecDeque::new(),
        }
    }

    /// A connection has attached: its device is there, online unless it said otherwise before.
    pub fn arrive(&mut self, connection: u64, app: AppRef, user: &User, device: &Device, now_ms: i64) {
        self.pass(now_ms);
        if self.connections.contains_key(&connection) {
            return;
        }
        let id = self.person(app, user);
        self.connections.insert(connection, (id, device.clone()));
        self.change(id, None, |person| {
            match person.devices.iter_mut().find(|held| held.device == *device) {
                Some(held) => held.connections += 1,
                None => {
                    let device = device.clone();
                    // Nearly everybody has one device.
                    person.devices.reserve_exact(1);
                    person.devices.push(Held { device, state: State::Online, connections: 1, left_ms: 0 });
                }
            };
        });
    }

    /// A connection has ended, whatever way. Its watch list is gone; its device leaves once its grace is over.
    pub fn leave(&mut self, connection: u64, now_ms: i64) {
        self.pass(now_ms);
        self.unwatch(connection);
        let Some((id, device)) = self.connections.remove(&connection) else { return };
        let Some(person) = self.people.get_mut(&id) else { return };
        let Some(held) = person.devices.iter_mut().find(|held| held.device == device) else { return };
        held.connections -= 1;
        if held.connections == 0 {
            held.left_ms = self.now_ms;
            self.leaving.push_back((self.now_ms + GRACE_MS, id, device));
        }
    }

    /// Lets time pass: devices whose grace is over leave, and their users were seen last when they closed.
    pub fn tick(&mut self, now_ms: i64) {
        self.pass(now_ms);
        while let Some((_, id, device)) = self.leaving.pop_front_if(|(due_ms, ..)| *due_ms <= self.now_ms) {
            let Some(person) = self.people.get(&id) else { continue };
            let is_over =
                |held: &&Held| held.device == device && held.connections == 0 && held.left_ms + GRACE_MS <= self.now_ms;
            let Some(left_ms) = person.devices.iter().find(is_over).map(|held| held.left_ms) else { continue };
            self.change(id, Some(left_ms), |person| {
                person.devices.retain(|held| held.device != device);
                if person.devices.is_empty() {
                    person.text = None;
                }
            });
            self.forget(id);
        }
    }

    /// The device of a connection says how it is, and the user what text stands beside it. What others see then; `None`
    /// where the connection has ended.
    pub fn set(
        &mut self,
        connection: u64,
        state: Option<State>,
        text: Option<Option<Arc<str>>>,
        now_ms: i64,
    ) -> Option<Shown> {
        self.pass(now_ms);
        let (id, device) = self.connections.get(&connection)?.clone();
        self.change(id, None, |person| {
            let held = person.devices.iter_mut().find(|held| held.device == device);
            if let (Some(held), Some(state)) = (held, state) {
                held.state = state;
            }
            if let Some(text) = text {
                person.text = text;
            }
        });
        self.people.get(&id)?.shown()
    }

    /// A connection watches these users from now on, instead of those before. What it sees of each, in the order asked;
    /// `None` for whom this process has not seen.
    ///
    /// Errors: `overloaded` where the node has no room for so many watches; the list before stands.
    pub fn watch(&mut self, connection: u64, app: AppRef, viewer: &User, users: &[User]) -> Result<Vec<Option<Shown>>> {
        let before = self.watches.get(&connection).map_or(0, |watch| watch.of.len());
        if self.watched - before + users.len() > WATCHES_MAX {
            return Err(Error::new(Code::Overloaded).retry_after(WATCH_RETRY_MS));
        }
        self.unwatch(connection);
        if self.connections.contains_key(&connection) && !users.is_empty() {
            let mut of = Vec::with_capacity(users.len());
            for user in users {
                let id = self.person(app, user);
                if let Some(person) = self.people.get_mut(&id) {
                    person.watchers.insert(connection);
                    of.push((id, person.version));
                }
            }
            self.watched += of.len();
            self.watches.insert(connection, Watch { viewer: viewer.clone(), of });
        }
        Ok(users.iter().map(|user| self.get(app, Some(viewer), user)).collect())
    }

    /// Has a state told once more that did not fit the answer to its `watch`.
    pub fn tell_again(&mut self, connection: u64, app: AppRef, user: &User) {
        let Some(id) = self.ids.get(&(app.app, user.clone())) else { return };
        let Some(watch) = self.watches.get_mut(&connection) else { return };
        watch.of.iter_mut().filter(|(of, _)| of == id).for_each(|(_, told)| *told = 0);
        self.due.insert(connection);
    }

    /// Has all states told once more to a connection that may not have been given some.
    pub fn tell_all_again(&mut self, connection: u64) {
        let Some(watch) = self.watches.get_mut(&connection) else { return };
        watch.of.iter_mut().for_each(|(_, told)| *told = 0);
        self.due.insert(connection);
    }

    /// What a user sees of another, and an app's server (no viewer) of anybody; `None` where this process has not seen it.
    #[must_use]
    pub fn get(&self, app: AppRef, viewer: Option<&User>, user: &User) -> Option<Shown> {
        if viewer.is_some_and(|viewer| !may_see(viewer, user)) {
            return Some(Shown::gone(user.clone(), None, 0));
        }
        self.people.get(self.ids.get(&(app.app, user.clone()))?)?.shown()
    }

    /// Takes the connections that may have something to be told, for [`Presence::tell`].
    pub fn due(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.due).into_iter().collect()
    }

    /// Tells each of these connections what changed, as one push of JSON text or, where it is long, several. `offer` is false
    /// where the connection has no room for it: it is due the next time again.
    pub fn tell(&mut self, connections: &[u64], mut offer: impl FnMut(u64, &str) -> bool) {
        let mut texts: HashMap<u64, String> = HashMap::new();
        let people = &self.people;
        for connection in connections.iter().copied() {
            let Some(watch) = self.watches.get_mut(&connection) else { continue };
            let viewer = &watch.viewer;
            let changed = |(id, told): &&mut (u64, i64)| {
                people.get(id).is_some_and(|person| person.version > *told && may_see(viewer, &person.user))
            };
            let mut changed: Vec<_> = watch.of.iter_mut().filter(changed).collect();
            let mut rest = changed.as_mut_slice();
            while !rest.is_empty() {
                let states = rest.iter().map(|(id, _)| {
                    let text = || people.get(id).and_then(Person::shown).map(|shown| shown.json()).unwrap_or_default();
                    texts.entry(*id).or_insert_with(text).clone()
                });
                let (push, count) = write_push(states);
                if !offer(connection, &push) {
                    self.due.insert(connection);
                    break;
                }
                let (told, later) = rest.split_at_mut(count);
                for (id, version) in told {
                    *version = people.get(id).map_or(0, |person| person.version);
                }
                rest = later;
            }
        }
    }

    /// What is to be saved: each user once, with its number for [`Presence::saved`].
    #[must_use]
    pub fn unsaved(&self) -> Vec<(u64, Seen)> {
        let people = self.unsaved.iter().filter_map(|id| Some((*id, self.people.get(id)?)));
        let seen = people.filter_map(|(id, person)| {
            let (app, user, is_open) = (person.app, person.user.clone(), person.is_visible());
            Some((id, Seen { app, user, seen_ms: person.seen_ms?, version: person.version, is_open }))
        });
        seen.take(SAVE_MAX).collect()
    }

    /// These are saved; what has changed since is not.
    pub fn saved(&mut self, rows: &[(u64, Seen)]) {
        for (id, row) in rows {
            if self.people.get(id).is_some_and(|person| person.version == row.version) {
                self.unsaved.remove(id);
                self.forget(*id);
            }
        }
    }

    /// Time as it passes here.
    fn pass(&mut self, now_ms: i64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    fn person(&mut self, app: AppRef, user: &User) -> u64 {
        let next = self.next;
        let id = *self.ids.entry((app.app, user.clone())).or_insert(next);
        if id == next {
            self.next += 1;
            let (devices, watchers, text, seen_ms) = (Vec::new(), HashSet::new(), None, None);
            self.people.insert(id, Person { app, user: user.clone(), devices, text, version: 0, seen_ms, watchers });
        }
        id
    }

    /// Changes a user. Where others see a difference its version moves, who watches is told, and where it comes or goes that
    /// is saved; `gone_ms` is when it was seen last, now where it is `None`.
    fn change(&mut self, id: u64, gone_ms: Option<i64>, change: impl FnOnce(&mut Person)) {
        let Some(person) = self.people.get_mut(&id) else { return };
        let before = person.look();
        change(person);
        let after = person.look();
        if before == after {
            return;
        }
        person.version = self.now_ms.max(person.version + 1);
        self.due.extend(&person.watchers);
        if before.is_some() != after.is_some() {
            person.seen_ms = gone_ms.filter(|_| after.is_none()).or(Some(self.now_ms));
            if self.unsaved.len() < UNSAVED_MAX {
                self.unsaved.insert(id);
            }
        }
    }

    fn unwatch(&mut self, connection: u64) {
        let Some(watch) = self.watches.remove(&connection) else { return };
        self.watched -= watch.of.len();
        self.due.remove(&connection);
        for (id, _) in watch.of {
            if let Some(person) = self.people.get_mut(&id) {
                person.watchers.remove(&connection);
            }
            self.forget(id);
        }
    }

    /// Forgets a user who is not there, whom nobody watches and who is saved.
    fn forget(&mut self, id: u64) {
        let is_idle = |person: &&Person| person.devices.is_empty() && person.watchers.is_empty();
        let Some(person) = self.people.get(&id).filter(is_idle) else { return };
        if !self.unsaved.contains(&id) {
            self.ids.remove(&(person.app.app, person.user.clone()));
            self.people.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests;
