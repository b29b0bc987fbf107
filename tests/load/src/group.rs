//! One large group: server CPU per delivery, one message at a time and under load, and bare writes to as many sockets.

use crate::floor::fanout::Writer;
use crate::folder::{self, Common};
use crate::report::{Failure, say, say_json, spread};
use crate::token;
use clap::Args;
use serde_json::json;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokenim_bench::{Connection, Cost, Keys, Meter, Rest, Schedule, Sender, Server, Tally, receive};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const WARM_UP: Duration = Duration::from_secs(1);
/// How long deliveries may still come after the last ack.
const TAIL: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(1);
/// Unanswered commands of a connection (docs/PROTOCOL.md §3), a few less.
const IN_FLIGHT_MAX: usize = 200;
const CONVERSATION: &str = "the-group";

/// Flags of `group`.
#[derive(Debug, Args)]
pub struct Flags {
    #[command(flatten)]
    common: Common,
    /// Members, all connected; one of them sends.
    #[arg(long, default_value_t = 1_000)]
    members: usize,
    /// Seconds of each measured stretch.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Messages per second of the open loop.
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Messages in flight of the closed loop.
    #[arg(long, default_value_t = 16)]
    in_flight: usize,
    /// How often each is repeated.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// How messages are sent.
#[derive(Debug, Clone, Copy)]
enum Pace {
    Rate(u32),
    InFlight(usize),
}

/// One stretch, of the server or of the floor.
struct Stretch {
    deliveries: u64,
    reads: u64,
    seconds: f64,
    server_us: f64,
    text_bytes: usize,
    p50_ms: f64,
    p99_ms: f64,
    cost: Option<Cost>,
}

impl Stretch {
    fn us_each(&self) -> f64 {
        self.server_us / self.deliveries.max(1) as f64
    }

    fn per_read(&self) -> f64 {
        self.deliveries as f64 / self.reads.max(1) as f64
    }
}

/// Runs both paces, the floor after each.
pub async fn run(flags: Flags) -> Result<(), Failure> {
    let data = flags.common.data.join("group");
    folder::fresh(&data)?;
    let keys = flags.common.bootstrap(&data)?;
    let server = flags.common.start(&data).await?;
    let members: Vec<String> = (0..flags.members).map(member).collect();
    let new = json!({"kind": "group", "id": CONVERSATION, "members": members});
    Rest::connect(&server.address, &keys.key).await?.post("/v1/conversations", &new.to_string()).await?;
    let mut number = 0;
    for pace in [Pace::Rate(flags.rate), Pace::InFlight(flags.in_flight)] {
        let mut rounds = Vec::new();
        for _ in 0..flags.rounds {
            number += 1;
            let served = stretch(&server, &keys, &flags, pace, number).await?;
            let bare = floor(&flags, pace, &served).await?;
            say_round(pace, number, &served, &bare);
            rounds.push((served, bare));
        }
        conclude(pace, &flags, &rounds);
    }
    Ok(server.stop().await?)
}

fn member(number: usize) -> String {
    format!("member-{number}")
}

async fn stretch(server: &Server, keys: &Keys, flags: &Flags, pace: Pace, number: u64) -> Result<Stretch, Failure> {
    let tally = Tally::new();
    let mut readers = JoinSet::new();
    for at in 1..flags.members {
        let token = token::sign(keys, &member(at))?;
        let connection = Connection::open(&server.address, &token, "").await?;
        readers.spawn_local(receive(connection, at as u64, tally.clone()));
    }
    let connection = Connection::open(&server.address, &token::sign(keys, &member(0))?, "").await?;
    let mut sender = Sender::new(connection, CONVERSATION, number, tally.clone());
    let mut sending = JoinSet::new();
    tokio::time::sleep(WARM_UP).await;
    let meter = Meter::start(&server.watched).await?;
    tally.recording.set(true);
    match pace {
        Pace::Rate(rate) => {
            let schedule = Schedule::part(Instant::now(), rate.into(), Duration::from_secs(flags.seconds), 0, 1);
            sending.spawn_local(async move { sender.send_on(&schedule, IN_FLIGHT_MAX).await })
        }
        Pace::InFlight(window) => sending.spawn_local(async move { sender.keep_in_flight(window).await }),
    };
    tokio::time::sleep(Duration::from_secs(flags.seconds)).await;
    tally.stopping.set(true);
    while let Some(ended) = sending.join_next().await {
        ended.map_err(|error| Failure::new(error.to_string()))??;
    }
    let expected = tally.acked.get() * (flags.members as u64 - 1);
    let since = Instant::now();
    while tally.delivered.get() < expected && since.elapsed() < TAIL {
        tokio::time::sleep(POLL).await;
    }
    let cost = meter.stop(&server.watched).await?;
    if tally.delivered.get() != expected {
        return Err(Failure::new(format!("{} of {expected} deliveries came", tally.delivered.get())));
    }
    let latency = tally.delivery_latency.borrow();
    Ok(Stretch {
        deliveries: expected,
        reads: tally.reads.get(),
        seconds: cost.seconds,
        server_us: cost.server_us as f64,
        text_bytes: tally.text_bytes.get(),
        p50_ms: latency.quantile_ms(0.5),
        p99_ms: latency.quantile_ms(0.99),
        cost: Some(cost),
    })
}

/// The same bytes to as many sockets: as many frames in one write as the server's receivers got in one read.
async fn floor(flags: &Flags, pace: Pace, served: &Stretch) -> Result<Stretch, Failure> {
    let readers = flags.members - 1;
    let writer = Writer::start(readers)?;
    let came = Rc::new(Cell::new(0u64));
    let mut reading = JoinSet::new();
    for _ in 0..readers {
        reading.spawn_local(count(TcpStream::connect(writer.address).await?, came.clone()));
    }
    let frames = (served.per_read().round() as usize).max(1);
    let bytes = vec![b'x'; (served.text_bytes + 4) * frames];
    let (mut rounds, mut first_cpu, mut last_cpu) = (0u64, None, Duration::ZERO);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(flags.seconds) / 2 {
        if let Pace::Rate(rate) = pace {
            tokio::time::sleep_until((began + Duration::from_secs(1) * rounds as u32 / rate).into()).await;
        }
        writer.begin(bytes.clone())?;
        rounds += 1;
        let mut used = None;
        while used.is_none() || came.get() < rounds * (readers * bytes.len()) as u64 {
            tokio::task::yield_now().await;
            used = used.or(writer.finished()?);
            if came.get() < rounds * (readers * bytes.len()) as u64 {
                // Lets the reactor see the sockets.
                tokio::time::sleep(POLL).await;
            }
        }
        last_cpu = used.unwrap_or_default();
        first_cpu = first_cpu.or(used);
    }
    Ok(Stretch {
        // The first round warms up; it isn't counted.
        deliveries: rounds.saturating_sub(1) * (readers * frames) as u64,
        reads: rounds.saturating_sub(1) * readers as u64,
        seconds: began.elapsed().as_secs_f64(),
        server_us: (last_cpu - first_cpu.unwrap_or_default()).as_secs_f64() * 1e6,
        text_bytes: served.text_bytes,
        p50_ms: 0.0,
        p99_ms: 0.0,
        cost: None,
    })
}

async fn count(mut stream: TcpStream, came: Rc<Cell<u64>>) -> Result<(), Failure> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            bytes => came.set(came.get() + bytes as u64),
        }
    }
}

