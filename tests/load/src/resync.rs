//! A client that comes back to many conversations, a few of which changed: one connect and pages of the directory, on a fresh server
//! whose file is not in memory.

use crate::folder::Common;
use crate::report::{Failure, say, say_json, spread};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;
use tokenim_bench::{Connection, process};

/// Conversations that changed, and by how many messages each.
const CHANGED: usize = 20;
const MISSED: i64 = 3;
/// Heads a command may name (docs/PROTOCOL.md §4).
const HEADS_MAX: usize = 200;

/// What a client knows of a conversation.
pub struct Known {
    conversation: String,
    epoch: i64,
    seq: i64,
}

/// What one return took.
pub struct Return {
    took_ms: f64,
    /// Of it the connect, until its answer is there.
    connect_ms: f64,
    cpu_ms: f64,
    /// Bytes of all answers and of what was replayed, without frame headers.
    bytes: usize,
    /// Those of the pages up to the first that ends with what the client held already: behind it nothing changed.
    bytes_needed: usize,
    pages: usize,
}

/// What the user's conversations are, the most recently changed first, as somebody knows them who has read all but a few messages, and
/// has said so.
///
/// Errors: the server can't be reached, or its answers not be read.
pub async fn learn(common: &Common, data: &Path, token: &str) -> Result<Vec<Known>, Failure> {
    let server = common.start(data).await?;
    let mut connection = Connection::open(&server.address, token, "").await?;
    let (mut known, mut page) = (Vec::new(), None);
    loop {
        let answer = read(&connection.ask(&sync(&[], page.as_deref())).await?)?;
        for entry in answer["conversations"].as_array().into_iter().flatten() {
            let missed = if known.len() < CHANGED { MISSED } else { 0 };
            known.push(Known {
                conversation: entry["conversation"].as_str().unwrap_or_default().to_owned(),
                epoch: entry["epoch"].as_i64().unwrap_or_default(),
                seq: entry["head"].as_i64().unwrap_or_default() - missed,
            });
        }
        page = answer["next"].as_str().map(str::to_owned);
        if page.is_none() {
            break;
        }
    }
    for Known { conversation, seq, .. } in &known {
        connection.ask(&format!("\"read\":{{\"conversation\":\"{conversation}\",\"seq\":{seq}}}")).await?;
    }
    server.stop().await?;
    Ok(known)
}

/// Comes back to a fresh server: a connect with the first heads, and every page of the directory with its own.
pub async fn come_back(common: &Common, data: &Path, token: &str, known: &[Known]) -> Result<Return, Failure> {
    let server = common.start(data).await?;
    let cpu = || Ok::<_, Failure>(process::threads_us(server.pid())?.values().sum::<u64>());
    let (since, before, mut bytes) = (Instant::now(), cpu()?, 0);
    let first = heads(&known[..known.len().min(HEADS_MAX)]);
    let mut connection = Connection::open_with(&server.address, token, &first, |text| bytes += text.len()).await?;
    let connect_ms = since.elapsed().as_secs_f64() * 1e3;
    let (mut page, mut pages, mut bytes_needed) = (None, 0, None);
    for part in known.chunks(HEADS_MAX) {
        let text = connection.ask(&sync(part, page.as_deref())).await?;
        (bytes, pages) = (bytes + text.len(), pages + 1);
        let answer = read(&text)?;
        let last = answer["conversations"].as_array().and_then(|entries| entries.last());
        if last.is_some_and(|entry| entry["outcome"] == "recovered") {
            bytes_needed.get_or_insert(bytes);
        }
        page = answer["next"].as_str().map(str::to_owned);
        if page.is_none() {
            break;
        }
    }
    let (took_ms, cpu_ms) = (since.elapsed().as_secs_f64() * 1e3, (cpu()? - before) as f64 / 1e3);
    server.stop().await?;
    Ok(Return { took_ms, connect_ms, cpu_ms, bytes, bytes_needed: bytes_needed.unwrap_or(bytes), pages })
}

/// Tells all turns.
pub fn conclude(conversations: usize, returns: &[Return]) {
    let of = |figure: fn(&Return) -> f64| spread(returns.iter().map(figure));
    let (took, connect, cpu) = (of(|one| one.took_ms), of(|one| one.connect_ms), of(|one| one.cpu_ms));
    let (bytes, needed) = (of(|one| one.bytes as f64), of(|one| one.bytes_needed as f64));
    let pages = returns.last().map_or(0, |one| one.pages);
    say(&format!(
        "resync of {conversations} conversations, {CHANGED} of them changed, cold: {took} ms over its socket, of it the connect {connect}, {cpu} ms CPU; {pages} pages, {bytes} bytes, {needed} up to the first page that ends with what is known"
    ));
    say_json(&json!({
        "load": "history", "read": "resync_cold", "conversations": conversations, "changed": CHANGED, "turns": returns.len(),
        "took_ms": took, "connect_ms": connect, "cpu_ms": cpu, "bytes": bytes, "bytes_needed": needed, "pages": pages,
    }));
}

fn heads(known: &[Known]) -> String {
    let pairs = known.iter().map(|one| (one.conversation.clone(), json!([one.epoch, one.seq])));
    Value::Object(pairs.collect()).to_string()
}

fn sync(known: &[Known], page: Option<&str>) -> String {
    let page = page.map_or(String::new(), |page| format!(",\"page\":{}", Value::from(page)));
    format!("\"sync\":{{\"heads\":{}{page}}}", heads(known))
}

/// The `ok` of an answer.
fn read(text: &str) -> Result<Value, Failure> {
    let mut answer: Value = serde_json::from_str(text).map_err(|error| Failure::new(error.to_string()))?;
    Ok(answer["ok"].take())
}
