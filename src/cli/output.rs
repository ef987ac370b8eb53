//! What commands print: one JSON object a line with `--json`, a table on a terminal, columns
//! separated by tabs in a pipe.
//!
//! Whoever reads may stop reading: a closed pipe (`| head`) is no error, printing simply goes
//! nowhere from then on, and a long loop ends early by [`Output::is_closed`].

use std::io::{self, BufWriter, IsTerminal, Write};

use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::telemetry::escape;

/// Something that is printed as a row of a table, or as itself in JSON.
pub trait Row: Serialize {
    /// The columns' headings.
    const HEADINGS: &'static [&'static str];

    /// One cell a heading, for people.
    fn cells(&self) -> Vec<String>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Table { bold: bool },
    Tabs,
}

/// Standard output, or whatever stands in for it.
#[derive(Debug)]
pub struct Output<W: Write> {
    form: Form,
    out: BufWriter<W>,
    closed: bool,
}

impl Output<io::StdoutLock<'static>> {
    /// Standard output: JSON if asked for, else a table on a terminal, else tabs. Headings are bold
    /// unless `NO_COLOR` is set.
    pub fn stdout(json: bool) -> Self {
        let bold = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let form = match (json, io::stdout().is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => Form::Table { bold },
            (false, false) => Form::Tabs,
        };
        Self::new(form, io::stdout().lock())
    }
}

impl<W: Write> Output<W> {
    fn new(form: Form, out: W) -> Self {
        Self {
            form,
            out: BufWriter::new(out),
            closed: false,
        }
    }

    /// Whether it prints JSON.
    pub fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Whether nobody reads any more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Prints `value` as one line of JSON, or `text` for people.
    pub fn line(
        &mut self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> io::Result<()> {
        let line = match self.form {
            Form::Json => serde_json::to_string(value)?,
            Form::Table { .. } | Form::Tabs => escape(&text()),
        };
        self.write(&line)
    }

    /// Prints `text` for people, and nothing in JSON.
    pub fn note(&mut self, text: &str) -> io::Result<()> {
        if self.is_json() {
            Ok(())
        } else {
            self.write(&escape(text))
        }
    }

    /// Prints rows under their headings. Only a table on a terminal waits for all of them.
    pub fn rows<R: Row>(&mut self, rows: impl IntoIterator<Item = R>) -> io::Result<()> {
        let rows = rows.into_iter();
        match self.form {
            Form::Json => self.each(rows, |row| Ok(serde_json::to_string(&row)?)),
            Form::Tabs => {
                self.write(&R::HEADINGS.join("\t"))?;
                self.each(rows, |row| {
                    let cells: Vec<String> = row.cells().iter().map(|cell| escape(cell)).collect();
                    Ok(cells.join("\t"))
                })
            }
            Form::Table { bold } => self.write(&table(rows, bold)),
        }
    }

    /// Hands on what is buffered: after each line of something that people watch, and at the end.
    pub fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        self.forgive(result)
    }

    fn each<R>(
        &mut self,
        rows: impl Iterator<Item = R>,
        line: impl Fn(R) -> io::Result<String>,
    ) -> io::Result<()> {
        for row in rows {
            self.write(&line(row)?)?;
            if self.closed {
                break;
            }
        }
        Ok(())
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let result = writeln!(self.out, "{line}");
        self.forgive(result)
    }

    fn forgive(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            result => result,
        }
    }
}

fn table<R: Row>(rows: impl Iterator<Item = R>, bold: bool) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(R::HEADINGS.iter().map(|heading| {
        let cell = Cell::new(heading);
        if bold {
            cell.add_attribute(Attribute::Bold)
        } else {
            cell
        }
    }));
    for row in rows {
        table.add_row(row.cells().iter().map(|cell| escape(cell)));
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Pair {
        agent: &'static str,
        note: &'static str,
    }

    impl Row for Pair {
        const HEADINGS: &'static [&'static str] = &["AGENT", "NOTE"];

        fn cells(&self) -> Vec<String> {
            vec![self.agent.to_owned(), self.note.to_owned()]
        }
    }

    const PAIRS: [Pair; 2] = [
        Pair {
            agent: "a-1",
            note: "tab\there",
        },
        Pair {
            agent: "a-20",
            note: "\u{202e}x",
        },
    ];

    fn printed(form: Form) -> String {
        let mut bytes = Vec::new();
        let mut output = Output::new(form, &mut bytes);
        output.rows(PAIRS).unwrap();
        output.line(&PAIRS[0], || "a line".to_owned()).unwrap();
        output.note("2 agents").unwrap();
        output.flush().unwrap();
        drop(output);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_is_one_object_a_line_and_nothing_else() {
        let lines = printed(Form::Json);
        let first = r#"{"agent":"a-1","note":"tab\there"}"#;
        assert_eq!(lines.lines().next(), Some(first));
        assert_eq!(lines.lines().last(), Some(first));
        assert_eq!(lines.lines().count(), 3);
    }

    #[test]
    fn a_pipe_gets_columns_between_tabs() {
        let text = printed(Form::Tabs);
        assert_eq!(
            text,
            "AGENT\tNOTE\na-1\ttab\\u{9}here\na-20\t\\u{202e}x\na line\n2 agents\n"
        );
    }

    #[test]
    fn a_terminal_gets_a_table() {
        let text = printed(Form::Table { bold: false });
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(lines[0], "AGENT  NOTE");
        assert_eq!(lines[2], "a-20   \\u{202e}x");
    }

    #[test]
    fn a_closed_pipe_ends_the_loop_and_is_no_error() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut printed = 0;
        let mut output = Output::new(Form::Json, Closed);
        let endless = std::iter::repeat_with(|| {
            printed += 1;
            Pair {
                agent: "a-1",
                note: "",
            }
        });
        output.rows(endless).unwrap();
        assert!(output.is_closed());
        output.note("more").unwrap();
        output.flush().unwrap();
        drop(output);
        assert!(printed < 10_000);
    }
}
