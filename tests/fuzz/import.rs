//! Import files.

use shiftbell::domain::{roster, zone::Zones};

use super::{
    mutate::{Dice, corpus, in_place, spoilt},
    run::target,
};

const CANARY: &str = "CANARY";

#[test]
fn import() {
    let (corpus, zones) = (corpus("import"), Zones::built_in());
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    target("import", |seed, input| {
        *input = spoilt(&corpus, &mut Dice::new(seed));
        let said = match roster::read(input.as_slice(), &zones, now) {
            Ok(roster) => format!("{} {:?}", roster.warnings, roster),
            Err(error) => format!("{error} {error:?}"),
        };
        if said.contains(CANARY) && in_place(input, r#""token":""#, CANARY) {
            return Err(format!("a token was printed: {said}"));
        }
        Ok(())
    });
}
