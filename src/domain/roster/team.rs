//! A workspace's object.

use jiff::civil::Date;

use super::{
    fields::{Fields, Findings, shown, wrong},
    json::Json,
    read::{Entry, identifier, name},
};
use crate::domain::{
    agent::{AskInvisible, Workspace},
    hours::date_from,
};

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

const WORKSPACE: &[&str] = &[
    "type",
    "id",
    "name",
    "holidays",
    "ask_invisible_after_seconds",
];

pub(super) fn workspace(value: Json, findings: &mut Findings) -> Option<Entry> {
    let mut fields = Fields::of(value, "", WORKSPACE, findings)?;
    let id = identifier(&mut fields, "id", findings);
    let name = name(&mut fields, findings);
    let holidays = fields
        .list("holidays", findings)
        .map(|list| holidays(list, findings));
    let ask_invisible = fields
        .take("ask_invisible_after_seconds")
        .and_then(|value| ask_invisible(&value, findings));
    let (Some(id), Some(name), true) = (id, name, findings.faults.is_empty()) else {
        return None;
    };
    Some(Entry::Workspace(Workspace {
        id,
        name,
        holidays,
        ask_invisible,
    }))
}

fn ask_invisible(value: &Json, findings: &mut Findings) -> Option<AskInvisible> {
    const EXPECTED: &str = "a whole number of seconds from 1 to 86400";
    match value {
        Json::Null => return Some(AskInvisible::Never),
        Json::Whole(seconds @ 1..=SECONDS_A_DAY) => {
            return u32::try_from(*seconds).ok().map(AskInvisible::After);
        }
        Json::Whole(_) | Json::Number => {
            findings.refuse("ask_invisible_after_seconds", format!("must be {EXPECTED}"));
        }
        other => findings.refuse("ask_invisible_after_seconds", wrong(other, EXPECTED)),
    }
    None
}

fn holidays(list: Vec<Json>, findings: &mut Findings) -> Vec<Date> {
    let mut dates = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        match &value {
            Json::Text(text) => match date_from(text) {
                Some(date) => dates.push(date),
                None => findings.refuse(
                    format!("holidays[{index}]"),
                    format!(
                        "\"{}\" is not a date of the calendar, YYYY-MM-DD",
                        shown(text)
                    ),
                ),
            },
            other => findings.refuse(
                format!("holidays[{index}]"),
                wrong(other, "a date \"YYYY-MM-DD\""),
            ),
        }
    }
    dates.sort_unstable();
    dates.dedup();
    dates
}
