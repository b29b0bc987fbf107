//! What happened in a run: a trace to the byte, and the records that the checker reads.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};
use tokenim_domain::clock::Clock;

/// A device of a user of an org.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device {
    pub org: usize,
    pub user: String,
    pub name: String,
}

/// How a send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nobody knows.
    Open,
    Acked(i64),
    /// Definitely not stored.
    Failed,
}

/// A message that somebody wanted to send.
#[derive(Debug, Clone)]
pub struct Sending {
    pub org: usize,
    pub conversation: String,
    pub user: String,
    pub id: String,
    pub body: String,
    /// Steps of the run: when it was asked for, and when its end was known.
    pub invoked: u64,
    pub done: u64,
    pub end: End,
}

/// An event that a device was told of.
#[derive(Debug, Clone)]
pub struct Told {
    pub device: Device,
    pub conversation: String,
    pub seq: i64,
    /// What it was, in short; none where the device's own ack told it.
    pub what: Option<String>,
}

#[derive(Default)]
pub struct Records {
    trace: String,
    step: u64,
    pub sendings: Vec<Sending>,
    pub told: Vec<Told>,
    /// What applications were given, in order.
    pub applied: Vec<(Device, String, i64)>,
    pub online: Vec<Device>,
    /// What a client saw that may not be.
    pub findings: Vec<String>,
}

pub struct History {
    clock: Arc<dyn Clock>,
    records: Mutex<Records>,
}

impl History {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        History { clock, records: Mutex::default() }
    }

    pub fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap()
    }

    /// Notes a line, and returns the number of the step.
    pub fn note(&self, who: impl std::fmt::Display, what: impl std::fmt::Display) -> u64 {
        let ms = self.clock.monotonic().as_millis();
        let mut records = self.records();
        records.step += 1;
        let step = records.step;
        writeln!(records.trace, "{step} {ms} {who} {what}").expect("a string takes it");
        step
    }

    pub fn find(&self, finding: String) {
        self.note("!", &finding);
        self.records().findings.push(finding);
    }

    pub fn trace(&self) -> String {
        self.records().trace.clone()
    }

    pub fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.records().trace.hash(&mut hasher);
        hasher.finish()
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}/{}", self.org, self.user, self.name)
    }
}
