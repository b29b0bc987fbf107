//! Reading a range of one conversation's log.

use super::row;
use crate::sql::{self, Text};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use serde_json::json;
use std::collections::BTreeMap;
use tokenim_domain::log::{AppRef, BacklogQuery, Event, EventBody, From, Page, RangeQuery};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::{Code, Result};

const HEAD: &str = "
SELECT c.last_seq, c.epoch, m.joined_seq FROM conversation c
LEFT JOIN member m ON m.app_id = c.app_id AND m.conversation_id = c.id AND m.user = $3
WHERE c.app_id = $1 AND c.id = $2";

/// Columns of an event with what became of its message: the content of its end or last edit takes the place of the first.
macro_rules! columns {
    () => {
        "m.conversation_id, m.seq, m.epoch, m.type, m.msg_no, m.id, m.sender, m.client_msg_id, COALESCE(s.kind, m.kind) AS kind,
    COALESCE(s.body, m.body) AS body, m.at_ms, m.target, m.about, s.edited_seq, s.edited_ms, s.deleted_seq, s.deleted_ms,
    s.pinned_seq, s.replies, s.reactions, s.ended_seq, s.ended_ms"
    };
}

/// Bytes of an event that vary; reactions are written longer than they are stored.
macro_rules! bytes {
    () => {
        "octet_length(COALESCE(s.body, m.body)) + COALESCE(octet_length(m.about), 0) + 5 * COALESCE(octet_length(s.reactions), 0)"
    };
}

pub(super) use {bytes, columns};

/// The statement of some rows, as each engine tells them ([`events`]); in an order where one is named.
macro_rules! told {
    ($sqlite:expr, $postgres:expr $(, $order:literal)?) => {
        Text {
            sqlite: concat!(
                "SELECT json_group_array(json_array(", row::stored!(), ", ", row::stored_state!(), ")" $(, " ORDER BY ", $order)?,
                ") AS told FROM (", $sqlite, ")"
            ),
            postgres: concat!($postgres $(, " ORDER BY ", $order)?),
        }
    };
}

/// A page of a range. Which bodies are read is decided by the database, so that a page of large ones is never read into memory.
struct Pages {
    /// The page where all of it is within the limit of bytes, as nearly every one is; else nothing.
    whole: Text,
    /// Rows until their bytes pass the limit, but the first one always. A sum that runs costs as much as the page.
    cut: Text,
}

