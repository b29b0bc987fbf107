//! A database with many stored messages, written straight into the file, and bare queries of them.

use crate::report::Failure;
use rusqlite::{Connection, OpenFlags, Statement, params};
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;
use tokenim_bench::BODY;

/// Messages of one transaction while the file is filled.
const FILL_BATCH: u64 = 100_000;
/// What the server is told as well (store/src/open.rs).
const SETTINGS: &str = "PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;";

const CONVERSATIONS: &str = "SELECT app_id, id, last_seq, last_msg_no FROM conversation ORDER BY id";
const INSERT: &str = "INSERT INTO message (app_id, conversation_id, seq, epoch, type, msg_no, id, sender, client_msg_id, kind, body, at_ms, units, units_cum)
VALUES (?1, ?2, ?3, 1, 1, ?4, ?5, ?6, ?7, 'text', ?8, ?9, 1, ?4)";
const MOVE_HEAD: &str = "UPDATE conversation SET last_seq = ?3, last_msg_no = ?4, units_cum = ?4, last_ms = ?5 WHERE app_id = ?1 AND id = ?2";
const NEWEST: &str = "SELECT seq, epoch, msg_no, id, sender, client_msg_id, kind, body, at_ms FROM message
WHERE app_id = ?1 AND conversation_id = ?2 AND seq < ?3 ORDER BY seq DESC LIMIT 50";
const DIRECTORY: &str = "SELECT c.id, c.kind, c.epoch, c.last_seq, c.last_msg_no, c.member_version, c.last_ms, m.role, m.joined_seq, m.read_seq,
l.seq, l.epoch, l.msg_no, l.id, l.sender, l.client_msg_id, l.kind, l.body, l.at_ms
FROM member m INDEXED BY member_by_user JOIN conversation c ON c.app_id = m.app_id AND c.id = m.conversation_id
LEFT JOIN message l ON l.app_id = c.app_id AND l.conversation_id = c.id AND l.seq = c.last_seq
WHERE m.app_id = ?1 AND m.user = ?2 ORDER BY c.last_ms DESC, c.id LIMIT 200";

/// Fills every conversation of a stopped server's file with messages of one user, in turn, until there are so many.
pub fn fill(file: &Path, user: &str, messages: u64, mut told: impl FnMut(u64)) -> Result<(), Failure> {
    let mut database = Connection::open(file)?;
    // Nothing is lost that a second run would not write again.
    database.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -524288;")?;
    let mut conversations = Vec::new();
    for row in database.prepare(CONVERSATIONS)?.query_map([], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
    })? {
        conversations.push(row?);
    }
    let (each, mut written) = (messages / conversations.len().max(1) as u64, 0_u64);
    for (app, id, last_seq, last_msg_no) in &conversations {
        let mut left = each;
        let (mut seq, mut number) = (*last_seq, *last_msg_no);
        while left > 0 {
            let transaction = database.transaction()?;
            {
                let mut insert = transaction.prepare(INSERT)?;
                for _ in 0..left.min(FILL_BATCH) {
                    (seq, number, written) = (seq + 1, number + 1, written + 1);
                    let own = format!("01890000-0000-7000-8000-{written:012x}");
                    let message = (u128::from(written) << 64 | 0x7000_8000_0000_0000).to_be_bytes();
                    let at = 1_700_000_000_000 + written as i64;
                    insert.execute(params![app, id, seq, number, message, user, own, BODY, at])?;
                }
                transaction.execute(MOVE_HEAD, params![app, id, seq, number, 1_700_000_000_000 + written as i64])?;
            }
            transaction.commit()?;
            left -= left.min(FILL_BATCH);
            told(written);
        }
    }
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA synchronous = FULL;")?;
    Ok(())
}

/// Bare queries on such a file, each with the JSON of its answer.
pub struct Reader {
    database: Connection,
    app: Vec<u8>,
}

