//! Durable messages per second over many 1:1 conversations, and what a bare writer of the same schema does in between.

use crate::floor::append::{self, Floor, Schema};
use crate::folder::{self, Common};
use crate::report::{Failure, Spread, say, say_json, spread};
use crate::token;
use clap::Args;
use serde_json::json;
use std::time::Duration;
use tokenim_bench::{Connection, Cost, Keys, Meter, Rest, Sender, Server, Tally, receive};
use tokio::task::JoinSet;

/// Load before the measured stretch, so that caches are warm and batches have found their size.
const WARM_UP: Duration = Duration::from_secs(1);

/// Flags of `durable`.
#[derive(Debug, Args)]
pub struct Flags {
    #[command(flatten)]
    common: Common,
    /// Messages in flight over all conversations, one series for each.
    #[arg(long, value_delimiter = ',', default_value = "64,512")]
    in_flight: Vec<usize>,
    /// Seconds of each measured stretch.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Conversations, each with its own sending connection.
    #[arg(long, default_value_t = 64)]
    conversations: usize,
    /// How often server and floor take turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The other side of each conversation is connected too and is delivered to.
    #[arg(long)]
    deliver: bool,
}

struct Load {
    server: Server,
    keys: Keys,
    conversations: Vec<String>,
}

/// One stretch of the server.
struct Stretch {
    acked: u64,
    delivered: u64,
    p50_ms: f64,
    p99_ms: f64,
    cost: Cost,
}

impl Stretch {
    fn rate(&self) -> f64 {
        self.acked as f64 / self.cost.seconds
    }

    /// Writes a commit.
    fn batch(&self) -> f64 {
        self.cost.writes_per_commit.unwrap_or(1.0)
    }

    fn cpu_us(&self) -> f64 {
        self.cost.server_us as f64 / self.acked.max(1) as f64
    }
}

/// One turn of everybody.
struct Round {
    server: Stretch,
    whole: append::Run,
    /// The whole schema in batches of the size the server's had on average.
    same_batch: append::Run,
    messages: append::Run,
}

fn rate(run: &append::Run) -> f64 {
    run.messages as f64 / run.took.as_secs_f64()
}

fn cpu_us(run: &append::Run) -> f64 {
    run.cpu.as_secs_f64() * 1e6 / run.messages.max(1) as f64
}

/// Runs the series.
pub async fn run(flags: Flags) -> Result<(), Failure> {
    let (data, floors) = (flags.common.data.join("durable/server"), flags.common.data.join("durable/floor"));
    folder::fresh(&flags.common.data.join("durable"))?;
    [&data, &floors].into_iter().try_for_each(std::fs::create_dir_all)?;
    let keys = flags.common.bootstrap(&data)?;
    let server = flags.common.start(&data).await?;
    let conversations = create(&server, &keys, flags.conversations).await?;
    let load = Load { server, keys, conversations };
    let mut whole = Floor::make(&floors, Schema::Whole, flags.conversations)?;
    let mut messages = Floor::make(&floors, Schema::MessagesOnly, flags.conversations)?;
    let seconds = Duration::from_secs(flags.seconds);
    let mut number = 0;
    for in_flight in &flags.in_flight {
        let mut rounds = Vec::new();
        for _ in 0..flags.rounds {
            number += 1;
            let server = stretch(&load, &flags, *in_flight, number).await?;
            let batch = (server.batch().round() as usize).max(1);
            let round = Round {
                server,
                whole: whole.run(*in_flight, seconds)?,
                same_batch: whole.run(batch, seconds / 2)?,
                messages: messages.run(*in_flight, seconds / 2)?,
            };
            say_round(*in_flight, number, &round);
            rounds.push(round);
        }
        conclude(*in_flight, flags.deliver, &rounds);
    }
    Ok(load.server.stop().await?)
}

async fn create(server: &Server, keys: &Keys, count: usize) -> Result<Vec<String>, Failure> {
    let mut rest = Rest::connect(&server.address, &keys.key).await?;
    let mut conversations = Vec::with_capacity(count);
    for pair in 0..count {
        let new = json!({"kind": "direct", "members": [format!("sender-{pair}"), format!("reader-{pair}")]});
        let made = rest.post("/v1/conversations", &new.to_string()).await?;
        let made: serde_json::Value = serde_json::from_str(&made).map_err(|error| Failure::new(error.to_string()))?;
        conversations.push(made["id"].as_str().unwrap_or_default().to_owned());
    }
    Ok(conversations)
}

