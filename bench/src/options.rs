//! What a run does, and the limits of it: everything is bounded in time and count.

use clap::{Args, ValueEnum, value_parser};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// Things a second.
const RATE_MAX: u32 = 1_000_000;
/// Seconds of a measured stretch.
const SECONDS_MAX: u32 = 3_600;
/// Connections of a run.
const CONNECTIONS_MAX: u32 = 200_000;
/// Members of a conversation (docs/PROTOCOL.md §4).
const MEMBERS_MAX: u32 = 100_000;
/// Conversations whose heads a connect may name (docs/PROTOCOL.md §4).
const CONVERSATIONS_MAX: u32 = 200;
/// Unanswered commands of a connection (docs/PROTOCOL.md §3).
const IN_FLIGHT_MAX: u32 = 256;
/// How far beyond its peak a server is loaded.
const FACTOR_MAX: u32 = 100;

/// What kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Connections that say nothing: how fast they come in, memory for each.
    Idle,
    /// Messages between pairs of users, both connected.
    #[value(alias = "1:1")]
    Direct,
    /// Messages to one group.
    Group,
    /// Users who come back and get what they missed, in many conversations each.
    CatchUp,
    /// Every connection is cut at once, and all come back.
    Storm,
    /// Pairs, a group and users who come back, together.
    Mixed,
    /// Far more messages than the server can take, and whether it recovers.
    Overload,
}

/// What a workload does unless told otherwise.
struct Defaults {
    rate: u32,
    connections: u32,
}

impl Workload {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    const fn defaults(self) -> Defaults {
        let (rate, connections) = match self {
            Workload::Idle => (500, 1_000),
            Workload::Direct => (500, 64),
            Workload::Group => (20, 500),
            Workload::CatchUp => (50, 200),
            Workload::Storm => (500, 1_000),
            Workload::Mixed => (200, 200),
            // Its rate is what it finds the server can do.
            Workload::Overload => (0, 1_000),
        };
        Defaults { rate, connections }
    }
}

/// What is done, and against what.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The kind of load.
    #[arg(value_enum)]
    pub workload: Workload,
    /// The server: https://chat.example.com. It is loaded for real; use an app of its own.
    #[arg(long, value_name = "URL", required_unless_present = "local", conflicts_with = "local")]
    pub url: Option<String>,
    /// File with a server key of the app to load (scopes: tokens, conversations, messages); without, TOKENIM_BENCH_KEY holds the key.
    #[arg(long, value_name = "FILE", conflicts_with = "local")]
    pub key: Option<PathBuf>,
    /// Start a server of this binary on a temporary folder, without its limits, and load that.
    #[arg(long)]
    pub local: bool,
    /// Things a second over all connections: messages, or connects of idle, catch-up and storm.
    #[arg(long, value_parser = value_parser!(u32).range(1..=i64::from(RATE_MAX)))]
    pub rate: Option<u32>,
    /// How long the load lasts, seconds; idle holds its connections for so long.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..=i64::from(SECONDS_MAX)))]
    pub seconds: u32,
    /// Connections; of a group, how many of its members are connected.
    #[arg(long, value_parser = value_parser!(u32).range(2..=i64::from(CONNECTIONS_MAX)))]
    pub connections: Option<u32>,
    /// Members of the group; as many as are connected if not told.
    #[arg(long, value_parser = value_parser!(u32).range(2..=i64::from(MEMBERS_MAX)))]
    pub members: Option<u32>,
    /// Conversations that each user of catch-up has missed something in.
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=i64::from(CONVERSATIONS_MAX)))]
    pub conversations: u32,
    /// Messages that a connection may have unanswered before it waits.
    #[arg(long, default_value_t = 200, value_parser = value_parser!(u32).range(1..=i64::from(IN_FLIGHT_MAX)))]
    pub in_flight: u32,
    /// Overload: how many times the peak is offered.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(2..=i64::from(FACTOR_MAX)))]
    pub factor: u32,
    /// The server's process on this machine, for its CPU and memory.
    #[arg(long, conflicts_with = "local")]
    pub pid: Option<u32>,
    /// Print the report as JSON, the last line of stdout.
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// Things a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        f64::from(self.rate.unwrap_or(self.workload.defaults().rate))
    }

    /// Connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.unwrap_or(self.workload.defaults().connections) as usize
    }

    /// Members of the group.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members.map_or(self.connections(), |members| members as usize)
    }

    /// How long the measured load lasts.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}