/// What repeated queries took.
pub struct Reads {
    /// Wall time of each, microseconds, sorted.
    pub took_us: Vec<f64>,
    /// CPU of the thread for each, microseconds.
    pub cpu_us: f64,
}

impl Reader {
    /// Opens a file beside its server.
    pub fn open(file: &Path) -> Result<Self, Failure> {
        let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        database.execute_batch(SETTINGS)?;
        let app = database.query_row("SELECT app_id FROM conversation LIMIT 1", [], |row| row.get(0))?;
        Ok(Reader { database, app })
    }

    /// The last 50 of these conversations.
    pub fn newest(&self, conversations: &[String]) -> Result<Reads, Failure> {
        let mut statement = self.database.prepare(NEWEST)?;
        timed(conversations.len(), |at| {
            let mut rows = statement.query(params![self.app, conversations[at], i64::MAX])?;
            let mut items = Vec::with_capacity(50);
            while let Some(row) = rows.next()? {
                let mut text = String::with_capacity(512);
                event(row, 0, &conversations[at], &mut text)?;
                items.push(text);
            }
            items.reverse();
            Ok(format!("{{\"items\":[{}]}}", items.join(",")).len())
        })
    }

    /// The directory of a user, so many times.
    pub fn directory(&self, user: &str, times: usize) -> Result<Reads, Failure> {
        let mut statement = self.database.prepare(DIRECTORY)?;
        timed(times, |_| directory(&mut statement, &self.app, user))
    }
}

fn directory(statement: &mut Statement<'_>, app: &[u8], user: &str) -> Result<usize, Failure> {
    let mut rows = statement.query(params![app, user])?;
    let mut text = String::with_capacity(64 * 1024);
    while let Some(row) = rows.next()? {
        let number = |at: usize| row.get::<_, i64>(at);
        let (id, kind, role): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(7)?);
        write!(
            text,
            "{{\"conversation\":\"{id}\",\"kind\":\"{kind}\",\"epoch\":{},\"head\":{},\"msg_no\":{},\"role\":\"{role}\",\"first\":{},\"read\":{},\"member_version\":{},\"at\":{},\"last\":",
            number(2)?, number(3)?, number(4)?, number(8)?, number(9)?, number(5)?, number(6)?
        )
        .expect("writing to a string does not fail");
        event(row, 10, &id, &mut text)?;
        text.push_str("},");
    }
    Ok(text.len())
}

/// The JSON of a message whose columns begin there.
fn event(row: &rusqlite::Row<'_>, first: usize, conversation: &str, text: &mut String) -> Result<(), Failure> {
    let number = |at: usize| row.get::<_, i64>(first + at);
    let words = |at: usize| row.get::<_, String>(first + at);
    let id: [u8; 16] = row.get(first + 3)?;
    write!(
        text,
        "{{\"type\":\"message\",\"conversation\":\"{conversation}\",\"epoch\":{},\"seq\":{},\"msg_no\":{},\"at\":{},\"id\":\"msg_{:032x}\",\"sender\":\"{}\",\"client_msg_id\":\"{}\",\"kind\":\"{}\",\"body\":{}}}",
        number(1)?, number(0)?, number(2)?, number(8)?, u128::from_be_bytes(id), words(4)?, words(5)?, words(6)?, words(7)?
    )
    .expect("writing to a string does not fail");
    Ok(())
}

fn timed(times: usize, mut query: impl FnMut(usize) -> Result<usize, Failure>) -> Result<Reads, Failure> {
    let (mut took_us, cpu) = (Vec::with_capacity(times), tokenim_bench::process::own_thread_ns()?);
    for at in 0..times {
        let since = Instant::now();
        std::hint::black_box(query(at)?);
        took_us.push(since.elapsed().as_secs_f64() * 1e6);
    }
    let cpu_us = (tokenim_bench::process::own_thread_ns()? - cpu) as f64 / 1e3 / times.max(1) as f64;
    took_us.sort_by(f64::total_cmp);
    Ok(Reads { took_us, cpu_us })
}
