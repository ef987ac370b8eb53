//! Binding values to a statement, on either engine.
//!
//! Where a statement takes rows, `SQLite` is given JSON text as `$1`; Postgres the first of their
//! columns as `$1`, and the others behind everything else.

use sqlx::{
    Arguments as _,
    encode::Encode,
    postgres::{PgArguments, Postgres},
    sqlite::{Sqlite, SqliteArguments},
    types::Type,
};

use super::{
    columns::{Cells, List, Table},
    sql::{Column, ColumnType, Sql},
};

/// What can be bound.
pub(super) trait Bind {
    fn on_sqlite(&self, to: &mut SqliteBinds);
    fn on_postgres<'a>(&'a self, to: &mut PostgresBinds<'a>);
}

/// The values of a statement for `SQLite`.
pub(super) struct SqliteBinds {
    sql: &'static Sql,
    arguments: SqliteArguments,
}

/// The values of a statement for Postgres.
pub(super) struct PostgresBinds<'a> {
    sql: &'static Sql,
    arguments: PgArguments,
    /// Columns that come last.
    behind: Vec<(Option<&'a Cells>, ColumnType)>,
}

impl SqliteBinds {
    pub(super) fn of(sql: &'static Sql) -> Self {
        Self {
            sql,
            arguments: SqliteArguments::default(),
        }
    }

    /// Binds the next value.
    pub(super) fn bind(mut self, value: &impl Bind) -> Self {
        value.on_sqlite(&mut self);
        self
    }

    pub(super) fn done(self) -> SqliteArguments {
        self.arguments
    }

    fn add<'q>(&mut self, value: impl Encode<'q, Sqlite> + Type<Sqlite>) {
        let added = self.arguments.add(value);
        added.expect("plain values can be encoded");
    }
}

impl<'a> PostgresBinds<'a> {
    pub(super) fn of(sql: &'static Sql) -> Self {
        Self {
            sql,
            arguments: PgArguments::default(),
            behind: Vec::new(),
        }
    }

    /// Binds the next value.
    pub(super) fn bind(mut self, value: &'a impl Bind) -> Self {
        value.on_postgres(&mut self);
        self
    }

    pub(super) fn done(mut self) -> PgArguments {
        for (cells, kind) in std::mem::take(&mut self.behind) {
            self.array(cells, kind);
        }
        self.arguments
    }

    fn add<'q>(&mut self, value: impl Encode<'q, Postgres> + Type<Postgres>) {
        let added = self.arguments.add(value);
        added.expect("plain values can be encoded");
    }

    /// Binds a column as an array; nulls are of the type that the statement says.
    fn array(&mut self, cells: Option<&Cells>, kind: ColumnType) {
        match cells.unwrap_or(&Cells::Nulls(0)) {
            Cells::Text(text, places) => {
                let texts = places
                    .iter()
                    .map(|place| place.map(|(start, end)| &text[start..end]));
                self.add(texts.collect::<Vec<Option<&str>>>());
            }
            Cells::Number(cells) => self.add(cells),
            Cells::Flag(cells) => self.add(cells),
            Cells::Nulls(count) => match kind {
                ColumnType::Text => self.add(vec![None::<&str>; *count]),
                ColumnType::Number => self.add(vec![None::<i64>; *count]),
                ColumnType::Flag => self.add(vec![None::<bool>; *count]),
            },
        }
    }
}

impl Bind for Table {
    fn on_sqlite(&self, to: &mut SqliteBinds) {
        to.add(self.json(to.sql.columns().iter().map(|column| column.name)));
    }

    fn on_postgres<'a>(&'a self, to: &mut PostgresBinds<'a>) {
        let mut columns = to.sql.columns().iter();
        let bound = |column: &Column| (self.column(column.name), column.kind);
        if let Some((cells, kind)) = columns.next().map(bound) {
            to.array(cells, kind);
        }
        to.behind.extend(columns.map(bound));
    }
}

impl Bind for List {
    fn on_sqlite(&self, to: &mut SqliteBinds) {
        to.add(self.json());
    }

    fn on_postgres<'a>(&'a self, to: &mut PostgresBinds<'a>) {
        to.array(Some(&self.0), ColumnType::Text);
    }
}

impl<T: Bind + ?Sized> Bind for &T {
    fn on_sqlite(&self, to: &mut SqliteBinds) {
        (**self).on_sqlite(to);
    }

    fn on_postgres<'a>(&'a self, to: &mut PostgresBinds<'a>) {
        (**self).on_postgres(to);
    }
}

macro_rules! plain {
    ($($type:ty),+) => {
        $(impl Bind for $type {
            fn on_sqlite(&self, to: &mut SqliteBinds) {
                to.add(self);
            }

            fn on_postgres<'a>(&'a self, to: &mut PostgresBinds<'a>) {
                to.add(self);
            }
        })+
    };
}
plain!(
    str,
    String,
    i64,
    bool,
    Option<&str>,
    Option<String>,
    Option<i64>
);
