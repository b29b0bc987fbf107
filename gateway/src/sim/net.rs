//! The bus between the simulated nodes: it delays and reorders always, and loses, repeats and parts when it is told to.

use super::random::Random;
use super::weather::Weather;
use crate::bus::{Bus, Published};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokio::sync::{Notify, mpsc};
use tokio_util::task::TaskTracker;

/// Batches that may wait at a node.
const WAITING_MAX: usize = 256;

/// What the bus does to what a node publishes or would hear.
#[derive(Debug, Clone, Copy, Default)]
pub struct Troubled {
    /// Until when, milliseconds of the run.
    pub until_ms: u64,
    /// Of a hundred, how many are lost, and how many come twice.
    pub lost: u64,
    pub repeated: u64,
    /// Milliseconds of delay at most.
    pub delay_ms: u64,
}

pub struct Net {
    clock: Arc<dyn Clock>,
    pub tracker: TaskTracker,
    state: Mutex<State>,
}

struct State {
    random: Random,
    nodes: Vec<Node>,
    troubled: Vec<Troubled>,
}

struct Node {
    place: usize,
    sender: mpsc::Sender<Arc<Published>>,
    weather: Arc<Weather>,
    lost: Arc<Notify>,
}

impl Net {
    pub fn new(clock: Arc<dyn Clock>, random: Random, nodes: usize) -> Arc<Self> {
        let troubled = vec![Troubled::default(); nodes];
        let state = Mutex::new(State { random, nodes: Vec::new(), troubled });
        Arc::new(Net { clock, tracker: TaskTracker::new(), state })
    }

    pub fn trouble(&self, place: usize, troubled: Troubled) {
        self.state.lock().unwrap().troubled[place] = troubled;
    }

    /// Tells a node that it may have lost something.
    pub fn tell_lost(&self, place: usize) {
        let state = self.state.lock().unwrap();
        state.nodes.iter().filter(|node| node.place == place).for_each(|node| node.lost.notify_one());
    }

    fn now(&self) -> u64 {
        self.clock.monotonic().as_millis() as u64
    }

    /// How long each copy takes that arrives.
    fn delays(&self, from: usize, to: usize) -> Vec<u64> {
        let now = self.now();
        let mut state = self.state.lock().unwrap();
        let troubles: Vec<_> = [from, to].map(|place| state.troubled[place]).into_iter().collect();
        let troubles: Vec<_> = troubles.into_iter().filter(|trouble| trouble.until_ms > now).collect();
        let random = &mut state.random;
        if troubles.iter().any(|trouble| random.chance(trouble.lost)) {
            return Vec::new();
        }
        let copies = 1 + usize::from(troubles.iter().any(|trouble| random.chance(trouble.repeated)));
        let most = troubles.iter().map(|trouble| trouble.delay_ms).max().unwrap_or(0).max(4);
        (0..copies).map(|_| random.range(1, most)).collect()
    }

    fn send(self: &Arc<Self>, from: usize, published: &Arc<Published>) {
        let targets: Vec<_> = {
            let mut state = self.state.lock().unwrap();
            state.nodes.retain(|node| !node.weather.killed.is_cancelled());
            state
                .nodes
                .iter()
                .filter(|node| node.place != from)
                .map(|node| (node.place, node.sender.clone(), node.weather.clone()))
                .collect()
        };
        for (to, sender, weather) in targets {
            for delay_ms in self.delays(from, to) {
                let (published, sender, weather) = (published.clone(), sender.clone(), weather.clone());
                self.tracker.spawn(async move {
                    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                    weather.thaw().await;
                    let _ = sender.try_send(published);
                });
            }
        }
    }
}

/// A node's way to the bus.
pub struct SimBus {
    pub net: Arc<Net>,
    pub place: usize,
    pub weather: Arc<Weather>,
}

impl Bus for SimBus {
    async fn publish(&self, published: Arc<Published>) {
        self.weather.thaw().await;
        self.net.send(self.place, &published);
    }

    fn has_others(&self) -> bool {
        true
    }

    fn subscribe(&self, _: u64, lost: Arc<Notify>) -> mpsc::Receiver<Arc<Published>> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let node = Node { place: self.place, sender, weather: self.weather.clone(), lost };
        self.net.state.lock().unwrap().nodes.push(node);
        receiver
    }
}
