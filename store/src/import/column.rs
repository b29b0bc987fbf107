//! The five types of our columns, as both engines read and PostgreSQL writes them.

use sea_orm::sqlx::postgres::PgArguments;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{self, ColumnIndex, Decode, Postgres, Row, Type};
use uuid::Uuid;

/// A type of column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Id,
    Bytes,
    Number,
    Flag,
    Text,
}

/// The kind of a PostgreSQL type.
pub(super) fn kinds(name: &str) -> Option<Kind> {
    [Kind::Id, Kind::Bytes, Kind::Number, Kind::Flag, Kind::Text].into_iter().find(|kind| kind.word() == name)
}

/// Values of one column, of as many rows as are written at once.
#[derive(Debug)]
pub(super) enum Column {
    Id(Vec<Option<Uuid>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Number(Vec<Option<i64>>),
    Flag(Vec<Option<bool>>),
    Text(Vec<Option<String>>),
}

impl Kind {
    /// PostgreSQL's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Id => "uuid",
            Kind::Bytes => "bytea",
            Kind::Number => "bigint",
            Kind::Flag => "boolean",
            Kind::Text => "text",
        }
    }

    pub(super) fn list(self) -> Column {
        match self {
            Kind::Id => Column::Id(Vec::new()),
            Kind::Bytes => Column::Bytes(Vec::new()),
            Kind::Number => Column::Number(Vec::new()),
            Kind::Flag => Column::Flag(Vec::new()),
            Kind::Text => Column::Text(Vec::new()),
        }
    }
}

impl Column {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Column::Id(list) => list.is_empty(),
            Column::Bytes(list) => list.is_empty(),
            Column::Number(list) => list.is_empty(),
            Column::Flag(list) => list.is_empty(),
            Column::Text(list) => list.is_empty(),
        }
    }

    /// Takes the value of a row, and writes what the row's hash is made of: presence, length and bytes.
    pub(super) fn push<'r, R>(&mut self, row: &'r R, at: usize, out: &mut Vec<u8>) -> sqlx::Result<()>
    where
        R: Row,
        usize: ColumnIndex<R>,
        Uuid: Decode<'r, R::Database> + Type<R::Database>,
        Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
        i64: Decode<'r, R::Database> + Type<R::Database>,
        bool: Decode<'r, R::Database> + Type<R::Database>,
        String: Decode<'r, R::Database> + Type<R::Database>,
    {
        match self {
            Column::Id(list) => keep(list, row.try_get(at)?, out, |id| id.as_bytes().to_vec()),
            Column::Bytes(list) => keep(list, row.try_get(at)?, out, Clone::clone),
            Column::Number(list) => keep(list, row.try_get(at)?, out, |number| number.to_be_bytes().to_vec()),
            Column::Flag(list) => keep(list, row.try_get(at)?, out, |flag| vec![u8::from(*flag)]),
            Column::Text(list) => keep(list, row.try_get(at)?, out, |text| text.clone().into_bytes()),
        }
        Ok(())
    }

    /// The list as an argument.
    pub(super) fn bind(self, query: Query<'_, Postgres, PgArguments>) -> Query<'_, Postgres, PgArguments> {
        match self {
            Column::Id(list) => query.bind(list),
            Column::Bytes(list) => query.bind(list),
            Column::Number(list) => query.bind(list),
            Column::Flag(list) => query.bind(list),
            Column::Text(list) => query.bind(list),
        }
    }
}

fn keep<T>(list: &mut Vec<Option<T>>, value: Option<T>, out: &mut Vec<u8>, bytes: impl Fn(&T) -> Vec<u8>) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = &value {
        let bytes = bytes(value);
        out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        out.extend_from_slice(&bytes);
    }
    list.push(value);
}
