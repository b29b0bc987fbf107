//! What the kernel knows about a process: memory and CPU, from /proc.

use crate::failure::Failure;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;

/// Microseconds of a clock tick in /proc/PID/stat: Linux fixes USER_HZ at 100 for user space on every architecture we run on.
const TICK_US: u64 = 10_000;

/// Memory of a process, in KiB.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Memory {
    /// Resident, file pages included (VmRSS).
    pub rss_kb: u64,
    /// Resident, shared pages counted by share.
    pub pss_kb: u64,
    /// Resident and not backed by a file: heap and stacks.
    pub anonymous_kb: u64,
}

/// Memory of a process now. Errors: no such process, or one of somebody else's.
pub fn memory(pid: u32) -> Result<Memory, Failure> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let rollup = read(&format!("/proc/{pid}/smaps_rollup"))?;
    Ok(Memory {
        rss_kb: field(&status, "VmRSS:")?,
        pss_kb: field(&rollup, "Pss:")?,
        anonymous_kb: field(&rollup, "Anonymous:")?,
    })
}

fn read(file: &str) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| Failure::new(format!("reading {file}: {error}; is the server's process id right?")))
}

fn field(text: &str, name: &str) -> Result<u64, Failure> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok());
    number.ok_or_else(|| Failure::new(format!("/proc has no {name}")))
}

/// CPU microseconds a process has used: user and system, threads that ended included; the kernel counts in 10 ms.
pub fn cpu_us(pid: u32) -> Result<u64, Failure> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold spaces; fields are counted after it (proc(5): utime is 14, stime 15, state 3).
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split_whitespace().collect();
    let tick = |place: usize| fields.get(place).and_then(|text| text.parse::<u64>().ok());
    match (tick(11), tick(12)) {
        (Some(user), Some(system)) => Ok((user + system) * TICK_US),
        _ => Err(Failure::new("/proc/PID/stat is not understood")),
    }
}

/// CPU microseconds of a process's living threads, by their name.
pub fn threads_us(pid: u32) -> Result<BTreeMap<String, u64>, Failure> {
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let folder = entry?.path();
        // A thread may end between the listing and the reading.
        let (Ok(name), Ok(ran)) =
            (fs::read_to_string(folder.join("comm")), fs::read_to_string(folder.join("schedstat")))
        else {
            continue;
        };
        *threads.entry(name.trim().to_owned()).or_default() += on_cpu_ns(&ran) / 1_000;
    }
    Ok(threads)
}

/// CPU nanoseconds of the calling thread.
pub fn own_thread_ns() -> Result<u64, Failure> {
    Ok(on_cpu_ns(&fs::read_to_string("/proc/thread-self/schedstat")?))
}

fn on_cpu_ns(schedstat: &str) -> u64 {
    schedstat.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// How many files this process may have open, now and at most.
pub fn open_files_max() -> Result<(u64, u64), Failure> {
    let limits = read("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    let mut numbers = line.split_whitespace().map(|text| text.parse().unwrap_or(u64::MAX));
    match (numbers.next(), numbers.next()) {
        (Some(soft), Some(hard)) => Ok((soft, hard)),
        _ => Err(Failure::new("/proc/self/limits is not understood")),
    }
}

/// Share of all cores that was busy since boot, as (busy, all) ticks: two readings tell how calm the machine was.
pub fn machine_ticks() -> Result<(u64, u64), Failure> {
    let stat = fs::read_to_string("/proc/stat")?;
    let fields: Vec<u64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|text| text.parse().ok())
        .collect();
    let all: u64 = fields.iter().take(8).sum();
    let idle: u64 = fields.iter().skip(3).take(2).sum();
    Ok((all - idle, all))
}
