//! What the database itself says of its tables, in words both engines share.

use super::world::World;
use crate::sql::{self, Text};
use std::collections::{BTreeMap, BTreeSet};

/// What a table is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Each column and whether it may be NULL.
    pub columns: BTreeMap<String, bool>,
    /// Primary and unique keys: their columns in order.
    pub keys: BTreeSet<Vec<String>>,
    /// Foreign keys: their columns in order, and where they point.
    pub foreign: BTreeSet<(Vec<String>, String)>,
}

const COLUMNS: Text = Text {
    sqlite: "SELECT t.name AS tab, c.name AS col, CASE c.\"notnull\" WHEN 0 THEN 'null' ELSE '' END AS what
        FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
    postgres:
        "SELECT c.relname::text AS tab, a.attname::text AS col, CASE WHEN a.attnotnull THEN '' ELSE 'null' END AS what
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'",
};
/// `what` is the key's name.
const KEYS: Text = Text {
    sqlite: "SELECT t.name AS tab, i.name AS col, l.name AS what
        FROM sqlite_schema t, pragma_index_list(t.name) l, pragma_index_info(l.name) i
        WHERE t.type = 'table' AND l.\"unique\" ORDER BY l.name, i.seqno",
    postgres: "SELECT c.relname::text AS tab, a.attname::text AS col, i.indexrelid::text AS what
        FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique,
        unnest(i.indkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_attribute a ON a.attnum = k.number WHERE a.attrelid = c.oid
        AND c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' ORDER BY i.indexrelid, k.place",
};
/// `what` is the key's number and the table it points to.
const FOREIGN: Text = Text {
    sqlite: "SELECT t.name AS tab, f.\"from\" AS col, f.id || ' ' || f.\"table\" AS what
        FROM sqlite_schema t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table' ORDER BY t.name, f.id, f.seq",
    postgres: "SELECT c.relname::text AS tab, a.attname::text AS col, f.oid || ' ' || p.relname AS what
        FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid,
        unnest(f.conkey) WITH ORDINALITY AS k(number, place) JOIN pg_attribute a ON a.attnum = k.number
        WHERE f.contype = 'f' AND a.attrelid = c.oid AND c.relnamespace = current_schema()::regnamespace
        ORDER BY f.oid, k.place",
};

/// Every table but the list of migrations, which is sea-orm's.
pub async fn read(world: &World) -> BTreeMap<String, Table> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for (table, column, what) in rows(world, COLUMNS).await {
        tables.entry(table).or_default().columns.insert(column, what == "null");
    }
    for ((table, _), columns) in grouped(rows(world, KEYS).await) {
        tables.entry(table).or_default().keys.insert(columns);
    }
    for ((table, what), columns) in grouped(rows(world, FOREIGN).await) {
        let (_, to) = what.split_once(' ').unwrap();
        tables.entry(table).or_default().foreign.insert((columns, to.to_owned()));
    }
    tables.remove("seaql_migrations");
    tables
}

async fn rows(world: &World, text: Text) -> Vec<(String, String, String)> {
    let all = world.all();
    let rows = sql::rows(&all, text.on(&all), []).await.unwrap();
    let get = |row, column| sql::get::<String>(row, column).unwrap();
    rows.iter().map(|row| (get(row, "tab"), get(row, "col"), get(row, "what"))).collect()
}

fn grouped(rows: Vec<(String, String, String)>) -> BTreeMap<(String, String), Vec<String>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (table, column, what) in rows {
        groups.entry((table, what)).or_default().push(column);
    }
    groups
}
