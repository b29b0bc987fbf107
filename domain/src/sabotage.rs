//! Seeded bugs: each proves that a test would find one like it. A build with the feature `sabotage` has the one that is chosen
//! at run time; any other build has none, and a release can't have the feature.

#[cfg(all(feature = "sabotage", not(debug_assertions)))]
compile_error!("the feature `sabotage` seeds bugs for tests; a release must not carry it");

/// What finds a bug.
#[cfg(any(test, feature = "sabotage"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instrument {
    /// The simulation of the gateway, `gateway/src/sim.rs`.
    Simulation,
    /// The tests of the store, first of all the one that compares it with its model.
    Store,
    /// `tests/chaos/durability.py`, which watches the server's system calls.
    Durability,
}

/// Every bug, and what finds it.
#[cfg(any(test, feature = "sabotage"))]
pub const BUGS: [(&str, Instrument); 24] = [
    ("ack_before_commit", Instrument::Simulation),
    ("lost_answer_told_as_failure", Instrument::Simulation),
    ("batch_reordered", Instrument::Simulation),
    ("no_gap_rule", Instrument::Simulation),
    ("members_stay_after_leaving", Instrument::Simulation),
    ("joins_unseen", Instrument::Simulation),
    ("no_org_in_registry", Instrument::Simulation),
    ("no_sweep", Instrument::Simulation),
    ("no_gate", Instrument::Simulation),
    ("backlog_skips_first", Instrument::Simulation),
    ("overflow_untold", Instrument::Simulation),
    ("no_dedup", Instrument::Store),
    ("repeat_has_new_seq", Instrument::Store),
    ("no_app_in_repeats", Instrument::Store),
    ("seq_gap", Instrument::Store),
    ("seq_used_twice", Instrument::Store),
    ("head_stays", Instrument::Store),
    ("usage_doubled", Instrument::Store),
    ("usage_lost", Instrument::Store),
    ("delivered_twice", Instrument::Store),
    ("cursor_behind", Instrument::Store),
    ("leaver_stays_tallied", Instrument::Store),
    ("epoch_kept", Instrument::Store),
    ("synchronous_off", Instrument::Durability),
];

/// The bug that is chosen; empty = none.
#[cfg(feature = "sabotage")]
static CHOSEN: std::sync::RwLock<&'static str> = std::sync::RwLock::new("");

/// Chooses a bug, or none by the empty text.
///
/// Errors: `invalid_field` for a name of none.
#[cfg(feature = "sabotage")]
pub fn choose(bug: &str) -> crate::Result<()> {
    let unknown = || crate::Error::invalid("bug", format!("there is no seeded bug `{bug}`"));
    let known = BUGS.iter().map(|(name, _)| *name).chain([""]).find(|name| *name == bug).ok_or_else(unknown)?;
    *CHOSEN.write().unwrap_or_else(std::sync::PoisonError::into_inner) = known;
    Ok(())
}

/// Whether this bug is chosen.
#[cfg(feature = "sabotage")]
#[must_use]
pub fn is(bug: &'static str) -> bool {
    *CHOSEN.read().unwrap_or_else(std::sync::PoisonError::into_inner) == bug
}

/// Whether this bug is chosen: none is.
#[cfg(not(feature = "sabotage"))]
#[inline(always)]
#[must_use]
pub const fn is(_: &'static str) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Names after `sabotage::is(` in the sources below a folder.
    fn named(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                named(&path, names);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let parts = text.split("sabotage::is(\"").skip(1);
                names.extend(parts.map(|part| part.split('"').next().unwrap().to_owned()));
            }
        }
    }

    #[test]
    fn every_bug_of_the_code_is_in_the_list_and_the_other_way_round() {
        let mut names = BTreeSet::new();
        for package in ["gateway", "store", ""] {
            named(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(package).join("src"), &mut names);
        }
        let listed: BTreeSet<_> = BUGS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names, listed);
        assert_eq!(listed.len(), BUGS.len(), "no name twice");
    }
}
