//! One text for each statement, two engines.
//!
//! A [`Sql`] is written once, in the SQL both engines share. What they lack in common is a few
//! named fragments in braces:
//!
//! - `{rows(id TEXT, n BIGINT)}`: the rows bound as `$1`, as a table `v` of these columns; one constant
//!   text for any number of rows. `SQLite` reads them from one JSON text, Postgres from an array for each
//!   column, of which the first is `$1` and the others follow on the statement's own binds.
//! - `{in_list}`: being one of the list of strings bound as `$1`. On Postgres an array whose length it
//!   does not know beforehand: it looks each up in the index, and may else think that reading the
//!   table is cheaper.
//! - `{each outbox o ON o.id = v.id}`: joins the row that fits, looked up for each of those before. Postgres
//!   would else read the whole table: it was counted when it was empty, in a quiet hour
//!   (`tests/store/plans.rs`).
//! - `{elements deliveries}`: the elements of an array in JSON text, as rows with one column, `value`.
//! - `{place}`: where a row stands, which is the nearest way to one that this transaction has locked.
//! - `{later}`: the function that gives the greater of two values.
//! - `{lock}`: Postgres' `FOR UPDATE`, `{skip_locked}`: the same, but what is locked is left out, `{keep}`: its
//!   `FOR KEY SHARE`, which several may have at the same time, while nobody has the others; a
//!   name behind any (`{lock o}`) is the table whose rows are meant. `SQLite` has one writer and
//!   needs none.
//!
//! `every_statement_prepares` (`tests/store/statements.rs`) prepares each on both engines.

use std::sync::OnceLock;

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `SQLite`, bundled.
    Sqlite,
    /// Postgres.
    Postgres,
}

/// A statement with its name, which errors carry.
#[derive(Debug)]
pub struct Sql {
    /// The name of its constant.
    pub name: &'static str,
    template: &'static str,
    rendered: [OnceLock<String>; 2],
    columns: OnceLock<Vec<Column>>,
}

/// A column of the rows that a statement takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its cells' type.
    pub kind: ColumnType,
}

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// `TEXT`.
    Text,
    /// `BIGINT`.
    Number,
    /// `BOOLEAN`.
    Flag,
}

impl ColumnType {
    fn from_word(word: &str) -> Self {
        match word {
            "TEXT" => Self::Text,
            "BIGINT" => Self::Number,
            "BOOLEAN" => Self::Flag,
            _ => unreachable!("no column is of type {word}"),
        }
    }

    fn as_word(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Number => "BIGINT",
            Self::Flag => "BOOLEAN",
        }
    }
}

impl Sql {
    /// A statement; see the module's doc for the fragments.
    pub const fn new(name: &'static str, template: &'static str) -> Self {
        Self {
            name,
            template,
            rendered: [OnceLock::new(), OnceLock::new()],
            columns: OnceLock::new(),
        }
    }

    /// The text for one engine.
    pub fn on(&'static self, dialect: Dialect) -> &'static str {
        self.rendered[dialect as usize].get_or_init(|| render(self.template, dialect))
    }

    /// The columns of the rows that it takes as `$1`; none if it takes none.
    pub fn columns(&'static self) -> &'static [Column] {
        self.columns.get_or_init(|| {
            let rows = self.template.split_once("{rows(");
            let list = rows.and_then(|(_, rest)| rest.split_once(")}"));
            list.map_or_else(Vec::new, |(list, _)| columns(list))
        })
    }

    /// How many values the statement's text has places for.
    pub fn binds(&'static self, dialect: Dialect) -> usize {
        places(self.on(dialect))
    }
}

/// The highest of the numbers `$1`, `$2`, … in `text`.
fn places(text: &str) -> usize {
    let numbers = text.split('$').skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit());
        rest[..end.unwrap_or(rest.len())].parse().ok()
    });
    numbers.max().unwrap_or(0)
}

fn columns(list: &'static str) -> Vec<Column> {
    let parts = list
        .split(',')
        .filter_map(|part| part.trim().split_once(' '));
    parts
        .map(|(name, word)| Column {
            name,
            kind: ColumnType::from_word(word),
        })
        .collect()
}

