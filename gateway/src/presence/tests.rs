//! Random lives of users, against a model that looks at the whole past; and what watchers end up seeing.

use super::*;
use std::collections::BTreeMap;
use tokenim_domain::id::OrgId;
use uuid::Uuid;

const START_MS: i64 = 1_790_000_000_000;
const USERS: usize = 4;
const DEVICES: usize = 2;

fn app() -> AppRef {
    AppRef { org: OrgId(Uuid::nil()), app: AppId(Uuid::nil()) }
}

fn user(at: usize) -> User {
    User::trusted(&format!("u{at}"))
}

fn device(at: usize) -> Device {
    Device::trusted(&format!("d{at}"))
}

/// A generator whose seeds are the test's.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

type Text = Option<Arc<str>>;

/// What happened, kept whole.
#[derive(Default)]
struct Past {
    /// By connection: user, device, when it came, when it went.
    lives: BTreeMap<u64, (usize, usize, i64, Option<i64>)>,
    /// By user and device: when it said how it is.
    said: BTreeMap<(usize, usize), Vec<(i64, State)>>,
    texts: BTreeMap<usize, Vec<(i64, Text)>>,
}

impl Past {
    /// Since when a device, or any device, has been there without a pause as long as the grace; `None` = it is not.
    fn there_since(&self, who: usize, which: Option<usize>, now_ms: i64) -> Option<i64> {
        let mut spans: Vec<_> = self
            .lives
            .values()
            .filter(|(user, device, ..)| *user == who && which.is_none_or(|which| which == *device))
            .map(|(_, _, from, to)| (*from, to.map_or(i64::MAX, |to| to + GRACE_MS)))
            .collect();
        spans.sort_unstable();
        let (mut since, mut until) = (None, i64::MIN);
        for (from, to) in spans {
            if since.is_none() || from >= until {
                (since, until) = (Some(from), to);
            }
            until = until.max(to);
        }
        since.filter(|_| now_ms < until)
    }

    /// Devices that others see.
    fn visible(&self, who: usize, now_ms: i64) -> Vec<(Device, State)> {
        let state = |which: usize| {
            let since = self.there_since(who, Some(which), now_ms)?;
            let said = self.said.get(&(who, which)).into_iter().flatten().rfind(|(at, _)| *at >= since);
            Some((device(which), said.map_or(State::Online, |(_, state)| *state)))
        };
        let mut seen: Vec<_> = (0..DEVICES).filter_map(state).filter(|(_, state)| *state != State::Invisible).collect();
        seen.sort_by_key(|(device, state)| (*state, device.clone()));
        seen
    }

    fn text(&self, who: usize, now_ms: i64) -> Text {
        let since = self.there_since(who, None, now_ms)?;
        let said = self.texts.get(&who).into_iter().flatten().rfind(|(at, _)| *at >= since)?;
        said.1.clone()
    }
}

/// One random life of everybody; returns how many pushes were told.
fn live(seed: u64) -> usize {
    let mut dice = Dice(seed);
    let mut presence = Presence::new(START_MS);
    let (mut past, mut now_ms, mut next, mut pushes) = (Past::default(), START_MS, 1_u64, 0);
    // A watcher that is no user of the play, who loses every fourth push.
    presence.arrive(0, app(), &User::trusted("watcher"), &device(9), now_ms);
    let all: Vec<_> = (0..USERS).map(user).collect();
    let mut view: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    assert_eq!(presence.watch(0, app(), &User::trusted("watcher"), &all).unwrap(), [const { None }; USERS]);
    for _ in 0..400 {
        now_ms += dice.roll(2_500) as i64 + 1;
        presence.tick(now_ms);
        let open: Vec<u64> = past.lives.iter().filter(|(_, life)| life.3.is_none()).map(|(id, _)| *id).collect();
        let some = (!open.is_empty()).then(|| open[dice.roll(open.len().max(1))]);
        match (dice.roll(6), some) {
            (0 | 1, _) | (_, None) => {
                let (who, which) = (dice.roll(USERS), dice.roll(DEVICES));
                past.lives.insert(next, (who, which, now_ms, None));
                presence.arrive(next, app(), &user(who), &device(which), now_ms);
                next += 1;
            }
            (2 | 3, Some(connection)) => {
                past.lives.get_mut(&connection).unwrap().3 = Some(now_ms);
                presence.leave(connection, now_ms);
                presence.leave(connection, now_ms);
            }
            (4, Some(connection)) => {
                let (who, which, ..) = past.lives[&connection];
                let state = State::ALL[dice.roll(3)];
                past.said.entry((who, which)).or_default().push((now_ms, state));
                presence.set(connection, Some(state), None, now_ms).unwrap();
            }
            (_, Some(connection)) => {
                let (who, ..) = past.lives[&connection];
                let text: Text = (dice.roll(3) > 0).then(|| format!("t{}", dice.roll(9)).into());
                past.texts.entry(who).or_default().push((now_ms, text.clone()));
                presence.set(connection, None, Some(text), now_ms).unwrap();
            }
        }
        if dice.roll(3) == 0 {
            let rows = presence.unsaved();
            presence.saved(&rows[..rows.len() / 2]);
        }
        let due = presence.due();
        presence.tell(&due, |connection, push| {
            assert_eq!(connection, 0);
            pushes += 1;
            let taken = dice.roll(4) > 0;
            if taken {
                take(&mut view, push);
            }
            taken
        });
        for who in 0..USERS {
            compare(&presence, &past, who, now_ms);
        }
    }
    // All leave; the watcher ends up with what is, whatever it lost.
    for (connection, life) in &mut past.lives {
        if life.3.is_none() {
            life.3 = Some(now_ms);
            presence.leave(*connection, now_ms);
        }
    }
    for _ in 0..2 {
        presence.tick(now_ms + GRACE_MS);
        let due = presence.due();
        presence.tell(&due, |_, push| {
            take(&mut view, push);
            true
        });
    }
    for who in &all {
        let Some(shown) = presence.get(app(), None, who) else { continue };
        assert_eq!(shown.state(), "offline");
        assert_eq!(view[who.as_str()], serde_json::from_str::<serde_json::Value>(&shown.json()).unwrap());
    }
    end(presence, now_ms + GRACE_MS);
    pushes
}

