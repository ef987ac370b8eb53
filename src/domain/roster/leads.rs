//! A line's `leads`.

use super::{
    fields::{Fields, Findings, wrong},
    json::Json,
};
use crate::domain::{
    hours::LocalTime,
    lead::{LONGEST, Lead, MOST},
};

pub(super) fn leads(list: Vec<Json>, findings: &mut Findings) -> Vec<Lead> {
    if list.len() > MOST {
        findings.refuse("leads", format!("has more than {MOST}: choose the best"));
        return Vec::new();
    }
    let mut leads = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        let path = format!("leads[{index}]");
        let Some(lead) = lead(value, &path, findings) else {
            continue;
        };
        if leads.contains(&lead) {
            findings.refuse(path, "stands there before: it would ring once");
        }
        leads.push(lead);
    }
    leads
}

fn lead(value: Json, path: &str, findings: &mut Findings) -> Option<Lead> {
    let mut fields = Fields::of(value, path, &["minutes", "day_before"], findings)?;
    let minutes = fields.take("minutes").filter(|value| *value != Json::Null);
    let day_before = fields.take("day_before");
    match (minutes, day_before.filter(|value| *value != Json::Null)) {
        (Some(minutes), None) => whole(&minutes, &fields.path_to("minutes"), findings),
        (None, Some(time)) => time_of_day(&time, &fields.path_to("day_before"), findings),
        (minutes, _) => {
            let both = "has minutes and day_before: write two leads";
            let neither = "needs minutes, or day_before";
            findings.refuse(path, if minutes.is_some() { both } else { neither });
            None
        }
    }
}

fn whole(value: &Json, path: &str, findings: &mut Findings) -> Option<Lead> {
    let expected = format!("a whole number of minutes from 1 to {LONGEST}");
    match value {
        Json::Whole(minutes) => {
            let minutes = u16::try_from(*minutes).ok();
            if let Some(minutes) = minutes.filter(|minutes| (1..=LONGEST).contains(minutes)) {
                return Some(Lead::Minutes(minutes));
            }
            findings.refuse(path, format!("must be {expected}"));
        }
        Json::Number => findings.refuse(path, format!("must be {expected}")),
        other => findings.refuse(path, wrong(other, &expected)),
    }
    None
}

fn time_of_day(value: &Json, path: &str, findings: &mut Findings) -> Option<Lead> {
    const EXPECTED: &str = "a time of day: write HH:MM, 00:00 to 23:59";
    let Json::Text(text) = value else {
        findings.refuse(path, wrong(value, "a time of day \"HH:MM\""));
        return None;
    };
    let time = text.parse().ok();
    let time = time.filter(|time| *time < LocalTime::END_OF_DAY);
    if time.is_none() {
        let said = super::fields::shown(text);
        findings.refuse(path, format!("\"{said}\" is not {EXPECTED}"));
    }
    time.map(Lead::DayBefore)
}
