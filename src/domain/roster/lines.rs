//! Lines of a file of any size, with bounded memory.

use std::io::{self, BufRead, Read};

/// No agent needs a longer line.
pub(super) const LONGEST_LINE: usize = 1 << 20;

const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One line of a file, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Text(&'a str),
    /// Why it cannot be read.
    Unreadable(&'static str),
    /// As [`Line::Unreadable`], and so will be all that follows.
    Hopeless(&'static str),
}

/// Reads line after line into one buffer.
pub(super) struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    first: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self {
            from,
            buffer: Vec::new(),
            first: true,
        }
    }

    /// The next line; `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let limit = LONGEST_LINE as u64 + 2;
        if self
            .from
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut self.buffer)?
            == 0
        {
            return Ok(None);
        }
        let first = std::mem::take(&mut self.first);
        if first && (self.buffer.starts_with(b"\xFF\xFE") || self.buffer.starts_with(b"\xFE\xFF")) {
            return Ok(Some(Line::Hopeless("the file is UTF-16: save it as UTF-8")));
        }
        let ended = self.buffer.ends_with(b"\n");
        if !ended && self.buffer.len() as u64 == limit {
            self.skip_line()?;
            return Ok(Some(Line::Unreadable(
                "is longer than 1 MiB: write one agent a line",
            )));
        }
        let mut line = self.buffer.as_slice();
        line = line.strip_suffix(b"\n").unwrap_or(line);
        line = line.strip_suffix(b"\r").unwrap_or(line);
        if first && line.starts_with(UTF8_MARK) {
            return Ok(Some(Line::Unreadable(
                "begins with a byte-order mark: save the file as UTF-8 without it",
            )));
        }
        if line.len() > LONGEST_LINE {
            return Ok(Some(Line::Unreadable(
                "is longer than 1 MiB: write one agent a line",
            )));
        }
        if line.contains(&0) {
            return Ok(Some(
                if first && line.len() > 1 && (line[0] == 0 || line[1] == 0) {
                    Line::Hopeless("the file is UTF-16: save it as UTF-8")
                } else {
                    Line::Unreadable("holds a NUL byte: remove it")
                },
            ));
        }
        Ok(Some(std::str::from_utf8(line).map_or(
            Line::Unreadable("is not UTF-8: save the file as UTF-8"),
            Line::Text,
        )))
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let chunk = self.from.fill_buf()?;
            if chunk.is_empty() {
                return Ok(());
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let read = end.map_or(chunk.len(), |end| end + 1);
            self.from.consume(read);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}
