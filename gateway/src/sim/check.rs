//! The properties that every run must have, whatever befell it (the names are those of the history checker in tests/checker).

use super::history::{Device, End, Records, Sending};
use super::world::World;
use std::collections::{BTreeMap, BTreeSet};
use tokenim_domain::log::{Event, EventBody, MessageAct};
use tokenim_domain::role::Change;

/// Messages that are acked in every run.
const ACKED_MIN: usize = 10;

/// The final log of one conversation.
struct Final {
    events: Vec<Event>,
    /// By user: the seqs it joined and left at; still there: none.
    stays: BTreeMap<String, Vec<(i64, Option<i64>)>>,
}

/// Everything that is not as it must be.
pub fn check(world: &World, conversations: &[&str], devices: &[Device]) -> Vec<String> {
    let records = world.history.records();
    let mut found = records.findings.clone();
    let mut logs = BTreeMap::new();
    for org in 0..2 {
        for name in conversations {
            let events = world.log.events(world.app(org), name);
            let stays = stays(&events);
            logs.insert((org, (*name).to_owned()), Final { events, stays });
        }
    }
    for ((org, name), log) in &logs {
        if let Some((at, event)) = log.events.iter().enumerate().find(|(at, event)| event.seq != *at as i64 + 1) {
            found.push(format!("C3: {org}/{name} has seq {} at place {}", event.seq, at + 1));
        }
        sendings(
            &mut found,
            log,
            records.sendings.iter().filter(|sending| sending.org == *org && sending.conversation == *name),
        );
    }
    for (life, device, name, seq) in &records.skipped {
        if records.committed.contains(&(*life, device.org, name.clone(), *seq)) {
            found.push(format!("C9: {device} was not told of {name}/{seq}, which its node committed"));
        }
    }
    ended(&mut found, &records);
    told(&mut found, &logs, &records);
    applied(&mut found, &logs, &records, devices);
    found
}

fn stays(events: &[Event]) -> BTreeMap<String, Vec<(i64, Option<i64>)>> {
    let mut stays: BTreeMap<String, Vec<(i64, Option<i64>)>> = BTreeMap::new();
    for event in events {
        let EventBody::Member { change, users, .. } = &event.body else { continue };
        for (user, _) in users {
            let of = stays.entry(user.to_string()).or_default();
            match change {
                Change::Created | Change::Added => of.push((event.seq, None)),
                Change::Removed | Change::Banned => of.last_mut().into_iter().for_each(|last| last.1 = Some(event.seq)),
                _ => {}
            }
        }
    }
    stays
}

/// C1, C2, C4, C5: what was sent, against what is stored.
fn sendings<'a>(found: &mut Vec<String>, log: &Final, sendings: impl Iterator<Item = &'a Sending>) {
    let mut stored: BTreeMap<(String, String), Vec<(i64, String)>> = BTreeMap::new();
    for event in &log.events {
        if let EventBody::Message { sender, client_msg_id, body, .. } = &event.body {
            let key = (sender.to_string(), client_msg_id.to_string());
            stored.entry(key).or_default().push((event.seq, body.to_string()));
        }
    }
    let mut by_seq = Vec::new();
    for sending in sendings {
        let id = &sending.id;
        let copies = stored.remove(&(sending.user.clone(), id.clone())).unwrap_or_default();
        if copies.len() > 1 {
            found.push(format!("C2: {id} is stored {} times", copies.len()));
        }
        match sending.end {
            End::Acked(seq) if copies.first() != Some(&(seq, sending.body.clone())) => {
                found.push(format!(
                    "C1: {id} was acked as {seq} and is stored as {:?}",
                    copies.first().map(|copy| copy.0)
                ));
            }
            End::Failed if !copies.is_empty() => found.push(format!("C5: {id} was refused and is stored")),
            End::Acked(_) | End::Failed | End::Open => {}
        }
        // Of whom nobody knows what became, it may still come to be after it was given up.
        let done = if sending.end == End::Open { u64::MAX } else { sending.done };
        by_seq.extend(copies.first().map(|(seq, _)| (*seq, sending.invoked, done)));
    }
    if let Some((_, id)) = stored.keys().next() {
        found.push(format!("C1: {id} is stored and nobody sent it"));
    }
    by_seq.sort_unstable();
    // From the last: the earliest end of any with a higher seq.
    let mut ended = (u64::MAX, 0);
    for (seq, invoked, done) in by_seq.into_iter().rev() {
        if ended.0 < invoked {
            found.push(format!("C4: seq {} was done before seq {seq} was asked for", ended.1));
        }
        ended = ended.min((done, seq));
    }
}