/// The rows of a range, from one end.
macro_rules! range_text {
    ($by:literal, $order:literal, $which:literal) => {
        concat!(
            " FROM message m", $by,
            " LEFT JOIN message_state s ON s.app_id = m.app_id AND s.conversation_id = m.conversation_id AND s.seq = m.seq
WHERE m.app_id = $1 AND m.conversation_id = $2 AND m.seq > $3 AND m.seq < $4 AND ", $which, " ORDER BY m.seq ", $order, " LIMIT $5"
        )
    };
}
macro_rules! whole_page {
    ($by:literal, $order:literal, $which:literal) => {
        concat!(
            "SELECT * FROM (SELECT ",
            columns!(),
            range_text!($by, $order, $which),
            ") AS page
WHERE (SELECT SUM(bytes) FROM (SELECT ",
            bytes!(),
            " AS bytes",
            range_text!($by, $order, $which),
            ") AS sizes) <= $6"
        )
    };
}
macro_rules! cut_page {
    ($by:literal, $order:literal, $which:literal) => {
        concat!(
            "SELECT * FROM (SELECT ",
            columns!(),
            ", ",
            bytes!(),
            " AS bytes, SUM(",
            bytes!(),
            ") OVER (ORDER BY m.seq ",
            $order,
            ") AS running",
            range_text!($by, $order, $which),
            ") AS page
WHERE running <= $6 OR running = bytes"
        )
    };
}
/// SQLite is told the index where it has to be one: without statistics it takes the log for ten events, and reads it all.
macro_rules! pages {
    ($by:literal, $order:literal, $which:literal) => {
        Pages {
            whole: told!(whole_page!($by, $order, $which), whole_page!("", $order, $which)),
            cut: told!(cut_page!($by, $order, $which), cut_page!("", $order, $which)),
        }
    };
}
/// `$7` is the thread's message: 0 for the whole log.
const FORWARD: Pages = pages!("", "ASC", "$7 = 0");
const BACKWARD: Pages = pages!("", "DESC", "$7 = 0");
const THREAD_FORWARD: Pages = pages!(" INDEXED BY message_by_target", "ASC", "m.target = $7 AND m.type = 1");
const THREAD_BACKWARD: Pages = pages!(" INDEXED BY message_by_target", "DESC", "m.target = $7 AND m.type = 1");

/// `$4` names each conversation, above which seq and up to which. The seq it begins at is one comparison: of two, SQLite seeks by one and
/// reads all that only the other leaves out, which was the whole conversation.
macro_rules! missed_text {
    ($missed:literal) => {
        concat!(
            " FROM ",
            $missed,
            "
JOIN member v ON v.app_id = $1 AND v.conversation_id = w.conversation AND v.\"user\" = $2
JOIN message m ON m.app_id = $1 AND m.conversation_id = w.conversation AND m.seq <= w.head
    AND m.seq > CASE WHEN w.above < v.joined_seq THEN v.joined_seq - 1 ELSE w.above END
LEFT JOIN message_state s ON s.app_id = m.app_id AND s.conversation_id = m.conversation_id AND s.seq = m.seq"
        )
    };
}
macro_rules! whole_backlog {
    ($missed:literal) => {
        concat!(
            "SELECT * FROM (SELECT w.place, ",
            columns!(),
            missed_text!($missed),
            ") AS missed
WHERE (SELECT SUM(bytes) FROM (SELECT ",
            bytes!(),
            " AS bytes",
            missed_text!($missed),
            ") AS sizes) <= $3"
        )
    };
}
/// The sum of bytes goes over all conversations in their order.
macro_rules! cut_backlog {
    ($missed:literal) => {
        concat!(
            "SELECT * FROM (SELECT w.place, ",
            columns!(),
            ", SUM(",
            bytes!(),
            ") OVER (ORDER BY w.place, m.seq) AS running",
            missed_text!($missed),
            ") AS missed
WHERE running <= $3"
        )
    };
}
/// SQLite is told to begin with what is named: without statistics it prefers every member row of the app.
macro_rules! backlog {
    ($text:ident) => {
        told!(
            $text!(
                "(SELECT key AS place, json_extract(value, '$[0]') AS conversation, json_extract(value, '$[1]') AS above, json_extract(value, '$[2]') AS head
FROM json_each($4)) AS w CROSS"
            ),
            $text!(
                "(SELECT place, value->>0 AS conversation, (value->>1)::bigint AS above, (value->>2)::bigint AS head
FROM json_array_elements($4::json) WITH ORDINALITY AS j(value, place)) AS w"
            ),
            "place, seq"
        )
    };
}
const BACKLOG: Pages = Pages { whole: backlog!(whole_backlog), cut: backlog!(cut_backlog) };

impl Pages {
    async fn read(&self, on: &impl ConnectionTrait, app: AppRef, values: &[Value]) -> Result<Vec<Event>> {
        let whole = events(on, app, self.whole, values.iter().cloned()).await?;
        if whole.is_empty() { events(on, app, self.cut, values.iter().cloned()).await } else { Ok(whole) }
    }
}

/// The events that a statement of [`told`] finds: PostgreSQL tells them as rows, SQLite as one text.
async fn events(
    on: &impl ConnectionTrait,
    app: AppRef,
    text: Text,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<Event>> {
    let rows = sql::rows(on, text.on(on), values).await?;
    match on.get_database_backend() {
        DbBackend::Postgres => rows.iter().map(|found| row::event_with_state(app, found)).collect(),
        _ => match rows.first() {
            Some(found) => row::told(app, &sql::get::<String>(found, "told")?),
            None => Ok(Vec::new()),
        },
    }
}

/// Reads what a member missed in several conversations: the events of each beside it.
pub(super) async fn backlog(on: &impl ConnectionTrait, query: &BacklogQuery) -> Result<Vec<Vec<Event>>> {
    let named = |(conversation, above, head): &(Conversation, i64, i64)| json!([conversation.as_str(), above, head]);
    let missed = serde_json::Value::from_iter(query.missed.iter().map(named)).to_string();
    let values: [Value; 4] =
        [query.app.app.into(), query.viewer.as_str().into(), (query.bytes_max as i64).into(), missed.into()];
    let mut events = BACKLOG.read(on, query.app, &values).await?.into_iter().peekable();
    let mut found = Vec::with_capacity(query.missed.len());
    for (conversation, ..) in &query.missed {
        let mut theirs = Vec::new();
        while let Some(event) = events.next_if(|event| event.conversation == *conversation) {
            theirs.push(event);
        }
        mark_mine(on, &mut theirs, Some(&query.viewer)).await?;
        found.push(theirs);
    }
    Ok(found)
}

/// Reads a page.
///
/// The head is read first and cuts the page, so the page never shows more than the head it comes with.
/// Errors: `not_found` for no such conversation or a viewer who is no member of it.
pub(super) async fn read(on: &impl ConnectionTrait, query: &RangeQuery) -> Result<Page> {
    let (found, first) = visible(on, query.app, &query.conversation, query.viewer.as_ref()).await?;
    let head: i64 = sql::get(&found, "last_seq")?;
    let bounds = Bounds { first, head };
    let mut events = match query.from {
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
    mark_mine(on, &mut events, query.viewer.as_ref()).await?;
    Ok(Page { events, head, epoch: sql::get(&found, "epoch")?, first })
}

/// The conversation's head row and the first seq the viewer may see.
///
/// Errors: `not_found` for no such conversation or a viewer who is no member of it.
async fn visible(
    on: &impl ConnectionTrait,
    app: AppRef,
    conversation: &Conversation,
    viewer: Option<&User>,
) -> Result<(QueryResult, i64)> {
    let values = [app.app.into(), conversation.as_str().into(), viewer.map(User::as_str).into()];
    let found = sql::row(on, HEAD, values).await?.ok_or(Code::NotFound)?;
    let joined: Option<i64> = sql::get(&found, "joined_seq")?;
    match (viewer, joined) {
        (None, _) => Ok((found, 1)),
        (Some(_), Some(joined)) => Ok((found, joined)),
        (Some(_), None) => Err(Code::NotFound.into()),
    }
}

/// The first seq of a conversation that the viewer may see. Errors: `not_found`.
pub(super) async fn first_visible(
    on: &impl ConnectionTrait,
    app: AppRef,
    conversation: &Conversation,
    viewer: Option<&User>,
) -> Result<i64> {
    visible(on, app, conversation, viewer).await.map(|(_, first)| first)
}

/// Tells of each reaction whether it is the viewer's too.
pub(super) async fn mark_mine(on: &impl ConnectionTrait, events: &mut [Event], viewer: Option<&User>) -> Result<()> {
    let Some((app, conversation)) = events.first().map(|event| (event.app, event.conversation.clone())) else {
        return Ok(());
    };
    let reacted = events.iter_mut().filter_map(|event| match &mut event.body {
        EventBody::Message { state: Some(state), .. } if !state.reactions.is_empty() => Some((event.seq, state)),
        _ => None,
    });
    let (mut reacted, Some(viewer)) = (reacted.collect::<BTreeMap<_, _>>(), viewer) else { return Ok(()) };
    if reacted.is_empty() {
        return Ok(());
    }
    let targets = serde_json::Value::from(reacted.keys().copied().collect::<Vec<_>>()).to_string();
    let values: [Value; 4] = [app.app.into(), conversation.as_str().into(), viewer.as_str().into(), targets.into()];
    for row in &sql::rows(on, MINE.on(on), values).await? {
        let (target, emoji): (i64, String) = (sql::get(row, "target")?, sql::get(row, "emoji")?);
        let reactions = reacted.get_mut(&target).into_iter().flat_map(|state| &mut state.reactions);
        reactions.filter(|one| one.emoji.as_str() == emoji).for_each(|one| one.mine = true);
    }
    Ok(())
}

const MINE: Text = Text {
    sqlite: "
SELECT target, emoji FROM reaction
WHERE app_id = $1 AND conversation_id = $2 AND \"user\" = $3 AND target IN (SELECT value FROM json_each($4))",
    postgres: "
SELECT target, emoji FROM reaction WHERE app_id = $1 AND conversation_id = $2 AND \"user\" = $3
AND target = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text($4::json) AS j(value)))",
};

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
        let pages = if query.thread.is_some() { THREAD_FORWARD } else { FORWARD };
        self.select(on, query, pages, after, self.head + 1, limit).await
    }

    async fn backward(
        &self,
        on: &impl ConnectionTrait,
        query: &RangeQuery,
        before: i64,
        limit: u32,
    ) -> Result<Vec<Event>> {
        let pages = if query.thread.is_some() { THREAD_BACKWARD } else { BACKWARD };
        self.select(on, query, pages, 0, before.min(self.head + 1), limit).await
    }

    async fn select(
        &self,
        on: &impl ConnectionTrait,
        query: &RangeQuery,
        pages: Pages,
        above: i64,
        below: i64,
        limit: u32,
    ) -> Result<Vec<Event>> {
        let above = above.max(self.first - 1);
        if above.saturating_add(1) >= below || limit == 0 {
            return Ok(Vec::new());
        }
        let values: [Value; 7] = [
            query.app.app.into(),
            query.conversation.as_str().into(),
            above.into(),
            below.into(),
            i64::from(limit).into(),
            (query.bytes_max as i64).into(),
            query.thread.unwrap_or(0).into(),
        ];
        let mut events = pages.read(on, query.app, &values).await?;
        events.sort_unstable_by_key(|event| event.seq);
        Ok(events)
    }
}
