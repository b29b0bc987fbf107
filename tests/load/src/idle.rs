//! Resident bytes of idle, authenticated connections: before, with, and after every conversation was fanned out once.

use crate::folder::{self, Common};
use crate::report::{Failure, say, say_json, spread};
use crate::token;
use clap::Args;
use serde_json::json;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokenim_bench::{Connection, Keys, Rest, Server, Tally, process, process::Memory, receive};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections being opened, or REST calls under way, at a time.
const CONCURRENCY: usize = 16;
/// Without load for that long, memory is read.
const SETTLE: Duration = Duration::from_secs(5);
/// One server ping to everybody, and a little.
const PING_ROUND: Duration = Duration::from_secs(28);
/// How often everybody comes to say what it has, before memory is read: a busy node puts off what it is told, and hears it the next time.
const VISITS: usize = 2;
/// How long connecting everybody may take.
const OPEN_MAX: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(20);

/// Flags of `idle`.
#[derive(Debug, Args)]
pub struct Flags {
    #[command(flatten)]
    common: Common,
    /// Distinct users, each with one connection.
    #[arg(long, default_value_t = 5_000)]
    connections: usize,
    /// Conversations each user is in.
    #[arg(long, default_value_t = 20)]
    conversations: usize,
    /// Members of each conversation.
    #[arg(long, default_value_t = 10)]
    members: usize,
    /// How often a fresh server is measured on the same data.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
}

/// Who is in which conversation.
struct Population {
    /// Members of each conversation, by number.
    groups: Vec<Vec<usize>>,
    /// Conversations of each user, by number.
    of_user: Vec<Vec<usize>>,
}

/// What one fresh server weighed.
struct Round {
    fresh: Memory,
    visited: Memory,
    before: Memory,
    half: Memory,
    connected: Memory,
    warm: Memory,
    later: Memory,
    /// Server CPU of connecting with the heads of every conversation, none of them behind.
    connect_us: f64,
    /// Server CPU of connecting without heads.
    bare_connect_us: f64,
}

/// Runs the rounds.
pub async fn run(flags: Flags) -> Result<(), Failure> {
    let data = flags.common.data.join("idle");
    folder::fresh(&data)?;
    let keys = flags.common.bootstrap(&data)?;
    let population = Rc::new(populate(&flags));
    let server = flags.common.start(&data).await?;
    let since = Instant::now();
    let groups = population.groups.iter().enumerate();
    let new = groups.map(|(at, members)| {
        let members: Vec<_> = members.iter().map(|user| name(*user)).collect();
        (
            "/v1/conversations".to_owned(),
            json!({"kind": "group", "id": conversation(at), "members": members}).to_string(),
        )
    });
    post_all(&server, &keys, new.collect()).await?;
    let (count, took) = (population.groups.len(), since.elapsed().as_secs_f64());
    say(&format!("idle: {count} conversations of {} made in {took:.0} s", flags.members));
    server.stop().await?;
    let mut rounds = Vec::new();
    for number in 1..=flags.rounds {
        let round = measure(&flags, &data, &keys, &population, number).await?;
        say_round(&flags, number, &round);
        rounds.push(round);
    }
    conclude(&flags, &rounds);
    Ok(())
}

fn name(user: usize) -> String {
    format!("user-{user:06}")
}

/// Ids as long as those the server makes.
fn conversation(number: usize) -> String {
    format!("conv_{number:026}")
}

/// Groups such that each user is in as many as wanted: the users are shuffled once per conversation of a user and cut up.
fn populate(flags: &Flags) -> Population {
    let mut users: Vec<usize> = (0..flags.connections).collect();
    let mut population = Population { groups: Vec::new(), of_user: vec![Vec::new(); flags.connections] };
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..flags.conversations {
        for place in (1..users.len()).rev() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            users.swap(place, (state % (place as u64 + 1)) as usize);
        }
        for group in users.chunks(flags.members) {
            group.iter().for_each(|user| population.of_user[*user].push(population.groups.len()));
            population.groups.push(group.to_vec());
        }
    }
    population
}