/// Once everything is in order again whatever was sent comes to its end, and most of it is acked: a node that refuses everything, or
/// answers nothing, keeps every other promise.
fn ended(found: &mut Vec<String>, records: &Records) {
    let endless = records.sendings.iter().filter(|sending| sending.done == u64::MAX);
    found.extend(endless.map(|sending| format!("L1: {} of {} never came to its end", sending.id, sending.user)));
    let acked = records.sendings.iter().filter(|sending| matches!(sending.end, End::Acked(_))).count();
    if acked * 2 < records.sendings.len() || acked < ACKED_MIN {
        found.push(format!("L2: {acked} of {} messages were acked", records.sendings.len()));
    }
}

/// C6, C11: what devices were told, against what is stored.
fn told(found: &mut Vec<String>, logs: &BTreeMap<(usize, String), Final>, records: &Records) {
    for told in &records.told {
        let (device, name, seq) = (&told.device, &told.conversation, told.seq);
        let Some(log) = logs.get(&(device.org, name.clone())) else {
            found.push(format!("C12: {device} was told of {name}"));
            continue;
        };
        match log.events.get(seq as usize - 1) {
            None => found.push(format!("C6: {device} was told of {name}/{seq}, which is not stored")),
            Some(event) if told.what.as_ref().is_some_and(|what| *what != short(event)) => {
                found.push(format!(
                    "C6: {device} was told {:?} of {name}/{seq}, which is {:?}",
                    told.what,
                    short(event)
                ));
            }
            Some(_) => {}
        }
        let is_inside = |(joined, left): &(i64, Option<i64>)| *joined <= seq && left.is_none_or(|left| seq <= left);
        if !log.stays.get(&device.user).is_some_and(|stays| stays.iter().any(is_inside)) {
            found.push(format!("C11: {device} was told of {name}/{seq} while it was no member"));
        }
    }
}

/// C7, C10: what applications were given, and that nothing is missing at the end.
fn applied(found: &mut Vec<String>, logs: &BTreeMap<(usize, String), Final>, records: &Records, devices: &[Device]) {
    let mut last: BTreeMap<(&Device, &str), i64> = BTreeMap::new();
    for (device, name, seq) in &records.applied {
        let before = last.insert((device, name), *seq).unwrap_or(0);
        let joins = |log: &Final| {
            log.stays.get(&device.user).is_some_and(|stays| stays.iter().any(|(joined, _)| joined == seq))
        };
        let may_begin = *seq > before && logs.get(&(device.org, name.clone())).is_some_and(joins);
        if *seq != before + 1 && !may_begin {
            found.push(format!("C7: {device} was given {name}/{seq} after {before}"));
        }
    }
    let online: BTreeSet<&Device> = records.online.iter().collect();
    for device in devices {
        if !online.contains(device) {
            found.push(format!("C10: {device} is not online"));
        }
        for ((_, name), log) in logs.iter().filter(|((org, _), _)| *org == device.org) {
            let is_member =
                log.stays.get(&device.user).is_some_and(|stays| stays.last().is_some_and(|last| last.1.is_none()));
            let at = last.get(&(device, name.as_str())).copied().unwrap_or(0);
            if is_member && at != log.events.len() as i64 {
                found.push(format!("C10: {device} is at {name}/{at} of {}", log.events.len()));
            }
        }
    }
}

/// An event in short.
fn short(event: &Event) -> String {
    match &event.body {
        EventBody::Message { sender, client_msg_id, body, .. } => format!("message {sender} {client_msg_id} {body}"),
        EventBody::Amended { target, act: MessageAct::Edit { body, .. }, .. } => format!("edited {target} {body}"),
        EventBody::Amended { .. } => "amended".to_owned(),
        EventBody::Member { change, users, .. } => format!("member {} {}", change.as_str(), users.len()),
        EventBody::Settings { .. } => "conversation".to_owned(),
    }
}
