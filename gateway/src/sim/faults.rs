//! What goes wrong in a run, when: a list that a seed makes and that can be shortened.

use super::client::Orders;
use super::net::Troubled;
use super::random::Random;
use super::world::{NODES, World};
use crate::model::Fault as LogFault;
use std::sync::Arc;
use std::time::Duration;

/// Milliseconds of a run in which things go wrong; the rest is health.
pub const TROUBLE_MS: u64 = 9_000;
/// How much later a commit lands whose answer was lost.
const LATE: Duration = Duration::from_secs(3);
/// Faults of a run.
const FAULTS: (u64, u64) = (3, 9);

/// One thing that goes wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Milliseconds since the run began.
    pub at_ms: u64,
    pub for_ms: u64,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    /// The bus loses, repeats and delays what a node says and hears; with everything lost it is parted from the others.
    Bus { node: usize, lost: u64, repeated: u64, delay_ms: u64 },
    /// A node is killed, and another comes up in its place.
    Kill { node: usize },
    /// A node stands still.
    Freeze { node: usize },
    /// A node's log is slow.
    Slow { node: usize },
    /// A node's log can't be read.
    Blind { node: usize },
    /// A node's batches are refused, or nobody knows what became of them.
    Append { node: usize, fault: LogFault, times: usize },
    /// A client goes away.
    Leave { client: usize },
    /// A client reads nothing for a while, and another says much.
    Stall { client: usize, speaker: usize },
}

/// The faults of a seed.
pub fn plan(seed: u64, clients: usize) -> Vec<Fault> {
    let mut random = Random::new(seed, 3);
    let mut faults: Vec<_> = (0..random.range(FAULTS.0, FAULTS.1)).map(|_| fault(&mut random, clients)).collect();
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

fn fault(random: &mut Random, clients: usize) -> Fault {
    let at_ms = random.range(300, TROUBLE_MS - 1_000);
    let for_ms = random.range(200, 4_000).min(TROUBLE_MS - at_ms);
    let node = random.range(0, NODES as u64) as usize;
    let client = random.range(0, clients as u64) as usize;
    let what = match random.range(0, 100) {
        0..15 => What::Bus { node, lost: random.range(10, 90), repeated: 20, delay_ms: 400 },
        15..27 => What::Bus { node, lost: 100, repeated: 0, delay_ms: 0 },
        27..32 => What::Bus { node, lost: 0, repeated: 60, delay_ms: 900 },
        32..44 => What::Kill { node },
        44..54 => What::Freeze { node },
        54..60 => What::Slow { node },
        60..66 => What::Blind { node },
        66..84 => {
            let fault = *random.pick(&[
                LogFault::Failed,
                LogFault::AnswerLost,
                LogFault::CommitLost,
                LogFault::LandsLate(LATE),
            ]);
            What::Append { node, fault, times: random.range(1, 4) as usize }
        }
        84..97 => What::Leave { client },
        _ => What::Stall { client, speaker: (client + 1) % clients },
    };
    Fault { at_ms, for_ms, what }
}

/// Lets them happen, then has everything in order again.
pub async fn happen(world: Arc<World>, faults: Vec<Fault>, orders: Vec<Arc<Orders>>) {
    let begins = faults.iter().enumerate().map(|(at, fault)| (fault.at_ms, at, true));
    let ends = faults.iter().enumerate().map(|(at, fault)| (fault.at_ms + fault.for_ms, at, false));
    let mut times: Vec<_> = begins.chain(ends).collect();
    times.sort_unstable();
    for (at_ms, at, is_begin) in times {
        tokio::time::sleep(Duration::from_millis(at_ms.saturating_sub(world.now()))).await;
        if is_begin {
            begin(&world, &faults[at], &orders);
        } else {
            end(&world, &faults[at].what);
        }
    }
    tokio::time::sleep(Duration::from_millis(TROUBLE_MS.saturating_sub(world.now()))).await;
    world.history.note("*", "all is well");
}

fn begin(world: &World, fault: &Fault, orders: &[Arc<Orders>]) {
    world.history.note("*", format_args!("{:?} for {} ms", fault.what, fault.for_ms));
    let until_ms = fault.at_ms + fault.for_ms;
    let weather = |place: &usize| world.node(*place).map(|life| life.weather);
    match &fault.what {
        What::Bus { node, lost, repeated, delay_ms } => {
            let troubled = Troubled { until_ms, lost: *lost, repeated: *repeated, delay_ms: *delay_ms };
            world.net.trouble(*node, troubled);
        }
        What::Kill { node } => world.kill(*node),
        What::Freeze { node } => drop(weather(node).map(|weather| weather.freeze(until_ms))),
        What::Slow { node } => drop(weather(node).map(|weather| weather.slow(until_ms))),
        What::Blind { node } => drop(weather(node).map(|weather| weather.blind(until_ms))),
        What::Append { node, fault, times } => drop(weather(node).map(|weather| weather.fail(*fault, *times))),
        What::Leave { client } => orders[*client].leave(until_ms),
        What::Stall { client, speaker } => {
            orders[*client].stall(until_ms);
            orders[*speaker].burst(30);
        }
    }
}

fn end(world: &World, what: &What) {
    match what {
        What::Kill { node } if world.node(*node).is_none() => {
            world.history.note("*", format_args!("node {node} comes up"));
            world.start(*node);
        }
        // A bus that was parted knows it; one that loses does not.
        What::Bus { node, lost: 100, .. } => world.net.tell_lost(*node),
        _ => {}
    }
}
