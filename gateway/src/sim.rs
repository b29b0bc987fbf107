//! Simulation: three nodes and their clients on one thread and a paused clock. A seed decides everything that happens, so what
//! is found once can be looked at again: `TOKENIM_SIM_SEED=7 cargo test -p tokenim-gateway sim::replay -- --nocapture`.

mod check;
mod client;
mod faults;
mod history;
mod net;
mod random;
mod view;
pub mod weather;
pub mod world;

use client::Client;
use faults::{Fault, TROUBLE_MS};
use history::Device;
use random::Random;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use world::World;

/// Seeds that CI runs.
const SEEDS: u64 = 1_000;
/// Seeds in which a seeded bug has to show itself.
#[cfg(feature = "sabotage")]
const BUG_SEEDS: u64 = 300;
/// Threads that run them.
const THREADS: usize = 2;
/// Milliseconds that clients go on after the trouble, so that the last events of some conversations follow it.
const CALM_MS: u64 = 800;
/// Milliseconds from the end of all trouble until every member must be at the last seq.
const HEALED_MS: u64 = 10_000 + 30_000;

/// Conversations of each org, and who is in them first. The orgs have the same names.
const GROUPS: [(&str, &[&str]); 2] = [("c0", &["u0", "u1", "u2", "u3"]), ("c1", &["u0", "u1", "u2"])];
/// Org, user and device of each client.
const CLIENTS: [(usize, &str, &str); 7] =
    [(0, "u0", "a"), (0, "u0", "b"), (0, "u1", "a"), (0, "u2", "a"), (0, "u3", "a"), (1, "u0", "a"), (1, "u1", "a")];

/// What a run showed.
struct Verdict {
    found: Vec<String>,
    hash: u64,
    trace: String,
    messages: usize,
}

fn run(seed: u64, faults: &[Fault]) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::new(seed).await;
        for org in 0..2 {
            for (name, members) in GROUPS {
                world.group(org, name, members).await;
            }
        }
        let mut orders = Vec::new();
        let devices: Vec<_> = CLIENTS
            .into_iter()
            .map(|(org, user, name)| Device { org, user: user.to_owned(), name: name.to_owned() })
            .collect();
        for (at, device) in devices.iter().enumerate() {
            let client =
                Client::new(world.clone(), device.clone(), Random::new(seed, 50 + at as u64), TROUBLE_MS + CALM_MS);
            orders.push(client.orders.clone());
            world.net.tracker.spawn(client.live());
        }
        faults::happen(world.clone(), faults.to_vec(), orders).await;
        tokio::time::sleep(Duration::from_millis(HEALED_MS)).await;
        let found = check::check(&world, &GROUPS.map(|(name, _)| name), &devices);
        let messages = world.history.records().sendings.len();
        Verdict { found, hash: world.history.hash(), trace: world.history.trace(), messages }
    })
}

fn plan(seed: u64) -> Vec<Fault> {
    faults::plan(seed, CLIENTS.len())
}

/// The shortest list found by leaving faults out one at a time.
fn shorten(seed: u64, mut faults: Vec<Fault>) -> Vec<Fault> {
    let mut at = 0;
    while at < faults.len() {
        let mut fewer = faults.clone();
        fewer.remove(at);
        if run(seed, &fewer).found.is_empty() { at += 1 } else { faults = fewer }
    }
    faults
}

/// The first seed that fails, if any does.
fn first_failing(seeds: u64) -> Option<u64> {
    let (next, failing) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    std::thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || seed > failing.load(Ordering::Relaxed) {
                        return;
                    }
                    if !run(seed, &plan(seed)).found.is_empty() {
                        failing.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    Some(failing.into_inner()).filter(|seed| *seed != u64::MAX)
}

/// What to print of a seed that fails.
fn report(seed: u64) -> String {
    let faults = shorten(seed, plan(seed));
    let found = run(seed, &faults).found;
    let lines: Vec<_> =
        faults.iter().map(|fault| format!("  {} ms: {:?} for {} ms", fault.at_ms, fault.what, fault.for_ms)).collect();
    format!(
        "seed {seed} fails:\n{}\nwith these faults:\n{}\nagain: TOKENIM_SIM_SEED={seed} cargo test -p tokenim-gateway sim::replay -- --nocapture",
        found.join("\n"),
        lines.join("\n")
    )
}

#[test]
fn every_seed_keeps_every_promise() {
    if let Some(seed) = first_failing(SEEDS) {
        panic!("{}", report(seed));
    }
}

/// Each seeded bug of the gateway breaks a promise in one of the first seeds.
#[cfg(feature = "sabotage")]
#[test]
fn every_seeded_bug_of_the_gateway_is_found() {
    use tokenim_domain::sabotage::{BUGS, Instrument, choose};
    let mut unfound = Vec::new();
    for (bug, _) in BUGS.iter().filter(|(_, instrument)| *instrument == Instrument::Simulation) {
        choose(bug).unwrap();
        match first_failing(BUG_SEEDS) {
            Some(seed) => println!("{bug}: seed {seed}, {}", run(seed, &plan(seed)).found[0]),
            None => unfound.push(*bug),
        }
    }
    choose("").unwrap();
    assert!(unfound.is_empty(), "no seed finds {unfound:?}");
}

#[test]
fn a_seed_decides_every_byte() {
    for seed in 0..5 {
        let (one, two) = (run(seed, &plan(seed)), run(seed, &plan(seed)));
        assert!(one.messages > 20, "a run in which little happens: {} messages", one.messages);
        if one.hash != two.hash {
            let differ = one.trace.lines().zip(two.trace.lines()).find(|(one, two)| one != two);
            panic!("seed {seed} went two ways: {differ:?}");
        }
    }
}

/// Runs the seed of the environment alone and shows all of it; without one there is nothing to show.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own argument")]
fn replay() {
    let Some(seed) = std::env::var("TOKENIM_SIM_SEED").ok().and_then(|seed| seed.parse().ok()) else { return };
    let faults = shorten(seed, plan(seed));
    let verdict = run(seed, &faults);
    println!("{}\n{}", verdict.trace, verdict.found.join("\n"));
    assert!(verdict.found.is_empty(), "{}", report(seed));
}
