//! When users were seen last.

use super::members::names;
use crate::db::Fence;
use crate::sql::Text;
use crate::{Store, fault, sql};
use sea_orm::ConnectionTrait;
use serde_json::json;
use tokenim_domain::Result;
use tokenim_domain::log::{AppRef, Seen};
use tokenim_domain::name::User;

/// Rows of one statement.
const ROWS_MAX: usize = 1_000;

const FIND: Text = Text {
    sqlite: "
SELECT \"user\", seen_ms, version, is_open FROM presence
WHERE app_id = $1 AND \"user\" IN (SELECT value FROM json_each($2))",
    postgres: "
SELECT \"user\", seen_ms, version, is_open FROM presence
WHERE app_id = $1 AND \"user\" IN (SELECT json_array_elements_text($2::json))",
};

/// What is stored of the users; those who were never seen are left out.
pub(super) async fn find(on: &impl ConnectionTrait, app: AppRef, users: &[User]) -> Result<Vec<Seen>> {
    let rows = sql::rows(on, FIND.on(on), [app.app.into(), names(users).into()]).await?;
    let seen = |row| {
        Ok(Seen {
            app,
            user: User::trusted(&sql::get::<String>(row, "user")?),
            seen_ms: sql::get(row, "seen_ms")?,
            version: sql::get(row, "version")?,
            is_open: sql::get::<i64>(row, "is_open")? == 1,
        })
    };
    rows.iter().map(seen).collect()
}

/// In the order of keys, so that two nodes do not wait for each other. A row of a later version stands.
const SAVE: Text = Text {
    sqlite: "
INSERT INTO presence (app_id, \"user\", seen_ms, version, is_open)
SELECT unhex(value->>0), value->>1, value->>2, value->>3, value->>4 FROM json_each($1)
WHERE true ON CONFLICT (app_id, \"user\") DO UPDATE
SET seen_ms = excluded.seen_ms, version = excluded.version, is_open = excluded.is_open
WHERE excluded.version >= presence.version",
    postgres: "
INSERT INTO presence (app_id, \"user\", seen_ms, version, is_open)
SELECT (value->>0)::uuid, value->>1, (value->>2)::bigint, (value->>3)::bigint, (value->>4)::bigint
FROM json_array_elements($1::json) AS w(value) ORDER BY 1, 2
ON CONFLICT (app_id, \"user\") DO UPDATE
SET seen_ms = excluded.seen_ms, version = excluded.version, is_open = excluded.is_open
WHERE excluded.version >= presence.version",
};
const ALIVE: &str = "UPDATE presence_clock SET alive_ms = $1 WHERE id = 1 AND alive_ms < $1";

/// Saves what changed, each user once, and that this process is alive.
pub(super) async fn save(store: &Store, seen: &[Seen], now_ms: i64) -> Result<()> {
    let tx = sql::begin_within(&store.writer, Fence::Worker).await?;
    for rows in seen.chunks(ROWS_MAX) {
        let values = rows.iter().map(|row| {
            let app = super::sqlite::hex(row.app.app.0);
            json!([app, row.user.as_str(), row.seen_ms, row.version, i64::from(row.is_open)])
        });
        let values = serde_json::Value::from(values.collect::<Vec<_>>()).to_string();
        sql::run(&tx, SAVE.on(&tx), [values.into()]).await.map_err(fault::query)?;
    }
    sql::run(&tx, ALIVE, [now_ms.into()]).await.map_err(fault::query)?;
    sql::commit(tx).await
}

const CLOSE: &str = "
UPDATE presence SET is_open = 0, seen_ms = (
    SELECT CASE WHEN c.alive_ms > presence.seen_ms THEN c.alive_ms ELSE presence.seen_ms END FROM presence_clock c WHERE c.id = 1
) WHERE is_open = 1";

/// Closes what the process before this one left open: those users were there for as long as it was alive.
pub(super) async fn close(store: &Store) -> Result<()> {
    sql::run(&store.writer.within(Fence::Worker), CLOSE, []).await.map(drop).map_err(fault::query)
}
