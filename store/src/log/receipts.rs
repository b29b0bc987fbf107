//! Who has read or received a message: counted and listed from the members' watermarks, and of a large conversation counted from
//! its tally (ADR 15).

use super::tally::{self, Counts};
use crate::sql;
use sea_orm::{ConnectionTrait, QueryResult};
use tokenim_domain::log::{Acknowledged, Receipt, Receipts, ReceiptsQuery};
use tokenim_domain::name::User;
use tokenim_domain::{Code, Error, Result};

/// Members that a page looks through at most.
const SCAN_MAX: i64 = 4_096;

const PLACE: &str = "
SELECT c.last_seq, c.is_tallied, m.joined_seq FROM conversation c
LEFT JOIN member m ON m.app_id = c.app_id AND m.conversation_id = c.id AND m.user = $3
WHERE c.app_id = $1 AND c.id = $2";

/// One pass over the members of a conversation that is not tallied. Who joined later was no member then.
const COUNT: &str = "
SELECT count(*) AS members, count(*) FILTER (WHERE joined_seq > $3) AS later,
    count(*) FILTER (WHERE read_seq >= $3) AS has_read, count(*) FILTER (WHERE received_seq >= $3) AS has_received
FROM member WHERE app_id = $1 AND conversation_id = $2";

/// Counts, and lists a page where one is asked for.
///
/// Errors: `not_found` for no such conversation or a viewer who is no member of it; `invalid_field` for a seq it may not see.
pub(super) async fn read(on: &impl ConnectionTrait, query: &ReceiptsQuery) -> Result<Receipts> {
    let ReceiptsQuery { app, seq, .. } = *query;
    let (viewer, conversation) = (query.viewer.as_ref().map(User::as_str), query.conversation.as_str());
    let place = [app.app.into(), conversation.into(), viewer.into()];
    let place = sql::row(on, PLACE, place).await?.ok_or(Code::NotFound)?;
    let first = match (viewer, sql::get::<Option<i64>>(&place, "joined_seq")?) {
        (None, _) => 1,
        (Some(_), Some(joined)) => joined,
        (Some(_), None) => return Err(Code::NotFound.into()),
    };
    if !(first..=sql::get(&place, "last_seq")?).contains(&seq) {
        return Err(Error::invalid("seq", "`seq` must be that of an event you may see"));
    }
    let counts = match sql::get(&place, "is_tallied")? {
        true => tally::counts(on, app, &query.conversation, seq).await?,
        false => pass(on, query).await?,
    };
    // Who joined later has read and received more than this: watermarks begin where a member joins.
    let (members, read, received) =
        (counts.members - counts.later, counts.read - counts.later, counts.received - counts.later);
    let mut receipts = Receipts { members, read, received, page: Vec::new(), next: None };
    let has = match query.state {
        Receipt::Read => read,
        Receipt::Received => received,
    };
    match query.has {
        Some(true) if has > 0 => list(on, query, true, &mut receipts).await?,
        Some(false) if has < members => list(on, query, false, &mut receipts).await?,
        Some(_) | None => {}
    }
    Ok(receipts)
}

async fn pass(on: &impl ConnectionTrait, query: &ReceiptsQuery) -> Result<Counts> {
    let values = [query.app.app.into(), query.conversation.as_str().into(), query.seq.into()];
    let row = sql::row(on, COUNT, values).await?.ok_or_else(|| Error::internal("a count without a row"))?;
    Ok(Counts {
        members: sql::get(&row, "members")?,
        later: sql::get(&row, "later")?,
        read: sql::get(&row, "has_read")?,
        received: sql::get(&row, "has_received")?,
    })
}

/// Those whom a page is of, and whoever is the last that may be looked at.
macro_rules! page_of {
    ($which:literal) => {
        concat!(
            "SELECT \"user\", joined_seq, read_seq, received_seq, place FROM (
SELECT *, row_number() OVER (ORDER BY \"user\") AS place FROM (
    SELECT \"user\", joined_seq, read_seq, received_seq FROM member
    WHERE app_id = $1 AND conversation_id = $2 AND \"user\" > $3 ORDER BY \"user\" LIMIT $6) AS near) AS numbered
WHERE place = $6 OR (joined_seq <= $4 AND ",
            $which,
            ") ORDER BY \"user\" LIMIT $5"
        )
    };
}

/// Fills the page. It ends with its limit, or with what may be looked through.
async fn list(on: &impl ConnectionTrait, query: &ReceiptsQuery, has: bool, into: &mut Receipts) -> Result<()> {
    let text = match (query.state, has) {
        (Receipt::Read, true) => page_of!("read_seq >= $4"),
        (Receipt::Read, false) => page_of!("read_seq < $4"),
        (Receipt::Received, true) => page_of!("received_seq >= $4"),
        (Receipt::Received, false) => page_of!("received_seq < $4"),
    };
    let after = query.after.as_ref().map_or("", User::as_str);
    let (app, conversation) = (query.app.app.into(), query.conversation.as_str().into());
    // One more than the page holds tells that another follows.
    let limit = i64::from(query.limit) + 1;
    let values = [app, conversation, after.into(), query.seq.into(), limit.into(), SCAN_MAX.into()];
    for row in sql::rows(on, text, values).await? {
        let one = acknowledged(&row)?;
        let has_acknowledged = match query.state {
            Receipt::Read => one.read >= query.seq,
            Receipt::Received => one.received >= query.seq,
        };
        into.next = (sql::get::<i64>(&row, "place")? == SCAN_MAX).then(|| one.user.clone());
        if has_acknowledged != has || sql::get::<i64>(&row, "joined_seq")? > query.seq {
            continue;
        }
        if into.page.len() == query.limit as usize {
            into.next = into.page.last().map(|last| last.user.clone());
            break;
        }
        into.page.push(one);
    }
    Ok(())
}

fn acknowledged(row: &QueryResult) -> Result<Acknowledged> {
    Ok(Acknowledged {
        user: User::trusted(&sql::get::<String>(row, "user")?),
        read: sql::get(row, "read_seq")?,
        received: sql::get(row, "received_seq")?,
    })
}
