//! Reading from a database of many stored messages: the last 50 of a conversation and the directory of a user, beside bare queries.

use crate::floor::stored::{self, Reader, Reads};
use crate::folder::{self, Common};
use crate::report::{Failure, Spread, say, say_json, spread};
use crate::{resync, token};
use clap::Args;
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use tokenim_bench::{Connection, Keys, Rest, process};

const MESSAGES_MAX: u64 = 50_000_000;
const READER: &str = "reader";
const WRITER: &str = "writer";

/// Flags of `history`.
#[derive(Debug, Args)]
pub struct Flags {
    #[command(flatten)]
    common: Common,
    /// Messages in the database; they are written straight into its file.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1_000..=MESSAGES_MAX))]
    messages: u64,
    /// Conversations they are in, all of one user.
    #[arg(long, default_value_t = 100)]
    conversations: usize,
    /// How often each conversation is read once everything is warm, and the directory ten times as rarely.
    #[arg(long, default_value_t = 10)]
    repeats: usize,
    /// How often a fresh server and the bare queries take turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// What one side did in a turn.
struct Turn {
    /// Each conversation once, the file not in memory.
    cold: Reads,
    warm: Reads,
    directory: Reads,
}

/// Runs the turns.
pub async fn run(flags: Flags) -> Result<(), Failure> {
    let data = flags.common.data.join("history");
    folder::fresh(&data)?;
    let keys = flags.common.bootstrap(&data)?;
    let (file, names) = (data.join("tokenim.db"), create(&flags, &data, &keys).await?);
    let since = Instant::now();
    stored::fill(&file, WRITER, flags.messages, |written| {
        if written % 1_000_000 == 0 {
            say(&format!("history: {written} messages written, {:.0} s", since.elapsed().as_secs_f64()));
        }
    })?;
    let bytes = std::fs::metadata(&file)?.len();
    say(&format!("history: {} messages in {} conversations, {} MB", flags.messages, names.len(), bytes / 1_000_000));
    let reader_token = token::sign(&keys, READER)?;
    let known = resync::learn(&flags.common, &data, &reader_token).await?;
    let (mut turns, mut returns) = (Vec::new(), Vec::new());
    for number in 1..=flags.rounds {
        forget(&file)?;
        returns.push(resync::come_back(&flags.common, &data, &reader_token, &known).await?);
        let repeated: Vec<_> = (0..flags.repeats).flat_map(|_| names.clone()).collect();
        forget(&file)?;
        let served = serve(&flags, &data, &keys, &names, &repeated).await?;
        forget(&file)?;
        let reader = Reader::open(&file)?;
        let bare = Turn {
            cold: reader.newest(&names)?,
            warm: reader.newest(&repeated)?,
            directory: reader.directory(READER, repeated.len() / 10)?,
        };
        say_turn(number, "server", &served);
        say_turn(number, "bare queries", &bare);
        turns.push((served, bare));
    }
    conclude(&flags, bytes, &turns);
    resync::conclude(known.len(), &returns);
    Ok(())
}

async fn create(flags: &Flags, data: &Path, keys: &Keys) -> Result<Vec<String>, Failure> {
    let server = flags.common.start(data).await?;
    let mut rest = Rest::connect(&server.address, &keys.key).await?;
    let names: Vec<_> = (0..flags.conversations).map(|at| format!("conv_{at:026}")).collect();
    for name in &names {
        let new = json!({"kind": "group", "id": name, "members": [READER, WRITER]});
        rest.post("/v1/conversations", &new.to_string()).await?;
    }
    server.stop().await?;
    Ok(names)
}

/// Asks the kernel to drop a file from its memory, this one file and no other's.
fn forget(file: &Path) -> Result<(), Failure> {
    let mut command = Command::new("dd");
    command.arg(format!("if={}", file.display())).args(["iflag=nocache", "count=0"]).stderr(Stdio::null());
    let done = command.status()?;
    if done.success() { Ok(()) } else { Err(Failure::new("dd could not drop the file from memory")) }
}

async fn serve(
    flags: &Flags,
    data: &Path,
    keys: &Keys,
    names: &[String],
    repeated: &[String],
) -> Result<Turn, Failure> {
    let server = flags.common.start(data).await?;
    let mut connection = Connection::open(&server.address, &token::sign(keys, READER)?, "").await?;
    let newest = |name: &String| format!("\"history\":{{\"conversation\":\"{name}\",\"limit\":50}}");
    let pid = server.pid();
    let cold = asked(&mut connection, pid, names.iter().map(newest)).await?;
    let warm = asked(&mut connection, pid, repeated.iter().map(newest)).await?;
    let sync = || "\"sync\":{}".to_owned();
    let directory = asked(&mut connection, pid, std::iter::repeat_with(sync).take(repeated.len() / 10)).await?;
    server.stop().await?;
    Ok(Turn { cold, warm, directory })
}

/// Commands one after the other, each from its sending to the end of its reply.
async fn asked(
    connection: &mut Connection,
    pid: u32,
    commands: impl Iterator<Item = String>,
) -> Result<Reads, Failure> {
    let cpu = || Ok::<_, Failure>(process::threads_us(pid)?.values().sum::<u64>());
    let (mut took_us, before) = (Vec::new(), cpu()?);
    for command in commands {
        let since = Instant::now();
        connection.ask(&command).await?;
        took_us.push(since.elapsed().as_secs_f64() * 1e6);
    }
    let cpu_us = (cpu()? - before) as f64 / took_us.len().max(1) as f64;
    took_us.sort_by(f64::total_cmp);
    Ok(Reads { took_us, cpu_us })
}

impl Reads {
    fn at(&self, share: f64) -> f64 {
        let last = self.took_us.len().saturating_sub(1);
        self.took_us.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
    }
}

fn say_turn(number: usize, who: &str, turn: &Turn) {
    let line =
        |reads: &Reads| format!("p50 {:.0} p99 {:.0} µs, {:.0} µs CPU", reads.at(0.5), reads.at(0.99), reads.cpu_us);
    say(&format!(
        "history, turn {number}, {who}: last 50 cold {}; warm {}; directory {}",
        line(&turn.cold),
        line(&turn.warm),
        line(&turn.directory)
    ));
}

/// One kind of read of a turn.
type Pick = fn(&Turn) -> &Reads;

fn conclude(flags: &Flags, bytes: u64, turns: &[(Turn, Turn)]) {
    let of = |figure: &dyn Fn(&Turn, &Turn) -> f64| -> Spread {
        spread(turns.iter().map(|(served, bare)| figure(served, bare)))
    };
    let pick: [(&str, Pick); 3] =
        [("last_50_cold", |turn| &turn.cold), ("last_50_warm", |turn| &turn.warm), ("sync", |turn| &turn.directory)];
    for (name, reads) in pick {
        let (served, bare) = (of(&|served, _| reads(served).at(0.5)), of(&|_, bare| reads(bare).at(0.5)));
        let wall = of(&|served, bare| reads(served).at(0.5) / reads(bare).at(0.5));
        let cpu = of(&|served, bare| reads(served).cpu_us / reads(bare).cpu_us);
        let (served_cpu, bare_cpu) = (of(&|served, _| reads(served).cpu_us), of(&|_, bare| reads(bare).cpu_us));
        say(&format!(
            "{name}: server p50 {served} µs over its socket, bare {bare} µs, ratio {wall}; CPU {served_cpu} and {bare_cpu} µs, ratio {cpu}"
        ));
        say_json(&json!({
            "load": "history", "read": name, "messages": flags.messages, "conversations": flags.conversations, "file_bytes": bytes,
            "turns": turns.len(), "server_p50_us": served, "bare_p50_us": bare, "ratio_p50": wall,
            "server_p99_us": of(&|served, _| reads(served).at(0.99)), "bare_p99_us": of(&|_, bare| reads(bare).at(0.99)),
            "server_cpu_us": served_cpu, "bare_cpu_us": bare_cpu, "ratio_cpu": cpu,
        }));
    }
}