fn render(template: &'static str, dialect: Dialect) -> String {
    let own = places(template).max(1);
    let mut out = String::with_capacity(template.len() + 128);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (fragment, after) = after.split_once('}').unwrap_or((after, ""));
        let rows = fragment
            .strip_prefix("rows(")
            .and_then(|f| f.strip_suffix(')'));
        out.push_str(&match rows {
            Some(list) => table(&columns(list), dialect, own),
            None => expand(fragment, dialect),
        });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The rows that are bound, as a table; `own` is how many places the statement has itself.
fn table(columns: &[Column], dialect: Dialect, own: usize) -> String {
    let each = |cell: &dyn Fn(usize, &Column) -> String| {
        let cells = columns
            .iter()
            .enumerate()
            .map(|(n, column)| cell(n, column));
        cells.collect::<Vec<_>>().join(", ")
    };
    match dialect {
        Dialect::Sqlite => {
            // A row as `json_each` hands it out is text, which each column would parse again.
            let cells = each(&|n, column| format!("value->>{n} AS {}", column.name));
            format!("(SELECT {cells} FROM jsonb_each($1)) AS v")
        }
        Dialect::Postgres => {
            let arrays = each(&|n, column| {
                let place = if n == 0 { 1 } else { own + n };
                format!("CAST(${place} AS {}[])", column.kind.as_word())
            });
            let names = each(&|_, column| column.name.to_owned());
            format!("unnest({arrays}) AS v({names})")
        }
    }
}

fn expand(fragment: &str, dialect: Dialect) -> String {
    let sqlite = dialect == Dialect::Sqlite;
    if let Some(join) = fragment.strip_prefix("each ") {
        return each(join, sqlite);
    }
    if let Some(json) = fragment.strip_prefix("elements ") {
        return elements(json, sqlite);
    }
    match (fragment, sqlite) {
        ("in_list", true) => "IN (SELECT value FROM json_each($1))".into(),
        ("in_list", false) => "= ANY (ARRAY(SELECT unnest(CAST($1 AS TEXT[]))))".into(),
        ("place", true) => "rowid".into(),
        ("place", false) => "ctid".into(),
        ("later", true) => "max".into(),
        ("later", false) => "greatest".into(),
        _ => lock(fragment, sqlite),
    }
}

/// `LIMIT` keeps Postgres from making a join of it, for which it would choose a way by its counts.
fn each(join: &str, sqlite: bool) -> String {
    if sqlite {
        return format!("JOIN {join}");
    }
    let Some((table, condition)) = join.split_once(" ON ") else {
        unreachable!("by what is `{join}` looked up?");
    };
    let name = table.rsplit(' ').next().unwrap_or(table);
    format!("CROSS JOIN LATERAL (SELECT * FROM {table} WHERE {condition} LIMIT 1) AS {name}")
}

/// `SQLite` would hand out each element as text, which every use of it would parse again.
fn elements(json: &str, sqlite: bool) -> String {
    if sqlite {
        format!("jsonb_each({json})")
    } else {
        format!("LATERAL jsonb_array_elements(CAST({json} AS jsonb))")
    }
}

fn lock(fragment: &str, sqlite: bool) -> String {
    let (word, table) = fragment.split_once(' ').unwrap_or((fragment, ""));
    let (strength, end) = match word {
        "lock" => ("UPDATE", ""),
        "skip_locked" => ("UPDATE", " SKIP LOCKED"),
        "keep" => ("KEY SHARE", ""),
        _ => unreachable!("no fragment is called {fragment}"),
    };
    let of = if table.is_empty() { "" } else { " OF " };
    if sqlite {
        String::new()
    } else {
        format!("FOR {strength}{of}{table}{end}")
    }
}

/// Declares statements, and `ALL`, the list of them.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)+) => {
        $($(#[$doc])* pub(in crate::store) static $name: $crate::store::sql::Sql =
            $crate::store::sql::Sql::new(stringify!($name), $text);)+
        /// Every statement of this file.
        pub(in crate::store) static ALL: &[&$crate::store::sql::Sql] = &[$(&$name),+];
    };
}
pub(crate) use statements;

