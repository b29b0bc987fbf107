//! Who is connected to this node: connections by number, users by app and id.

use crate::connection::{Connection, Session};
use crate::encoded::Form;
use crate::limits::{Used, refused};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use tokenim_domain::id::{AppId, OrgId};
use tokenim_domain::log::AppRef;
use tokenim_domain::name::User;
use tokenim_domain::plan::rate::Bucket;
use tokenim_domain::{Code, Error, sabotage};

/// Slots that may be dead before the map is swept; sweeping costs one pass, so it waits for as many as there are live ones.
const DEAD_SLOTS_MIN: usize = 1_024;

/// Users kept in memory who came last, so that what they have used is not forgotten with their connection.
const RECENT_SLOTS_MAX: usize = 1_024;

/// Milliseconds after which a user that has all its connections is worth another try.
const USER_RETRY_MS: u64 = 10_000;

/// A user's place on this node. Member lists point at it, so a fan-out looks nobody up by name.
#[derive(Debug)]
pub struct Slot {
    /// The app.
    pub app: AppRef,
    /// The user.
    pub user: User,
    connections: Mutex<Vec<Arc<Connection>>>,
    sends: Mutex<Bucket>,
    /// What its connections have used.
    pub(crate) used: Mutex<Used>,
    /// Whether the store has the user, as far as this node knows; no user is ever deleted.
    is_stored: AtomicBool,
}

impl Slot {
    /// Whether the store is known to have the user.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.is_stored.load(Ordering::Relaxed)
    }

    /// Notes that the store has the user.
    pub fn note_stored(&self) {
        self.is_stored.store(true, Ordering::Relaxed);
    }

    /// Calls `with` for each of the user's connections.
    pub fn each(&self, mut with: impl FnMut(&Arc<Connection>)) {
        self.connections.lock().expect("no holder panics").iter().for_each(&mut with);
    }

    /// Takes a message from the user's bucket. Errors: milliseconds to wait.
    pub fn take(&self, per_second: u32, now_ns: u64) -> Result<(), u64> {
        self.sends.lock().expect("no holder panics").take(per_second, 1, now_ns)
    }

    fn connections(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.connections.lock().expect("no holder panics")
    }
}

/// Connections and users of one app on this node, now. Live figures, not billed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AppStats {
    /// Authenticated connections.
    pub connections: u64,
    /// Users with at least one.
    pub users: u64,
}

/// Whether a user may have one connection more. Errors: `connection_limit`.
fn room(connections: &[Arc<Connection>], user_max: u32) -> Result<(), Error> {
    if user_max == 0 || connections.len() < user_max as usize {
        return Ok(());
    }
    let refusal = refused(Code::ConnectionLimit, "user_connections", user_max, USER_RETRY_MS);
    Err(refusal
        .says("a user has no more connections than `limit`; end one, or connect with its `device` to take its place"))
}

/// The registry of a node.
#[derive(Debug, Default)]
pub struct Registry {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    /// In the order of their numbers, in which each is looked at: what a node does must not hang on a random hash.
    connections: BTreeMap<u64, Arc<Connection>>,
    slots: HashMap<(AppId, User), Weak<Slot>>,
    recent: VecDeque<Arc<Slot>>,
    stats: HashMap<AppId, AppStats>,
    sweep_at: usize,
}

