//! One text per schema change for both engines: its words for types, put into the engine's own.

/// The engine that runs a schema change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// A file.
    Sqlite,
    /// PostgreSQL 15 or newer.
    Postgres,
}

impl Engine {
    /// What a word of our texts is on this engine. `TEXT` compares by bytes on both, so lists have one order.
    fn word(self, word: &str) -> Option<&'static str> {
        match (self, word) {
            (Engine::Sqlite, "UUID" | "BYTES") => Some("BLOB"),
            (Engine::Sqlite, "BIGINT" | "BOOLEAN") => Some("INTEGER"),
            (Engine::Postgres, "BYTES") => Some("BYTEA"),
            (Engine::Postgres, "TEXT") => Some("TEXT COLLATE \"C\""),
            _ => None,
        }
    }

    /// How a table ends; a line that is `);` ends nothing else in our texts.
    fn table_end(self) -> &'static str {
        match self {
            Engine::Sqlite => ") WITHOUT ROWID, STRICT;",
            Engine::Postgres => ");",
        }
    }

    /// The statements of a text in this engine's words; comments are left out.
    pub(crate) fn translate(self, text: &str) -> String {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
        lines.map(|line| if line == ");" { self.table_end().to_owned() } else { self.line(line) } + "\n").collect()
    }

    fn line(self, line: &str) -> String {
        line.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .map(|piece| {
                let word = piece.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
                match self.word(word) {
                    Some(own) => own.to_owned() + &piece[word.len()..],
                    None => piece.to_owned(),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "-- A UUID.\nCREATE TABLE t (\n    id UUID NOT NULL PRIMARY KEY,\n    name TEXT,\n    n BIGINT\n);\n";

    #[test]
    fn each_engine_has_its_own_words() {
        assert_eq!(
            Engine::Sqlite.translate(TEXT),
            "CREATE TABLE t (\n    id BLOB NOT NULL PRIMARY KEY,\n    name TEXT,\n    n INTEGER\n) WITHOUT ROWID, STRICT;\n"
        );
        assert_eq!(
            Engine::Postgres.translate(TEXT),
            "CREATE TABLE t (\n    id UUID NOT NULL PRIMARY KEY,\n    name TEXT COLLATE \"C\",\n    n BIGINT\n);\n"
        );
    }
}
