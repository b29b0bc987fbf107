//! Reading a range of one conversation's log.

use super::row;
use crate::sql;
use sea_orm::{ConnectionTrait, Value};
use tokenim_domain::log::{Event, From, Page, RangeQuery};
use tokenim_domain::name::User;
use tokenim_domain::{Code, Result};

const HEAD: &str = "
SELECT c.last_seq, c.epoch, m.joined_seq FROM conversation c
LEFT JOIN member m ON m.app_id = c.app_id AND m.conversation_id = c.id AND m.user = $3
WHERE c.app_id = $1 AND c.id = $2";

/// Rows until their bodies pass the byte limit, but the first one always: the sum is taken by the database, so that
/// a page of large bodies is never read into memory.
macro_rules! rows_text {
    ($order:literal) => {
        concat!(
            "SELECT * FROM (SELECT conversation_id, seq, epoch, type, msg_no, id, sender, client_msg_id, kind, body, at_ms, ",
            "SUM(octet_length(body)) OVER (ORDER BY seq ", $order, ") AS running FROM message ",
            "WHERE app_id = $1 AND conversation_id = $2 AND seq > $3 AND seq < $4 ORDER BY seq ", $order, " LIMIT $5) AS page ",
            "WHERE running <= $6 OR running = octet_length(body) ORDER BY seq ", $order
        )
    };
}
const FORWARD: &str = rows_text!("ASC");
const BACKWARD: &str = rows_text!("DESC");

/// Reads a page.
///
/// The head is read first and cuts the page, so the page never shows more than the head it comes with.
/// Errors: `not_found` for no such conversation or a viewer who is no member of it.
pub(super) async fn read(on: &impl ConnectionTrait, query: &RangeQuery) -> Result<Page> {
    let viewer = query.viewer.as_ref().map(User::as_str);
    let found = sql::row(on, HEAD, [query.app.app.into(), query.conversation.as_str().into(), viewer.into()])
        .await?
        .ok_or(Code::NotFound)?;
    let joined: Option<i64> = sql::get(&found, "joined_seq")?;
    let first = match (viewer, joined) {
        (None, _) => 1,
        (Some(_), Some(joined)) => joined,
        (Some(_), None) => return Err(Code::NotFound.into()),
    };
    let head: i64 = sql::get(&found, "last_seq")?;
    let bounds = Bounds { first, head };
    let events = match query.from {
        From::After(seq) => bounds.forward(on, query, seq, query.limit).await?,
        From::Before(seq) => bounds.backward(on, query, seq, query.limit).await?,
        From::Newest => bounds.backward(on, query, head + 1, query.limit).await?,
        From::Around(seq) => {
            let half = RangeQuery { bytes_max: query.bytes_max / 2, ..query.clone() };
            let mut events = bounds.backward(on, &half, seq.saturating_add(1), query.limit.div_ceil(2)).await?;
            events.extend(bounds.forward(on, &half, seq, query.limit / 2).await?);
            events
        }
    };
    Ok(Page { events, head, epoch: sql::get(&found, "epoch")?, first })
}

/// What of the log the viewer may see.
struct Bounds {
    first: i64,
    head: i64,
}

impl Bounds {
    async fn forward(
        &self,
        on: &impl ConnectionTrait,
        query: &RangeQuery,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Event>> {
        self.select(on, query, FORWARD, after, self.head + 1, limit).await
    }

    async fn backward(
        &self,
        on: &impl ConnectionTrait,
        query: &RangeQuery,
        before: i64,
        limit: u32,
    ) -> Result<Vec<Event>> {
        let mut events = self.select(on, query, BACKWARD, 0, before.min(self.head + 1), limit).await?;
        events.reverse();
        Ok(events)
    }

    async fn select(
        &self,
        on: &impl ConnectionTrait,
        query: &RangeQuery,
        text: &str,
        above: i64,
        below: i64,
        limit: u32,
    ) -> Result<Vec<Event>> {
        let values: [Value; 6] = [
            query.app.app.into(),
            query.conversation.as_str().into(),
            above.max(self.first - 1).into(),
            below.into(),
            i64::from(limit).into(),
            (query.bytes_max as i64).into(),
        ];
        let rows = sql::rows(on, text, values).await?;
        rows.iter().map(|found| row::event(query.app, found)).collect()
    }
}
