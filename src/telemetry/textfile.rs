//! Metrics in a file, for `node_exporter`'s textfile collector: what a `tick` leaves behind.
//!
//! A tick starts counting at nothing, so its counters and histograms are added to those that
//! earlier ticks left in the file; gauges are replaced. The file is exchanged in one step, and a
//! lock beside it keeps two ticks from losing each other's counts (`a_second_tick_adds_to_the_first`).

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    io,
    path::Path,
};

/// Brings the file at `path` up to date with `metrics`, Prometheus text as the metrics handle
/// renders it. A reader sees the old file or the new one, never half of it.
pub fn write_textfile(path: &Path, metrics: &str) -> io::Result<()> {
    // The collector reads *.prom only, so neither of these is mistaken for metrics.
    let lock = File::create(path.with_extension("lock"))?;
    lock.lock()?;
    let earlier = match fs::read_to_string(path) {
        Ok(text) => text,
        // What is no text holds no counts either.
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::InvalidData
            ) =>
        {
            String::new()
        }
        Err(e) => return Err(e),
    };
    let fresh = path.with_extension("new");
    fs::write(&fresh, add(&earlier, metrics))?;
    fs::rename(&fresh, path)
}

/// One metric: its `# HELP` and `# TYPE` lines and its samples in order.
#[derive(Default)]
struct Family {
    head: String,
    grows: bool,
    samples: Vec<(String, f64)>,
}

/// `now`, with the growing ones of `earlier` added.
fn add(earlier: &str, now: &str) -> String {
    let mut families = parse(now);
    for (name, before) in parse(earlier) {
        if !before.grows {
            continue;
        }
        let family = families.entry(name).or_insert_with(|| Family {
            head: before.head,
            grows: true,
            samples: Vec::new(),
        });
        for (series, value) in before.samples {
            match family
                .samples
                .iter_mut()
                .find(|(known, _)| *known == series)
            {
                Some((_, sum)) => *sum += value,
                None => family.samples.push((series, value)),
            }
        }
    }
    let mut text = String::new();
    for family in families.values() {
        text += &family.head;
        for (series, value) in &family.samples {
            let _ = writeln!(text, "{series} {value}");
        }
    }
    text
}

/// By name. Lines that are no metric are left out.
fn parse(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.split(' ').skip(1);
            let Some(name) = words.next() else { continue };
            name.clone_into(&mut current);
            let family = families.entry(current.clone()).or_default();
            let _ = writeln!(family.head, "{line}");
            family.grows |= comment.starts_with("TYPE")
                && matches!(words.next(), Some("counter" | "histogram"));
        } else if let Some((series, value)) = line.rsplit_once(' ')
            && let Ok(value) = value.parse()
            && let Some(family) = families.get_mut(&current)
        {
            family.samples.push((series.to_owned(), value));
        }
    }
    families
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "# HELP sent Sent\n# TYPE sent counter\nsent{to=\"a\"} 2\nsent{to=\"b c\"} 1\n\n\
                         # TYPE lag histogram\nlag_bucket{le=\"+Inf\"} 2\nlag_sum 0.5\nlag_count 2\n\n\
                         # TYPE open gauge\nopen 1\n";
    const SECOND: &str = "# HELP sent Sent\n# TYPE sent counter\nsent{to=\"b c\"} 4\n\n\
                          # TYPE open gauge\nopen 0\n";

    #[test]
    fn a_second_tick_adds_to_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shiftbell.prom");
        write_textfile(&path, FIRST).unwrap();
        write_textfile(&path, SECOND).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let wanted = "# TYPE lag histogram\nlag_bucket{le=\"+Inf\"} 2\nlag_sum 0.5\nlag_count 2\n\
                      # TYPE open gauge\nopen 0\n\
                      # HELP sent Sent\n# TYPE sent counter\nsent{to=\"b c\"} 5\nsent{to=\"a\"} 2\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_file_that_holds_something_else_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shiftbell.prom");
        for garbage in [&b"\xff\xfe\0"[..], b"# \n# TYPE\nsent x\n 7\nno value", b""] {
            fs::write(&path, garbage).unwrap();
            write_textfile(&path, SECOND).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains("sent{to=\"b c\"} 4\n"), "{text}");
            assert!(!text.contains("no value"), "{text}");
        }
        assert!(write_textfile(&folder.path().join("no/where.prom"), FIRST).is_err());
    }
}
