//! What a stretch of load cost: the server's CPU by thread, its commits, and how busy everybody else was meanwhile.

use crate::failure::Failure;
use crate::http::Rest;
use crate::process::{self, Memory};
use crate::stream::Address;
use std::collections::BTreeMap;
use std::time::Instant;

/// Microseconds of a tick in /proc/stat.
const TICK_US: f64 = 10_000.0;

/// A server's process on this machine.
#[derive(Clone)]
pub struct Watched {
    /// The process.
    pub pid: u32,
    /// Its private address, where it tells what it counted; `None` = not known.
    pub private: Option<Address>,
}

impl Watched {
    /// Its memory now.
    pub fn memory(&self) -> Result<Memory, Failure> {
        process::memory(self.pid)
    }

    /// What its gateway has counted: a metric of the private listener, by name; `None` where that is not known.
    pub async fn counted(&self, metric: &str) -> Result<Option<u64>, Failure> {
        let Some(private) = &self.private else { return Ok(None) };
        let text = Rest::connect(private, "").await?.get("/metrics").await?;
        let value = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' ')?.parse::<f64>().ok());
        value.map(|value| Some(value as u64)).ok_or_else(|| Failure::new(format!("no metric {metric}")))
    }
}

/// Readings at the beginning of a stretch.
pub struct Meter {
    began: Instant,
    server_us: u64,
    own_us: u64,
    machine: (u64, u64),
    threads: BTreeMap<String, u64>,
    commits: Option<u64>,
    writes: Option<u64>,
}

/// What a stretch cost.
#[derive(Debug, Clone)]
pub struct Cost {
    /// Wall time.
    pub seconds: f64,
    /// Server CPU of all threads, microseconds, from /proc/PID/stat.
    pub server_us: u64,
    /// The load generator's own CPU, microseconds.
    pub client_us: u64,
    /// Server CPU by thread name, microseconds.
    pub threads_us: BTreeMap<String, u64>,
    /// Writes per batch committed; `None` where the private address is not known.
    pub writes_per_commit: Option<f64>,
    /// Share of the machine that neither server nor generator used but somebody else did: noise.
    pub others_share: f64,
}

impl Meter {
    /// Reads everything once.
    pub async fn start(server: &Watched) -> Result<Self, Failure> {
        Ok(Meter {
            commits: server.counted("tokenim_commit_seconds_count").await?,
            writes: server.counted("tokenim_writes_total").await?,
            threads: process::threads_us(server.pid)?,
            own_us: process::cpu_us(std::process::id())?,
            machine: process::machine_ticks()?,
            server_us: process::cpu_us(server.pid)?,
            began: Instant::now(),
        })
    }

    /// Reads everything again.
    pub async fn stop(self, server: &Watched) -> Result<Cost, Failure> {
        let seconds = self.began.elapsed().as_secs_f64();
        let server_us = process::cpu_us(server.pid)? - self.server_us;
        let client_us = process::cpu_us(std::process::id())? - self.own_us;
        let (busy, all) = process::machine_ticks()?;
        let (busy_us, all_us) = ((busy - self.machine.0) as f64 * TICK_US, (all - self.machine.1) as f64 * TICK_US);
        let mut threads_us = process::threads_us(server.pid)?;
        threads_us.iter_mut().for_each(|(name, us)| *us -= self.threads.get(name).copied().unwrap_or(0).min(*us));
        let commits = server.counted("tokenim_commit_seconds_count").await?;
        let writes = server.counted("tokenim_writes_total").await?;
        Ok(Cost {
            seconds,
            server_us,
            client_us,
            threads_us,
            writes_per_commit: more(writes, self.writes)
                .zip(more(commits, self.commits))
                .map(|(writes, commits)| writes as f64 / commits.max(1) as f64),
            others_share: ((busy_us - (server_us + client_us) as f64) / all_us.max(1.0)).max(0.0),
        })
    }
}

fn more(now: Option<u64>, before: Option<u64>) -> Option<u64> {
    now.zip(before).map(|(now, before)| now - before)
}

impl Cost {
    /// The threads' shares of the server's CPU for each of `count` things, as a line; those below 1 % are left out.
    #[must_use]
    pub fn threads_per(&self, count: u64) -> String {
        let all: u64 = self.threads_us.values().sum();
        let shares = self.threads_us.iter().filter(|(_, us)| **us * 100 > all);
        let shares: Vec<_> =
            shares.map(|(name, us)| format!("{name} {:.2}", *us as f64 / count.max(1) as f64)).collect();
        shares.join(", ")
    }
}