impl Registry {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder panics")
    }

    /// Registers a connection that was just accepted; `now` is the second of the node's monotonic clock.
    pub fn accept(&self, form: Form, now: u32) -> Arc<Connection> {
        let mut inner = self.inner();
        inner.next_id += 1;
        let connection = Connection::new(inner.next_id, form, now);
        inner.connections.insert(connection.id, connection.clone());
        connection
    }

    /// The slot of a user, shared by all who ask while anyone holds it.
    pub fn slot(&self, app: AppRef, user: &User) -> Arc<Slot> {
        let mut inner = self.inner();
        let key = (if sabotage::is("no_org_in_registry") { AppId(OrgId::SERVICE.0) } else { app.app }, user.clone());
        if let Some(slot) = inner.slots.get(&key).and_then(Weak::upgrade) {
            return slot;
        }
        if inner.slots.len() >= inner.sweep_at.max(DEAD_SLOTS_MIN) {
            inner.slots.retain(|_, slot| slot.strong_count() > 0);
            inner.sweep_at = inner.slots.len() * 2;
        }
        let slot = Arc::new(Slot {
            app,
            user: user.clone(),
            connections: Mutex::default(),
            sends: Mutex::default(),
            used: Mutex::default(),
            is_stored: AtomicBool::default(),
        });
        inner.slots.insert(key, Arc::downgrade(&slot));
        slot
    }

    /// The slot of a user who comes in, kept for a while even where that ends in a refusal.
    pub fn visit(&self, app: AppRef, user: &User) -> Arc<Slot> {
        let slot = self.slot(app, user);
        let mut inner = self.inner();
        if inner.recent.len() == RECENT_SLOTS_MAX {
            inner.recent.pop_front();
        }
        inner.recent.push_back(slot.clone());
        slot
    }

    /// Puts a connection at its user's slot: from now on it receives what the user receives. Not where its socket has
    /// ended meanwhile: nobody would remove it again.
    ///
    /// Returns what it takes the place of, to be closed: by the app's rule for logins what the newer ends; where there is no room, in
    /// the app or with the user (`user_max`, 0 = without limit), the oldest connection of the same device too.
    ///
    /// Errors: `connection_limit`.
    pub fn attach(
        &self,
        session: &Session,
        connection: &Arc<Connection>,
        user_max: u32,
    ) -> Result<Vec<Arc<Connection>>, Error> {
        let mut inner = self.inner();
        if !inner.connections.contains_key(&connection.id) {
            return Ok(Vec::new());
        }
        let mut connections = session.slot.connections();
        let logins = session.place.logins();
        let (ends, older) = (
            |other: &Session| logins.ends(other.platform.as_deref(), session.platform.as_deref()),
            |other: &Session| other.device == session.device,
        );
        let those = |connections: &[Arc<Connection>], of: &dyn Fn(&Session) -> bool| -> Vec<Arc<Connection>> {
            connections.iter().filter(|other| other.registered().is_some_and(|other| of(&other))).cloned().collect()
        };
        let mut ended = those(&connections, &ends);
        if let Err(full) = room(&connections, user_max).and_then(|()| session.place.pool.enter()) {
            if ended.is_empty() {
                ended.extend(those(&connections, &older).into_iter().min_by_key(|other| other.id));
            }
            // One of them leaves its place to the newer.
            let gone = ended.first().ok_or(full)?;
            let at = connections.iter().position(|other| other.id == gone.id);
            connections[at.expect("found among them")] = connection.clone();
            return Ok(ended);
        }
        let stats = inner.stats.entry(session.slot.app.app).or_default();
        connections.push(connection.clone());
        stats.connections += 1;
        stats.users += u64::from(connections.len() == 1);
        Ok(ended)
    }

    /// Forgets a connection whose socket ended.
    pub fn remove(&self, connection: &Connection) {
        let session = connection.end();
        let mut inner = self.inner();
        inner.connections.remove(&connection.id);
        let Some(session) = session else { return };
        let slot = &session.slot;
        let mut connections = slot.connections();
        let Some(at) = connections.iter().position(|other| other.id == connection.id) else { return };
        connections.swap_remove(at);
        session.place.pool.leave();
        let stats = inner.stats.entry(slot.app.app).or_default();
        stats.connections -= 1;
        stats.users -= u64::from(connections.is_empty());
        if stats.connections == 0 {
            inner.stats.remove(&slot.app.app);
        }
    }

    /// The connection of that number, where its socket is open.
    pub fn find(&self, connection: u64) -> Option<Arc<Connection>> {
        self.inner().connections.get(&connection).cloned()
    }

    /// Every connection, for the node's tick and its drain.
    pub fn all(&self) -> Vec<Arc<Connection>> {
        self.inner().connections.values().cloned().collect()
    }

    /// The users who are connected, each once, in the order of their apps.
    pub fn users(&self) -> Vec<(AppRef, User)> {
        let sessions: Vec<_> = self.all().iter().filter_map(|connection| connection.session()).collect();
        let mut users: Vec<_> = sessions.iter().map(|session| (session.slot.app, session.slot.user.clone())).collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// How many sockets are open, authenticated or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner().connections.len()
    }

    /// Whether no socket is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An app's figures.
    #[must_use]
    pub fn stats(&self, app: AppId) -> AppStats {
        self.inner().stats.get(&app).copied().unwrap_or_default()
    }

    /// Connections per app that has any.
    #[must_use]
    pub fn connections_by_app(&self) -> Vec<(AppId, u64)> {
        self.inner().stats.iter().map(|(app, stats)| (*app, stats.connections)).collect()
    }

    /// Cross-examines the indexes: every attached connection is registered, and the figures are their counts.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let inner = self.inner();
        let mut counted: HashMap<AppId, AppStats> = HashMap::new();
        for slot in inner.slots.values().filter_map(Weak::upgrade) {
            let connections = slot.connections();
            connections.iter().for_each(|connection| assert!(inner.connections.contains_key(&connection.id)));
            let stats = counted.entry(slot.app.app).or_default();
            stats.connections += connections.len() as u64;
            stats.users += u64::from(!connections.is_empty());
        }
        counted.retain(|_, stats| stats.connections > 0);
        assert_eq!(counted, inner.stats);
    }
}