fn say_round(pace: Pace, number: u64, served: &Stretch, bare: &Stretch) {
    let cost = served.cost.as_ref().expect("a stretch of the server has its cost");
    say(&format!(
        "group {pace:?}, turn {number}: {:.0} deliveries/s, {:.2} µs server CPU each ({}), {:.1} a read, p50 {:.2} p99 {:.2} ms, {:.1} writes a commit; client CPU {:.0} %, others {:.0} %",
        served.deliveries as f64 / served.seconds,
        served.us_each(),
        cost.threads_per(served.deliveries),
        served.per_read(),
        served.p50_ms,
        served.p99_ms,
        cost.writes_per_commit.unwrap_or(1.0),
        cost.client_us as f64 / cost.seconds / 1e4,
        cost.others_share * 100.0,
    ));
    say(&format!("  floor, {:.0} frames a write: {:.2} µs CPU per frame", bare.per_read(), bare.us_each()));
}

fn conclude(pace: Pace, flags: &Flags, rounds: &[(Stretch, Stretch)]) {
    let of = |figure: fn(&(Stretch, Stretch)) -> f64| spread(rounds.iter().map(figure));
    let (cpu, floor) = (of(|(served, _)| served.us_each()), of(|(_, bare)| bare.us_each()));
    let ratio = of(|(served, bare)| served.us_each() / bare.us_each());
    let rate = of(|(served, _)| served.deliveries as f64 / served.seconds);
    let (p50, p99) = (of(|(served, _)| served.p50_ms), of(|(served, _)| served.p99_ms));
    let per_read = of(|(served, _)| served.per_read());
    let others = of(|(served, _)| served.cost.as_ref().map_or(0.0, |cost| cost.others_share));
    say(&format!("group of {} at {pace:?}, {} turns:", flags.members, rounds.len()));
    say(&format!(
        "  {cpu} µs server CPU per delivery, floor {floor}, ratio {ratio}; {rate} deliveries/s, {per_read} a read, p50 {p50} p99 {p99} ms"
    ));
    say_json(&json!({
        "load": "group", "members": flags.members, "pace": format!("{pace:?}"), "turns": rounds.len(), "cpu_us_per_delivery": cpu, "floor_us_per_delivery": floor,
        "ratio": ratio, "deliveries_per_s": rate, "deliveries_per_read": per_read, "delivery_p50_ms": p50, "delivery_p99_ms": p99, "others_share": others,
    }));
}
