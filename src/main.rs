//! The binary: one command, then an exit code that tells the truth.

use shiftbell::{cli, lifecycle::Exit};

fn main() -> Exit {
    cli::main()
}
