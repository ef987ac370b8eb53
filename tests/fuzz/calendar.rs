//! Calendars.

use shiftbell::domain::{
    calendar::{self, MOST, Reading},
    zone::Zones,
};

use super::{
    mutate::{Dice, corpus, spoilt},
    run::target,
};

#[test]
fn calendar() {
    let (corpus, zones) = (corpus("calendar"), Zones::built_in());
    let paris = zones.get("Europe/Paris").unwrap();
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    target("calendar", |seed, input| {
        *input = spoilt(&corpus, &mut Dice::new(seed));
        let reading = Reading {
            zones: &zones,
            now,
            transparent: seed % 2 == 0,
        };
        let days = calendar::holidays(input, reading).map(|found| found.items.len());
        let away = calendar::away(input, &paris, reading);
        let spans = away.map(|found| {
            let sane = found.items.iter().all(|away| away.from < away.until);
            (found.items.len(), sane)
        });
        match (days, spans) {
            (Ok(days), _) if days > MOST => Err(format!("{days} days")),
            (_, Ok((spans, sane))) if spans > MOST || !sane => {
                Err(format!("{spans} spans, {sane}"))
            }
            (_, Err(error)) if error.0.is_empty() => Err("refused for nothing".to_owned()),
            _ => Ok(()),
        }
    });
}
