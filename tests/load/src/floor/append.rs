//! The floor of a durable append: one thread, prepared statements, one transaction per batch, the same SQLite and settings.

use crate::report::Failure;
use rusqlite::{Connection, Statement, params};
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use tokenim_bench::{BODY, Histogram, process};

const APP: [u8; 16] = [7; 16];
const KEY: [u8; 16] = [9; 16];

/// What the floor writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Message rows with their unique index, the usage rows and the heads: what an append of the server writes.
    Whole,
    /// Message rows with their unique index only.
    MessagesOnly,
}

/// The tables as migrations/sql/sqlite/0001_first_slice.sql has them, without what an append does not write.
const TABLES: &str = "
CREATE TABLE conversation (app_id BLOB NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT, creator TEXT, pair TEXT,
    epoch INTEGER NOT NULL, epoch_first INTEGER NOT NULL, last_seq INTEGER NOT NULL, last_msg_no INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    units_cum INTEGER NOT NULL, member_version INTEGER NOT NULL, created_ms INTEGER NOT NULL, PRIMARY KEY (app_id, id), UNIQUE (app_id, pair)) WITHOUT ROWID, STRICT;
CREATE TABLE message (app_id BLOB NOT NULL, conversation_id TEXT NOT NULL, seq INTEGER NOT NULL, epoch INTEGER NOT NULL, type INTEGER NOT NULL,
    msg_no INTEGER NOT NULL, id BLOB NOT NULL, sender TEXT, client_msg_id TEXT, kind TEXT NOT NULL, body TEXT NOT NULL, at_ms INTEGER NOT NULL,
    units INTEGER NOT NULL, units_cum INTEGER NOT NULL, PRIMARY KEY (app_id, conversation_id, seq)) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX message_once ON message (app_id, conversation_id, sender, client_msg_id);
CREATE TABLE usage_append (app_id BLOB NOT NULL, conversation_id TEXT NOT NULL, epoch INTEGER NOT NULL, seq_to INTEGER NOT NULL, seq_from INTEGER NOT NULL,
    units INTEGER NOT NULL, messages INTEGER NOT NULL, bytes INTEGER NOT NULL, key_id BLOB, label TEXT, rule_version INTEGER NOT NULL,
    event_ms INTEGER NOT NULL, roll INTEGER, PRIMARY KEY (app_id, conversation_id, epoch, seq_to)) WITHOUT ROWID, STRICT;
CREATE INDEX usage_append_unrolled ON usage_append (app_id, event_ms) WHERE roll IS NULL;";

const INSERT_CONVERSATION: &str =
    "INSERT INTO conversation VALUES (?1, ?2, 'direct', NULL, NULL, ?2, 1, 1, 0, 0, 0, 0, 0, 0)";
const INSERT_MESSAGE: &str = "INSERT INTO message VALUES (?1, ?2, ?3, 1, 1, ?3, ?4, ?5, ?6, 'text', ?7, ?8, 1, ?3)";
const INSERT_USAGE: &str = "INSERT INTO usage_append VALUES (?1, ?2, 1, ?3, ?4, ?5, ?5, ?6, ?7, NULL, 1, ?8, NULL)";
const MOVE_HEAD: &str = "UPDATE conversation SET last_seq = ?3, last_msg_no = ?3, last_ms = ?4, units_cum = ?3 WHERE app_id = ?1 AND id = ?2";

/// A database of the floor.
pub struct Floor {
    database: Connection,
    schema: Schema,
    conversations: Vec<Conversation>,
    written: u64,
}

struct Conversation {
    id: String,
    sender: String,
    seq: i64,
}

/// What one run of the floor did.
#[derive(Debug)]
pub struct Run {
    /// Messages that are durable.
    pub messages: u64,
    /// How long it took.
    pub took: Duration,
    /// CPU of the writing thread.
    pub cpu: Duration,
    /// Time from a batch's first statement to its commit, once per message.
    pub latency: Histogram,
}

struct Statements<'a> {
    message: Statement<'a>,
    usage: Statement<'a>,
    head: Statement<'a>,
}

impl Floor {
    /// Makes a database in a folder, set as the server sets its own (store/src/open.rs).
    pub fn make(folder: &Path, schema: Schema, conversations: usize) -> Result<Self, Failure> {
        let database = Connection::open(folder.join(format!("floor-{schema:?}.db")))?;
        database.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;")?;
        database.execute_batch(TABLES)?;
        let conversations: Vec<_> = (0..conversations)
            .map(|at| Conversation { id: format!("conv_{at:026}"), sender: format!("user-{at:06}"), seq: 0 })
            .collect();
        for conversation in &conversations {
            database.execute(INSERT_CONVERSATION, params![APP, conversation.id])?;
        }
        Ok(Floor { database, schema, conversations, written: 0 })
    }

    /// Writes batches one after the other for that long. A batch spreads over the conversations as evenly as it can.
    pub fn run(&mut self, batch: usize, at_least: Duration) -> Result<Run, Failure> {
        let (mut latency, began, cpu_began, first) =
            (Histogram::default(), Instant::now(), process::own_thread_ns()?, self.written);
        let mut statements = Statements {
            message: self.database.prepare(INSERT_MESSAGE)?,
            usage: self.database.prepare(INSERT_USAGE)?,
            head: self.database.prepare(MOVE_HEAD)?,
        };
        while began.elapsed() < at_least {
            let since = Instant::now();
            self.database.execute_batch("BEGIN IMMEDIATE")?;
            let spread = batch.min(self.conversations.len());
            let from = self.written as usize % self.conversations.len();
            for place in 0..spread {
                let run = batch / spread + usize::from(place < batch % spread);
                let at = (from + place) % self.conversations.len();
                write_run(&mut statements, self.schema, &mut self.conversations[at], run, &mut self.written)?;
            }
            self.database.execute_batch("COMMIT")?;
            latency.record_many(since.elapsed(), batch as u64);
        }
        let cpu = Duration::from_nanos(process::own_thread_ns()? - cpu_began);
        Ok(Run { messages: self.written - first, took: began.elapsed(), cpu, latency })
    }
}

/// Consecutive messages of one conversation, with the one usage row and head that they share.
fn write_run(
    statements: &mut Statements<'_>,
    schema: Schema,
    conversation: &mut Conversation,
    run: usize,
    written: &mut u64,
) -> Result<(), Failure> {
    let (from, at_ms) = (conversation.seq + 1, 1_700_000_000_000 + *written as i64 / 16);
    let mut client_msg_id = String::with_capacity(36);
    for _ in 0..run {
        conversation.seq += 1;
        *written += 1;
        client_msg_id.clear();
        write!(client_msg_id, "01890000-0000-7000-8000-{written:012x}").expect("writing to a string does not fail");
        let id = (u128::from(*written) << 64 | 0x7000_8000_0000_0000).to_be_bytes();
        let (name, seq) = (&conversation.id, conversation.seq);
        statements.message.execute(params![APP, name, seq, id, conversation.sender, client_msg_id, BODY, at_ms])?;
    }
    if schema == Schema::Whole {
        let (bytes, count) = (BODY.len() as i64 * run as i64, run as i64);
        statements.usage.execute(params![APP, conversation.id, conversation.seq, from, count, bytes, KEY, at_ms])?;
        statements.head.execute(params![APP, conversation.id, conversation.seq, at_ms])?;
    }
    Ok(())
}
