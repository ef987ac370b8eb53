//! The binary: one command, then an exit code that tells the truth.

use shiftbell::{cli, lifecycle::Exit};

/// A shift's start makes and drops some hundred small values for each alert, on all cores at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Exit {
    cli::main()
}