/// A client takes a push: it drops what is older than what it has.
fn take(view: &mut BTreeMap<String, serde_json::Value>, push: &str) {
    let push: serde_json::Value = serde_json::from_str(push).unwrap();
    for state in push["push"]["states"].as_array().unwrap() {
        let held = view.entry(state["user"].as_str().unwrap().to_owned()).or_default();
        assert!(held["version"].as_i64() < state["version"].as_i64(), "told again: {state}");
        *held = state.clone();
    }
}

fn compare(presence: &Presence, past: &Past, who: usize, now_ms: i64) {
    let (expected, shown) = (past.visible(who, now_ms), presence.get(app(), None, &user(who)));
    let Some(shown) = shown else {
        assert!(expected.is_empty(), "{who} is there and unknown");
        return;
    };
    let mut devices = shown.devices.clone();
    devices.sort_by_key(|(device, state)| (*state, device.clone()));
    assert_eq!(devices, expected, "user {who} at {now_ms}");
    let text = past.text(who, now_ms).filter(|_| !expected.is_empty());
    assert_eq!(shown.text, text, "user {who} at {now_ms}");
    assert_eq!(shown.seen_ms.is_none(), !expected.is_empty());
}

/// With everybody gone, told and saved, and the watcher gone too, nothing is kept.
fn end(mut presence: Presence, now_ms: i64) {
    presence.leave(0, now_ms);
    presence.tick(now_ms + GRACE_MS);
    let rows = presence.unsaved();
    presence.saved(&rows);
    let left = (presence.ids.len(), presence.people.len(), presence.connections.len(), presence.watches.len());
    assert_eq!((left, presence.watched, presence.leaving.len(), presence.unsaved.len()), ((0, 0, 0, 0), 0, 0, 0));
}

#[test]
fn random_lives_end_as_the_model_says_and_watchers_see_it() {
    let pushes: usize = (1..=60).map(live).sum();
    assert!(pushes > 2_000, "{pushes}");
}

#[test]
fn a_reconnect_within_the_grace_is_not_told_and_keeps_the_state() {
    let mut presence = Presence::new(START_MS);
    presence.arrive(1, app(), &user(0), &device(0), START_MS);
    presence.set(1, Some(State::Away), Some(Some("lunch".into())), START_MS).unwrap();
    let before = presence.get(app(), None, &user(0));
    presence.leave(1, START_MS + 10);
    presence.tick(START_MS + GRACE_MS);
    presence.arrive(2, app(), &user(0), &device(0), START_MS + GRACE_MS);
    presence.tick(START_MS + 10 * GRACE_MS);
    assert_eq!(presence.get(app(), None, &user(0)), before);
    // Gone for longer, it was seen when it closed, not when that was told.
    presence.leave(2, START_MS + 100_000);
    presence.tick(START_MS + 100_000 + GRACE_MS - 1);
    assert_eq!(presence.get(app(), None, &user(0)).unwrap().state(), "away");
    presence.tick(START_MS + 100_000 + GRACE_MS);
    let shown = presence.get(app(), None, &user(0)).unwrap();
    assert_eq!((shown.state(), shown.seen_ms, shown.text), ("offline", Some(START_MS + 100_000), None));
}

#[test]
fn who_is_invisible_looks_as_who_is_not_there() {
    let mut presence = Presence::new(START_MS);
    presence.arrive(1, app(), &user(0), &device(0), START_MS);
    presence.set(1, Some(State::Invisible), None, START_MS + 50).unwrap();
    let hidden = presence.get(app(), None, &user(0)).unwrap();
    assert_eq!((hidden.state(), hidden.devices.len(), hidden.seen_ms), ("offline", 0, Some(START_MS + 50)));
    presence.set(1, None, Some(Some("secret".into())), START_MS + 60).unwrap();
    presence.leave(1, START_MS + 70);
    presence.tick(START_MS + 70 + GRACE_MS);
    assert_eq!(presence.get(app(), None, &user(0)), Some(hidden), "nothing of it is told");
}

#[test]
fn the_watches_of_a_node_are_bounded_and_a_refusal_keeps_the_list_before() {
    let mut presence = Presence::new(START_MS);
    let crowd: Vec<_> = (0..500).map(user).collect();
    let viewer = User::trusted("watcher");
    let mut connection = 0;
    loop {
        presence.arrive(connection, app(), &viewer, &device(0), START_MS);
        if presence.watch(connection, app(), &viewer, &crowd).is_err() {
            break;
        }
        connection += 1;
    }
    assert_eq!((connection as usize * 500, presence.watched), (WATCHES_MAX, WATCHES_MAX));
    assert!(presence.watch(0, app(), &viewer, &crowd[..10]).is_ok(), "fewer are always taken");
    presence.leave(0, START_MS);
    assert_eq!(presence.watched, WATCHES_MAX - 500);
}
