//! What Linux says of a process.

use std::fs;

/// `sysconf(_SC_CLK_TCK)`: 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// CPU seconds, user and system, of one process.
pub(crate) fn cpu(pid: u32) -> f64 {
    stat(pid).map_or(0.0, |stat| stat.own)
}

/// CPU seconds of a process, of its children, and of those that have ended.
pub(crate) fn cpu_of_family(pid: u32) -> f64 {
    let own = stat(pid).map_or(0.0, |stat| stat.own + stat.ended);
    own + children(pid).map(cpu).sum::<f64>()
}

/// CPU seconds of a process' children that have ended.
pub(crate) fn cpu_of_ended(pid: u32) -> f64 {
    stat(pid).map_or(0.0, |stat| stat.ended)
}

/// The most memory a process has held, in MiB.
pub(crate) fn peak_memory(pid: u32) -> f64 {
    kib(&format!("/proc/{pid}/status"), "VmHWM:") / 1024.0
}

/// The memory a process holds, in MiB.
pub(crate) fn memory(pid: u32) -> f64 {
    kib(&format!("/proc/{pid}/status"), "VmRSS:") / 1024.0
}

/// The memory that a process and its children hold, in MiB; what they share counts once.
pub(crate) fn memory_of_family(pid: u32) -> f64 {
    let one = |pid| kib(&format!("/proc/{pid}/smaps_rollup"), "Pss:") / 1024.0;
    one(pid) + children(pid).map(one).sum::<f64>()
}

struct Stat {
    parent: u32,
    own: f64,
    ended: f64,
}

fn children(pid: u32) -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(move |child| stat(*child).is_some_and(|stat| stat.parent == pid))
}

/// The fields after the command's name, which may hold anything but ends with the last bracket.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let seconds = |at: usize| Some(fields.get(at)?.parse::<f64>().ok()? / TICKS);
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: seconds(11)? + seconds(12)?,
        ended: seconds(13)? + seconds(14)?,
    })
}

/// A line `Name:  123 kB` of a file; 0 where it is not to be had.
fn kib(file: &str, name: &str) -> f64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0.0)
}
