//! Who may know whom: reads the imports of every source file and holds the map of `src/lib.rs`.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best that it fails by failing"
)]

use std::{fs, path::Path};

/// A room and the rooms it may import from (itself always).
const MAP: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    ("zones", &["domain"]),
    ("store", &["domain"]),
    ("channels", &["domain", "clock"]),
    ("triggers", &["domain"]),
    ("telemetry", &["domain", "clock"]),
    ("lifecycle", &["clock"]),
    ("config", &["domain"]),
    (
        "http",
        &["domain", "clock", "store", "lifecycle", "telemetry"],
    ),
    ("sim", &["domain", "clock"]),
    (
        "workers",
        &[
            "domain",
            "clock",
            "zones",
            "store",
            "channels",
            "triggers",
            "telemetry",
            "lifecycle",
            "config",
        ],
    ),
];

fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The rooms named after `crate::` in a source text, braces unfolded one level.
fn imports(text: &str) -> Vec<String> {
    let word = |s: &str| {
        s.trim()
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap_or("")
            .to_owned()
    };
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            found.push(word(rest));
            continue;
        };
        let (mut depth, mut start) = (0, 0);
        for (i, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    found.push(word(&list[start..i]));
                    break;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    found.push(word(&list[start..i]));
                    start = i + 1;
                }
                _ => {}
            }
        }
    }
    found.retain(|room| !room.is_empty());
    found
}

#[test]
fn rooms_import_only_what_the_map_allows() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&source, &mut files);
    let mut wrong = Vec::new();
    let mut checked = 0;
    for file in &files {
        let path = file.strip_prefix(&source).unwrap();
        let room = path
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_string_lossy()
            .replace(".rs", "");
        let Some((_, allowed)) = MAP.iter().find(|(name, _)| *name == room) else {
            continue;
        };
        checked += 1;
        for import in imports(&fs::read_to_string(file).unwrap()) {
            if import != room && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{} imports {import}", path.display()));
            }
        }
    }
    assert!(checked > 50, "only {checked} files were read");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn imports_are_found_in_braces_and_paths() {
    let text =
        "use crate::{domain::{a, b}, store::Tx};\n// crate::ignored\nlet x = crate::clock::now();";
    assert_eq!(imports(text), ["domain", "store", "clock"]);
}
