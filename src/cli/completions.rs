//! `shiftbell completions SHELL`: what a shell has to know to complete command lines.

use std::io::{self, Write};

use clap::Command;
use clap_complete::{Shell, generate};

/// Writes the script for `shell`. `command` is the whole command line's definition.
pub fn write(shell: Shell, mut command: Command, out: &mut impl Write) -> io::Result<()> {
    // By way of memory, because clap_complete panics where a pipe is closed.
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    generate(shell, &mut command, name, &mut script);
    match out.write_all(&script).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_has_a_script_that_knows_the_commands() {
        for shell in [
            Shell::Bash,
            Shell::Elvish,
            Shell::Fish,
            Shell::PowerShell,
            Shell::Zsh,
        ] {
            let command = Command::new("shiftbell").subcommand(Command::new("doctor"));
            let mut script = Vec::new();
            write(shell, command, &mut script).unwrap();
            assert!(
                String::from_utf8(script).unwrap().contains("doctor"),
                "{shell}"
            );
        }
    }
}
