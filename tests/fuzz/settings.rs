//! Configuration files, and the files with keys that they name.

use std::path::Path;

use shiftbell::config::Config;

use super::{
    config::{Folder, SECRET, service_account},
    mutate::{Dice, corpus, in_place, spoilt},
    run::target,
};

/// The password in a database's URL.
const CANARY: &str = "CANARY";
const BEFORE: &str = "\"postgres://app:";

#[test]
fn settings() {
    let folder = Folder::new();
    let files = ["AuthKey_ABC123DEFG.p8", "extra-ca.pem"];
    let whole = files.map(|name| (name, std::fs::read(folder.path(name)).unwrap()));
    let mut keys = whole.to_vec();
    let account = service_account("https://oauth2.example.com/token");
    keys.push(("service-account.json", account.into_bytes()));
    keys.push(("presence.secret", SECRET.as_bytes().to_vec()));
    // A piece of each that nobody would guess: not of the certificate, which is no secret.
    let rsa = include_str!("../config/rsa.pem").lines().nth(3).unwrap();
    let p8 = String::from_utf8(keys[0].1.clone()).unwrap();
    let canaries =
        [rsa, p8.lines().nth(1).unwrap(), &SECRET[6..30]].map(|text| text[..20].to_owned());
    let corpus = corpus("config");
    target("settings", |seed, input| {
        let mut dice = Dice::new(seed);
        let spoil_key = dice.roll(4) == 0;
        let (name, good) = dice.pick(&keys);
        if spoil_key {
            *input = spoilt(std::slice::from_ref(good), &mut dice);
            folder.write(name, &*input);
            folder.write("shiftbell.toml", &corpus[0]);
        } else {
            *input = spoilt(&corpus, &mut dice);
            folder.write("shiftbell.toml", &*input);
        }
        let loaded = Config::load(
            Some(&folder.path("shiftbell.toml")),
            std::iter::empty(),
            Path::new("/nonexistent"),
        );
        folder.write(name, good);
        let said = match loaded {
            Ok(config) => format!("{config:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        let shown = canaries.iter().any(|canary| said.contains(canary));
        let password = said.contains(CANARY) && in_place(input, BEFORE, CANARY);
        if shown || password {
            return Err(format!("a secret was printed: {said}"));
        }
        Ok(())
    });
}