/// Posts everything, a few calls at a time.
async fn post_all(server: &Server, keys: &Keys, posts: Vec<(String, String)>) -> Result<(), Failure> {
    let (posts, next) = (Rc::new(posts), Rc::new(Cell::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..CONCURRENCY {
        let (posts, next) = (posts.clone(), next.clone());
        let mut rest = Rest::connect(&server.address, &keys.key).await?;
        workers.spawn_local(async move {
            while let Some((path, json)) = posts.get(next.replace(next.get() + 1)) {
                rest.post(path, json).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|error| Failure::new(error.to_string()))??;
    }
    Ok(())
}

/// Connections that are held open, by users `from..to`.
struct Crowd<'a> {
    server: &'a Server,
    keys: &'a Keys,
    population: &'a Population,
    /// What all heads are at: the creation, and one message each once warm. Nobody tells heads while this is 0.
    seq: i64,
    tally: Rc<Tally>,
}

impl Crowd<'_> {
    /// Connects users, each standing at the head of its conversations as after a short absence. `hold` keeps them; without
    /// it each leaves once it is connected.
    async fn connect(
        &self,
        users: std::ops::Range<usize>,
        held: &mut JoinSet<Result<(), Failure>>,
        hold: bool,
    ) -> Result<(), Failure> {
        let (turns, opened, wanted) = (Rc::new(Semaphore::new(CONCURRENCY)), Rc::new(Cell::new(0)), users.len());
        for user in users {
            let heads: Vec<_> = self.population.of_user[user]
                .iter()
                .filter(|_| self.seq > 0)
                .map(|at| format!("\"{}\":[1,{}]", conversation(*at), self.seq))
                .collect();
            let (heads, token) = (format!("{{{}}}", heads.join(",")), token::sign(self.keys, &name(user))?);
            let (turns, opened, tally, address) =
                (turns.clone(), opened.clone(), self.tally.clone(), self.server.address.clone());
            held.spawn_local(async move {
                let turn = turns.acquire().await.expect("never closed");
                let connection = Connection::open(&address, &token, &heads).await?;
                opened.set(opened.get() + 1);
                drop(turn);
                if hold { Ok(receive(connection, user as u64, tally).await?) } else { Ok(()) }
            });
        }
        let since = Instant::now();
        while opened.get() < wanted {
            tokio::time::sleep(POLL).await;
            while let Some(ended) = held.try_join_next() {
                ended.map_err(|error| Failure::new(error.to_string()))??;
            }
            if since.elapsed() > OPEN_MAX {
                return Err(Failure::new(format!("{} of {wanted} connected in time", opened.get())));
            }
        }
        Ok(())
    }

    /// Waits until everybody has the message of every conversation.
    async fn delivered_to_all(&self) -> Result<(), Failure> {
        let expected: usize = self.population.groups.iter().map(Vec::len).sum();
        let since = Instant::now();
        while self.tally.delivered.get() < expected as u64 && since.elapsed() < SETTLE {
            tokio::time::sleep(POLL).await;
        }
        match self.tally.delivered.get() {
            all if all == expected as u64 => Ok(()),
            some => Err(Failure::new(format!("{some} of {expected} deliveries came"))),
        }
    }
}

async fn measure(
    flags: &Flags,
    data: &std::path::Path,
    keys: &Keys,
    population: &Population,
    number: usize,
) -> Result<Round, Failure> {
    let server = flags.common.start(data).await?;
    // A conversation begins with the event of its creation, and every earlier round sent two messages.
    let mut crowd = Crowd { server: &server, keys, population, seq: 2 * number as i64 - 1, tally: Tally::new() };
    tokio::time::sleep(SETTLE).await;
    let fresh = server.watched.memory()?;
    // Everybody comes and goes, a few at a time, every conversation has a message, and everybody has that: the database's page caches
    // and the member lists are full then and count for no connection.
    crowd.connect(0..flags.connections, &mut JoinSet::new(), false).await?;
    tokio::time::sleep(SETTLE).await;
    let visited = server.watched.memory()?;
    send_one_each(&crowd, &format!("before-{number}")).await?;
    crowd.seq += 1;
    for _ in 0..VISITS {
        crowd.connect(0..flags.connections, &mut JoinSet::new(), false).await?;
    }
    tokio::time::sleep(SETTLE).await;
    let before = server.watched.memory()?;
    let mut held = JoinSet::new();
    let cpu_before = process::cpu_us(server.pid())?;
    crowd.connect(0..flags.connections / 2, &mut held, true).await?;
    let connect_us = (process::cpu_us(server.pid())? - cpu_before) as f64 / (flags.connections / 2) as f64;
    tokio::time::sleep(SETTLE).await;
    let half = server.watched.memory()?;
    crowd.connect(flags.connections / 2..flags.connections, &mut held, true).await?;
    tokio::time::sleep(SETTLE).await;
    let connected = server.watched.memory()?;
    crowd.tally.recording.set(true);
    send_one_each(&crowd, &format!("while-{number}")).await?;
    crowd.delivered_to_all().await?;
    tokio::time::sleep(SETTLE).await;
    let warm = server.watched.memory()?;
    tokio::time::sleep(PING_ROUND).await;
    let later = server.watched.memory()?;
    let open = server.watched.counted("tokenim_connections").await?.unwrap_or(0);
    if open < flags.connections as u64 {
        return Err(Failure::new(format!("only {open} connections were open at the end")));
    }
    drop(held);
    tokio::time::sleep(SETTLE).await;
    let bare = Crowd { seq: 0, ..crowd };
    let cpu_before = process::cpu_us(server.pid())?;
    bare.connect(0..flags.connections / 2, &mut JoinSet::new(), false).await?;
    let bare_connect_us = (process::cpu_us(server.pid())? - cpu_before) as f64 / (flags.connections / 2) as f64;
    server.stop().await?;
    Ok(Round { fresh, visited, before, half, connected, warm, later, connect_us, bare_connect_us })
}

/// One message in every conversation, from its first member.
async fn send_one_each(crowd: &Crowd<'_>, own_id: &str) -> Result<(), Failure> {
    let messages = crowd.population.groups.iter().enumerate().map(|(at, members)| {
        let message = json!({"sender": name(members[0]), "client_msg_id": own_id, "kind": "text", "body": {"text": "good morning"}});
        (format!("/v1/conversations/{}/messages", conversation(at)), message.to_string())
    });
    post_all(crowd.server, crowd.keys, messages.collect()).await
}

/// Bytes for each connection between two readings.
fn each(from: &Memory, to: &Memory, connections: usize) -> f64 {
    (to.rss_kb as f64 - from.rss_kb as f64) * 1024.0 / connections as f64
}

/// The same of what no file backs: on a machine short of memory the kernel takes file pages away meanwhile.
fn each_anonymous(from: &Memory, to: &Memory, connections: usize) -> f64 {
    (to.anonymous_kb as f64 - from.anonymous_kb as f64) * 1024.0 / connections as f64
}

fn say_round(flags: &Flags, number: usize, round: &Round) {
    let all = flags.connections;
    let line = |name: &str, memory: &Memory| {
        say(&format!(
            "  {name}: RSS {:.1} MiB, Pss {:.1}, anonymous {:.1}",
            memory.rss_kb as f64 / 1024.0,
            memory.pss_kb as f64 / 1024.0,
            memory.anonymous_kb as f64 / 1024.0
        ));
    };
    say(&format!("idle, turn {number}: {all} connections, {} conversations each:", flags.conversations));
    line("fresh server", &round.fresh);
    line("after everybody came and went", &round.visited);
    line("after a message per conversation, nobody connected", &round.before);
    line("half connected", &round.half);
    line("all connected", &round.connected);
    line("after another message per conversation", &round.warm);
    line("a ping round later", &round.later);
    say(&format!(
        "  bytes a connection: {:.0} (second half alone {:.0}; against the fresh server, page caches and member lists included, {:.0}), after the message {:.0}, a ping round later {:.0}; connect costs {:.0} µs CPU, without heads {:.0}",
        each(&round.before, &round.connected, all),
        each(&round.half, &round.connected, all - all / 2),
        each(&round.fresh, &round.connected, all),
        each(&round.before, &round.warm, all),
        each(&round.before, &round.later, all),
        round.connect_us,
        round.bare_connect_us,
    ));
}

fn conclude(flags: &Flags, rounds: &[Round]) {
    let all = flags.connections;
    let of = |figure: &dyn Fn(&Round) -> f64| spread(rounds.iter().map(figure));
    let connected = of(&|round| each(&round.before, &round.connected, all));
    let half = of(&|round| each(&round.half, &round.connected, all - all / 2));
    let fresh = of(&|round| each(&round.fresh, &round.connected, all));
    let warm = of(&|round| each(&round.before, &round.warm, all));
    let later = of(&|round| each(&round.before, &round.later, all));
    let anonymous = of(&|round| each_anonymous(&round.before, &round.later, all));
    let connect = of(&|round| round.connect_us);
    let bare_connect = of(&|round| round.bare_connect_us);
    say(&format!(
        "idle, {} turns: {connected} bytes a connection, second half alone {half}, warm {warm}, later {later}, of it anonymous {anonymous}",
        rounds.len()
    ));
    say_json(&json!({
        "load": "idle", "tls": flags.common.tls, "connections": all, "conversations": flags.conversations, "members": flags.members, "turns": rounds.len(),
        "bytes_per_connection": connected, "bytes_second_half": half, "bytes_against_fresh": fresh, "bytes_warm": warm, "bytes_after_ping": later, "bytes_after_ping_anonymous": anonymous,
        "connect_us": connect, "connect_without_heads_us": bare_connect,
    }));
}
