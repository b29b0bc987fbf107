//! What the look-up of a batch's drafts finds, one for each draft: PostgreSQL tells it as rows, SQLite as one text, because there a
//! row costs its way between two threads.

use super::append::Head;
use crate::sql;
use sea_orm::QueryResult;
use serde::Deserialize;
use tokenim_domain::id::MessageId;
use tokenim_domain::{Error, Result};
use uuid::Uuid;

/// How a draft stands in the log. The order of its fields is that of the arrays that SQLite tells.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    /// The conversation's head; `None` = there is no such conversation.
    pub(super) head: Option<Log>,
    /// The sender's role; `None` = it is no member.
    pub(super) role: Option<String>,
    pub(super) muted_until_ms: Option<i64>,
    #[serde(deserialize_with = "flag")]
    pub(super) is_blocked: bool,
    #[serde(deserialize_with = "flag")]
    pub(super) is_prev_stored: bool,
    #[serde(deserialize_with = "flag")]
    pub(super) is_reply_stored: bool,
    /// The event that the draft's id was used for.
    pub(super) first: Option<First>,
}

/// A conversation's head.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Log {
    epoch: i64,
    seq: i64,
    msg_no: i64,
    last_ms: i64,
    units_cum: i64,
}

/// An event that is stored already.
#[derive(Debug, Deserialize)]
pub(super) struct First {
    pub(super) seq: i64,
    pub(super) epoch: i64,
    /// What kind of event it is, a number of `row.rs`.
    pub(super) event_type: i64,
    pub(super) id: Uuid,
    pub(super) at_ms: i64,
    pub(super) kind: String,
    pub(super) body: String,
    pub(super) units: i64,
    /// What it is about, as JSON.
    pub(super) about: Option<String>,
}

impl Log {
    /// The head as a transaction begins to move it.
    pub(super) fn begin(self) -> Head {
        let Log { epoch, seq, msg_no, last_ms, units_cum } = self;
        Head { epoch, found_seq: seq, seq, msg_no, last_ms, units_cum }
    }
}

impl Found {
    /// All of a batch, from SQLite's text.
    pub(super) fn list(text: &str) -> Result<Vec<Found>> {
        serde_json::from_str(text).map_err(|error| Error::internal("a look-up told something else").because(error))
    }

    /// One, from PostgreSQL's row.
    pub(super) fn from_row(row: &QueryResult) -> Result<Found> {
        let epoch: Option<i64> = sql::get(row, "epoch")?;
        let seq: Option<i64> = sql::get(row, "seq")?;
        Ok(Found {
            head: epoch.map(|epoch| Log::from_row(epoch, row)).transpose()?,
            role: sql::get(row, "role")?,
            muted_until_ms: sql::get(row, "muted_until_ms")?,
            is_blocked: sql::get(row, "is_blocked")?,
            is_prev_stored: sql::get(row, "prev_stored")?,
            is_reply_stored: sql::get(row, "reply_stored")?,
            first: seq.map(|seq| First::from_row(seq, row)).transpose()?,
        })
    }
}

impl Log {
    fn from_row(epoch: i64, row: &QueryResult) -> Result<Log> {
        Ok(Log {
            epoch,
            seq: sql::get(row, "last_seq")?,
            msg_no: sql::get(row, "last_msg_no")?,
            last_ms: sql::get(row, "last_ms")?,
            units_cum: sql::get(row, "units_cum")?,
        })
    }
}

impl First {
    fn from_row(seq: i64, row: &QueryResult) -> Result<First> {
        let id: MessageId = sql::get(row, "id")?;
        Ok(First {
            seq,
            epoch: sql::get(row, "dup_epoch")?,
            event_type: sql::get(row, "type")?,
            id: id.0,
            at_ms: sql::get(row, "at_ms")?,
            kind: sql::get(row, "kind")?,
            body: sql::get(row, "body")?,
            units: sql::get(row, "units")?,
            about: sql::get(row, "about")?,
        })
    }
}

/// SQLite's booleans are numbers.
fn flag<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    u8::deserialize(from).map(|flag| flag != 0)
}