/// Runs a statement in a transaction: `run!(tx, execute SQL, bind, …)` gives the affected rows,
/// `all`, `one` and `optional` give rows of the expected type.
macro_rules! run {
    (@binds $binds:ident, $sql:ident, $($bind:expr),*) => {
        $crate::store::bind::$binds::of(&$sql)$(.bind(&$bind))*.done()
    };
    (@each $tx:expr, $sql:ident, $how:ident, $query:ident, $($bind:expr),*) => {
        match &mut *$tx {
            $crate::store::Tx::Sqlite(c) => sqlx::$query(
                $sql.on($crate::store::sql::Dialect::Sqlite),
                run!(@binds SqliteBinds, $sql, $($bind),*),
            ).$how(&mut **c).await,
            $crate::store::Tx::Postgres(c, keeps) => sqlx::$query(
                $sql.on($crate::store::sql::Dialect::Postgres),
                run!(@binds PostgresBinds, $sql, $($bind),*),
            ).persistent(*keeps).$how(&mut **c).await,
        }
        .map_err(|source| $crate::store::StoreError::Statement { name: $sql.name, source })
    };
    ($tx:expr, execute $sql:ident $(, $bind:expr)*) => {
        match &mut *$tx {
            $crate::store::Tx::Sqlite(c) => sqlx::query_with(
                $sql.on($crate::store::sql::Dialect::Sqlite),
                run!(@binds SqliteBinds, $sql, $($bind),*),
            ).execute(&mut **c).await.map(|done| done.rows_affected()),
            $crate::store::Tx::Postgres(c, keeps) => sqlx::query_with(
                $sql.on($crate::store::sql::Dialect::Postgres),
                run!(@binds PostgresBinds, $sql, $($bind),*),
            ).persistent(*keeps).execute(&mut **c).await.map(|done| done.rows_affected()),
        }
        .map_err(|source| $crate::store::StoreError::Statement { name: $sql.name, source })
    };
    ($tx:expr, all $sql:ident $(, $bind:expr)*) => { run!(@each $tx, $sql, fetch_all, query_as_with, $($bind),*) };
    ($tx:expr, one $sql:ident $(, $bind:expr)*) => { run!(@each $tx, $sql, fetch_one, query_as_with, $($bind),*) };
    ($tx:expr, optional $sql:ident $(, $bind:expr)*) => { run!(@each $tx, $sql, fetch_optional, query_as_with, $($bind),*) };
}
pub(crate) use run;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_expand_for_each_engine() {
        let text = "UPDATE t SET n = v.n, at = $2 FROM {rows(id TEXT, n BIGINT, b BOOLEAN)} WHERE t.id = v.id {skip_locked}";
        assert_eq!(
            render(text, Dialect::Sqlite),
            "UPDATE t SET n = v.n, at = $2 FROM (SELECT value->>0 AS id, value->>1 AS n, value->>2 AS b \
             FROM jsonb_each($1)) AS v WHERE t.id = v.id "
        );
        assert_eq!(
            render(text, Dialect::Postgres),
            "UPDATE t SET n = v.n, at = $2 FROM unnest(CAST($1 AS TEXT[]), CAST($3 AS BIGINT[]), \
             CAST($4 AS BOOLEAN[])) AS v(id, n, b) WHERE t.id = v.id FOR UPDATE SKIP LOCKED"
        );
        let list = "k {in_list}";
        assert_eq!(
            render(list, Dialect::Sqlite),
            "k IN (SELECT value FROM json_each($1))"
        );
        assert_eq!(
            render(list, Dialect::Postgres),
            "k = ANY (ARRAY(SELECT unnest(CAST($1 AS TEXT[]))))"
        );
        assert_eq!(render("{lock o}", Dialect::Postgres), "FOR UPDATE OF o");
        assert_eq!(render("{keep}", Dialect::Postgres), "FOR KEY SHARE");
        let elements = "FROM t CROSS JOIN {elements list} AS e";
        assert_eq!(
            render(elements, Dialect::Sqlite),
            "FROM t CROSS JOIN jsonb_each(list) AS e"
        );
        assert_eq!(
            render(elements, Dialect::Postgres),
            "FROM t CROSS JOIN LATERAL jsonb_array_elements(CAST(list AS jsonb)) AS e"
        );
        let each = "v {each outbox o ON o.id = v.id} WHERE";
        assert_eq!(
            render(each, Dialect::Sqlite),
            "v JOIN outbox o ON o.id = v.id WHERE"
        );
        assert_eq!(
            render(each, Dialect::Postgres),
            "v CROSS JOIN LATERAL (SELECT * FROM outbox o WHERE o.id = v.id LIMIT 1) AS o WHERE"
        );
    }
}
