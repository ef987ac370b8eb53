//! One text for each statement, two engines.
//!
//! A [`Sql`] is written once, in the SQL both engines share. What they lack in common is a few
//! named fragments in braces:
//!
//! - `{rows(id TEXT, n BIGINT)}`: the JSON array bound as `$1`, as a table `v` of these columns;
//!   one bind and one constant text for any number of rows.
//! - `{in_list}`: being one of the JSON array of strings bound as `$1`. On Postgres an array, which
//!   it looks up in the index; of a subquery it may think that reading the table is cheaper.
//! - `{place}`: where a row stands, which is the nearest way to one that this transaction has locked.
//! - `{later}`: the function that gives the greater of two values.
//! - `{lock}`: Postgres' `FOR UPDATE`, `{skip_locked}`: the same, but what is locked is left out; a
//!   name behind either (`{lock o}`) is the table whose rows are meant. `SQLite` has one writer and
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
}

impl Sql {
    /// A statement; see the module's doc for the fragments.
    pub const fn new(name: &'static str, template: &'static str) -> Self {
        Self {
            name,
            template,
            rendered: [OnceLock::new(), OnceLock::new()],
        }
    }

    /// The text for one engine.
    pub fn on(&'static self, dialect: Dialect) -> &'static str {
        self.rendered[dialect as usize].get_or_init(|| render(self.template, dialect))
    }

    /// How many values the statement binds.
    pub fn binds(&self) -> usize {
        let rendered = render(self.template, Dialect::Postgres);
        (1..100)
            .take_while(|n| rendered.contains(&format!("${n}")))
            .count()
    }
}

fn render(template: &str, dialect: Dialect) -> String {
    let mut out = String::with_capacity(template.len() + 128);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (fragment, after) = after.split_once('}').unwrap_or((after, ""));
        out.push_str(&expand(fragment, dialect));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn expand(fragment: &str, dialect: Dialect) -> String {
    let sqlite = dialect == Dialect::Sqlite;
    match fragment
        .strip_prefix("rows(")
        .and_then(|f| f.strip_suffix(')'))
    {
        Some(columns) if sqlite => {
            let columns: Vec<_> = columns
                .split(',')
                .filter_map(|column| column.split_whitespace().next())
                .map(|name| format!("value->>'{name}' AS {name}"))
                .collect();
            // A row as `json_each` hands it out is text, which each column would parse again.
            format!("(SELECT {} FROM jsonb_each($1)) AS v", columns.join(", "))
        }
        Some(columns) => format!("json_to_recordset(CAST($1 AS json)) AS v({columns})"),
        None => match (fragment, sqlite) {
            ("in_list", true) => "IN (SELECT value FROM json_each($1))".into(),
            ("in_list", false) => {
                "= ANY (ARRAY(SELECT json_array_elements_text(CAST($1 AS json))))".into()
            }
            ("place", true) => "rowid".into(),
            ("place", false) => "ctid".into(),
            ("later", true) => "max".into(),
            ("later", false) => "greatest".into(),
            _ => lock(fragment, sqlite),
        },
    }
}

fn lock(fragment: &str, sqlite: bool) -> String {
    let (word, table) = fragment.split_once(' ').unwrap_or((fragment, ""));
    let end = match word {
        "lock" => "",
        "skip_locked" => " SKIP LOCKED",
        _ => unreachable!("no fragment is called {fragment}"),
    };
    let of = if table.is_empty() { "" } else { " OF " };
    if sqlite {
        String::new()
    } else {
        format!("FOR UPDATE{of}{table}{end}")
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
    (@query $sql:ident, $dialect:ident, $($bind:expr),*) => {
        sqlx::query($sql.on($crate::store::sql::Dialect::$dialect))$(.bind($bind))*
    };
    (@query_as $sql:ident, $dialect:ident, $($bind:expr),*) => {
        sqlx::query_as($sql.on($crate::store::sql::Dialect::$dialect))$(.bind($bind))*
    };
    (@each $tx:expr, $sql:ident, $how:ident, $query:ident, $($bind:expr),*) => {
        match &mut *$tx {
            $crate::store::Tx::Sqlite(c) => run!(@$query $sql, Sqlite, $($bind),*).$how(&mut **c).await,
            $crate::store::Tx::Postgres(c, keeps) => run!(@$query $sql, Postgres, $($bind),*)
                .persistent(*keeps).$how(&mut **c).await,
        }
        .map_err(|source| $crate::store::StoreError::Statement { name: $sql.name, source })
    };
    ($tx:expr, execute $sql:ident $(, $bind:expr)*) => {
        match &mut *$tx {
            $crate::store::Tx::Sqlite(c) => run!(@query $sql, Sqlite, $($bind),*)
                .execute(&mut **c).await.map(|done| done.rows_affected()),
            $crate::store::Tx::Postgres(c, keeps) => run!(@query $sql, Postgres, $($bind),*)
                .persistent(*keeps).execute(&mut **c).await.map(|done| done.rows_affected()),
        }
        .map_err(|source| $crate::store::StoreError::Statement { name: $sql.name, source })
    };
    ($tx:expr, all $sql:ident $(, $bind:expr)*) => { run!(@each $tx, $sql, fetch_all, query_as, $($bind),*) };
    ($tx:expr, one $sql:ident $(, $bind:expr)*) => { run!(@each $tx, $sql, fetch_one, query_as, $($bind),*) };
    ($tx:expr, optional $sql:ident $(, $bind:expr)*) => { run!(@each $tx, $sql, fetch_optional, query_as, $($bind),*) };
}
pub(crate) use run;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_expand_for_each_engine() {
        let text = "UPDATE t SET n = v.n FROM {rows(id TEXT, n BIGINT)} WHERE t.id = v.id AND k {in_list} {skip_locked}";
        let sqlite = render(text, Dialect::Sqlite);
        assert!(
            sqlite
                .contains("(SELECT value->>'id' AS id, value->>'n' AS n FROM jsonb_each($1)) AS v")
        );
        assert!(sqlite.contains("IN (SELECT value FROM json_each($1))"));
        assert!(!sqlite.contains("SKIP LOCKED"));
        let postgres = render(text, Dialect::Postgres);
        assert!(postgres.contains("json_to_recordset(CAST($1 AS json)) AS v(id TEXT, n BIGINT)"));
        assert!(postgres.ends_with("FOR UPDATE SKIP LOCKED"));
        assert_eq!(render("{lock o}", Dialect::Postgres), "FOR UPDATE OF o");
    }
}
