//! Which time-zone data win: the copy built in, or a directory compiled here by `zic`.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best that it fails by failing"
)]

use std::{fs, path::Path, process::Command};

use jiff::{Timestamp, tz::Offset};
use shiftbell::{
    domain::zone::{DataVersion, Source, Zones},
    zones,
};

/// Compiles `rules` into `dir`, as a system's package of time zones would be.
fn compile(dir: &Path, rules: &str) {
    let source = dir.join("rules.txt");
    fs::write(&source, rules).unwrap();
    let paths = std::env::join_paths(
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .chain(["/usr/sbin".into()]),
    );
    let status = Command::new("zic")
        .env("PATH", paths.unwrap())
        .arg("-d")
        .arg(dir)
        .arg(&source)
        .status();
    assert!(status.expect("zic, from Debian's libc-bin").success());
}

fn offset(zones: &Zones, zone: &str, at: &str) -> Offset {
    zones
        .get(zone)
        .unwrap()
        .to_offset(at.parse::<Timestamp>().unwrap())
}

#[test]
fn vancouver_stays_on_summer_time_in_2026() {
    let zones = zones::load(None).unwrap();
    assert!(DataVersion::parse(zones.version()).unwrap() >= DataVersion::parse("2026f").unwrap());
    for zones in [zones, Zones::built_in()] {
        assert_eq!(
            offset(&zones, "America/Vancouver", "2026-12-01T12:00:00Z"),
            Offset::constant(-7)
        );
    }
}

#[test]
fn a_newer_directory_wins_and_what_it_lacks_is_built_in() {
    let dir = tempfile::tempdir().unwrap();
    compile(
        dir.path(),
        "Zone Europe/Paris 5:30 - ODD\nZone Moon/Tycho 3:00 - MOON\n",
    );
    fs::write(dir.path().join("+VERSION"), "2098a\n").unwrap();
    let zones = zones::load(Some(dir.path())).unwrap();
    assert_eq!(zones.version(), "2098a");
    assert_eq!(zones.source(), &Source::Directory(dir.path().to_owned()));
    let at = "2026-07-01T00:00:00Z";
    assert_eq!(offset(&zones, "Europe/Paris", at).to_string(), "+05:30");
    assert_eq!(offset(&zones, "Moon/Tycho", at), Offset::constant(3));
    assert_eq!(offset(&zones, "Europe/Berlin", at), Offset::constant(2));
    assert_eq!(
        zones.get("Moon/Tico").unwrap_err().suggestion.as_deref(),
        Some("Moon/Tycho")
    );
    // tzdata.zi, which zic's own input is, is asked first.
    fs::write(
        dir.path().join("tzdata.zi"),
        "# version 2099b\n# redistributable\n",
    )
    .unwrap();
    assert_eq!(zones::load(Some(dir.path())).unwrap().version(), "2099b");
}

#[test]
fn an_older_directory_loses() {
    let dir = tempfile::tempdir().unwrap();
    compile(dir.path(), "Zone Europe/Paris 5:30 - ODD\n");
    fs::write(dir.path().join("tzdata.zi"), "# version 2020a\n").unwrap();
    let zones = zones::load(Some(dir.path())).unwrap();
    assert_eq!(zones.source(), &Source::BuiltIn);
    assert_eq!(zones.version(), Zones::built_in().version());
    // As new as the copy built in is enough for one that was asked for.
    let version = format!("# version {}\n", zones.version());
    fs::write(dir.path().join("tzdata.zi"), version).unwrap();
    let zones = zones::load(Some(dir.path())).unwrap();
    assert_eq!(zones.source(), &Source::Directory(dir.path().to_owned()));
}

#[test]
fn a_configured_directory_that_is_no_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let name = dir.path().display().to_string();
    let refused = |path: &Path| zones::load(Some(path)).unwrap_err().to_string();
    let missing = dir.path().join("nowhere");
    assert!(refused(&missing).contains(&missing.display().to_string()));
    assert!(refused(dir.path()).contains(&format!("{name} does not say its version")));
    fs::write(dir.path().join("+VERSION"), "latest\n").unwrap();
    assert!(refused(dir.path()).contains("does not say its version"));
    fs::write(dir.path().join("+VERSION"), "2098a\n").unwrap();
    assert!(refused(dir.path()).contains("holds no compiled zone"));
}

#[test]
fn versions_are_ordered_by_year_and_letters() {
    let version = |text| DataVersion::parse(text).unwrap();
    assert!(version("2025b") < version("2026a"));
    assert!(version("2026z") < version("2026za"));
    assert!(version("2026f-dirty") >= version("2026f"));
    for bad in ["", "2026", "latest", "26a", "abcda"] {
        assert_eq!(DataVersion::parse(bad), None, "{bad}");
    }
}

#[test]
fn every_zone_built_in_is_spelt_as_it_is_listed() {
    let zones = Zones::built_in();
    let names: Vec<&str> = zones.names().collect();
    assert!(names.len() > 500);
    for name in names {
        assert_eq!(zones.get(name).unwrap().iana_name(), Some(name));
        let lower = name.to_lowercase();
        assert_eq!(zones.find(&lower).is_some(), lower == name);
    }
}
