//! Who has read or received a message: counted and listed from the members' watermarks (ADR 11).

use crate::sql;
use sea_orm::{ConnectionTrait, QueryResult};
use tokenim_domain::log::{Acknowledged, Receipt, Receipts, ReceiptsQuery};
use tokenim_domain::name::User;
use tokenim_domain::{Code, Error, Result};

const PLACE: &str = "
SELECT c.last_seq, m.joined_seq FROM conversation c
LEFT JOIN member m ON m.app_id = c.app_id AND m.conversation_id = c.id AND m.user = $3
WHERE c.app_id = $1 AND c.id = $2";

/// One pass over the members, who stand together under their key. Who joined later was no member then.
const COUNT: &str = "
SELECT count(*) AS members, count(*) FILTER (WHERE read_seq >= $3) AS has_read, count(*) FILTER (WHERE received_seq >= $3) AS has_received
FROM member WHERE app_id = $1 AND conversation_id = $2 AND joined_seq <= $3";

macro_rules! page_of {
    ($which:literal) => {
        concat!(
            "SELECT \"user\", read_seq, received_seq FROM member ",
            "WHERE app_id = $1 AND conversation_id = $2 AND \"user\" > $3 AND joined_seq <= $4 AND ",
            $which,
            " ORDER BY \"user\" LIMIT $5"
        )
    };
}

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
    let counted = sql::row(on, COUNT, [app.app.into(), conversation.into(), seq.into()]).await?;
    let counted = counted.ok_or_else(|| Error::internal("a count without a row"))?;
    let (members, read, received) =
        (sql::get(&counted, "members")?, sql::get(&counted, "has_read")?, sql::get(&counted, "has_received")?);
    Ok(Receipts { members, read, received, page: page(on, query).await? })
}

async fn page(on: &impl ConnectionTrait, query: &ReceiptsQuery) -> Result<Vec<Acknowledged>> {
    let text = match (query.state, query.has) {
        (_, None) => return Ok(Vec::new()),
        (Receipt::Read, Some(true)) => page_of!("read_seq >= $4"),
        (Receipt::Read, Some(false)) => page_of!("read_seq < $4"),
        (Receipt::Received, Some(true)) => page_of!("received_seq >= $4"),
        (Receipt::Received, Some(false)) => page_of!("received_seq < $4"),
    };
    let after = query.after.as_ref().map_or("", User::as_str);
    let values = [
        query.app.app.into(),
        query.conversation.as_str().into(),
        after.into(),
        query.seq.into(),
        i64::from(query.limit).into(),
    ];
    sql::rows(on, text, values).await?.iter().map(acknowledged).collect()
}

fn acknowledged(row: &QueryResult) -> Result<Acknowledged> {
    Ok(Acknowledged {
        user: User::trusted(&sql::get::<String>(row, "user")?),
        read: sql::get(row, "read_seq")?,
        received: sql::get(row, "received_seq")?,
    })
}
