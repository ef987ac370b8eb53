//! A folder to type commands in, and what a command answered.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

/// A command that takes longer hangs. Generous, since it may share two cores with many tests.
const LIMIT: Duration = Duration::from_mins(2);

/// The current folder and the environment of the commands.
#[derive(Clone)]
pub(crate) struct Shell {
    pub(crate) folder: PathBuf,
    env: Vec<(String, String)>,
    _own: Option<Arc<TempDir>>,
}

impl Shell {
    /// In an empty folder of its own.
    pub(crate) fn new() -> Self {
        let own = Arc::new(tempfile::tempdir().unwrap());
        Self {
            folder: own.path().to_owned(),
            env: Vec::new(),
            _own: Some(own),
        }
    }

    /// In a folder that is there.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            env: Vec::new(),
            _own: None,
        }
    }

    /// In an empty folder, on this database.
    pub(crate) fn on(database_url: &str) -> Self {
        Self::new().with("SHIFTBELL__DATABASE__URL", database_url)
    }

    /// The same with one more environment variable.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The names of what lies in the folder, in order.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// `program`, in this folder and under this environment, free of what the tests run under.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let ours = name.to_string_lossy().starts_with("SHIFTBELL");
            if ours || name == "RUST_LOG" || name == "COLUMNS" {
                command.env_remove(name);
            }
        }
        command
            .current_dir(&self.folder)
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// `shiftbell` with `line`'s words as its arguments.
    pub(crate) fn shiftbell(&self, line: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_shiftbell"));
        command.args(line.split_whitespace());
        command
    }

    /// Runs it with nothing on standard input.
    pub(crate) fn run(&self, line: &str) -> Said {
        self.feed(line, "")
    }

    /// Runs it with `input` on standard input.
    pub(crate) fn feed(&self, line: &str, input: impl Into<Vec<u8>>) -> Said {
        let output = assert_cmd::Command::from_std(self.shiftbell(line))
            .write_stdin(input)
            .timeout(LIMIT)
            .output()
            .unwrap();
        Said {
            line: line.to_owned(),
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Like [`Shell::run`], while this task's stand-ins go on answering.
    pub(crate) async fn aside(&self, line: &str) -> Said {
        let (shell, line) = (self.clone(), line.to_owned());
        tokio::task::spawn_blocking(move || shell.run(&line))
            .await
            .unwrap()
    }
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    #[expect(dead_code, reason = "shown where a test fails")]
    line: String,
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// It succeeded; what it printed.
    #[track_caller]
    pub(crate) fn done(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:#?}");
        &self.out
    }

    /// It succeeded; what it printed, each line an object.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        objects(self.done())
    }

    /// It could not do it: exit code 1, and one line on standard error has all of `words`.
    #[track_caller]
    pub(crate) fn failed(&self, words: &[&str]) {
        self.complains(1, words);
    }

    /// It was not asked properly: exit code 2, and one line on standard error has all of `words`.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) {
        self.complains(2, words);
    }

    #[track_caller]
    fn complains(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        let complaint = self
            .err
            .lines()
            .any(|line| words.iter().all(|word| line.contains(word)));
        assert!(
            complaint,
            "no line on stderr has all of {words:?}: {self:#?}"
        );
        assert_eq!(self.out, "", "errors go to standard error: {self:#?}");
    }
}

/// Reads one JSON object a line.
#[track_caller]
pub(crate) fn objects(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).expect(line);
            assert!(value.is_object(), "{line}");
            value
        })
        .collect()
}