async fn stretch(load: &Load, flags: &Flags, in_flight: usize, number: u64) -> Result<Stretch, Failure> {
    let tally = Tally::new();
    let (mut senders, mut readers) = (JoinSet::new(), JoinSet::new());
    for (pair, conversation) in load.conversations.iter().enumerate() {
        let open = async |name: &str| {
            let token = token::sign(&load.keys, &format!("{name}-{pair}"))?;
            Ok::<_, Failure>(Connection::open(&load.server.address, &token, "").await?)
        };
        if flags.deliver {
            readers.spawn_local(receive(open("reader").await?, pair as u64, tally.clone()));
        }
        let window = in_flight / load.conversations.len() + usize::from(pair < in_flight % load.conversations.len());
        let run = number << 16 | pair as u64;
        let mut sender = Sender::new(open("sender").await?, conversation, run, tally.clone());
        senders.spawn_local(async move { sender.keep_in_flight(window).await });
    }
    tokio::time::sleep(WARM_UP).await;
    let meter = Meter::start(&load.server.watched).await?;
    tally.recording.set(true);
    tokio::time::sleep(Duration::from_secs(flags.seconds)).await;
    tally.recording.set(false);
    let cost = meter.stop(&load.server.watched).await?;
    tally.stopping.set(true);
    while let Some(ended) = senders.join_next().await {
        ended.map_err(|error| Failure::new(error.to_string()))??;
    }
    let latency = tally.ack_latency.borrow();
    Ok(Stretch {
        acked: tally.acked.get(),
        delivered: tally.delivered.get(),
        p50_ms: latency.quantile_ms(0.5),
        p99_ms: latency.quantile_ms(0.99),
        cost,
    })
}

fn say_round(in_flight: usize, number: u64, round: &Round) {
    let Stretch { acked, delivered, p50_ms, p99_ms, cost } = &round.server;
    say(&format!(
        "durable {in_flight} in flight, turn {number}: server {:.0}/s, ack p50 {p50_ms:.2} p99 {p99_ms:.2} ms, {:.1} µs CPU each ({}), {:.1} writes a commit, {delivered} delivered; client CPU {:.0} %, others {:.0} %",
        round.server.rate(),
        round.server.cpu_us(),
        cost.threads_per(*acked),
        round.server.batch(),
        cost.client_us as f64 / cost.seconds / 1e4,
        cost.others_share * 100.0,
    ));
    for (name, run) in [
        ("whole schema", &round.whole),
        ("whole schema, the server's batch", &round.same_batch),
        ("messages only", &round.messages),
    ] {
        say(&format!(
            "  floor, {name}: {:.0}/s, p50 {:.2} p99 {:.2} ms, {:.1} µs CPU each",
            rate(run),
            run.latency.quantile_ms(0.5),
            run.latency.quantile_ms(0.99),
            cpu_us(run)
        ));
    }
}

fn conclude(in_flight: usize, deliver: bool, rounds: &[Round]) {
    let of = |figure: fn(&Round) -> f64| -> Spread { spread(rounds.iter().map(figure)) };
    let rates = of(|round| round.server.rate());
    let (p50, p99) = (of(|round| round.server.p50_ms), of(|round| round.server.p99_ms));
    let ratio = of(|round| round.server.rate() / rate(&round.whole));
    let ratio_same = of(|round| round.server.rate() / rate(&round.same_batch));
    let ratio_messages = of(|round| round.server.rate() / rate(&round.messages));
    let (cpu, floor_cpu) = (of(|round| round.server.cpu_us()), of(|round| cpu_us(&round.whole)));
    let batch = of(|round| round.server.batch());
    let others = of(|round| round.server.cost.others_share);
    say(&format!("durable {in_flight} in flight, {} turns (closed loop):", rounds.len()));
    say(&format!(
        "  server {rates} messages/s, ack p50 {p50} ms, p99 {p99} ms, {cpu} µs CPU each, {batch} writes a commit"
    ));
    say(&format!(
        "  ratio to the bare writer, whole schema {ratio} · the server's batch {ratio_same} · messages only {ratio_messages}; the writer's CPU {floor_cpu} µs each"
    ));
    say_json(&json!({
        "load": "durable", "in_flight": in_flight, "deliver": deliver, "turns": rounds.len(), "loop": "closed",
        "server_per_s": rates, "ack_p50_ms": p50, "ack_p99_ms": p99, "server_cpu_us": cpu, "writes_per_commit": batch,
        "floor_whole_per_s": of(|round| rate(&round.whole)), "floor_same_batch_per_s": of(|round| rate(&round.same_batch)),
        "floor_messages_per_s": of(|round| rate(&round.messages)), "floor_cpu_us": floor_cpu,
        "ratio_whole": ratio, "ratio_same_batch": ratio_same, "ratio_messages": ratio_messages, "others_share": others,
    }));
}
