//! Seeded bugs of the store: each of them makes one of its tests fail.

use super::{deliveries, isolation, random, receipts, restore};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::panic::catch_unwind;
use tokenim_domain::sabotage::{self, BUGS, Instrument};

/// Cases that a bug has to show itself in.
const CASES: u32 = 256;

fn model() {
    let config = Config { cases: CASES, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    // The same cases each time: a bug that is found today is found tomorrow.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    random::compare_with_the_model(TestRunner::new_with_rng(config, rng));
}

#[test]
fn every_seeded_bug_of_the_store_is_found() {
    let tests: [(&str, fn()); 5] = [
        ("the model", model),
        ("what passes a cursor", deliveries::each_device_counts_what_passes_its_cursor_once),
        ("a repeated id of another app", isolation::a_repeated_id_of_another_app_is_no_repeat),
        ("who leaves a large conversation", receipts::who_leaves_leaves_the_tally),
        ("an epoch each time", restore::a_restore_begins_an_epoch_each_time),
    ];
    let finder = || tests.iter().find(|(_, test)| catch_unwind(test).is_err()).map(|(name, _)| *name);
    assert_eq!(finder(), None, "without a bug nothing is found");
    let mut unfound = Vec::new();
    for (bug, _) in BUGS.iter().filter(|(_, instrument)| *instrument == Instrument::Store) {
        sabotage::choose(bug).unwrap();
        match finder() {
            Some(test) => println!("{bug}: {test}"),
            None => unfound.push(*bug),
        }
    }
    sabotage::choose("").unwrap();
    assert!(unfound.is_empty(), "nothing finds {unfound:?}");
}
